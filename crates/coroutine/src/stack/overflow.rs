//! A stack overflow says which coroutine it was, before it ends the process.
//!
//! The guard below a stack turns an overflow into a SIGSEGV (or a SIGBUS). There is no stack left
//! to handle it on, so each worker thread has another one for signals. The handler is the
//! process's: it looks whether the address lies in a guard of this thread's slab, says so in one
//! write, and lets the fault happen again with the default action. Any other fault goes to the
//! handler before, which is std's, a sanitizer's or the program's own.
//!
//! Everything the handler does is async-signal-safe: it allocates nothing and waits for nothing. It
//! deliberately does not try to save the coroutine: what was on that stack is in an unknown state.

#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::{Mutex, OnceLock};

use socket::process::hold_forks;

use super::guard;
use crate::current;

/// The faults that a guard causes, by platform.
const SIGNALS: [libc::c_int; 2] = [libc::SIGSEGV, libc::SIGBUS];

/// What is said of a name, in bytes, so that the rest of the message has room.
const LONGEST_NAME: usize = 160;

/// The size of a signal stack: the handler's own frames and those of a handler before it, with the
/// registers of the largest processors.
const SIGNAL_STACK: usize = 64 * 1024;

/// While it lives, this thread has a signal stack, and the process the handler.
#[derive(Debug)]
pub(crate) struct Watch {
    stack: usize,
    before: libc::stack_t,
}

impl Watch {
    /// # Errors
    /// `ENOMEM`; `EPERM` on a thread that is handling a signal.
    pub(crate) fn new() -> io::Result<Watch> {
        install()?;
        let stack = guard::reserve(SIGNAL_STACK)?;
        let new =
            libc::stack_t { ss_sp: stack as *mut libc::c_void, ss_flags: 0, ss_size: SIGNAL_STACK };
        let mut before = MaybeUninit::<libc::stack_t>::zeroed();
        // SAFETY: the stack is a mapping that lives until the drop below; `before` has the room.
        let answer = unsafe { libc::sigaltstack(&raw const new, before.as_mut_ptr()) };
        if answer != 0 {
            let error = io::Error::last_os_error();
            // SAFETY: the mapping has been made above, and the kernel did not take it.
            unsafe { guard::release(stack, SIGNAL_STACK) };
            return Err(error);
        }
        // SAFETY: the call has written it, and zeros were a valid value before.
        Ok(Watch { stack, before: unsafe { before.assume_init() } })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // SAFETY: gives the thread the signal stack back that it had; it has outlived this watch,
        // because whoever made it takes it away at the end of the thread.
        unsafe { libc::sigaltstack(&raw const self.before, ptr::null_mut()) };
        // SAFETY: the thread no longer uses it.
        unsafe { guard::release(self.stack, SIGNAL_STACK) };
    }
}

/// What handled the signals before, in the order of [`SIGNALS`].
static BEFORE: OnceLock<[libc::sigaction; 2]> = OnceLock::new();

/// Installs the handler, once for the process.
fn install() -> io::Result<()> {
    static INSTALLING: Mutex<()> = Mutex::new(());
    // A forked child finds both open.
    let _forks = hold_forks();
    let _installing = INSTALLING.lock();
    if BEFORE.get().is_some() {
        return Ok(());
    }
    let [segv, bus] = SIGNALS.map(|signal| action(signal, None));
    // Known before the handler can be called.
    BEFORE.get_or_init(|| [segv, bus]);
    for signal in SIGNALS {
        let mut new = empty_action();
        new.sa_sigaction = handle as *const () as usize;
        new.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        action(signal, Some(&new));
    }
    Ok(())
}

/// The handler.
unsafe extern "C" fn handle(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: the kernel passes a valid `siginfo_t` to a handler with `SA_SIGINFO`.
    let details = unsafe { &*info };
    // SAFETY: for these two signals that is the field; where somebody sent the signal by hand it
    // holds other bytes, which are an address as good as any to compare.
    let address = unsafe { details.si_addr() } as usize;
    let found = current::worker().and_then(|worker| {
        let number = worker.scheduler.slab().overflowed(address)?;
        Some((worker, number))
    });
    let Some((worker, number)) = found else { return hand_on(signal, info, context) };
    let mut line = Line::default();
    line.text("\ncoroutine ");
    line.number(worker.scheduler.id_of(number));
    worker.shared.try_name(number, |name| {
        if !name.is_empty() {
            line.text(" (");
            line.bytes(name, LONGEST_NAME);
            line.text(")");
        }
    });
    line.text(" overflowed its ");
    line.number(worker.scheduler.slab().layout().stack_bytes as u64 / 1024);
    line.text(" KiB stack\n");
    line.write();
    // The fault happens again when this returns, and now ends the process.
    action(signal, Some(&empty_action()));
}

/// Lets the handler before have a fault that is not ours.
fn hand_on(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let at = SIGNALS.iter().position(|known| *known == signal);
    let before = at.and_then(|at| Some(&BEFORE.get()?[at]));
    match before {
        Some(before) if before.sa_sigaction == libc::SIG_IGN => {}
        Some(before) if before.sa_sigaction != libc::SIG_DFL => {
            call(before, signal, info, context);
        }
        _ => {
            action(signal, Some(&empty_action()));
        }
    }
}

fn call(
    before: &libc::sigaction,
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    type Full = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
    type Short = extern "C" fn(libc::c_int);
    if before.sa_flags & libc::SA_SIGINFO != 0 {
        // SAFETY: an action with `SA_SIGINFO` holds the address of such a function.
        let handler = unsafe { std::mem::transmute::<usize, Full>(before.sa_sigaction) };
        handler(signal, info, context);
    } else {
        // SAFETY: one without, that is neither the default nor to ignore, holds one of this kind.
        let handler = unsafe { std::mem::transmute::<usize, Short>(before.sa_sigaction) };
        handler(signal);
    }
}

/// Sets the action of a signal, or only reads it.
fn action(signal: libc::c_int, new: Option<&libc::sigaction>) -> libc::sigaction {
    let new = new.map_or(ptr::null(), ptr::from_ref);
    let mut before = empty_action();
    // SAFETY: `new` is null or valid, `before` has the room. Neither signal is one that refuses.
    unsafe { libc::sigaction(signal, new, &raw mut before) };
    before
}

/// The default action, with an empty mask and no flags.
fn empty_action() -> libc::sigaction {
    // SAFETY: all zeros are a valid action: the default one.
    unsafe { MaybeUninit::<libc::sigaction>::zeroed().assume_init() }
}

/// A line of text, put together without allocating. What does not fit is left out.
struct Line {
    bytes: [u8; 256],
    length: usize,
}

impl Default for Line {
    fn default() -> Line {
        Line { bytes: [0; 256], length: 0 }
    }
}

impl Line {
    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes(), text.len());
    }

    /// Up to `most` of `bytes`.
    fn bytes(&mut self, bytes: &[u8], most: usize) {
        let count = bytes.len().min(most).min(self.bytes.len() - self.length);
        self.bytes[self.length..self.length + count].copy_from_slice(&bytes[..count]);
        self.length += count;
    }

    fn number(&mut self, number: u64) {
        let mut digits = [0u8; 20];
        let (mut at, mut rest) = (digits.len(), number);
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.text(std::str::from_utf8(&digits[at..]).unwrap_or("?"));
    }

    fn write(&self) {
        let pointer = self.bytes.as_ptr().cast();
        // SAFETY: so many bytes of the line are text. If it cannot be written, there is no remedy.
        unsafe { libc::write(libc::STDERR_FILENO, pointer, self.length) };
    }
}
