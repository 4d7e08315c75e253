//! The host's end of the line to the child.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use crate_run_plan::report::{Kind, Report, SIZE};
use crate_run_sys::{Errno, host, sockets};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

/// The end of a conversation.
#[derive(Clone, Debug)]
pub enum Ending {
    /// The line closed after the child had said that only execve is left: the program runs.
    Executed,
    /// The line closed because the child waits at the gate now.
    Parked,
    /// The line closed without a word: the child is dead.
    Silence,
    /// The child says why it ends.
    Failed(Report),
}

/// The host's end.
#[derive(Debug)]
pub struct Line {
    socket: OwnedFd,
    /// What it means when the line closes now.
    closing: Ending,
    /// What the child wanted to be told, and did not stop at.
    pub warnings: Vec<Report>,
    /// The master side of the container's terminal.
    pub terminal: Option<OwnedFd>,
    /// The process that goes on when the first one has ended.
    reborn: Option<OwnedFd>,
    /// The number that a seccomp listener has among the child's descriptors.
    pub listener: Option<i32>,
    /// The identities of the mounts that were attached or found, in the order of the plan.
    pub mounts: Vec<u64>,
}

impl Line {
    /// A line, and the child's end of it.
    pub fn open() -> rustix::io::Result<(Self, OwnedFd)> {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok((Self::over(ours), theirs))
    }

    /// A line over a socket that is connected already: the gate's.
    pub fn over(socket: OwnedFd) -> Self {
        let (closing, warnings) = (Ending::Silence, Vec::new());
        Self { socket, closing, warnings, terminal: None, reborn: None, listener: None, mounts: Vec::new() }
    }

    fn next(&mut self) -> Result<Option<Report>, Errno> {
        let mut bytes = [0; SIZE];
        let socket = host::borrowed(&self.socket);
        let (length, descriptor) = match sockets::receive(socket, &mut bytes) {
            // The child has died with a word of ours unread (unix(7)). This is told first, and once: what the
            // child said before is still to come.
            Err(Errno::ECONNRESET) => sockets::receive(socket, &mut bytes)?,
            other => other?,
        };
        let descriptor = descriptor.map(host::owned);
        let report = if length == 0 { None } else { Report::decode(&bytes[..length]) };
        match (descriptor, report.map(|report| report.kind)) {
            (Some(pidfd), Some(Kind::Reborn)) => self.reborn = Some(pidfd),
            (Some(master), _) => self.terminal = Some(master),
            (None, _) => {}
        }
        Ok(report)
    }

    /// The process that goes on. To be asked when the first process has ended, and so has said what it had to
    /// say; the reborn one waits, and says nothing more.
    pub fn reborn(&mut self) -> Result<OwnedFd, Ending> {
        let is_said = || poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], Some(&Timespec::default()));
        if self.reborn.is_none() && is_said() == Ok(1) {
            match self.next() {
                Ok(Some(report)) => self.note(report)?,
                Ok(None) | Err(_) => return Err(Ending::Silence),
            }
        }
        self.reborn.take().ok_or(Ending::Silence)
    }

    /// Waits for the child's arrival at its next rendezvous. The child's death ends the wait, so it needs no
    /// deadline of its own.
    pub fn await_arrival(&mut self) -> Result<(), Ending> {
        loop {
            match self.next() {
                Ok(Some(report)) if report.kind == Kind::Arrived => return Ok(()),
                Ok(Some(report)) => self.note(report)?,
                Ok(None) | Err(_) => return Err(Ending::Silence),
            }
        }
    }

    fn note(&mut self, report: Report) -> Result<(), Ending> {
        match report.kind {
            Kind::Failed => return Err(Ending::Failed(report)),
            Kind::Warned => self.warnings.push(report),
            Kind::Executing => self.closing = Ending::Executed,
            Kind::Parked => self.closing = Ending::Parked,
            Kind::Listener => self.listener = i32::try_from(report.value).ok(),
            Kind::Mount => self.mounts.push(report.value),
            Kind::Terminal | Kind::Reborn | Kind::Arrived => {}
        }
        Ok(())
    }

    /// Lets the child go on, with a descriptor that was made for it. EPIPE or ECONNRESET: it is dead.
    pub fn release(&self, gift: Option<&OwnedFd>) -> Result<(), Errno> {
        sockets::send(host::borrowed(&self.socket), b"G", gift.map(host::borrowed))
    }

    /// Has the other end said anything yet?
    pub fn is_heard(&self) -> bool {
        let mut ears = [PollFd::new(&self.socket, PollFlags::IN)];
        poll(&mut ears, Some(&Timespec::default())) == Ok(1) && ears[0].revents().contains(PollFlags::IN)
    }

    /// Is the other end closed? Then nobody is left who could say more than is in the socket.
    pub fn is_closed(&self) -> bool {
        let hang_up_only = PollFlags::empty();
        poll(&mut [PollFd::new(&self.socket, hang_up_only)], Some(&Timespec::default())) == Ok(1)
    }

    /// The same, within this time.
    pub fn closes_within(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left).unwrap_or_default();
            match poll(&mut [PollFd::new(&self.socket, PollFlags::empty())], Some(&left)) {
                Err(rustix::io::Errno::INTR) => {}
                closed => return closed == Ok(1),
            }
        }
    }

    /// Sleeps until the other end is closed. What is said before stays in the socket: to be woken for each
    /// word would cost the child, which has to wake us, more than the word itself.
    fn await_hang_up(&self) {
        let hang_up_only = PollFlags::empty();
        while poll(&mut [PollFd::new(&self.socket, hang_up_only)], None) == Err(rustix::io::Errno::INTR) {}
    }

    /// Listens to the end. A line that closes before the child's last word was that of one who died.
    pub fn listen(&mut self) -> Ending {
        self.await_hang_up();
        loop {
            match self.next() {
                Ok(Some(report)) => {
                    if let Err(ending) = self.note(report) {
                        return ending;
                    }
                }
                Ok(None) | Err(_) => return self.closing.clone(),
            }
        }
    }
}
