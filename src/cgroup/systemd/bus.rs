//! A connection to a message bus, or to systemd itself: one socket, one caller, nothing in the background.
//!
//! We say who we are by the credentials of the socket (SASL EXTERNAL without a name: then the other side asks
//! the kernel). That is right also inside a user namespace, where our own number is not what the other side
//! knows. Everything is sent at once and answered in its time.
//!
//! Every wait ends: connecting, writing and reading have one deadline for each exchange, however much comes.
//!
//! On a bus anybody may write to us. Only what systemd and the bus itself have sent is looked at: the bus
//! writes the sender into each message. The rest is passed over by its length.
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
use super::message::{self, Addressing, Frame, Kind, Message, Method, START};
use super::unit::Manager;
use super::value::Value;

/// How long systemd may take for one answer or one job.
pub const PATIENCE: Duration = Duration::from_secs(30);

const BUS: &str = "org.freedesktop.DBus";
const NO_OWNER: &str = "org.freedesktop.DBus.Error.NameHasNoOwner";

/// How many signals wait for somebody who wants them; the oldest go first.
const MOST_SIGNALS: usize = 64;

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
    /// How many of the bytes that come next belong to a message that concerns nobody here.
    foreign: usize,
    /// What is listened to.
    signal: Option<Method<'static>>,
    /// The unique name of who sends the signal and answers calls, on a bus.
    speaker: Option<String>,
    /// Signals that came while something else was awaited.
    waiting: VecDeque<Vec<Value>>,
    patience: Duration,
}

/// What concerns us, with what it carries.
enum Heard {
    Answer(Vec<Value>),
    Refusal { name: String, text: String },
    Signal(Vec<Value>),
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
        let mut bus = Self {
            socket,
            place,
            serial: 0,
            received: Vec::new(),
            foreign: 0,
            signal: None,
            speaker: None,
            waiting: VecDeque::new(),
            patience,
        };
        let deadline = Instant::now() + patience;
        bus.write(deadline, b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n", "signing in")?;
        // First it asks for a name, then it says who we are to it.
        for expected in ["DATA", "OK"] {
            let line = bus.line(deadline)?;
            if line.split(' ').next() != Some(expected) {
                return Err(SystemdError::Refused { place: bus.place.to_string(), answer: line });
            }
        }
        if bus.place.addressing == Addressing::ByName {
            bus.call(&of_bus("Hello"), &[], "the bus")?;
        }
        Ok(bus)
    }

    /// Asks for this signal, and from now on hears also its sender, who has `destination` as name on the bus.
    /// Between two peers all signals come, and there is only one sender.
    pub fn listen_to(&mut self, signal: Method<'static>) -> Result<(), SystemdError> {
        self.signal = Some(signal);
        if self.place.addressing == Addressing::Peer {
            return Ok(());
        }
        let Method { destination, path, interface, member } = signal;
        let name = [Value::text(destination)];
        let owner = match self.call(&of_bus("GetNameOwner"), &name, "the bus") {
            // A user's bus begins with the first who connects, and systemd comes to it later: this waits for
            // it.
            Err(error) if error.is_named(NO_OWNER) => {
                let flags = Value::Uint32(0);
                self.call(&of_bus("StartServiceByName"), &[name[0].clone(), flags], "the bus")?;
                self.call(&of_bus("GetNameOwner"), &name, "the bus")?
            }
            other => other?,
        };
        self.speaker = owner.first().and_then(Value::as_text).map(str::to_owned);
        let rule = format!(
            "type='signal',sender='{destination}',path='{path}',interface='{interface}',member='{member}'"
        );
        self.call(&of_bus("AddMatch"), &[Value::text(rule)], "the bus").map(drop)
    }

