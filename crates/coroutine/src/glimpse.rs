//! A glimpse of where a running coroutine stands: its backtrace, taken from another thread.
//!
//! ```text
//!   asker ── signal ──► worker: the handler forks ──► child: backtrace ─► pipe ─► asker
//!                         │ and goes on                 _exit
//! ```
//! A signal may come between any two instructions, inside `malloc` too, and then nothing may be
//! called that takes a lock or allocates, which unwinding and looking names up both do. So the
//! handler does one thing: it forks. Its child is a copy of that thread in that moment, and does
//! what is needed there. Nothing of the process is touched: the child hears no signal, closes every
//! descriptor but the pipe, and leaves by `_exit(2)`; it has no exit signal, so nobody else is told
//! of its end or waits for it.
//!
//! Whatever goes wrong happens to the child: a lock was held that nobody is left to open, or the
//! instruction is one of those without unwinding information (a linker's stub of a call, assembly),
//! and the backtrace ends there. Either is a matter of the moment, so there are several looks.
//!
//! In debug builds only: a fork costs milliseconds, and a release build has no lines to show.
//!
//! What it deliberately does not do: stop the coroutine, or look at one that waits; for those there
//! is a debugger.

#![allow(unsafe_code)]

use std::backtrace::Backtrace;
use std::fs::File;
use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, FromRawFd};
use std::ptr;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, AtomicU64};
use std::time::{Duration, Instant};

use socket::{Deadline, Interest, Poll, poll};

use crate::current;
use crate::remote::Shared;

/// How long the worker has to hear the signal and its child to answer, all looks together. Looking
/// up names in a large program takes a second on a slow machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many looks there are at most. Of those at what allocates all the time, one in four meets the
/// allocator's lock.
const LOOKS: u32 = 6;

/// How often it is asked how the child does, and after how many times without any change a child
/// that sleeps is taken to sleep for ever. It has no others to wait for.
const GLANCE: Duration = Duration::from_millis(5);
const STILL: u32 = 20;

/// The longest answer, in bytes: a few hundred frames.
const MOST: u64 = 256 * 1024;

/// The function below all of a coroutine's own: a backtrace that has come so far is whole.
const ROOT: &str = "coroutine::forced::run";

/// What is asked of the handler: of which worker, in which of its resumes, and where to write.
static ASKED_OF: AtomicPtr<Shared> = AtomicPtr::new(ptr::null_mut());
static ASKED_IN: AtomicU64 = AtomicU64::new(0);
static ANSWER_TO: AtomicI32 = AtomicI32::new(-1);
/// One of the following, or the number of the child.
static STATE: AtomicI32 = AtomicI32::new(NOTHING);

const NOTHING: i32 = 0;
const ASKED: i32 = -1;
const CLAIMED: i32 = -2;
const REFUSED: i32 = -3;

/// The signal that asks: a real-time one that is nobody's, beside the one of `socket`.
fn signal() -> i32 {
    libc::SIGRTMAX() - 1
}

/// Where the coroutine stands that is in this `resume` on the worker's `thread`. `None` if it has
/// given way meanwhile, or the system is short of something.
pub(crate) fn backtrace(shared: &Shared, thread: i32, resume: u64) -> Option<String> {
    let _turn = Turn::take()?;
    install();
    let end = Instant::now() + PATIENCE;
    let mut best = None;
    for _ in 0..LOOKS {
        let Some(text) = look(shared, thread, resume, end) else { break };
        let is_whole = text.contains(ROOT);
        best = Some(text).filter(|text| !text.is_empty()).or(best);
        if is_whole || Instant::now() >= end {
            break;
        }
    }
    best.map(|text| without_ours(&text)).filter(|text| !text.is_empty())
}

