//! # Foreground: standing in for the container
//!
//! Whoever starts `crate-run run` sees one process, and deals with it as with the program itself: sends it
//! signals, types, waits for its exit status. This file passes all of that through. One poll(2) waits for
//! everything that can happen, because everything is a descriptor:
//!
//! - **signalfd(2)**: a blocked signal is not delivered but stays pending, and a signalfd
//!   makes pending signals readable. All are blocked before the container is made, so none
//!   comes too early and none interrupts us.
//! - **pidfd_open(2)**: a pidfd names one process for ever, while a pid may be given to
//!   another one. It becomes readable when the process has ended, also if that was long ago: a
//!   program cannot end too fast for us.
//! - **pty(7)**: the master side of the container's terminal, if it has one (`relay.rs`, `caller.rs`).
//! - **PR_SET_CHILD_SUBREAPER** (PR_SET_CHILD_SUBREAPER(2const)): a process whose parent
//!   ends gets the nearest subreaper above for a parent, in place of pid 1. In a container
//!   without a pid namespace that is us.
//!
//! Pid 1 of a pid namespace gets only those signals that it has a handler for (pid_namespaces(7)); so a shell
//! there survives the SIGTERM that we pass on. SIGKILL and SIGSTOP cannot be passed on by anybody.

use std::io::{stdin, stdout};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate_run_sys::{host, process, signals};
use nix::libc;
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::SigSet;
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, WaitStatus, getpid, kill_process, wait, waitid,
};

use crate::error::{Error, StepError};
use crate::launch::caller::{CallerTerminal, Place};
use crate::launch::notify::Proxy;
use crate::launch::relay::{Arrival, Relay};
use crate::launch::time_limit::TimeLimit;

/// Nothing tells a process that its group was put in the foreground, nor that a program has read or thrown
/// away what was typed: as long as one of the two matters we look once a second.
const LOOK: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// How often the master is read after the program's end. A pty holds less than 5 pages (8 KiB on the way, 4
/// KiB to be read); a process that was left behind and writes on and on must not keep us.
const LAST_READS: usize = 16;

/// All signals are blocked, and can be read here.
#[derive(Debug)]
pub struct Watch {
    signals: SignalFd,
    /// Where the program says that it is ready, if somebody wants to know.
    pub notify: Option<Proxy>,
}

impl Watch {
    /// Begins to collect signals, and makes us the parent of orphans below us. It stays so to the end of the
    /// command: a signal must not end us while we clean up either.
    ///
    /// Errors: of signalfd(2) and prctl(2).
    pub fn begin() -> Result<Self, Error> {
        // A caller that ignores SIGCHLD leaves us children that vanish without a status (wait(2), NOTES).
        signals::reset();
        signals::block_all();
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let signals = SignalFd::with_flags(&SigSet::all(), flags)
            .map_err(|errno| trouble("receive the signals for the container", "signalfd4(2)", errno))?;
        let _ = signals::take_all(host::borrowed(&signals));
        set_child_subreaper(true)
            .map_err(|errno| trouble("become the parent of the container's orphans", "prctl(2)", errno))?;
        Ok(Self { signals, notify: None })
    }
}

/// Attends to the container's first process, our child `pid`, until it has ended. `terminal` is the master
/// side of its terminal, and is connected to our standard input and output.
///
/// When the time of `limit` is over, the container is stopped; the end is awaited all the same.
///
/// Answers the program's exit status, or 128 + N if signal N has ended it, as shells do.
///
/// Errors: somebody else has waited for the process; `terminal` is no pty; of poll(2) and wait(2).
pub fn attend(
    watch: Watch,
    pid: i32,
    pidfd: &OwnedFd,
    terminal: Option<OwnedFd>,
    limit: Option<&mut TimeLimit>,
) -> Result<i32, Error> {
    let (input, output) = (stdin(), stdout());
    let desk = terminal.map(|master| Desk::open(master, input.as_fd(), output.as_fd())).transpose()?;
    let mut foreground = Foreground {
        signals: watch.signals,
        notify: watch.notify,
        pid: Pid::from_raw(pid),
        pidfd,
        gone: false,
        status: None,
        desk,
        limit,
    };
    let status = foreground.until_end()?;
    foreground.last_words()?;
    Ok(status)
}

/// Shows what is in the terminal of a container that came to nothing: a hook may have said there why.
/// `master` is its master side. A caller who does not read within a second does not want to know.
pub fn show_remains(master: OwnedFd) {
    let (input, output) = (stdin(), stdout());
    let Ok(mut relay) = Relay::new(master, input.as_fd(), output.as_fd()) else { return };
    for _ in 0..LAST_READS {
        if relay.fetch() != Arrival::Bytes {
            return;
        }
        while relay.holds_output() {
            match ready([relay.output_interest(output.as_fd())], Some(&LOOK)) {
                Ok([events]) if !events.is_empty() => relay.show(),
                _ => return,
            }
        }
    }
}

