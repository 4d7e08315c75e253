//! Which process do we mean? A number alone may belong to somebody else by now.

use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags, open};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

/// A process, by its number and the time at which it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    pub pid: i32,
    /// Clock ticks after boot (proc_pid_stat(5), field 22).
    pub started: u64,
}

impl ProcessId {
    /// The process that has this number now; `None` when there is none.
    pub fn of(pid: i32) -> Option<Self> {
        let stat = Stat::read(pid)?;
        Some(Self { pid, started: stat.started })
    }

    /// Is it still there? A zombie has ended.
    pub fn is_alive(&self) -> bool {
        self.stat().is_some_and(|stat| !"ZX".contains(stat.state))
    }

    /// Has it ended, or begun to? Its namespaces can be entered no more then, and its cgroup may be gone.
    pub fn is_ending(&self) -> bool {
        !self.stat().is_some_and(|stat| !"ZX".contains(stat.state) && stat.flags & PF_EXITING == 0)
    }

    /// A descriptor for it, which no other process can take over; `None` when it has ended.
    pub fn open(&self) -> Option<OwnedFd> {
        let pidfd = pidfd_open(Pid::from_raw(self.pid)?, PidfdFlags::empty()).ok()?;
        // Opened first, then compared: the number cannot change hands between the two.
        self.is_alive().then_some(pidfd)
    }

    /// The same also for a process that has ended, as long as nobody has taken its exit status.
    pub fn open_ended(&self) -> Option<OwnedFd> {
        let pidfd = pidfd_open(Pid::from_raw(self.pid)?, PidfdFlags::empty()).ok()?;
        self.stat().is_some().then_some(pidfd)
    }

    /// What /proc says of it, if the number is still its own.
    pub(super) fn stat(&self) -> Option<Stat> {
        Stat::read(self.pid).filter(|stat| stat.started == self.started)
    }

    /// Sends a signal; `None` when the process has ended.
    pub fn signal(&self, number: i32) -> Option<rustix::io::Result<()>> {
        let pidfd = self.open()?;
        if number == 0 {
            return Some(Ok(()));
        }
        // A number from 1 to 64, checked where it was read.
        let raw = crate_run_sys::process::send_signal(raw_fd(&pidfd), number as u32);
        Some(raw.map_err(|errno| rustix::io::Errno::from_raw_os_error(errno.0.into())))
    }

    /// Kills it; nothing happens when it has ended.
    pub fn kill(&self) {
        if let Some(pidfd) = self.open() {
            let _ = pidfd_send_signal(&pidfd, Signal::KILL);
        }
    }

    /// Waits until it has ended, for at most `milliseconds`; answers whether it has.
    pub fn has_ended_within(&self, milliseconds: u64) -> bool {
        let Some(pidfd) = self.open() else { return true };
        crate_run_sys::process::readable_within(raw_fd(&pidfd), Some(milliseconds)) == Ok(true)
    }
}

fn raw_fd(fd: &OwnedFd) -> crate_run_sys::Fd {
    use std::os::fd::AsRawFd;
    crate_run_sys::Fd(fd.as_raw_fd())
}

/// PF_EXITING of linux/sched.h: the process is in exit(2), or killed and on its way.
const PF_EXITING: u32 = 4;

/// What /proc/PID/stat says (proc_pid_stat(5)).
pub(super) struct Stat {
    /// Field 3.
    pub state: char,
    /// Field 9: PF_* of linux/sched.h.
    flags: u32,
    /// Field 22, in clock ticks after boot.
    started: u64,
    /// Field 52, as wait(2) tells it; 0 also for those who may not read it.
    pub exit_code: i32,
}

impl Stat {
    /// The name in parentheses may hold anything, so the fields are counted from the last one that closes.
    fn read(pid: i32) -> Option<Self> {
        let file = open(format!("/proc/{pid}/stat"), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
        // Longer than any line of this file: 52 numbers and a name of 16 bytes.
        let mut stat = [0; 1280];
        let length = rustix::io::read(&file, &mut stat).ok()?;
        let stat = &stat[..length];
        let rest = &stat[stat.iter().rposition(|byte| *byte == b')')? + 1..];
        let mut fields = std::str::from_utf8(rest).ok()?.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        let flags = fields.nth(5)?.parse().ok()?;
        let started = fields.nth(12)?.parse().ok()?;
        let exit_code = fields.nth(29).and_then(|field| field.parse().ok()).unwrap_or(0);
        Some(Self { state, flags, started, exit_code })
    }
}

/// Has somebody killed this child of ours? The signal is shown from the moment at which it is sent until the
/// child has been waited for (proc_pid_status(5), ShdPnd).
pub fn is_killed(pid: i32) -> bool {
    const SIGKILL: u64 = 1 << 8;
    let status = std::fs::read(format!("/proc/{pid}/status")).unwrap_or_default();
    let mut lines = status.split(|byte| *byte == b'\n');
    let pending = lines.find_map(|line| line.strip_prefix(b"ShdPnd:"));
    let pending = pending.and_then(|mask| u64::from_str_radix(str::from_utf8(mask).ok()?.trim(), 16).ok());
    pending.is_some_and(|mask| mask & SIGKILL != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_knows_itself_and_no_other() {
        let own = ProcessId::of(std::process::id() as i32).unwrap();
        assert!(own.is_alive() && !own.is_ending() && own.open().is_some());
        let other = ProcessId { started: own.started + 1, ..own };
        assert!(
            !other.is_alive() && other.is_ending() && other.open().is_none() && other.signal(0).is_none()
        );
        assert!(ProcessId::of(0).is_none());
    }

    #[test]
    fn one_that_was_killed_is_known_until_it_is_waited_for() {
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let process = ProcessId::of(child.id() as i32).unwrap();
        assert!(!is_killed(process.pid));
        child.kill().unwrap();
        assert!(is_killed(process.pid), "at once");
        assert!(process.has_ended_within(60_000));
        assert!(is_killed(process.pid), "and when it has ended");
        child.wait().unwrap();
        assert!(!is_killed(process.pid));
    }
}
