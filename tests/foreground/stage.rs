//! What the tests have in their hands: a process in a role, and the far end of its streams.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate_run_sys::{host, process};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{read, write};
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions, pidfd_open, waitid};

use crate::roles;

/// How long nothing may happen before a test gives up, far beyond what any machine needs.
const SILENCE: Timespec = Timespec { tv_sec: 120, tv_nsec: 0 };

/// The command that plays a role.
pub fn role(words: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a path"));
    command.arg(roles::ARGUMENT).args(words);
    command
}

/// The command that plays a role whose program plays another one.
pub fn role_with_role(outer: &str, inner: &str) -> Command {
    let mut command = role(&[outer]);
    command.arg(std::env::current_exe().expect("a path")).args([roles::ARGUMENT, inner]);
    command
}

/// The command as the leader of a new session, with its standard input as the controlling terminal.
pub fn in_session(program: &Command) -> Command {
    let mut command = Command::new("setsid");
    command.arg("-c").arg(program.get_program()).args(program.get_args());
    command
}

/// A role being played. It is killed if its test leaves it behind.
pub struct Player {
    child: Child,
    pidfd: OwnedFd,
}

impl Player {
    pub fn start(command: &mut Command) -> Self {
        let child = command.spawn().expect("the role");
        let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).expect("a pidfd");
        Self { child, pidfd }
    }

    /// Starts it with a pipe for standard output.
    pub fn with_output(command: &mut Command) -> (Self, Far) {
        let mut player = Self::start(command.stdout(Stdio::piped()));
        let output = player.child.stdout.take().expect("a pipe");
        (player, Far::new(output.into()))
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The writing end of its standard input.
    pub fn input(&mut self) -> OwnedFd {
        self.child.stdin.take().expect("a pipe").into()
    }

    pub fn send(&self, signal: i32) {
        process::send_signal(host::borrowed(&self.pidfd), signal as u32).expect("a process to signal");
    }

    /// Its exit status.
    pub fn status(&mut self) -> i32 {
        await_event(&self.pidfd, "the end");
        self.child.wait().expect("a status").code().expect("an exit, not a signal")
    }

    /// Waits until it has stopped itself.
    pub fn await_stop(&self) {
        let look = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG;
        eventually("it has stopped", || {
            waitid(WaitId::PidFd(self.pidfd.as_fd()), look).expect("a child").is_some()
        });
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The far end of a pipe or of a pty.
pub struct Far {
    pub fd: OwnedFd,
    /// What was read and not yet expected.
    seen: String,
}

impl Far {
    pub fn new(fd: OwnedFd) -> Self {
        Self { fd, seen: String::new() }
    }

    /// Reads until `text` has come, and forgets everything up to its end.
    pub fn expect(&mut self, text: &str) {
        loop {
            if let Some(at) = self.seen.find(text) {
                self.seen.drain(..at + text.len());
                return;
            }
            assert!(self.read_more(), "{text:?} did not come, but {:?}", self.seen);
        }
    }

    /// Everything up to `end`, without it.
    pub fn until(&mut self, end: char) -> String {
        loop {
            if let Some(at) = self.seen.find(end) {
                let text = self.seen[..at].to_owned();
                self.seen.drain(..at + end.len_utf8());
                return text;
            }
            assert!(self.read_more(), "{end:?} did not come, but {:?}", self.seen);
        }
    }

    /// Everything up to the end of all.
    pub fn rest(mut self) -> String {
        while self.read_more() {}
        self.seen
    }

    /// False at the end; a pty says EIO then.
    fn read_more(&mut self) -> bool {
        await_event(&self.fd, &self.seen);
        let mut bytes = [0; 4096];
        let count = read(&self.fd, &mut bytes).unwrap_or(0);
        self.seen.push_str(&String::from_utf8_lossy(&bytes[..count]));
        count > 0
    }

    pub fn say(&self, text: &str) {
        let written = write(&self.fd, text.as_bytes()).expect("a listener");
        assert_eq!(written, text.len());
    }
}

/// For what nothing tells us of: looks until it is so.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(SILENCE.tv_sec as u64);
    while !is_so() {
        assert!(Instant::now() < deadline, "it never came true that {what}");
        sleep(Duration::from_millis(2));
    }
}

/// Ends a process that the test knows by its number only.
pub fn kill(pid: &str) {
    let status = Command::new("kill").args(["-KILL", pid]).status().expect("kill(1)");
    assert!(status.success(), "process {pid} was to live on");
}

fn await_event(fd: &OwnedFd, what: &str) {
    let mut wait = [PollFd::new(fd, PollFlags::IN)];
    let ready = poll(&mut wait, Some(&SILENCE)).expect("poll");
    assert!(ready > 0, "silence on descriptor {}: {what:?}", fd.as_raw_fd());
}
