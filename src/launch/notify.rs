//! Passing on that the program is ready (sd_notify(3)).
//!
//! Of what the program says only the line READY=1 goes on, so it cannot speak of other processes than its
//! own. In the foreground the runtime stays what the service manager watches. A command that returns adds
//! MAINPID=, and waits until the manager has read that: it asks who has sent a message, and must find us
//! (BARRIER=1).

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use crate::error::Error;
use crate::feature::notify::{SOCKET, VARIABLE};
use crate::state::ProcessId;

/// How long a program may take until it is ready. A service manager has a limit of its own, which is shorter.
const READINESS: Duration = Duration::from_secs(3600);
/// How long the service manager may take to read what it was told (runc's value).
const READING: Duration = Duration::from_secs(30);
/// The largest message in bytes; sd_notify(3) knows no limit, and systemd reads 4096.
const LARGEST: usize = 4096;
/// How many messages are read before something else gets its turn.
const AT_ONCE: usize = 16;

/// The socket of the service manager that waits for the runtime's caller.
#[derive(Debug)]
pub struct Service(UnixDatagram);

impl Service {
    /// That of the environment, if there is one.
    ///
    /// Errors: NOTIFY_SOCKET is no address of a Unix socket, or nobody listens there.
    pub fn of_caller() -> Result<Option<Self>, Error> {
        let Some(name) = std::env::var_os(VARIABLE).filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        let shown = name.to_string_lossy();
        let address = match shown.as_bytes() {
            [b'/', ..] => SocketAddr::from_pathname(&name),
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
            _ => {
                let said = format!("NOTIFY_SOCKET {shown:?} is neither a path nor an abstract name (@...)");
                return Err(Error::Usage(said));
            }
        };
        let connect = |address: SocketAddr| -> io::Result<UnixDatagram> {
            let socket = UnixDatagram::unbound()?;
            socket.connect_addr(&address)?;
            socket.set_write_timeout(Some(READING))?;
            Ok(socket)
        };
        let connected = address.and_then(connect);
        let failed = |error| Error::file("connect to NOTIFY_SOCKET", Path::new(&name), error);
        connected.map(|socket| Some(Self(socket))).map_err(failed)
    }

    /// Nobody waits for the answer: a service manager that has gone away wants none.
    fn tell(&self, message: &[u8]) {
        let _ = self.0.send(message);
    }

    /// Waits until everything that was told before has been read: the manager closes what comes with this
    /// message (sd_notify(3), BARRIER=1).
    fn barrier(&self) {
        let Ok((here, there)) = io::pipe() else { return };
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let descriptors = [there.as_fd()];
        control.push(SendAncillaryMessage::ScmRights(&descriptors));
        let sent = sendmsg(&self.0, &[IoSlice::new(b"BARRIER=1")], &mut control, SendFlags::NOSIGNAL);
        drop(there);
        if sent.is_ok() {
            let _ = wait_for(&mut [PollFd::new(&here, PollFlags::IN)], Instant::now() + READING);
        }
    }
}

/// The container's socket and the service manager's.
#[derive(Debug)]
pub struct Proxy {
    service: Service,
    socket: UnixDatagram,
}

/// Makes the directory of the container's socket, which every user of the container may enter.
pub fn make_directory(path: &Path) -> io::Result<()> {
    std::fs::create_dir(path)?;
    // Whatever the umask of the caller.
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o755))
}

/// Binds the socket for the container in its directory. One that a start has left there is replaced.
pub fn bind(directory: &Path) -> io::Result<OwnedFd> {
    // A path of a socket has room for 108 bytes only; by descriptor any directory will do.
    let opened = std::fs::File::open(directory)?;
    let path = format!("/proc/self/fd/{}/{SOCKET}", crate_run_sys::host::borrowed(&opened).0);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let socket = UnixDatagram::bind(&path)?;
    socket.set_nonblocking(true)?;
    // Whatever user the program has become may say that it is ready.
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o777))?;
    Ok(socket.into())
}

impl Proxy {
    pub fn new(service: Service, socket: OwnedFd) -> Self {
        Self { service, socket: socket.into() }
    }

    /// What is readable when the program has said something.
    pub fn interest(&self) -> PollFd<'_> {
        PollFd::new(&self.socket, PollFlags::IN)
    }

    /// The next line that says READY=, without what was said before it. `None` when there is none among the
    /// next messages: a program that talks without end is not to keep us from the clock and from signals.
    fn ready(&self) -> Option<Vec<u8>> {
        let mut message = [0; LARGEST];
        for _ in 0..AT_ONCE {
            match self.socket.recv(&mut message) {
                Ok(length) => {
                    let mut lines = message[..length].split(|byte| *byte == b'\n');
                    if let Some(line) = lines.find(|line| line.starts_with(b"READY=")) {
                        return Some(line.to_vec());
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
        None
    }

    /// Passes on that the program is ready, if it has said so; answers whether it has.
    pub fn pass_on(&self) -> bool {
        let line = self.ready();
        if let Some(line) = &line {
            self.service.tell(line);
        }
        line.is_some()
    }

    /// Waits until the program is ready or has ended, and tells the service manager the former, with its
    /// process.
    ///
    /// Errors: [`Error::Deadline`] after an hour.
    pub fn wait(self, process: &ProcessId) -> Result<(), Error> {
        let Some(pidfd) = process.open() else { return Ok(()) };
        let deadline = Instant::now() + READINESS;
        loop {
            let mut wanted = [PollFd::new(&self.socket, PollFlags::IN), PollFd::new(&pidfd, PollFlags::IN)];
            if !wait_for(&mut wanted, deadline) {
                let hours = READINESS.as_secs() / 3600;
                let said = format!("the program runs, and has not said READY=1 within {hours} hour");
                return Err(Error::Deadline(said));
            }
            let has_ended = !wanted[1].revents().is_empty();
            if let Some(line) = self.ready() {
                self.service.tell(&line);
                // The number of a process that has ended may be somebody else's.
                if !has_ended {
                    self.service.tell(format!("MAINPID={}", process.pid).as_bytes());
                }
                self.service.barrier();
                return Ok(());
            }
            if has_ended {
                return Ok(());
            }
        }
    }
}

/// poll(2) until the deadline; answers whether anything has happened.
fn wait_for(wanted: &mut [PollFd<'_>], deadline: Instant) -> bool {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let limit = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
        match poll(wanted, Some(&limit)) {
            Err(Errno::INTR) => {}
            Ok(count) => return count > 0,
            Err(_) => return false,
        }
    }
}
