//! The readiness protocol of service managers, sd_notify(3): one datagram to a socket that the environment
//! names.

use super::{Done, argument};
use crate::errno;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::ExitCode;

/// A name that begins with `@` is in the abstract namespace, unix(7).
pub fn notify(words: &[String]) -> Done {
    let text = argument::<String>(words, 0, "a text such as READY=1")?;
    let name = std::env::var("NOTIFY_SOCKET").map_err(|error| format!("$NOTIFY_SOCKET: {error}"))?;
    let address = match name.strip_prefix('@') {
        Some(abstract_name) => SocketAddr::from_abstract_name(abstract_name),
        None => SocketAddr::from_pathname(&name),
    };
    let sent = address.and_then(|address| UnixDatagram::unbound()?.send_to_addr(text.as_bytes(), &address));
    sent.map_err(|error| format!("sending to {name}: {}", errno::of(&error)))?;
    Ok(ExitCode::SUCCESS)
}
