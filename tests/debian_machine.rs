//! The Debian machine is as promised: what every other `debian_*` test takes for granted.
//!
//! `make test-engines` runs these tests there, and nothing else does.

use std::error::Error;
use std::fs;
use std::process::Command;

type Checked = Result<(), Box<dyn Error>>;

/// What a command prints on standard output; an error with all that it said if it fails.
fn said(words: &[&str]) -> Result<String, Box<dyn Error>> {
    let output = Command::new(words[0]).args(&words[1..]).output()?;
    if !output.status.success() {
        return Err(
            format!("{words:?}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr)).into()
        );
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

#[test]
fn systemd_is_up_and_no_unit_has_failed() -> Checked {
    assert_eq!(fs::read_to_string("/proc/1/comm")?.trim(), "systemd");
    assert_eq!(said(&["systemctl", "list-units", "--failed", "--no-legend", "--plain"])?, "");
    Ok(())
}

#[test]
fn this_cgroup_is_delegated_with_the_controllers_of_a_server() -> Checked {
    let own = fs::read_to_string("/proc/self/cgroup")?;
    let own = own.trim().strip_prefix("0::").ok_or("not cgroup v2")?;
    let offered = fs::read_to_string(format!("/sys/fs/cgroup{own}/cgroup.controllers"))?;
    let offered: Vec<&str> = offered.split_whitespace().collect();
    for controller in ["cpuset", "cpu", "io", "memory", "pids"] {
        assert!(offered.contains(&controller), "{controller} is missing in {offered:?}");
    }
    Ok(())
}

#[test]
fn the_ordinary_user_has_ids_and_a_manager_with_delegated_controllers() -> Checked {
    for file in ["/etc/subuid", "/etc/subgid"] {
        assert_eq!(fs::read_to_string(file)?.trim(), "rootless:100000:65536", "{file}");
    }
    assert_eq!(said(&["systemctl", "is-active", "user@1000.service"])?, "active");
    let service = "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service";
    let offered = fs::read_to_string(format!("{service}/cgroup.controllers"))?;
    for controller in ["cpu", "memory", "pids"] {
        assert!(offered.split_whitespace().any(|one| one == controller), "{controller}: {offered}");
    }
    assert!(fs::exists("/run/user/1000/bus")?, "the user's bus");
    Ok(())
}

#[test]
fn the_engines_are_there() -> Checked {
    for engine in ["runc", "crun", "containerd", "dockerd", "docker", "podman", "buildah"] {
        let version = said(&[engine, "--version"])?;
        println!("{engine}: {}", version.lines().next().unwrap_or_default());
        assert!(version.to_lowercase().contains("version") || version.contains("containerd"), "{version}");
    }
    Ok(())
}

#[test]
fn crate_run_and_its_fixtures_are_open_to_ordinary_users() -> Checked {
    let binary = std::env::var("CRATE_RUN_BIN")?;
    let probe = format!("{}/rootfs/bin/probe", std::env::var("CRATE_RUN_FIXTURES")?);
    for program in [&binary, &probe] {
        said(&["runuser", "-u", "rootless", "--", "test", "-x", program])?;
    }
    Ok(())
}
