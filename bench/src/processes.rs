//! Other processes: who descends from this one, and waiting for them to end.

use std::collections::HashMap;
use std::fs;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use rustix::process::PidfdFlags;

const END_LIMIT: Duration = Duration::from_secs(20);

/// Collects every ended child. Not to be called while another thread waits for a child of its own.
pub fn reap() {
    let gone = |status| !matches!(status, Ok(WaitStatus::StillAlive) | Err(_));
    while gone(waitpid(None, Some(WaitPidFlag::WNOHANG))) {}
}

/// All living processes that descend from this one, ended but not yet collected ones left out.
pub fn descendants() -> Vec<i32> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for (pid, parent) in living() {
        children.entry(parent).or_default().push(pid);
    }
    let mut found = Vec::new();
    let mut open = vec![std::process::id() as i32];
    while let Some(pid) = open.pop() {
        let mut next = children.remove(&pid).unwrap_or_default();
        found.extend(&next);
        open.append(&mut next);
    }
    found
}

/// Process and parent for everything in /proc that is neither a zombie nor dead (proc_pid_stat(5)).
fn living() -> Vec<(i32, i32)> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let names = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    names.filter_map(|pid: i32| Some((pid, living_parent(pid)?))).collect()
}

fn living_parent(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold anything, even `)`: the fields begin after the last one.
    let mut fields = stat[stat.rfind(')')? + 1..].split_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    (state != "Z" && state != "X").then_some(parent)
}

/// Kills all descendants and collects them; gives up after a while on what cannot be killed.
pub fn end_descendants() {
    let deadline = Instant::now() + END_LIMIT;
    loop {
        reap();
        let left = descendants();
        if left.is_empty() || Instant::now() > deadline {
            return;
        }
        for pid in left {
            // Gone in the meantime is as good as killed.
            kill(Pid::from_raw(pid), Signal::SIGKILL).ok();
        }
        sleep(Duration::from_millis(5));
    }
}

/// Waits until `pid` has ended, without collecting it. False after `limit`.
pub fn ended_within(pid: i32, limit: Duration) -> bool {
    let Some(pid) = rustix::process::Pid::from_raw(pid) else { return true };
    // ESRCH: it ended and was collected before we looked.
    let Ok(pidfd) = rustix::process::pidfd_open(pid, PidfdFlags::empty()) else { return true };
    let mut waiting = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
    let timeout = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
    poll(&mut waiting, timeout).is_ok_and(|ready| ready > 0)
}

/// Runs a command for its effect only; one that hangs is killed after a while.
pub fn run_quietly(command: &mut Command) {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(mut child) = command.spawn() else { return };
    ended_within(child.id() as i32, END_LIMIT);
    // Both fail only when it has just ended by itself.
    child.kill().ok();
    child.wait().ok();
}

/// Waits for all of `pids` to end and collects them; gives up on each after a while.
pub fn await_end(pids: &[i32]) {
    for pid in pids {
        ended_within(*pid, END_LIMIT);
    }
    reap();
}

/// The processes of a cgroup and of those below it.
pub fn members(cgroup: &Path) -> Vec<i32> {
    let own = fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default();
    let mut found: Vec<i32> = own.lines().filter_map(|line| line.parse().ok()).collect();
    for entry in fs::read_dir(cgroup).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(members(&entry.path()));
        }
    }
    found
}
