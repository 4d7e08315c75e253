//! The descriptors that the program gets from the caller: each must be open. To be asked before we open any
//! ourselves.

use crate::error::Error;
use crate::feature::activation::Activation;

/// Those of a service manager, then the `preserved` ones of `--preserve-fds`.
pub fn check_with_sockets(preserved: u32) -> Result<(), Error> {
    let sockets = Activation::of_caller()?.map_or(0, |sockets| sockets.descriptors);
    check(sockets.saturating_add(preserved))
}

/// The first `count` from 3 on.
pub fn check(count: u32) -> Result<(), Error> {
    for number in 3..3 + count.min(1 << 20) {
        if crate_run_sys::files::status(crate_run_sys::Fd(number as i32)).is_err() {
            let said = format!("unable to stat preserved-fd {number} (of {count}): it is not open");
            return Err(Error::Usage(said));
        }
    }
    Ok(())
}
