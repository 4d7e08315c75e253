//! A new filesystem that the runtime makes itself, attached nowhere (fsopen(2), fsmount(2)).

use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;

use crate_run_sys::mounts::{
    configure, configure_flag, create_filesystem, is_flag_only, mount_filesystem, open_filesystem,
};
use crate_run_sys::{Errno, Fd, files, host};

use crate::launch::cause::Cause;

/// A detached mount of a new superblock with these options, each `key` or `key=value`.
///
/// Errors: of the kernel, in the filesystem's own words where it has some.
pub fn detached(filesystem: &CStr, source: &CStr, options: &[CString]) -> Result<OwnedFd, Cause> {
    let context = open_filesystem(filesystem).map_err(|errno| Cause::Call("fsopen(2)", errno))?;
    let context = host::owned(context);
    let fd = host::borrowed(&context);
    configure(fd, c"source", source).map_err(|errno| Cause::Call("fsconfig(2)", errno))?;
    // A detached mount cannot be made by mount(2), which alone knows those.
    for option in options.iter().filter(|option| !is_flag_only(option.to_bytes())) {
        let text = option.to_string_lossy();
        let set = match text.split_once('=').map(|(key, value)| (CString::new(key), CString::new(value))) {
            Some((Ok(key), Ok(value))) => configure(fd, &key, &value),
            _ => configure_flag(fd, option),
        };
        set.map_err(|errno| refused(fd, filesystem, &text, errno))?;
    }
    create_filesystem(fd).map_err(|errno| refused(fd, filesystem, "the options", errno))?;
    let mount = mount_filesystem(fd, 0).map_err(|errno| Cause::Call("fsmount(2)", errno))?;
    Ok(host::owned(mount))
}

/// The filesystem's own words about why it refused (fsopen(2)).
fn refused(context: Fd, filesystem: &CStr, what: &str, errno: Errno) -> Cause {
    let mut words = [0; 256];
    let length = files::read(context, &mut words).unwrap_or(0);
    let words = String::from_utf8_lossy(&words[..length]);
    let filesystem = filesystem.to_string_lossy();
    Cause::Said(format!("the {filesystem} refused {what}: {errno} {}", words.trim()).trim_end().to_owned())
}