    /// Calls a method and waits for its answer; `about` is what the error names.
    pub fn call(
        &mut self,
        method: &Method<'_>,
        arguments: &[Value],
        about: &str,
    ) -> Result<Vec<Value>, SystemdError> {
        self.serial += 1;
        let deadline = Instant::now() + self.patience;
        let bytes = message::call(method, self.place.addressing, self.serial, arguments);
        self.write(deadline, &bytes, method.member)?;
        loop {
            match self.next(deadline, method.member)? {
                Heard::Answer(values) => return Ok(values),
                Heard::Refusal { name, text } => {
                    let (method, unit) = (method.member.to_owned(), about.to_owned());
                    return Err(SystemdError::Call { method, unit, name, text });
                }
                Heard::Signal(values) => {
                    self.waiting.push_back(values);
                    self.waiting.drain(..self.waiting.len().saturating_sub(MOST_SIGNALS));
                }
            }
        }
    }

    /// Waits for the signal that is listened to, with the wanted values; also one that came earlier.
    pub fn signal(
        &mut self,
        awaited: &str,
        is_it: impl Fn(&[Value]) -> bool,
    ) -> Result<Vec<Value>, SystemdError> {
        let deadline = Instant::now() + self.patience;
        while let Some(values) = self.waiting.pop_front() {
            if is_it(&values) {
                return Ok(values);
            }
        }
        loop {
            match self.next(deadline, awaited)? {
                Heard::Signal(values) if is_it(&values) => return Ok(values),
                _ => {}
            }
        }
    }

    /// The next message that concerns us.
    fn next(&mut self, deadline: Instant, awaited: &str) -> Result<Heard, SystemdError> {
        loop {
            self.left(deadline, awaited)?;
            let passed = self.foreign.min(self.received.len());
            self.received.drain(..passed);
            self.foreign -= passed;
            let frame = self.received.first_chunk::<START>().map(message::frame).transpose();
            match frame.map_err(|_| SystemdError::Malformed { place: self.place.to_string() })? {
                Some(Frame::Foreign(length)) => self.foreign = length,
                Some(Frame::Readable(length)) if length <= self.received.len() => {
                    let bytes: Vec<u8> = self.received.drain(..length).collect();
                    if let Some(heard) = self.heard(&bytes) {
                        return Ok(heard);
                    }
                }
                _ => self.read(deadline, awaited)?,
            }
        }
    }

    /// The body is read only if the message concerns us.
    fn heard(&self, bytes: &[u8]) -> Option<Heard> {
        let message = Message::read(bytes).ok()?;
        let is_peer = self.place.addressing == Addressing::Peer;
        let is_speaker = is_peer || self.speaker.as_ref() == Some(&message.sender);
        // The bus answers too, instead of one who is not there or may not be asked.
        let may_answer = is_speaker || message.sender == BUS;
        match message.kind {
            Kind::Reply(to) if may_answer && to == self.serial => Some(Heard::Answer(message.values().ok()?)),
            Kind::Error(to) if may_answer && to == self.serial => {
                let values = message.values().unwrap_or_default();
                let text = values.first().and_then(Value::as_text).unwrap_or_default().to_owned();
                Some(Heard::Refusal { name: message.error, text })
            }
            Kind::Signal if is_speaker && message.is_signal(self.signal.as_ref()?) => {
                Some(Heard::Signal(message.values().ok()?))
            }
            _ => None,
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
        let left = self.left(deadline, awaited)?;
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
    fn write(&mut self, deadline: Instant, bytes: &[u8], doing: &str) -> Result<(), SystemdError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let left = self.left(deadline, doing)?;
            set_socket_timeout(&self.socket, Timeout::Send, Some(left))
                .map_err(|errno| broken(doing, errno))?;
            match send(&self.socket, rest, SendFlags::NOSIGNAL) {
                Ok(length) => rest = &rest[length..],
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Err(self.late(doing)),
                Err(errno) => return Err(broken(doing, errno)),
            }
        }
        Ok(())
    }

    /// How much time is left; none is an error.
    fn left(&self, deadline: Instant, awaited: &str) -> Result<Duration, SystemdError> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(self.late(awaited)) } else { Ok(left) }
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
