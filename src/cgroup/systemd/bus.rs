//! A connection to a message bus, or to systemd itself: one socket, one caller, nothing in the background.
//!
//! We say who we are by the credentials of the socket (SASL EXTERNAL without a name: then the other side asks
//! the kernel). That is right also inside a user namespace, where our own number is not what the other side
//! knows. Everything is sent at once and answered in its time.
//!
//! Every wait ends: connecting, writing and reading have one deadline for each exchange.
//!
//! D-Bus Specification, "Authentication Protocol"; unix(7).

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv, send,
    socket_with,
};

use super::address::{self, Place, Socket};
use super::error::SystemdError;
use super::message::{self, Message, Method, START};
use super::unit::Manager;
use super::value::Value;

/// How long systemd may take for one answer or one job.
pub const PATIENCE: Duration = Duration::from_secs(30);

const BUS: &str = "org.freedesktop.DBus";

/// A method of the bus itself.
const fn of_bus(member: &str) -> Method<'_> {
    Method { destination: BUS, path: "/org/freedesktop/DBus", interface: BUS, member }
}

/// An open connection.
#[derive(Debug)]
pub struct Bus {
    socket: OwnedFd,
    place: Place,
    serial: u32,
    /// What has come and is no whole message yet.
    received: Vec<u8>,
    /// Messages that came while another one was awaited.
    waiting: VecDeque<Message>,
    patience: Duration,
}

impl Bus {
    /// Connects to this systemd's bus, or to itself where there is no bus.
    pub fn open(manager: Manager) -> Result<Self, SystemdError> {
        let mut places = address::places(manager, |name| std::env::var_os(name)).into_iter();
        let mut failure = SystemdError::NoAddress;
        // A bus that is not there is passed over; one that does not answer is an error.
        loop {
            let Some(place) = places.next() else { return Err(failure) };
            match open(&place.socket) {
                Ok(socket) => return Self::over(socket, place, PATIENCE),
                Err(errno @ (Errno::NOENT | Errno::CONNREFUSED | Errno::ACCESS)) => {
                    let source = errno.into();
                    let first = matches!(failure, SystemdError::NoAddress);
                    let place = place.to_string();
                    failure = if first { SystemdError::NoBus { manager, place, source } } else { failure };
                }
                Err(errno) => {
                    let place = place.to_string();
                    return Err(SystemdError::NoBus { manager, place, source: errno.into() });
                }
            }
        }
    }

