//! # Relay: bytes between the caller and the container's terminal
//!
//! A pseudoterminal (pty(7)) has two sides. The container's program has the slave, which looks like any
//! terminal; we have the master, and play the person: what we write there is typed, what we read was shown.
//!
//! - Nothing here waits. Who waits for a slow reader on one side cannot serve the other, nor heed a signal.
//! - O_NONBLOCK belongs to the *open file description* (open(2)), which we share with the caller's shell. So
//!   pipes and terminals are opened anew by /proc/self/fd, for a description of our own.
//! - A master whose slave nobody has open answers EIO and polls as hung up, though the slave may be opened
//!   again (init systems do that with /dev/console). We keep the slave open ourselves: what looked like an
//!   end is none, and the true end is the program's, by its pidfd.
//! - Input that is no terminal ends, a keyboard does not: the end is passed on as the character that means
//!   "end of file" to the line discipline (termios(3), VEOF), as script(1) does.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Mode, OFlags, fcntl_getfl, fcntl_setfl, fstat, makedev, open};
use rustix::io::{Errno, read, write};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer};
use rustix::termios::{SpecialCodeIndex, isatty, tcgetattr};

use crate::launch::caller::Place;

/// What a flow holds, in bytes: one page. A pipe that polls as writable takes that much at once (pipe(7),
/// PIPE_BUF), and a terminal takes what it can.
const ROOM: usize = 4096;

/// A descriptor of the caller's.
#[derive(Debug)]
enum Stream<'a> {
    /// Another one for the same pipe or terminal, that does not block.
    Own(OwnedFd),
    /// The caller's own.
    Shared(BorrowedFd<'a>),
}

impl AsFd for Stream<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Stream::Own(fd) => fd.as_fd(),
            Stream::Shared(fd) => *fd,
        }
    }
}

impl<'a> Stream<'a> {
    fn of(fd: BorrowedFd<'a>, access: OFlags) -> Self {
        let flags = access | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
        let opened = if can_be_reopened(fd) { open(path, flags, Mode::empty()).ok() } else { None };
        opened.map_or(Stream::Shared(fd), Stream::Own)
    }
}

/// Pipes and terminals, but not /dev/ptmx, which gives a new pty to everyone who opens it.
fn can_be_reopened(fd: BorrowedFd) -> bool {
    let Ok(status) = fstat(fd) else { return false };
    let is_pipe = FileType::from_raw_mode(status.st_mode) == FileType::Fifo;
    is_pipe || (isatty(fd) && status.st_rdev != makedev(5, 2))
}

/// What came of an attempt to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    Bytes,
    /// Nothing for now.
    Nothing,
    /// Nothing ever again: the end, or an error that will not pass.
    End,
}

/// Bytes on their way in one direction. They are read only when the last ones have left.
#[derive(Debug)]
struct Flow {
    bytes: [u8; ROOM],
    start: usize,
    end: usize,
}

impl Flow {
    fn new() -> Self {
        Self { bytes: [0; ROOM], start: 0, end: 0 }
    }

    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    fn fill(&mut self, from: impl AsFd) -> Arrival {
        match read(from, &mut self.bytes) {
            Ok(0) => Arrival::End,
            Ok(count) => {
                (self.start, self.end) = (0, count);
                Arrival::Bytes
            }
            Err(Errno::AGAIN | Errno::INTR) => Arrival::Nothing,
            Err(_) => Arrival::End,
        }
    }

    /// Writes what the other side takes, and keeps the rest.
    fn pour(&mut self, to: impl AsFd) -> Result<(), Errno> {
        match write(to, &self.bytes[self.start..self.end]) {
            Ok(count) => self.start += count,
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
        Ok(())
    }

    fn discard(&mut self) {
        self.start = self.end;
    }
}

/// The caller's input and output on one side, a pty master on the other.
#[derive(Debug)]
pub struct Relay<'a> {
    /// `None` after its end.
    input: Option<Stream<'a>>,
    /// The input has ended, and the program is to learn it.
    ended: bool,
    /// A keyboard that ends was unplugged; nobody has typed an end.
    is_keyboard: bool,
    /// `None` when nobody reads it any more; what is shown is then thrown away, for the program must not
    /// block.
    output: Option<Stream<'a>>,
    master: OwnedFd,
    master_open: bool,
    slave: OwnedFd,
    typed: Flow,
    shown: Flow,
    /// The last byte that was typed.
    last: u8,
}

impl<'a> Relay<'a> {
    /// A relay between `input` and `output`, which stay as they are, and `master`, which becomes
    /// non-blocking.
    ///
    /// Errors: `master` is not a pty's (TIOCGPTPEER of ioctl_tty(2), Linux 4.13).
    pub fn new(master: OwnedFd, input: BorrowedFd<'a>, output: BorrowedFd<'a>) -> Result<Self, Errno> {
        fcntl_setfl(&master, fcntl_getfl(&master)? | OFlags::NONBLOCK)?;
        let slave =
            ioctl_tiocgptpeer(&master, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        Ok(Self {
            input: Some(Stream::of(input, OFlags::RDONLY)),
            ended: false,
            is_keyboard: isatty(input),
            output: Some(Stream::of(output, OFlags::WRONLY)),
            master,
            master_open: true,
            slave,
            typed: Flow::new(),
            shown: Flow::new(),
            last: b'\n',
        })
    }

    pub fn master(&self) -> BorrowedFd<'_> {
        self.master.as_fd()
    }

