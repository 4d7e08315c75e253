//! Limits, in a cgroup that systemd has handed to the user, and without one.

use std::fs;

use serde_json::json;

use crate::machine::{Bundle, Checked, said, words};

const MANAGER: &str = "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service";

#[test]
fn limits_hold_in_a_delegated_scope() -> Checked {
    let bundle = Bundle::new("delegated")?;
    bundle.configure(|config| {
        let script = "cat /proc/self/cgroup /sys/fs/cgroup/pids.max /sys/fs/cgroup/memory.max";
        config["process"]["args"] = json!(["sh", "-c", script]);
        config["linux"]["resources"] = json!({ "pids": { "limit": 16 }, "memory": { "limit": 67_108_864 } });
    })?;
    let output = bundle.run_delegated(&["run", "limited"])?;
    assert_eq!(String::from_utf8_lossy(&output.stdout), "0::/\n16\n67108864\n", "{}", words(&output));
    let found = said(&["find", MANAGER, "-name", "limited"])?;
    assert_eq!(found, "", "the cgroup goes with the container");
    Ok(())
}

#[test]
fn a_container_in_a_delegated_scope_can_be_paused() -> Checked {
    let bundle = Bundle::new("paused")?;
    bundle.configure(|config| config["process"]["args"] = json!(["sleep", "1000000"]))?;
    let run = |words_of: &[&str]| -> Result<String, Box<dyn std::error::Error>> {
        let output = bundle.run_delegated(words_of)?;
        assert!(output.status.success(), "{words_of:?}: {}", words(&output));
        Ok(String::from_utf8(output.stdout)?)
    };
    run(&["run", "--detach", "a"])?;
    run(&["pause", "a"])?;
    assert!(run(&["state", "a"])?.contains("\"status\": \"paused\""));
    run(&["resume", "a"])?;
    assert_eq!(run(&["exec", "a", "cat", "/proc/self/cgroup"])?, "0::/\n");
    run(&["kill", "--all", "a", "KILL"])?;
    run(&["delete", "--force", "a"])?;
    Ok(())
}

/// As after a login by su, or in a service of the machine: nothing there is the user's.
#[test]
fn without_a_cgroup_of_the_users_limits_are_refused_and_the_rest_runs() -> Checked {
    let bundle = Bundle::new("undelegated")?;
    let own = fs::read_to_string("/proc/self/cgroup")?;
    let said = bundle.says("cat /proc/1/cgroup")?;
    assert_eq!(said, "0::/\n", "its cgroup namespace begins at {own}");
    bundle.configure(|config| config["linux"]["resources"] = json!({ "memory": { "limit": 67_108_864 } }))?;
    let told = bundle.refusal()?;
    assert!(told.contains("this limit cannot hold: the container gets no cgroup of its own"), "{told}");
    assert!(told.contains("systemd-run --user --scope --property Delegate=yes"), "{told}");
    let doctor = String::from_utf8(bundle.run(&["doctor"])?.stdout)?;
    assert!(doctor.contains("limits        none: no cgroup can be made here"), "{doctor}");
    let doctor = String::from_utf8(bundle.run_delegated(&["doctor"])?.stdout)?;
    assert!(doctor.contains("limits        hold: a cgroup can be made in /user.slice/"), "{doctor}");
    Ok(())
}
