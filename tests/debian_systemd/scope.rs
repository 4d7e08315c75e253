//! The life of a scope.

use std::fs;
use std::process::Command;

use serde_json::json;

use crate::world::{config, eventually, tool};
use crate::{cgroup, living, making, no_unit_is_left, scope, told, units, world};

#[test]
fn a_whole_life_in_a_scope() {
    let Some(world) = world("a_whole_life_in_a_scope") else { return };
    let container = living(&world, "a", |_| ());
    making(&world, "create", &container).run().ok();
    let unit = scope(&world, "a");
    assert_eq!(container.state().ok().json()["systemd-scope"], unit.as_str());
    assert_eq!(container.status(), "created");
    assert_eq!(told(&unit, "ActiveState"), "active");
    assert_eq!(told(&unit, "Delegate"), "yes");
    assert_eq!(told(&unit, "ControlGroup"), format!("/system.slice/{unit}"));
    let members = fs::read_to_string(cgroup(&world, "a").join("cgroup.procs")).expect("its members");
    assert_eq!(members.trim(), container.pid().to_string());
    container.start().ok();
    // The scope is the root of what it sees, for its own program and for one that enters.
    assert_eq!(world.run(&["exec", "a", "cat", "/proc/self/cgroup"]).ok().stdout, "0::/\n");
    assert_eq!(world.run(&["exec", "a", "cat", "/proc/1/cgroup"]).ok().stdout, "0::/\n");
    container.command("pause", &[]).run().ok();
    assert_eq!(container.status(), "paused");
    container.command("resume", &[]).run().ok();
    container.kill("KILL").ok();
    container.becomes("stopped");
    container.delete(&[]).ok();
    assert!(!cgroup(&world, "a").exists());
    no_unit_is_left(&world);
}

#[test]
fn run_leaves_no_scope() {
    let Some(world) = world("run_leaves_no_scope") else { return };
    let container = living(&world, "a", |value| config::runs(value, &["sh", "-c", "exit 7"]));
    making(&world, "run", &container).run().exits(7);
    assert!(!cgroup(&world, "a").exists());
    no_unit_is_left(&world);
}

#[test]
fn delete_removes_what_runs_and_what_the_container_made() {
    let Some(world) = world("delete_removes_what_runs_and_what_the_container_made") else { return };
    let container = living(&world, "a", |_| ());
    making(&world, "create", &container).run().ok();
    container.start().ok();
    fs::create_dir_all(cgroup(&world, "a").join("inner/deeper")).expect("a cgroup in the scope");
    container.delete(&["--force"]).ok();
    assert!(!cgroup(&world, "a").exists());
    no_unit_is_left(&world);
}

/// Somebody has stopped the scope, and systemd has removed it.
#[test]
fn a_scope_that_is_gone_is_deleted() {
    let Some(world) = world("a_scope_that_is_gone_is_deleted") else { return };
    let container = living(&world, "a", |_| ());
    making(&world, "create", &container).run().ok();
    tool(&["systemctl", "stop", &scope(&world, "a")]);
    container.becomes("stopped");
    container.delete(&[]).ok();
    no_unit_is_left(&world);
}

#[test]
fn garbage_in_the_record_hides_no_scope() {
    let Some(world) = world("garbage_in_the_record_hides_no_scope") else { return };
    let container = living(&world, "a", |_| ());
    making(&world, "create", &container).run().ok();
    fs::write(container.directory().join("state.json"), "garbage").expect("a record that nobody can read");
    container.delete(&["--force"]).ok();
    eventually("the scope is gone", || !cgroup(&world, "a").exists());
    no_unit_is_left(&world);
}