    /// A connection over a socket at whose other end somebody speaks D-Bus.
    pub(super) fn over(socket: OwnedFd, place: Place, patience: Duration) -> Result<Self, SystemdError> {
        let (received, waiting) = (Vec::new(), VecDeque::new());
        let mut bus = Self { socket, place, serial: 0, received, waiting, patience };
        let deadline = Instant::now() + patience;
        bus.write(b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n", "signing in")?;
        // First it asks for a name, then it says who we are to it.
        for expected in ["DATA", "OK"] {
            let line = bus.line(deadline)?;
            if line.split(' ').next() != Some(expected) {
                return Err(SystemdError::Refused { place: bus.place.to_string(), answer: line });
            }
        }
        if bus.place.addressing == message::Addressing::ByName {
            bus.call(&of_bus("Hello"), &[], "the bus")?;
        }
        Ok(bus)
    }

    /// Asks the bus for signals of this kind. Between two peers all signals come.
    pub fn listen_to(&mut self, rule: &str) -> Result<(), SystemdError> {
        match self.place.addressing {
            message::Addressing::ByName => {
                self.call(&of_bus("AddMatch"), &[Value::text(rule)], "the bus").map(drop)
            }
            message::Addressing::Peer => Ok(()),
        }
    }

    /// Calls a method and waits for its answer; `about` is what the error names.
    pub fn call(
        &mut self,
        method: &Method<'_>,
        arguments: &[Value],
        about: &str,
    ) -> Result<Vec<Value>, SystemdError> {
        self.serial += 1;
        let serial = self.serial;
        let deadline = Instant::now() + self.patience;
        let bytes = message::call(method, self.place.addressing, serial, arguments);
        self.write(&bytes, method.member)?;
        let is_answer = |message: &Message| match message {
            Message::Reply { to, .. } | Message::Error { to, .. } => *to == serial,
            Message::Signal { .. } | Message::Other => false,
        };
        match self.wait(deadline, method.member, is_answer)? {
            Message::Reply { values, .. } => Ok(values),
            Message::Error { name, text, .. } => Err(SystemdError::Call {
                method: method.member.to_owned(),
                unit: about.to_owned(),
                name,
                text,
            }),
            Message::Signal { .. } | Message::Other => unreachable!("it is an answer"),
        }
    }

    /// Waits for a signal of this name whose values are the wanted ones; also one that came earlier.
    pub fn signal(
        &mut self,
        wanted: &str,
        awaited: &str,
        is_it: impl Fn(&[Value]) -> bool,
    ) -> Result<Vec<Value>, SystemdError> {
        let deadline = Instant::now() + self.patience;
        let is_signal = |message: &Message| matches!(message, Message::Signal { member, values } if member == wanted && is_it(values));
        match self.wait(deadline, awaited, is_signal)? {
            Message::Signal { values, .. } => Ok(values),
            _ => unreachable!("it is a signal"),
        }
    }

    /// The first message that is the wanted one. Others wait for whoever wants them.
    fn wait(
        &mut self,
        deadline: Instant,
        awaited: &str,
        is_it: impl Fn(&Message) -> bool,
    ) -> Result<Message, SystemdError> {
        /// More signals than jobs of any machine end while one call is under way.
        const MOST: usize = 4096;
        if let Some(index) = self.waiting.iter().position(&is_it) {
            return Ok(self.waiting.remove(index).expect("just found"));
        }
        loop {
            let message = self.next(deadline, awaited)?;
            if is_it(&message) {
                return Ok(message);
            }
            if matches!(message, Message::Signal { .. }) {
                self.waiting.push_back(message);
                self.waiting.drain(..self.waiting.len().saturating_sub(MOST));
            }
        }
    }

    fn next(&mut self, deadline: Instant, awaited: &str) -> Result<Message, SystemdError> {
        let malformed = |place: &Place| SystemdError::Malformed { place: place.to_string() };
        loop {
            if let Some(start) = self.received.first_chunk::<START>() {
                let length = message::length(start).map_err(|_| malformed(&self.place))?;
                if self.received.len() >= length {
                    let message = message::read(&self.received[..length]);
                    self.received.drain(..length);
                    return message.map_err(|_| malformed(&self.place));
                }
            }
            self.read(deadline, awaited)?;
        }
    }

    /// A line of the conversation before the first message.
    fn line(&mut self, deadline: Instant) -> Result<String, SystemdError> {
        /// No line is longer, in bytes.
        const LONGEST: usize = 512;
        loop {
            if let Some(end) = self.received.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = self.received.drain(..end + 2).collect();
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            if self.received.len() > LONGEST {
                return Err(SystemdError::Malformed { place: self.place.to_string() });
            }
            self.read(deadline, "signing in")?;
        }
    }

    /// Waits for more bytes.
    fn read(&mut self, deadline: Instant, awaited: &str) -> Result<(), SystemdError> {
        let left = deadline.saturating_duration_since(Instant::now());
        let limit = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], Some(&limit)) {
            Ok(0) => return Err(self.late(awaited)),
            Err(Errno::INTR) => return Ok(()),
            Ok(_) => {}
            Err(errno) => return Err(broken(awaited, errno)),
        }
        let mut bytes = [0; 4096];
        match recv(&self.socket, &mut bytes[..], RecvFlags::DONTWAIT) {
            Ok((_, 0)) => Err(broken(awaited, Errno::CONNRESET)),
            Ok((_, length)) => {
                self.received.extend(&bytes[..length]);
                Ok(())
            }
            Err(Errno::INTR | Errno::AGAIN) => Ok(()),
            Err(errno) => Err(broken(awaited, errno)),
        }
    }

    /// The socket has a limit for each call; EAGAIN is its end (socket(7), SO_SNDTIMEO).
    fn write(&mut self, bytes: &[u8], doing: &str) -> Result<(), SystemdError> {
        let failed = |errno| broken(doing, errno);
        set_socket_timeout(&self.socket, Timeout::Send, Some(self.patience)).map_err(failed)?;
        let mut rest = bytes;
        while !rest.is_empty() {
            match send(&self.socket, rest, SendFlags::NOSIGNAL) {
                Ok(length) => rest = &rest[length..],
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Err(self.late(doing)),
                Err(errno) => return Err(broken(doing, errno)),
            }
        }
        Ok(())
    }

    fn late(&self, awaited: &str) -> SystemdError {
        SystemdError::Deadline { awaited: awaited.to_owned(), seconds: self.patience.as_secs() }
    }
}

fn broken(doing: &str, errno: Errno) -> SystemdError {
    SystemdError::Broken { doing: doing.to_owned(), source: io::Error::from(errno) }
}

/// One who listens and never accepts ends in EAGAIN.
fn open(socket: &Socket) -> rustix::io::Result<OwnedFd> {
    let address = match socket {
        Socket::Path(path) => SocketAddrUnix::new(path.as_slice())?,
        Socket::Abstract(name) => SocketAddrUnix::new_abstract_name(name)?,
    };
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    set_socket_timeout(&socket, Timeout::Send, Some(PATIENCE))?;
    connect(&socket, &address)?;
    Ok(socket)
}