/// What a child tells; nothing if it cannot. `None` if there is none.
fn look(shared: &Shared, thread: i32, resume: u64, end: Instant) -> Option<String> {
    let (reader, writer) = pipe().ok()?;
    ASKED_OF.store(ptr::from_ref(shared).cast_mut(), SeqCst);
    ASKED_IN.store(resume, SeqCst);
    ANSWER_TO.store(writer.as_raw_fd(), SeqCst);
    STATE.store(ASKED, SeqCst);
    let process = std::process::id() as i32;
    // SAFETY: takes integers. A thread that has ended only makes it fail.
    unsafe { libc::syscall(libc::SYS_tgkill, process, thread, signal()) };
    let child = wait_for_child(end)?;
    drop(writer);
    let answer = read(reader, child, end);
    // SAFETY: takes integers; the child is ours and has not been waited for.
    unsafe { libc::kill(child, libc::SIGKILL) };
    // SAFETY: as above, and nobody wants the status.
    unsafe { libc::waitpid(child, ptr::null_mut(), libc::__WALL) };
    Some(String::from_utf8(answer).unwrap_or_default())
}

/// One at a time in a process, which is known by its number: a child that was forked in the middle
/// of one has nobody to end it, and takes glimpses of its own.
struct Turn;

static TAKEN_BY: AtomicU32 = AtomicU32::new(0);

impl Turn {
    /// Waits for the one that is under way; `None` if it takes too long.
    fn take() -> Option<Turn> {
        let (me, end) = (std::process::id(), Instant::now() + 2 * PATIENCE);
        loop {
            let by = TAKEN_BY.load(SeqCst);
            if by != me && TAKEN_BY.compare_exchange(by, me, SeqCst, SeqCst).is_ok() {
                return Some(Turn);
            }
            if Instant::now() >= end {
                return None;
            }
            std::thread::park_timeout(Duration::from_millis(1));
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        TAKEN_BY.store(0, SeqCst);
    }
}

/// Waits until the handler has forked, or takes the question back.
fn wait_for_child(end: Instant) -> Option<i32> {
    loop {
        match STATE.load(SeqCst) {
            REFUSED => return None,
            child @ 1.. => return Some(child),
            ASKED if Instant::now() >= end => {
                // A handler that has begun will say how it went.
                if STATE.compare_exchange(ASKED, NOTHING, SeqCst, SeqCst).is_ok() {
                    return None;
                }
            }
            _ => std::thread::park_timeout(Duration::from_millis(1)),
        }
    }
}

/// All that the child says until the end, while it does something. A zero is the end, too: a child
/// of the program's that was forked meanwhile has the pipe as well.
fn read(reader: File, child: i32, end: Instant) -> Vec<u8> {
    let (mut answer, mut room) = (Vec::new(), [0; 4096]);
    let mut reader = reader.take(MOST);
    let (mut before, mut still) = (None, 0);
    while still < STILL && Instant::now() < end {
        let mut asked = [Poll::new(reader.get_ref().as_fd(), Interest::READ)];
        match poll(&mut asked, Deadline::After(GLANCE)) {
            Ok(1..) => {}
            Ok(0) => {
                let now = asleep(child);
                still = if now.is_some() && now == before { still + 1 } else { 0 };
                before = now;
                continue;
            }
            Err(_) => break,
        }
        match reader.read(&mut room) {
            Ok(count @ 1..) => answer.extend_from_slice(&room[..count]),
            _ => break,
        }
        if answer.pop_if(|last| *last == 0).is_some() {
            break;
        }
    }
    answer
}

/// What the system counts of a process that sleeps, which stays the same until it wakes.
fn asleep(process: i32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, counts) = stat.rsplit_once(") ")?;
    counts.starts_with('S').then(|| counts.to_owned())
}

fn pipe() -> io::Result<(File, File)> {
    let mut ends = [0; 2];
    // SAFETY: there is room for the two numbers.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor, and nobody else knows its number.
    let reader = unsafe { File::from_raw_fd(ends[0]) };
    // SAFETY: as above.
    let writer = unsafe { File::from_raw_fd(ends[1]) };
    Ok((reader, writer))
}

