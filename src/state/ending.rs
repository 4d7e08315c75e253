//! How a process ended that is not our child.
//!
//! Only its parent is told: wait(2). Everybody else has three chances, and the answer is `None` if all fail:
//!
//! - From Linux 6.15 on, a pidfd that was opened in time keeps the exit status for everybody who holds one
//!   (PIDFD_INFO_EXIT), once the parent has taken it.
//! - Until the parent takes it, field 52 of /proc/PID/stat shows it to those who may trace the process
//!   (proc_pid_stat(5)).
//! - The runtime that has waited for the container in the foreground writes it down (`run --keep`).
//!
//! Man pages: pidfd_open(2), proc_pid_stat(5), ptrace(2) under "Ptrace access mode checking".

use std::os::fd::OwnedFd;
use std::time::Duration;

use crate_run_sys::host::borrowed;
use crate_run_sys::process::{Ended, ended, readable_within};

use crate::state::{ProcessId, Record};

/// The parent of a process that has ended is about to take its status; for so many milliseconds we wait for
/// that where /proc does not show it to us.
const PARENT: u64 = 100;

/// Waits for the end of the container's first process, for at most `limit`; answers its exit status as shells
/// count it, 128 + N after signal N, or `None` where nobody can tell any more.
///
/// Errors: the process still runs.
pub fn wait(record: &Record, limit: Option<Duration>) -> Result<Option<i32>, StillRuns> {
    let Some(process) = record.process else { return Ok(record.exit_status) };
    let Some(pidfd) = process.open_ended() else { return Ok(record.exit_status) };
    let limit = limit.map(|limit| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
    if readable_within(borrowed(&pidfd), limit) != Ok(true) {
        return Err(StillRuns);
    }
    Ok(seen(&process, &pidfd).map(Ended::status).or(record.exit_status))
}

/// The time was over first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StillRuns;

fn seen(process: &ProcessId, pidfd: &OwnedFd) -> Option<Ended> {
    let kept = || ended(borrowed(pidfd)).ok().flatten();
    let shown = || {
        let stat = process.stat()?;
        (stat.state == 'Z' && may_trace(process)).then(|| Ended::of_word(stat.exit_code))
    };
    // Between the first look and the second the parent may have taken it.
    kept().or_else(shown).or_else(|| {
        std::thread::sleep(Duration::from_millis(PARENT));
        kept()
    })
}

/// Whoever may not is shown a zero. The user namespace is there as long as the process is.
fn may_trace(process: &ProcessId) -> bool {
    std::fs::read_link(format!("/proc/{}/ns/user", process.pid)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_wait() {
        assert_eq!(Ended::of_word(0).status(), 0);
        assert_eq!(Ended::of_word(42 << 8), Ended::Exited(42));
        assert_eq!(Ended::of_word(9).status(), 137);
        assert_eq!(Ended::of_word(0x80 | 11).status(), 139, "with a core dump");
    }

    #[test]
    fn the_status_of_a_child_that_nobody_has_waited_for() {
        let mut child = std::process::Command::new("sh").args(["-c", "exit 42"]).spawn().unwrap();
        let process = ProcessId::of(child.id() as i32).unwrap();
        let pidfd = process.open_ended().unwrap();
        assert_eq!(readable_within(borrowed(&pidfd), Some(60_000)), Ok(true));
        assert_eq!(seen(&process, &pidfd), Some(Ended::Exited(42)));
        child.wait().unwrap();
        // What a pidfd keeps depends on the kernel; nothing wrong may come out of it.
        assert!([None, Some(Ended::Exited(42))].contains(&seen(&process, &pidfd)));
    }
}
