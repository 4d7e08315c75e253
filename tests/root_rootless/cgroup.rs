//! With and without a cgroup of the user's own.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::user::{ID, User, set};
use crate::world::{CGROUPS, World, eventually};

/// A part of the hierarchy that belongs to the user (cgroups(7), "Cgroup delegation"), and this process in
/// it.
struct Delegated {
    place: PathBuf,
    former: PathBuf,
}

impl Delegated {
    fn new(world: &World, controllers: &[&str]) -> Self {
        let parent = Path::new(CGROUPS).join(&world.tag);
        let place = parent.join("user");
        let seat = place.join("shell");
        fs::create_dir_all(&seat).expect("cgroups");
        for level in [Path::new(CGROUPS), &parent, &place] {
            for controller in controllers {
                fs::write(level.join("cgroup.subtree_control"), format!("+{controller}"))
                    .expect("a controller");
            }
        }
        for directory in [&place, &seat] {
            for file in ["", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"] {
                chown(directory.join(file), Some(ID), Some(ID)).expect("it becomes his");
            }
        }
        let own = fs::read_to_string("/proc/self/cgroup").expect("the own cgroup");
        let own = own.lines().find_map(|line| line.strip_prefix("0::/")).expect("cgroup v2");
        let former = Path::new(CGROUPS).join(own);
        enter(&seat);
        Self { place, former }
    }
}

fn enter(cgroup: &Path) {
    fs::write(cgroup.join("cgroup.procs"), std::process::id().to_string()).expect("this process moves");
}

impl Drop for Delegated {
    fn drop(&mut self) {
        enter(&self.former);
        let _ = fs::remove_dir(self.place.join("shell"));
        let _ = fs::remove_dir(&self.place);
    }
}

fn own_cgroup(process: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{process}/cgroup")).expect("its cgroup");
    text.lines().find_map(|line| line.strip_prefix("0::")).expect("a v2 cgroup").to_owned()
}

#[test]
fn in_a_delegated_cgroup_the_container_has_its_own() {
    let Some(world) = World::new("in_a_delegated_cgroup_the_container_has_its_own") else { return };
    let user = User::new(&world);
    let delegated = Delegated::new(&world, &[]);
    user.starts("a", |_| {});
    let cgroup = delegated.place.join("a");
    assert_eq!(own_cgroup(&user.state("a")["pid"].to_string()), format!("/{}/user/a", world.tag));
    let said = user.run(&["exec", "a", "cat", "/proc/self/cgroup"]).ok().stdout;
    assert!(said.lines().any(|line| line == "0::/"), "{said}");
    user.run(&["pause", "a"]).ok();
    assert_eq!(user.state("a")["status"], "paused");
    user.run(&["resume", "a"]).ok();
    user.run(&["kill", "--all", "a", "KILL"]).ok();
    eventually("it has stopped", || user.state("a")["status"] == "stopped");
    user.run(&["delete", "a"]).ok();
    assert!(!cgroup.exists());
}

/// As of a service that was started again: some kernels spurn who is born out of it
/// (docs/adr/0017-spurned-newborn.md).
#[test]
fn in_a_delegated_cgroup_that_was_killed_once_it_is_the_same() {
    let Some(world) = World::new("in_a_delegated_cgroup_that_was_killed_once_it_is_the_same") else { return };
    let user = User::new(&world);
    let delegated = Delegated::new(&world, &[]);
    enter(&delegated.former);
    fs::write(delegated.place.join("cgroup.kill"), "1").expect("everybody is killed, and nobody is there");
    enter(&delegated.place.join("shell"));
    user.starts("a", |_| {});
    assert_eq!(own_cgroup(&user.state("a")["pid"].to_string()), format!("/{}/user/a", world.tag));
    let said = user.run(&["exec", "a", "cat", "/proc/self/cgroup"]).ok().stdout;
    assert!(said.lines().any(|line| line == "0::/"), "{said}");
    user.run(&["delete", "--force", "a"]).ok();
    assert!(!delegated.place.join("a").exists());
}

/// The kernel asks for the way from one cgroup to the other (cgroup-v2.rst, "Delegation Containment").
#[test]
fn nobody_enters_from_outside_of_what_was_delegated() {
    let Some(world) = World::new("nobody_enters_from_outside_of_what_was_delegated") else { return };
    let user = User::new(&world);
    let delegated = Delegated::new(&world, &[]);
    user.starts("a", |_| {});
    enter(&delegated.former);
    let said = user.run(&["exec", "a", "true"]).exits(255).stderr;
    assert!(
        said.contains("cgroup.procs of the nearest common parent is not writable for this user"),
        "{said}"
    );
    user.run(&["kill", "a", "KILL"]).ok();
    eventually("it has stopped", || user.state("a")["status"] == "stopped");
    user.run(&["delete", "a"]).ok();
}