/// Who has the turn does it each time: to know that it is done would take a lock or a word more.
fn install() {
    // SAFETY: all zeros are a valid action: the default one, with an empty mask.
    let mut action = unsafe { MaybeUninit::<libc::sigaction>::zeroed().assume_init() };
    action.sa_sigaction = on_asked as *const () as usize;
    action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
    // The child is not to hear anything that is meant for its parent.
    // SAFETY: the mask is ours to write.
    unsafe { libc::sigfillset(&raw mut action.sa_mask) };
    // SAFETY: `action` is valid; the handler only forks, and what its child does hurts nobody.
    unsafe { libc::sigaction(signal(), &raw const action, ptr::null_mut()) };
}

extern "C" fn on_asked(_: libc::c_int) {
    if STATE.compare_exchange(ASKED, CLAIMED, SeqCst, SeqCst).is_err() {
        return;
    }
    let asked_of = ASKED_OF.load(SeqCst).cast_const();
    let runs = current::worker().is_some_and(|worker| {
        ptr::eq(&raw const *worker.shared, asked_of)
            && worker.shared.running() == ASKED_IN.load(SeqCst)
    });
    if !runs {
        return STATE.store(REFUSED, SeqCst);
    }
    // SAFETY: answers the address of this thread's `errno`, which always exists.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: that address, which only this thread uses.
    let before = unsafe { *errno };
    // SAFETY: with no flags it is a fork without an exit signal, on a copy of this stack. The call
    // itself, without what the C library does around it, is async-signal-safe.
    let child =
        unsafe { libc::syscall(libc::SYS_clone, 0_usize, 0_usize, 0_usize, 0_usize, 0_usize) };
    if child == 0 {
        answer();
    }
    // SAFETY: as for the read.
    unsafe { *errno = before };
    STATE.store(i32::try_from(child).ok().filter(|child| *child > 0).unwrap_or(REFUSED), SeqCst);
}

/// The child's whole life.
fn answer() -> ! {
    // It ends by this whatever happens.
    // SAFETY: takes an integer and the default action.
    unsafe { libc::signal(libc::SIGALRM, libc::SIG_DFL) };
    // SAFETY: all zeros are a valid set.
    let mut alarm = unsafe { MaybeUninit::<libc::sigset_t>::zeroed().assume_init() };
    // SAFETY: the set is ours to write.
    unsafe { libc::sigaddset(&raw mut alarm, libc::SIGALRM) };
    // SAFETY: the set is initialised; nobody asks for the mask before it.
    unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const alarm, ptr::null_mut()) };
    // SAFETY: takes an integer.
    unsafe { libc::alarm(PATIENCE.as_secs() as u32) };
    let to = ANSWER_TO.load(SeqCst);
    // Nothing is kept open by this process: no connection, no ring.
    for (first, last) in [(0, to - 1), (to + 1, i32::MAX)] {
        // SAFETY: takes integers. What owns the descriptors never runs again here.
        unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    }
    let text = Backtrace::force_capture().to_string() + "\0";
    // SAFETY: the pipe's end, which is open, and which nothing else here closes.
    let mut writer = unsafe { File::from_raw_fd(to) };
    let written = writer.write_all(text.as_bytes());
    // SAFETY: ends the process, and runs nothing.
    unsafe { libc::_exit(i32::from(written.is_err())) }
}

/// Without the frames of this file and of the signal, which come first, and without those of the
/// worker below the coroutine.
fn without_ours(text: &str) -> String {
    let mut frames: Vec<String> = Vec::new();
    for line in text.lines() {
        let number = line.trim_start().split(':').next().unwrap_or_default();
        match frames.last_mut() {
            Some(frame) if number.parse::<u32>().is_err() => *frame += &format!("\n{line}"),
            _ => frames.push(line.to_owned()),
        }
    }
    let is = |part: &'static str| move |frame: &String| frame.contains(part);
    // The last of ours is followed by the one that the kernel made.
    let first = frames.iter().rposition(is("glimpse::on_asked")).map_or(0, |at| at + 2);
    let end = frames.iter().position(is(ROOT)).unwrap_or(frames.len());
    frames.get(first..end).unwrap_or_default().join("\n")
}
