//! Handing the listener of a seccomp filter to its supervisor, the *seccomp agent* (seccomp_unotify(2)).
//!
//! config-linux.md, "The Container Process State": one connection, one message as JSON, the listener as
//! SCM_RIGHTS of its first part, and the end of the connection.

use std::io::{IoSlice, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use rustix::process::{PidfdGetfdFlags, pidfd_getfd};
use serde_json::json;

use crate::launch::Launch;
use crate::launch::cause::{Cause, Done};
use crate::launch::connection::connect_to;
use crate::launch::line::Ending;
use crate::plan::{Action, HostAction};
use crate::state::{OCI_VERSION, ProcessId};

/// How long an agent may take to read the message.
const PATIENCE: Duration = Duration::from_secs(10);

impl Launch<'_> {
    /// The child may be stopped by its own filter at its next call, so it sends nothing: its listener is
    /// taken from it (pidfd_getfd(2), Linux 5.6).
    pub(super) fn send_listener(&self, path: &Path, metadata: Option<&str>) -> Done {
        let Some(born) = &self.newborn else { return Ok(()) };
        let Some(number) = self.line.as_ref().and_then(|line| line.listener) else {
            return Err(Cause::Said("the child has not said which descriptor is its listener".to_owned()));
        };
        let listener = match pidfd_getfd(&born.pidfd, number, PidfdGetfdFlags::empty()) {
            Ok(listener) => listener,
            Err(Errno::SRCH) => return Err(Cause::Child(Ending::Silence)),
            Err(errno) => return Err(call("pidfd_getfd(2)", errno)),
        };
        // A program that enters a container finds it running, and is not its first process.
        let (status, first) = match self.entered() {
            Some(process) => ("running", process.pid),
            None => ("creating", born.pid),
        };
        let mut message = json!({
            "ociVersion": OCI_VERSION,
            "fds": ["seccompFd"],
            "pid": born.pid,
            "state": self.bundle.hook_state(&self.request.id).value(status, first),
        });
        if let Some(metadata) = metadata {
            message["metadata"] = metadata.into();
        }
        let socket = connect_to(path)?;
        send(socket, message.to_string().as_bytes(), &listener)
    }

    /// The first process of the container that the plan enters, if it enters one.
    fn entered(&self) -> Option<&ProcessId> {
        self.plan.steps.iter().find_map(|step| match &step.action {
            Action::Host(HostAction::OpenContainer { process, .. }) => Some(process),
            _ => None,
        })
    }
}

/// Sends all of `message` over a stream socket, the descriptor with the first part of it. Each call ends
/// within the timeout of the socket; together they end, too, if an agent reads byte by byte.
fn send(socket: OwnedFd, message: &[u8], descriptor: &OwnedFd) -> Done {
    let deadline = Instant::now() + PATIENCE;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = [descriptor.as_fd()];
    control.push(SendAncillaryMessage::ScmRights(&descriptors));
    let sent = sendmsg(&socket, &[IoSlice::new(message)], &mut control, SendFlags::NOSIGNAL)
        .map_err(|errno| call("sendmsg(2)", errno))?;
    let mut left = &message[sent..];
    let mut stream = UnixStream::from(socket);
    while !left.is_empty() {
        if Instant::now() > deadline {
            return Err(call("sendmsg(2)", Errno::TIMEDOUT));
        }
        let sent = stream.write(left)?;
        left = &left[sent..];
    }
    Ok(())
}

fn call(name: &'static str, errno: Errno) -> Cause {
    Cause::Call(name, crate_run_sys::Errno(errno.raw_os_error() as u16))
}