/// As in a service of the machine with `User=` and `Delegate=`: the cgroup above is not the user's.
#[test]
fn where_only_the_own_cgroup_is_delegated_the_container_is_in_it() {
    let Some(world) = World::new("where_only_the_own_cgroup_is_delegated_the_container_is_in_it") else {
        return;
    };
    let user = User::new(&world);
    let delegated = Delegated::new(&world, &[]);
    chown(&delegated.place, Some(0), Some(0)).expect("it is root's again");
    user.starts("a", |_| {});
    let cgroup = delegated.place.join("shell/a");
    assert_eq!(own_cgroup(&user.state("a")["pid"].to_string()), format!("/{}/user/shell/a", world.tag));
    user.run(&["pause", "a"]).ok();
    user.run(&["resume", "a"]).ok();
    user.run(&["delete", "--force", "a"]).ok();
    assert!(!cgroup.exists());
}

#[test]
fn limits_hold_in_a_delegated_cgroup() {
    let Some(world) = World::new("limits_hold_in_a_delegated_cgroup") else { return };
    if !world.offers(&["pids", "memory"]) {
        return;
    }
    let user = User::new(&world);
    let _delegated = Delegated::new(&world, &["pids", "memory"]);
    let script = "cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/memory.max; \
                  i=0; while test $i -lt 20; do sleep 5 & i=$((i+1)); done";
    user.configure(|config| {
        set(config, "/process/args", json!(["sh", "-c", script]));
        config["linux"]["resources"] = json!({ "pids": { "limit": 8 }, "memory": { "limit": 33_554_432 } });
    });
    let said = user.run(&["run", "a"]);
    assert!(said.stdout.starts_with("8\n33554432\n"), "{said:?}");
    assert!(said.stderr.contains("fork"), "the ninth process is refused: {said:?}");
}

#[test]
fn without_one_nothing_is_limited_and_nothing_may_be_asked_for() {
    let Some(world) = World::new("without_one_nothing_is_limited_and_nothing_may_be_asked_for") else {
        return;
    };
    let user = User::new(&world);
    user.starts("a", |_| {});
    assert_eq!(own_cgroup(&user.state("a")["pid"].to_string()), own_cgroup("self"));
    user.run(&["pause", "a"])
        .fails("container a has no cgroup of its own, so it cannot be frozen as a whole");
    user.run(&["delete", "--force", "a"]).ok();
    user.configure(|config| config["linux"]["resources"] = json!({ "pids": { "limit": 8 } }));
    let reason = "the container gets no cgroup of its own (this user may not make one here)";
    let refused = user.run(&["run", "a"]);
    refused.finds(&format!("this limit cannot hold: {reason}"), "/linux/resources/pids/limit").helps(
        "leave it out, let systemd make the cgroup (--systemd-cgroup), or start crate-run in one that is \
         yours (systemd-run --user --scope --property Delegate=yes)",
    );
    user.configure(|config| config["linux"]["cgroupsPath"] = json!("/a"));
    user.run(&["run", "a"])
        .finds("this cgroup is not made (this user may not make one here)", "/linux/cgroupsPath");
    assert_eq!(fs::read_dir(user.root()).expect("the state directory").count(), 0, "nothing was made");
}

/// With `--rootless false` what cannot be made is an error.
#[test]
fn whoever_wants_no_tolerance_gets_none() {
    let Some(world) = World::new("whoever_wants_no_tolerance_gets_none") else { return };
    let user = User::new(&world);
    user.configure(|_| {});
    let said = user.run(&["--rootless", "false", "run", "a"]).exits(1);
    assert!(said.sentence().starts_with("cannot create cgroup /"), "{}", said.stderr);
    assert!(said.stderr.contains("a cgroup must be delegated first"), "{}", said.stderr);
}

#[test]
fn device_rules_do_not_hold_and_that_is_told() {
    let Some(world) = World::new("device_rules_do_not_hold_and_that_is_told") else { return };
    let user = User::new(&world);
    user.configure(|config| {
        set(config, "/process/args", json!(["true"]));
        config["linux"]["resources"] = json!({ "devices": [{ "allow": false, "access": "rwm" }] });
    });
    let said = user.run(&["run", "a"]).ok().stderr;
    assert_eq!(said.matches("device rules do not hold").count(), 1, "{said}");
}
