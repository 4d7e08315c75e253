//! The home of the root tests is as promised: what every other `root_*` test takes for granted.
//!
//! Runs in the test machine (`make test`) and on a host (`make test-host`). A host may lack a
//! controller; the machine may not, so a skip there shows up in the machine's own summary.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

type Checked = Result<(), Box<dyn Error>>;

const CGROUPS: &str = "/sys/fs/cgroup";

/// Field `name` of `/proc/self/status` (proc_pid_status(5)).
fn status_field(name: &str) -> Result<String, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    Ok(line.ok_or("no such field")?.trim().to_owned())
}

/// File system type of the topmost mount at `point` (proc_pid_mountinfo(5)).
fn mounted_at(point: &str) -> Result<Option<String>, Box<dyn Error>> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let mut found = None;
    for line in mounts.lines() {
        let (place, kind) = line.split_once(" - ").ok_or("a mountinfo line without separator")?;
        if place.split(' ').nth(4) == Some(point) {
            found = kind.split(' ').next().map(str::to_owned);
        }
    }
    Ok(found)
}

fn skip(test: &str, reason: &str) -> Checked {
    println!("SKIP {test}: {reason}");
    Ok(())
}

#[test]
fn runs_as_root_with_every_capability_of_the_bounding_set() -> Checked {
    let uid = status_field("Uid")?;
    let effective = status_field("CapEff")?;
    println!("uid {uid}, effective capabilities {effective}");
    assert_eq!(uid.split_whitespace().nth(1), Some("0"));
    assert_eq!(effective, status_field("CapBnd")?);
    Ok(())
}

#[test]
fn a_unified_hierarchy_is_mounted() -> Checked {
    assert_eq!(mounted_at(CGROUPS)?.as_deref(), Some("cgroup2"));
    Ok(())
}

#[test]
fn a_new_cgroup_has_the_controllers_of_the_demo() -> Checked {
    let offered = fs::read_to_string(format!("{CGROUPS}/cgroup.controllers"))?;
    println!("controllers: {}", offered.trim());
    let needed = ["cpu", "io", "memory", "pids"];
    let missing: Vec<_> =
        needed.into_iter().filter(|name| !offered.split_whitespace().any(|one| one == *name)).collect();
    if !missing.is_empty() {
        let reason = format!("this host's cgroup v2 lacks {}", missing.join(", "));
        return skip("a_new_cgroup_has_the_controllers_of_the_demo", &reason);
    }
    let cgroup = format!("{CGROUPS}/crate-run-root-machine-{}", std::process::id());
    fs::create_dir(&cgroup)?;
    let files = ["cpu.max", "io.max", "memory.max", "pids.max"]
        .map(|file| (file, Path::new(&cgroup).join(file).exists()));
    fs::remove_dir(&cgroup)?;
    assert_eq!(files.map(|(_, there)| there), [true; 4], "{files:?}");
    Ok(())
}

#[test]
fn pivot_root_is_possible() -> Checked {
    let root = mounted_at("/")?;
    println!("the root is a {root:?}");
    let script = "mount -t tmpfs root /mnt && mkdir /mnt/old && cd /mnt && pivot_root . old";
    let pivoted = Command::new("unshare").args(["--mount", "sh", "-c", script]).output()?;
    assert!(pivoted.status.success(), "{}", String::from_utf8_lossy(&pivoted.stderr));
    Ok(())
}

#[test]
fn the_usual_file_systems_are_mounted() -> Checked {
    let usual = [("/proc", "proc"), ("/sys", "sysfs"), ("/dev/pts", "devpts"), ("/dev/shm", "tmpfs")];
    for (point, kind) in usual {
        assert_eq!(mounted_at(point)?.as_deref(), Some(kind), "{point}");
    }
    Ok(())
}

#[test]
fn an_orphan_is_reaped_by_pid_1() -> Checked {
    let shell = Command::new("sh").args(["-c", "sleep 0 & echo $!"]).stderr(Stdio::inherit()).output()?;
    let orphan = format!("/proc/{}", String::from_utf8(shell.stdout)?.trim());
    for _ in 0..10_000 {
        if !Path::new(&orphan).exists() {
            return Ok(());
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    Err(format!("{orphan} is still a zombie").into())
}