    /// What to wait for: the input, the master, the output. A descriptor that reports errors unasked would
    /// wake us for nothing, so `idle`, which never does, takes the place of one that is not wanted.
    pub fn interests<'f>(&'f self, place: Place, idle: BorrowedFd<'f>) -> [PollFd<'f>; 3] {
        let nothing = || PollFd::from_borrowed_fd(idle, PollFlags::empty());
        let mut interests = [nothing(), nothing(), nothing()];
        if let (Some(input), true, Place::Foreground) = (&self.input, self.typed.is_empty(), place) {
            interests[0] = PollFd::new(input, PollFlags::IN);
        }
        let mut wanted = PollFlags::empty();
        wanted.set(PollFlags::IN, self.shown.is_empty());
        wanted.set(PollFlags::OUT, !self.typed.is_empty());
        if self.master_open && !wanted.is_empty() {
            interests[1] = PollFd::new(&self.master, wanted);
        }
        if self.holds_output() {
            interests[2] = self.output_interest(idle);
        }
        interests
    }

    /// Waiting for the output alone.
    pub fn output_interest<'f>(&'f self, idle: BorrowedFd<'f>) -> PollFd<'f> {
        match &self.output {
            Some(output) => PollFd::new(output, PollFlags::OUT),
            None => PollFd::from_borrowed_fd(idle, PollFlags::empty()),
        }
    }

    /// Moves what can be moved without waiting. `ready` answers [`Relay::interests`]; errors and hang-ups
    /// count as ready, for read(2) and write(2) say more.
    pub fn serve(&mut self, [input, master, output]: [PollFlags; 3]) {
        if !input.is_empty() {
            self.listen();
        }
        if !master.is_empty() && !self.typed.is_empty() {
            self.type_in();
        }
        if !master.is_empty() && self.shown.is_empty() {
            self.fetch();
        }
        if !output.is_empty() {
            self.show();
        }
    }

    fn listen(&mut self) {
        let Some(input) = &self.input else { return };
        match self.typed.fill(input) {
            Arrival::Bytes => self.last = self.typed.bytes[self.typed.end - 1],
            Arrival::Nothing => {}
            Arrival::End => {
                self.input = None;
                self.ended = !self.is_keyboard;
                if self.ended {
                    self.type_end();
                }
            }
        }
    }

    /// Must the end be typed again some time? A program that changes the modes of its terminal, as shells do
    /// before they read, may lose what was typed before (termios(3), TCSAFLUSH and ICANON), and the end with
    /// it. And every reader to come is to find the end, as in a file.
    pub fn repeats_end(&self) -> bool {
        self.ended && self.master_open
    }

    /// Types the end again, unless there is something left to be read before it.
    pub fn repeat_end(&mut self) {
        let mut unread = [PollFd::new(&self.slave, PollFlags::IN)];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        if self.repeats_end() && self.typed.is_empty() && poll(&mut unread, Some(&at_once)) == Ok(0) {
            self.type_end();
        }
    }

    /// In the midst of a line the first VEOF only hands over the line so far; the second is the end.
    fn type_end(&mut self) {
        let end = tcgetattr(&self.master).map_or(0, |modes| modes.special_codes[SpecialCodeIndex::VEOF]);
        let times = match (end, self.last) {
            (0, _) => 0,
            (_, b'\n') => 1,
            _ => 2,
        };
        self.typed.bytes[..2].fill(end);
        (self.typed.start, self.typed.end) = (0, times);
        self.last = b'\n';
    }

    fn type_in(&mut self) {
        if self.typed.pour(&self.master).is_err() {
            self.close_input();
        }
    }

    /// Takes from the master what the program has shown.
    pub fn fetch(&mut self) -> Arrival {
        let arrival = self.shown.fill(&self.master);
        self.master_open &= arrival != Arrival::End;
        if self.output.is_none() {
            self.shown.discard();
        }
        arrival
    }

    /// Is there output that the caller has not taken yet?
    pub fn holds_output(&self) -> bool {
        !self.shown.is_empty()
    }

    /// Gives the caller as much output as he takes. EPIPE is no error of ours: he has seen enough.
    pub fn show(&mut self) {
        let Some(output) = &self.output else { return };
        if self.shown.pour(output).is_err() {
            self.output = None;
            self.shown.discard();
        }
    }

    /// Nothing more is typed.
    pub fn close_input(&mut self) {
        self.input = None;
        self.typed.discard();
    }
}

#[cfg(test)]
mod tests;
