//! Names of kernel errors (`EPERM`), see errno(3).

use nix::errno::Errno;
use std::io;

/// The symbolic name of a raw error number, such as `EPERM`; numbers that Linux does not define read
/// `UnknownErrno`.
pub fn name(raw: i32) -> String {
    format!("{:?}", Errno::from_raw(raw))
}

/// The symbolic name of what the kernel answered, or Rust's own words for an error that never reached the
/// kernel.
pub fn of(error: &io::Error) -> String {
    error.raw_os_error().map_or_else(|| error.to_string(), name)
}

/// `ok` or the name of the error: how every attempt is reported.
pub fn verdict<T>(result: io::Result<T>) -> String {
    result.map_or_else(|error| of(&error), |_| "ok".to_owned())
}
