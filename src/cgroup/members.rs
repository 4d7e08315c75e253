//! Who is in a cgroup, and a signal to all of them.
//!
//! Kernel: `cgroup.procs` lists the processes of one cgroup, not of those below it. In a threaded cgroup it
//! cannot be read (EOPNOTSUPP); there `cgroup.threads` lists the threads, whose processes are named by `Tgid`
//! in proc_pid_status(5).
//!
//! A list of numbers is old when it has been read: a process may have ended, and its number may be somebody
//! else's. So a pidfd is opened for each, and the list is read again: a number that is on both lists, with
//! a pidfd that was opened between the two, means a process of the cgroup or one that has ended, and to that
//! one no signal can be sent. Processes that were born meanwhile are found by the next pass.
//!
//! Freezing the cgroup would make one pass enough, but the container would look paused to everybody.
//!
//! Man pages: cgroups(7), pidfd_open(2), pidfd_send_signal(2).

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;

use crate_run_sys::host::borrowed;
use crate_run_sys::process::send_signal;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::error::CgroupError;
use super::events::is_gone;
use super::remove::LEVELS;
use super::v2::{Cgroup, directory_error};
use crate::kernfs::Directory;

/// After so many passes the processes multiply faster than anybody can signal them: then only SIGKILL helps,
/// which the kernel sends to all of them at once.
const PASSES: usize = 64;

/// So many pidfds are open at a time: the caller's limit may be 1024 descriptors.
const OPEN_AT_ONCE: usize = 256;

impl Cgroup {
    /// The process ids in the cgroup and below it, ascending, as our own pid namespace numbers them.
    ///
    /// Errors: `Directory`. A process of another pid namespace that is not below ours has no number here.
    pub fn processes(&self) -> Result<Vec<i32>, CgroupError> {
        let mut found = BTreeSet::new();
        collect(&self.directory, LEVELS, &mut found)
            .map_err(|errno| directory_error("list the processes of", self.path(), errno))?;
        Ok(found.into_iter().collect())
    }

    /// Sends a signal, 1 to 64, once to every process in the cgroup and below it, also to those that are born
    /// meanwhile; answers how many got it. Frozen processes get it when they go on.
    ///
    /// Errors: `Directory`; `Signal` when the kernel refuses one (EPERM), after all others have got it.
    pub fn signal_all(&self, signal: u32) -> Result<usize, CgroupError> {
        let mut told = BTreeSet::new();
        let mut refused = None;
        for _ in 0..PASSES {
            let new: Vec<i32> = self.processes()?.into_iter().filter(|pid| !told.contains(pid)).collect();
            if new.is_empty() {
                break;
            }
            for some in new.chunks(OPEN_AT_ONCE) {
                self.signal_some(some, signal, &mut refused)?;
            }
            told.extend(new);
        }
        match refused {
            None => Ok(told.len()),
            Some(errno) => {
                Err(CgroupError::Signal { path: self.path().to_string(), signal, source: errno.into() })
            }
        }
    }

    fn signal_some(&self, some: &[i32], signal: u32, refused: &mut Option<Errno>) -> Result<(), CgroupError> {
        let opened: Vec<(i32, OwnedFd)> = some.iter().filter_map(|pid| Some((*pid, open(*pid)?))).collect();
        let still: BTreeSet<i32> = self.processes()?.into_iter().collect();
        for (_, pidfd) in opened.iter().filter(|(pid, _)| still.contains(pid)) {
            match send_signal(borrowed(pidfd), signal) {
                Ok(()) | Err(crate_run_sys::Errno::ESRCH) => {}
                Err(errno) => *refused = Some(Errno::from_raw_os_error(errno.0.into())),
            }
        }
        Ok(())
    }
}

fn open(pid: i32) -> Option<OwnedFd> {
    pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()
}

/// Depth first, with the descriptors of one branch open at a time. ENAMETOOLONG: whoever is in the container
/// has made a branch that is deeper than `levels`.
fn collect(directory: &Directory, levels: usize, found: &mut BTreeSet<i32>) -> Result<(), Errno> {
    match directory.read("cgroup.procs") {
        Ok(list) => found.extend(numbers(&list)),
        Err(Errno::OPNOTSUPP) => found.extend(numbers(&directory.read("cgroup.threads")?).filter_map(group)),
        // Removed since we opened it.
        Err(errno) if is_gone(errno) => return Ok(()),
        Err(errno) => return Err(errno),
    }
    let children = match directory.children() {
        Err(errno) if is_gone(errno) => return Ok(()),
        children => children?,
    };
    for name in children {
        match directory.beneath(&name) {
            Ok(_) if levels == 0 => return Err(Errno::NAMETOOLONG),
            Ok(child) => collect(&child, levels - 1, found)?,
            Err(errno) if is_gone(errno) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Processes that have no number in our pid namespace are listed as 0.
fn numbers(list: &str) -> impl Iterator<Item = i32> {
    list.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 0)
}

/// The process of a thread; `None` when it has ended.
fn group(thread: i32) -> Option<i32> {
    let status = std::fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("Tgid:")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_leads_to_its_process() {
        let (end, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || wait.recv());
        let own = std::process::id() as i32;
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let threads: Vec<i32> =
            tasks.map(|task| task.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect();
        assert!(threads.len() > 1 && threads.contains(&own));
        // A thread of another test may have ended since the list was read.
        assert!(threads.iter().all(|thread| group(*thread).is_none_or(|process| process == own)));
        assert_eq!((group(own), group(-1)), (Some(own), None));
        drop(end);
        let _ = thread.join().unwrap();
    }

    #[test]
    fn a_list_has_no_strangers() {
        assert_eq!(numbers("12\n0\n\n7\n").collect::<Vec<_>>(), [12, 7]);
    }
}
