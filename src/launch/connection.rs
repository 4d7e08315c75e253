//! Sockets of the runtime (unix(7)): the gate, the console, the one that wants a pidfd.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use crate_run_sys::host;
use rustix::fs::{Mode, OFlags, open};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use crate::launch::cause::Cause;

/// A socket whose messages stay whole, for the conversation with a child.
pub fn packet_socket() -> rustix::io::Result<OwnedFd> {
    socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
}

/// How long the other side of a console socket may take to accept.
const ACCEPTANCE: Duration = Duration::from_secs(10);

/// Connects to a stream socket at a path of any length, through its directory's descriptor. One who listens
/// and never accepts ends in EAGAIN (unix(7) does not say so, socket(7) does: SO_SNDTIMEO).
pub fn connect_to(path: &Path) -> Result<OwnedFd, Cause> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    let name = path.file_name().ok_or_else(|| Cause::Said("the path names no socket".to_owned()))?;
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let directory = open(directory, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let by_descriptor = format!("/proc/self/fd/{}/{}", host::borrowed(&directory).0, name.to_string_lossy());
    set_socket_timeout(&socket, Timeout::Send, Some(ACCEPTANCE))?;
    connect(&socket, &SocketAddrUnix::new(by_descriptor)?)?;
    Ok(socket)
}
