//! A seccomp agent for tests: it receives listeners and answers the calls about which they ask.

use std::io::{IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::thread::{JoinHandle, spawn};

use crate_run_sys::host;
use crate_run_sys::supervisor::{Reply, answer, next};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use serde_json::Value;

use crate::world::{DEADLINE, World};

/// What a runtime has sent over one connection.
pub struct Handover {
    pub listener: OwnedFd,
    pub state: Value,
}

/// The socket of an agent.
pub struct Agent {
    pub path: PathBuf,
    socket: UnixListener,
}

impl Agent {
    /// An agent that listens below this world's directory.
    pub fn new(world: &World) -> Self {
        let path = world.file("agent");
        let socket = UnixListener::bind(&path).expect("a socket");
        Self { path, socket }
    }

    pub fn path(&self) -> &str {
        self.path.to_str().expect("UTF-8")
    }

    /// Takes the next connection, which must carry one state with one descriptor, and then end.
    pub fn accept(&self) -> Handover {
        assert!(is_ready(&self.socket), "nobody connects to {}", self.path.display());
        let (mut stream, _) = self.socket.accept().expect("a connection");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        let mut text = vec![0; 65536];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let parts = &mut [IoSliceMut::new(&mut text)];
        let received = recvmsg(&stream, parts, &mut control, RecvFlags::CMSG_CLOEXEC).expect("a message");
        let mut descriptors = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                descriptors.extend(rights);
            }
        }
        text.truncate(received.bytes);
        stream.read_to_end(&mut text).expect("the end of the connection");
        let state = serde_json::from_slice(&text).expect("one JSON value, then the end");
        let [listener] = <[OwnedFd; 1]>::try_from(descriptors).expect("one descriptor");
        Handover { listener, state }
    }

    /// Is nobody waiting for us to accept?
    pub fn is_idle(&self) -> bool {
        let mut wanted = [PollFd::new(&self.socket, PollFlags::IN)];
        poll(&mut wanted, Some(&Timespec::default())) == Ok(0)
    }

    /// Accepts once, and answers every call with `reply` until the last process under the filter has ended.
    /// The numbers of the calls come out of the thread.
    pub fn serve(self, reply: impl Fn(u32) -> Reply + Send + 'static) -> JoinHandle<(Value, Vec<u32>)> {
        spawn(move || {
            let Handover { listener, state } = self.accept();
            let mut seen = Vec::new();
            while is_ready(&listener) {
                let Ok(call) = next(host::borrowed(&listener)) else { break };
                seen.push(call.number);
                let _ = answer(host::borrowed(&listener), call.id, reply(call.number));
            }
            (state, seen)
        })
    }
}

/// Can it be read before the deadline? A listener that has hung up cannot.
fn is_ready(fd: &impl std::os::fd::AsFd) -> bool {
    let limit = Timespec { tv_sec: DEADLINE.as_secs() as i64, tv_nsec: 0 };
    let mut wanted = [PollFd::new(fd, PollFlags::IN)];
    loop {
        match poll(&mut wanted, Some(&limit)) {
            Err(rustix::io::Errno::INTR) => {}
            ready => return ready.is_ok() && wanted[0].revents().contains(PollFlags::IN),
        }
    }
}

/// What the kernel calls the file behind a descriptor.
pub fn kind(fd: &OwnedFd) -> String {
    let link = format!("/proc/self/fd/{}", host::borrowed(fd).0);
    std::fs::read_link(Path::new(&link)).expect("an open descriptor").display().to_string()
}

/// A socket on which nobody reads what arrives.
pub fn deaf(world: &World) -> (UnixListener, PathBuf) {
    let path = world.file("deaf");
    (UnixListener::bind(&path).expect("a socket"), path)
}
