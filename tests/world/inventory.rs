//! What a container could leave behind on the host, and how to take it away.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use super::CGROUPS;

/// Parameters that a container sets in its own namespaces, and that must stay as they are on the host.
const PARAMETERS: [&str; 11] = [
    "kernel/hostname",
    "kernel/domainname",
    "kernel/shmmax",
    "kernel/msgmax",
    "kernel/sem",
    "kernel/core_pattern",
    "fs/mqueue/msg_max",
    "net/ipv4/ip_forward",
    "net/core/somaxconn",
    "user/max_user_namespaces",
    "vm/overcommit_memory",
];

/// Device nodes that a wrong runtime removes, replaces, or opens to everybody.
const DEVICES: [&str; 9] = ["null", "zero", "full", "random", "urandom", "tty", "ptmx", "console", "kmsg"];

/// Facts about the host, each under a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory(BTreeMap<String, String>);

impl Inventory {
    /// The host as it is now. `tag` marks what belongs to the test, `rootfs` is what it must not write to.
    pub fn take(tag: &str, rootfs: &Path) -> Self {
        let mut facts = BTreeMap::new();
        for mount in mounts() {
            facts.insert(format!("mount {mount}"), String::new());
        }
        for cgroup in cgroups(tag) {
            facts.insert(format!("cgroup {}", cgroup.display()), String::new());
        }
        for process in descendants() {
            facts.insert(format!("process {process} {}", name_of(process)), String::new());
        }
        for parameter in PARAMETERS {
            if let Ok(value) = fs::read_to_string(format!("/proc/sys/{parameter}")) {
                facts.insert(format!("parameter {parameter}"), value);
            }
        }
        for device in DEVICES {
            facts.insert(format!("device {device}"), described(&Path::new("/dev").join(device)));
        }
        let default = files_below(Path::new("/run/crate-run")).into_iter().filter(|file| file.contains(tag));
        for file in default.chain(files_below(rootfs)) {
            facts.insert(format!("file {file}"), described(Path::new(&file)));
        }
        facts.insert("file /".to_owned(), described(Path::new("/")));
        Self(facts)
    }

    /// One line for each fact that is not as it was.
    pub fn differences(&self, now: &Self) -> Vec<String> {
        let names: BTreeSet<&String> = self.0.keys().chain(now.0.keys()).collect();
        let differs = |name: &&String| self.0.get(*name) != now.0.get(*name);
        let line = |name: &String| match (self.0.get(name), now.0.get(name)) {
            (Some(_), None) => format!("gone: {name}"),
            (None, _) => format!("left: {name}"),
            (Some(before), Some(now)) => format!("changed: {name} from {before:?} to {now:?}"),
        };
        names.into_iter().filter(differs).map(line).collect()
    }
}

/// Type, mode, owner, device number: all that a runtime may not change.
fn described(path: &Path) -> String {
    match fs::symlink_metadata(path) {
        Ok(status) => format!("{:o} {}:{} {:x}", status.mode(), status.uid(), status.gid(), status.rdev()),
        Err(error) => error.kind().to_string(),
    }
}

/// Every mount of our mount namespace, without its numbers (proc_pid_mountinfo(5)).
pub fn mounts() -> Vec<String> {
    let text = fs::read_to_string("/proc/self/mountinfo").expect("mountinfo");
    text.lines().map(|line| line.split(' ').skip(3).collect::<Vec<_>>().join(" ")).collect()
}

/// Detaches every mount below a directory.
pub fn unmount_below(directory: &Path) {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let targets: Vec<&str> = text.lines().filter_map(|line| line.split(' ').nth(4)).collect();
    for target in targets.iter().rev().filter(|target| Path::new(target).starts_with(directory)) {
        let _ = std::process::Command::new("umount").args(["-l", target]).status();
    }
}

/// The cgroups whose path contains `tag`, the inner ones last.
pub fn cgroups(tag: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::from(CGROUPS)];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if entry.path().to_string_lossy().contains(tag) {
                    found.push(entry.path());
                }
                open.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

/// Kills what is in the cgroups of a world, and removes them.
pub fn remove_cgroups(tag: &str) {
    for cgroup in cgroups(tag).iter().rev() {
        let _ = fs::write(cgroup.join("cgroup.kill"), "1");
        // The dead leave their cgroup a moment after they were killed.
        for _ in 0..200 {
            bury();
            if fs::remove_dir(cgroup).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Every file and directory below `directory`, as paths, sorted; links are not followed.
pub fn files_below(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            found.push(entry.path().display().to_string());
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

/// All processes below this one. As we are a subreaper, none of ours can leave.
pub fn descendants() -> Vec<i32> {
    let mut parents = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        if let Some(parent) = parent_of(pid) {
            parents.insert(pid, parent);
        }
    }
    let own = std::process::id() as i32;
    let is_below = |pid: &i32| {
        let mut lineage = std::iter::successors(parents.get(pid).copied(), |pid| parents.get(pid).copied());
        lineage.any(|ancestor| ancestor == own)
    };
    parents.keys().copied().filter(is_below).collect()
}

/// Field 4 of /proc/PID/stat (proc_pid_stat(5)).
fn parent_of(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn name_of(pid: i32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned()
}

/// Kills a process of ours.
pub fn kill(pid: i32) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// Collects the dead that have become our children, as the init of a host does.
/// Not to be called while a command runs: its exit status would be lost.
pub fn bury() {
    for pid in descendants() {
        let dead = || {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.rsplit_once(')').is_none_or(|(_, rest)| rest.starts_with(" Z") || rest.starts_with(" X"))
        };
        if dead() {
            let _ = waitpid(Pid::from_raw(pid), WaitOptions::NOHANG);
        }
    }
}
