//! What a program is born with, noted before Rust's start code changes it.
//!
//! Before `main`, Rust's standard library ignores SIGPIPE, installs handlers for SIGSEGV and SIGBUS and opens
//! /dev/null on standard descriptors that are closed. A container must not start its program with ignored
//! signals or missing descriptors, so tests need to see the state as execve(2) left it.

use crate::procfs;
use crate::topics::{Answer, fds};
use std::sync::OnceLock;

/// The state of the process right after execve(2).
pub struct Birth {
    /// The text of /proc/self/status.
    pub status: Result<String, String>,
    /// The open file descriptors, as the topic `fds` prints them.
    pub fds: Answer,
}

static BIRTH: OnceLock<Birth> = OnceLock::new();

/// The state of the process as execve(2) left it.
pub fn birth() -> &'static Birth {
    BIRTH.get_or_init(|| Birth { status: procfs::read("/proc/self/status"), fds: fds::list() })
}

extern "C" fn note() {
    birth();
}

// SAFETY: libc calls each pointer in `.init_array` once, as a C function, before main; `note` is one and does
// not need anything that Rust's start code would set up.
#[allow(unsafe_code)]
#[used]
#[unsafe(link_section = ".init_array")]
static NOTE_BEFORE_MAIN: extern "C" fn() = note;
