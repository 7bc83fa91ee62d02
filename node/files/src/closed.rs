//! Whether standard output was closed when the program was started (`>&-`).
//!
//! Before `main`, Rust's runtime opens `/dev/null` in the place of a standard stream that is closed, so that no file gets its number. From then on what is written there is lost without an error,
//! and nothing tells it from output that somebody throws away on purpose. So it is looked at earlier: the system calls what `.init_array` lists before it calls `main`.
//!
//! This is the only module with `unsafe`. It claims two things. What runs before `main` may: it makes one system call and sets one flag, allocates nothing, reads nothing of the runtime and can't
//! panic. And number 1 may be asked about though it may stand for no open file: whether it does is the question, and nothing else is done with it.
//!
//! Where there is no such list standard output is taken to be open.
#![allow(unsafe_code, reason = "only before main can it be seen, and no safe code runs then")]

use rustix::io::{Errno, fcntl_getfd};
use std::{
    os::fd::BorrowedFd,
    sync::atomic::{AtomicBool, Ordering},
};

static CLOSED: AtomicBool = AtomicBool::new(false);

#[used]
#[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
#[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
static LOOK: extern "C" fn() = look;

extern "C" fn look() {
    // SAFETY: the number is only asked about; see the module's page.
    let output = unsafe { BorrowedFd::borrow_raw(1) };
    CLOSED.store(fcntl_getfd(output).err() == Some(Errno::BADF), Ordering::Relaxed);
}

/// Whether it was.
pub(crate) fn output_was() -> bool {
    CLOSED.load(Ordering::Relaxed)
}