/// The caller's terminal on one side, the container's on the other. Dropping it restores the caller's.
struct Desk<'a> {
    relay: Relay<'a>,
    caller: CallerTerminal<'a>,
    place: Place,
}

impl<'a> Desk<'a> {
    fn open(master: OwnedFd, input: BorrowedFd<'a>, output: BorrowedFd<'a>) -> Result<Self, Error> {
        let relay = Relay::new(master, input, output)
            .map_err(|errno| trouble("connect the container's terminal", "ioctl(2)", errno))?;
        let mut desk = Self { relay, caller: CallerTerminal::of(input, output), place: Place::Background };
        desk.resume();
        Ok(desk)
    }

    fn copy_size(&self) {
        self.caller.copy_size(self.relay.master());
    }

    /// Takes up work, at the start and whenever we may have come to the foreground.
    fn resume(&mut self) {
        self.place = self.caller.lend();
        self.copy_size();
    }

    /// Is there something that nobody will tell us of?
    fn must_look(&self) -> bool {
        self.place == Place::Background || self.relay.repeats_end()
    }

    /// Stops us as SIGTSTP would, with the terminal in order. The SIGCONT that lets us go on is then pending.
    fn pause(&mut self) {
        self.caller.take_back();
        let _ = kill_process(getpid(), Signal::STOP);
    }
}

struct Foreground<'a, 'l> {
    signals: SignalFd,
    notify: Option<Proxy>,
    pid: Option<Pid>,
    pidfd: &'a OwnedFd,
    /// The pidfd has become readable, and stays so: it need not be polled any more.
    gone: bool,
    status: Option<WaitStatus>,
    desk: Option<Desk<'a>>,
    limit: Option<&'a mut TimeLimit<'l>>,
}

impl Foreground<'_, '_> {
    fn until_end(&mut self) -> Result<i32, Error> {
        loop {
            let events = self.wait()?;
            let [signals, end, time, notify, relay @ ..] = events;
            if !signals.is_empty() {
                self.heed_signals()?;
            }
            if !notify.is_empty() && self.notify.as_ref().is_some_and(Proxy::pass_on) {
                self.notify = None;
            }
            if !end.is_empty() {
                self.gone = true;
                self.reap()?;
            }
            if let Some(status) = self.status {
                return Ok(exit_status(status));
            }
            if let (false, Some(limit)) = (time.is_empty(), &mut self.limit) {
                limit.strike()?;
            }
            if let Some(desk) = &mut self.desk {
                desk.relay.serve(relay);
                if events.iter().all(|event| event.is_empty()) {
                    desk.relay.repeat_end();
                }
                if desk.place == Place::Background {
                    desk.resume();
                }
            }
        }
    }

    /// Waits for something to happen; answers what: to the signals, the program, the clock, the program's
    /// readiness, and the three of the relay.
    fn wait(&self) -> Result<[PollFlags; 7], Error> {
        let idle = self.signals.as_fd();
        let nothing = || PollFd::from_borrowed_fd(idle, PollFlags::empty());
        let [input, master, output] = match &self.desk {
            Some(desk) => desk.relay.interests(desk.place, idle),
            None => [nothing(), nothing(), nothing()],
        };
        let end = if self.gone { nothing() } else { PollFd::new(self.pidfd, PollFlags::IN) };
        let clock = self.limit.as_ref().map_or_else(nothing, |limit| PollFd::new(*limit, PollFlags::IN));
        let notify = self.notify.as_ref().map_or_else(nothing, Proxy::interest);
        let wanted = [PollFd::new(&idle, PollFlags::IN), end, clock, notify, input, master, output];
        ready(wanted, self.desk.as_ref().is_some_and(Desk::must_look).then_some(&LOOK))
    }

    fn heed_signals(&mut self) -> Result<(), Error> {
        while let Some(signal) = self.next_signal()? {
            self.heed(signal)?;
        }
        Ok(())
    }

    /// The next signal. Those that we bring upon ourselves (SIGPIPE, SIGXFSZ) are not the container's
    /// business.
    fn next_signal(&self) -> Result<Option<i32>, Error> {
        let own = getpid().as_raw_nonzero().get();
        loop {
            let signal = self
                .signals
                .read_signal()
                .map_err(|errno| trouble("receive a signal for the container", "read(2)", errno))?;
            match signal {
                Some(signal) if signal.ssi_pid as i32 == own => {}
                other => return Ok(other.map(|signal| signal.ssi_signo as i32)),
            }
        }
    }

