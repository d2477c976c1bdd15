//! The system calls that every message makes, without the C library between.
//!
//! glibc's `recv` and `send` are cancellation points: in a program with threads each of them makes
//! itself cancellable and not cancellable again, which costs more instructions than all of ours
//! around it. `syscall(2)` avoids that and shuffles every argument; the instruction itself leaves
//! all registers but three alone, so that a caller need save none.
//!
//! Where an architecture is not spelt out here, `syscall(2)` it is.

use std::io;

/// Makes a system call that answers a count, with its first five arguments.
///
/// # Safety
/// As for the call itself: every pointer among the arguments is good for what the kernel does with
/// it, and a sixth argument, which may be anything, is of no account.
#[inline(always)]
pub(super) unsafe fn count(number: libc::c_long, arguments: [usize; 5]) -> io::Result<usize> {
    // SAFETY: promised by the caller.
    let answer = unsafe { call(number, arguments) };
    if answer < 0 {
        return Err(failure(answer));
    }
    Ok(answer as usize)
}

/// Kept apart, so that the usual case is a jump that is not taken.
#[cold]
#[inline(never)]
fn failure(answer: isize) -> io::Error {
    io::Error::from_raw_os_error(-answer as i32)
}

/// The call itself: an answer below zero is an error's number.
///
/// # Safety
/// As for [`count`].
#[cfg(all(target_os = "linux", target_arch = "x86_64", target_pointer_width = "64"))]
#[inline(always)]
unsafe fn call(number: libc::c_long, [a, b, c, d, e]: [usize; 5]) -> isize {
    let answer: isize;
    // SAFETY: this is how the kernel is called on this architecture (`syscall(2)`, "Architecture
    // calling conventions"): it changes these three registers, and only memory that the caller has
    // promised is its to change. No red zone is touched, because no stack is.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") number as isize => answer,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    answer
}

/// As above.
///
/// # Safety
/// As for [`count`].
#[cfg(all(target_os = "linux", target_arch = "aarch64"))]
#[inline(always)]
unsafe fn call(number: libc::c_long, [a, b, c, d, e]: [usize; 5]) -> isize {
    let answer: isize;
    // SAFETY: this is how the kernel is called on this architecture (`syscall(2)`): it changes this
    // one register, and only memory that the caller has promised is its to change.
    unsafe {
        std::arch::asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") a => answer,
            in("x1") b, in("x2") c, in("x3") d, in("x4") e,
            options(nostack),
        );
    }
    answer
}

/// As above, by the C library.
///
/// # Safety
/// As for [`count`].
#[cfg(not(any(
    all(target_os = "linux", target_arch = "x86_64", target_pointer_width = "64"),
    all(target_os = "linux", target_arch = "aarch64")
)))]
#[inline(always)]
unsafe fn call(number: libc::c_long, [a, b, c, d, e]: [usize; 5]) -> isize {
    // SAFETY: promised by the caller.
    match unsafe { libc::syscall(number, a, b, c, d, e) } {
        -1 => -(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO) as isize),
        answer => answer as isize,
    }
}
