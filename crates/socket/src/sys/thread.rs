//! Threads made by the C library itself. Who wants them, and why, is said in `process/threads.rs`.

use std::ffi::{CString, c_void};
use std::io;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::ptr;

/// A thread that is to be waited for. When it is dropped, the thread goes on alone.
///
/// Its handle is kept as a number, which may go to other threads whatever C takes it for.
pub(crate) struct Thread(usize);

/// What a thread begins with.
struct Start {
    /// Empty for none.
    name: CString,
    body: Box<dyn FnOnce() + Send>,
}

impl Thread {
    /// Starts a thread with so much stack, a multiple of the size of a page. A panic of `body`
    /// ends the process. `pthread_create(3)`.
    pub(crate) fn start(
        name: CString,
        stack_bytes: usize,
        body: Box<dyn FnOnce() + Send>,
    ) -> io::Result<Thread> {
        let mut attributes = MaybeUninit::uninit();
        // SAFETY: `attributes` is room for what the call writes.
        answered(unsafe { libc::pthread_attr_init(attributes.as_mut_ptr()) })?;
        let mut thread = MaybeUninit::<libc::pthread_t>::uninit();
        let start = Box::into_raw(Box::new(Start { name, body }));
        // SAFETY: the attributes were made above, and are only read or changed by these calls.
        let mut answer =
            unsafe { libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), stack_bytes) };
        if answer == 0 {
            // SAFETY: both places are valid, and `begin` takes what `start` points to.
            answer = unsafe {
                libc::pthread_create(
                    thread.as_mut_ptr(),
                    attributes.as_ptr(),
                    begin,
                    start.cast::<c_void>(),
                )
            };
        }
        // SAFETY: made above and not used any more.
        unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
        if answer != 0 {
            // SAFETY: from `into_raw`, and there is no thread that could take it.
            drop(unsafe { Box::from_raw(start) });
        }
        answered(answer)?;
        // SAFETY: the call has succeeded and so has written it.
        let thread = unsafe { thread.assume_init() };
        Ok(Thread(thread as usize))
    }

    /// Waits for its end. `pthread_join(3)`.
    pub(crate) fn join(self) {
        let thread = ManuallyDrop::new(self);
        // SAFETY: it has not been joined or detached, which takes the value, and nobody asks for
        // what it returned. Its own thread would be told `EDEADLK`.
        unsafe { libc::pthread_join(thread.0 as libc::pthread_t, ptr::null_mut()) };
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        // SAFETY: it has not been joined, see `join`.
        unsafe { libc::pthread_detach(self.0 as libc::pthread_t) };
    }
}

/// The first function of a thread.
extern "C" fn begin(start: *mut c_void) -> *mut c_void {
    // SAFETY: `Thread::start` gives the box to this thread alone.
    let start = unsafe { Box::from_raw(start.cast::<Start>()) };
    let Start { name, body } = *start;
    if !name.is_empty() {
        // SAFETY: `name` ends with a zero; of a longer one the kernel takes the first 15 bytes.
        unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
    }
    drop(name);
    body();
    ptr::null_mut()
}

/// The result of a call that answers zero or what else it would put into `errno`.
fn answered(answer: libc::c_int) -> io::Result<()> {
    match answer {
        0 => Ok(()),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}
