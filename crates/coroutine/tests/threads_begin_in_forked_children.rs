//! What a forked child spawns begins, also when another thread of its parent was about to end at
//! that moment and held the lock of std's list of threads.
//!
//! That moment is made to last: the allocator of this program does not give back the name of that
//! thread, which std drops under the lock, until it may. (AddressSanitizer hears of overflows
//! itself, and std then keeps no list.)

#![cfg(not(feature = "asan"))]
#![allow(unsafe_code)]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use coroutine::{blocking, spawn};
use socket::Deadline;
use socket::process::{Child, Exit, Fork};
use socket::seam::wait_any;
use support::Watchdog;

/// The length of the name, which nothing else here has.
const LENGTH: usize = 4321;

/// What becomes of a block of that length that is given back.
static MOMENT: AtomicU32 = AtomicU32::new(FREE);
const FREE: u32 = 0;
const WANTED: u32 = 1;
const LASTS: u32 = 2;

struct Holding;

#[global_allocator]
static ALLOCATOR: Holding = Holding;

// SAFETY: it is the system's allocator, which is only late with some blocks.
unsafe impl GlobalAlloc for Holding {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: promised by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if layout.size() == LENGTH && MOMENT.compare_exchange(WANTED, LASTS, SeqCst, SeqCst).is_ok()
        {
            while MOMENT.load(SeqCst) == LASTS {
                thread::yield_now();
            }
        }
        // SAFETY: promised by the caller.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: promised by the caller.
        unsafe { System.realloc(block, layout, size) }
    }
}

/// Runs `body` while a thread is about to end, for as long as that takes.
fn at_the_end_of_a_thread(body: impl FnOnce()) {
    let (end, ends) = mpsc::channel::<()>();
    let (tell, begun) = mpsc::channel();
    let builder = thread::Builder::new().name("x".repeat(LENGTH));
    let ending = builder.spawn(move || {
        tell.send(()).unwrap();
        ends.recv().unwrap_err();
    });
    begun.recv().unwrap();
    let over = Over;
    MOMENT.store(WANTED, SeqCst);
    drop(end);
    // The name goes after all that a handle of the thread could tell of its end.
    let latest = Instant::now() + Duration::from_secs(60);
    while MOMENT.load(SeqCst) != LASTS {
        assert!(Instant::now() < latest, "std did not drop its name at its end: nothing to show");
        thread::yield_now();
    }
    body();
    drop(over);
    ending.unwrap().join().unwrap();
}

/// Ends the moment, also where a test fails in it or before it: it would never end, and no thread
/// of this process neither.
struct Over;

impl Drop for Over {
    fn drop(&mut self) {
        MOMENT.store(FREE, SeqCst);
    }
}

fn forked(body: impl FnOnce() -> i32) -> Child {
    Fork::new().ending_with_parent(None, Duration::ZERO).run(body).unwrap()
}

/// How it ends; `None` if it does not for so long.
fn end(child: &mut Child, wait: Duration) -> Option<Exit> {
    let ended = wait_any(&mut [child.watch()], Deadline::After(wait));
    ended.ok().and_then(|()| child.try_wait().unwrap())
}

#[test]
fn what_a_child_spawns_begins() {
    let _watchdog = Watchdog::new(Duration::from_secs(120));
    at_the_end_of_a_thread(|| {
        let mut child = forked(|| {
            let fails = spawn(|| panic!("as it should")).join().is_err();
            let on_threads = spawn(|| 20).join().unwrap()
                + spawn(|| spawn(|| 1)).join().unwrap().join().unwrap();
            let in_coroutines = coroutine::run(|| spawn(|| blocking(|| 21)).join().unwrap());
            i32::from(fails) * (on_threads + in_coroutines.unwrap())
        });
        assert_eq!(end(&mut child, Duration::from_secs(60)), Some(Exit::Code(42)));
        // That this is worth the trouble: a thread of std's would wait for ever.
        let mut child = forked(|| thread::spawn(|| 42).join().unwrap());
        let ended = end(&mut child, Duration::from_millis(300));
        assert_eq!(ended, None, "threads of std's begin in a child: it needs no others any more");
    });
}