#[test]
fn a_unit_of_somebody_else_is_left_alone() {
    let Some(world) = world("a_unit_of_somebody_else_is_left_alone") else { return };
    let unit = scope(&world, "a");
    let words = ["--quiet", "--scope", "--unit", unit.as_str(), "sleep", "1000000"];
    let mut other = Command::new("systemd-run").args(words).spawn().expect("systemd-run");
    eventually("the other unit is there", || told(&unit, "ActiveState") == "active");
    let container = living(&world, "a", |_| ());
    let said = making(&world, "create", &container).run().exits(1);
    let words = format!("cgroup /system.slice/{unit} exists already and holds processes");
    assert!(said.sentence().starts_with(&words), "{}", said.stderr);
    said.helps("delete the container that uses it, or name another place in linux.cgroupsPath");
    assert!(!container.directory().exists());
    assert_eq!(told(&unit, "ActiveState"), "active");
    tool(&["systemctl", "stop", &unit]);
    other.wait().expect("the end of the other one");
    no_unit_is_left(&world);
}

/// systemd would take the directory as it is, and move the newborn to where nobody runs.
#[test]
fn a_directory_that_is_frozen_is_refused() {
    let Some(world) = world("a_directory_that_is_frozen_is_refused") else { return };
    let unit = scope(&world, "a");
    let directory = std::path::Path::new("/sys/fs/cgroup/system.slice").join(&unit);
    std::fs::create_dir(&directory).expect("a directory behind systemd's back");
    std::fs::write(directory.join("cgroup.freeze"), "1").expect("it is frozen");
    let container = living(&world, "a", |_| ());
    let said = making(&world, "create", &container).run().exits(1);
    let words = format!("cgroup /system.slice/{unit} is frozen, and nobody in it would run");
    assert!(said.sentence().starts_with(&words), "{}", said.stderr);
    assert!(!container.directory().exists());
    std::fs::remove_dir(&directory).expect("it is as it was");
    no_unit_is_left(&world);
}

/// The slices are made by systemd; it is the test that takes them away again.
#[test]
fn slices_lie_in_each_other() {
    let Some(world) = world("slices_lie_in_each_other") else { return };
    let outer = format!("cratetest{}", std::process::id());
    let container = living(&world, "a", |value| {
        value["linux"]["cgroupsPath"] = json!(format!("{outer}-inner.slice:{}:a", world.tag));
    });
    making(&world, "create", &container).run().ok();
    let expected = format!("/{outer}.slice/{outer}-inner.slice/{}", scope(&world, "a"));
    assert_eq!(told(&scope(&world, "a"), "ControlGroup"), expected);
    container.finish();
    tool(&["systemctl", "stop", &format!("{outer}.slice")]);
    assert_eq!(units(&world), "");
}

#[test]
fn annotations_reach_systemd() {
    let Some(world) = world("annotations_reach_systemd") else { return };
    let container = living(&world, "a", |value| {
        value["annotations"] = json!({
            "org.systemd.property.TimeoutStopSec": "7",
            "org.systemd.property.KillMode": "'mixed'",
        });
    });
    making(&world, "create", &container).run().ok();
    let unit = scope(&world, "a");
    assert_eq!((told(&unit, "TimeoutStopUSec"), told(&unit, "KillMode")), ("7s".into(), "mixed".into()));
    container.finish();
    let container = living(&world, "b", |value| {
        value["annotations"] = json!({ "org.systemd.property.NoSuchThing": "true" });
    });
    let said = making(&world, "create", &container).run().exits(1);
    assert!(said.sentence().contains("NoSuchThing"), "systemd says what it does not know: {}", said.stderr);
    no_unit_is_left(&world);
}

#[test]
fn explain_shows_what_systemd_will_be_told() {
    let Some(world) = world("explain_shows_what_systemd_will_be_told") else { return };
    let container = living(&world, "a", |_| ());
    let words = ["--systemd-cgroup", "explain", "--format", "json"];
    let plan = world.runtime().words(&words).path(&container.bundle).run().ok();
    // explain has an id of its own, but the place is that of the bundle.
    let line = format!("have systemd start {} with Description=", scope(&world, "a"));
    assert!(plan.stdout.contains(&line), "{}", plan.stdout);
}