    fn heed(&mut self, signal: i32) -> Result<(), Error> {
        match (signal, &mut self.desk) {
            (libc::SIGCHLD, _) => return self.reap(),
            (libc::SIGWINCH, Some(desk)) => desk.copy_size(),
            // runc passes neither on: it has no terminal to resize, and its language needs SIGURG for itself.
            (libc::SIGWINCH | libc::SIGURG, _) => {}
            (libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU, Some(desk)) => desk.pause(),
            (libc::SIGCONT, Some(desk)) => {
                desk.resume();
                self.forward(signal);
            }
            _ => self.forward(signal),
        }
        Ok(())
    }

    /// To a process that has just ended a signal cannot be sent: no matter.
    fn forward(&self, signal: i32) {
        let _ = process::send_signal(host::borrowed(self.pidfd), signal as u32);
    }

    /// Buries all our dead. SIGCHLD tells that there are some, not how many: pending signals do not queue.
    fn reap(&mut self) -> Result<(), Error> {
        loop {
            match wait(WaitOptions::NOHANG) {
                // Once buried, the number of the first process may be given to another one.
                Ok(Some((pid, status))) if Some(pid) == self.pid => _ = self.status.get_or_insert(status),
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) | Err(Errno::CHILD) => break,
                Err(errno) => return Err(trouble("wait for the container's processes", "wait4(2)", errno)),
            }
        }
        // A debugger may keep the dead from us for a while; then SIGCHLD comes
        // again. But is it our child at all?
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        if self.gone && self.status.is_none() {
            waitid(WaitId::PidFd(self.pidfd.as_fd()), look)
                .map_err(|errno| trouble("learn the program's exit status", "waitid(2)", errno))?;
        }
        Ok(())
    }

    /// After the program's end: shows what is still in its terminal.
    fn last_words(&mut self) -> Result<(), Error> {
        for _ in 0..LAST_READS {
            self.flush()?;
            let Some(desk) = &mut self.desk else { return Ok(()) };
            if desk.relay.holds_output() || desk.relay.fetch() != Arrival::Bytes {
                return Ok(());
            }
        }
        self.flush()
    }

    /// Waits until the caller has taken all output, or sends a signal because he does not want to.
    fn flush(&mut self) -> Result<(), Error> {
        loop {
            let idle = self.signals.as_fd();
            let Some(desk) = self.desk.as_ref().filter(|desk| desk.relay.holds_output()) else {
                return Ok(());
            };
            let wanted = [PollFd::new(&idle, PollFlags::IN), desk.relay.output_interest(idle)];
            let [signals, output] = ready(wanted, None)?;
            while !signals.is_empty()
                && let Some(signal) = self.next_signal()?
            {
                if ends_waiting(signal) {
                    return Ok(());
                }
            }
            if let (false, Some(desk)) = (output.is_empty(), &mut self.desk) {
                desk.relay.show();
            }
        }
    }
}

/// poll(2) with a time limit; what has happened, which is nothing when the limit has passed.
fn ready<const N: usize>(mut wanted: [PollFd; N], limit: Option<&Timespec>) -> Result<[PollFlags; N], Error> {
    match poll(&mut wanted, limit) {
        Ok(_) => Ok(wanted.map(|one| one.revents())),
        // Though all signals are blocked, being stopped and continued interrupts (signal(7)).
        Err(Errno::INTR) => Ok([PollFlags::empty(); N]),
        Err(errno) => Err(trouble("wait for what the container does", "poll(2)", errno)),
    }
}

/// Would this signal end a process that has no opinion about it?
fn ends_waiting(signal: i32) -> bool {
    let harmless = [libc::SIGCHLD, libc::SIGURG, libc::SIGWINCH, libc::SIGCONT];
    let stopping = [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];
    !harmless.contains(&signal) && !stopping.contains(&signal)
}

fn exit_status(status: WaitStatus) -> i32 {
    let by_signal = status.terminating_signal().map(|signal| 128 + signal);
    status.exit_status().or(by_signal).unwrap_or(255)
}

fn trouble(doing: &str, call: &str, errno: impl Into<std::io::Error>) -> Error {
    let number = errno.into().raw_os_error().unwrap_or(0);
    let answer = format!("{call} answered: {}", crate_run_sys::Errno(number as u16));
    Error::Step(Box::new(StepError { doing: doing.to_owned(), answer, ..StepError::default() }))
}
