//! `--cgroup-manager disabled`: a container that stays in the cgroup of its runtime, through its whole life.

use std::fs;

use serde_json::json;

use crate::world::container::Container;
use crate::world::runtime::Runtime;
use crate::world::{World, config};

fn disabled<'w>(world: &'w World, words: &[&str]) -> Runtime<'w> {
    world.runtime().words(&["--cgroup-manager", "disabled"]).words(words)
}

fn making<'w>(world: &'w World, verb: &str, container: &Container) -> Runtime<'w> {
    disabled(world, &[verb, "--bundle"]).path(&container.bundle).words(&[&container.id])
}

fn without_path(config: &mut serde_json::Value) {
    config["linux"].as_object_mut().expect("an object").remove("cgroupsPath");
}

fn own_cgroup(process: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{process}/cgroup")).expect("its cgroup");
    text.lines().find_map(|line| line.strip_prefix("0::")).expect("a v2 cgroup").to_owned()
}

#[test]
fn a_whole_life_without_a_cgroup() {
    let Some(world) = World::new("a_whole_life_without_a_cgroup") else { return };
    let container = world.container("a", |value| {
        without_path(value);
        config::sleeps(value);
    });
    let made = making(&world, "create", &container).run().ok();
    assert_eq!(made.stderr, "", "a container with a pid namespace loses nothing that it asked for");
    assert_eq!(container.status(), "created");
    assert_eq!(own_cgroup(&container.pid().to_string()), own_cgroup("self"));
    container.start().ok();
    let said = world.run(&["exec", "a", "echo", "entered"]).ok();
    assert_eq!(said.stdout, "entered\n");
    let frozen = "container a has no cgroup of its own, so it cannot be frozen as a whole";
    container.command("pause", &[]).run().fails(frozen);
    assert_eq!(container.status(), "running");
    container.kill("KILL").ok();
    container.becomes("stopped");
    container.delete(&[]).ok();
}

#[test]
fn it_is_deleted_while_it_runs() {
    let Some(world) = World::new("it_is_deleted_while_it_runs") else { return };
    let container = world.container("a", |value| {
        without_path(value);
        config::sleeps(value);
    });
    making(&world, "create", &container).run().ok();
    container.start().ok();
    let process = format!("/proc/{}/stat", container.pid());
    container.delete(&["--force"]).ok();
    let ended = fs::read_to_string(process).map_or(true, |stat| stat.contains(") Z "));
    assert!(ended, "when delete returns the process has ended");
}

#[test]
fn kill_of_all_reaches_the_first_process() {
    let Some(world) = World::new("kill_of_all_reaches_the_first_process") else { return };
    let container = world.container("a", |value| {
        without_path(value);
        config::without_namespace(value, "pid");
        config::sleeps(value);
    });
    let made = making(&world, "create", &container).run().ok();
    assert!(made.stderr.contains("processes that outlive the first one belong to nobody"), "{}", made.stderr);
    container.start().ok();
    // 0 only asks, and CHLD is ignored by default: a signal that any program takes.
    world.run(&["kill", "--all", "a", "CHLD"]).ok();
    assert_eq!(container.status(), "running");
    world.run(&["kill", "--all", "a", "KILL"]).ok();
    container.becomes("stopped");
    container.finish();
}

#[test]
fn a_limit_is_refused_before_anything_is_made() {
    let Some(world) = World::new("a_limit_is_refused_before_anything_is_made") else { return };
    let container = world.container("a", |value| {
        without_path(value);
        value["linux"]["resources"] = json!({ "pids": { "limit": 10 } });
    });
    let message =
        "this limit cannot hold: the container gets no cgroup of its own (--cgroup-manager disabled)";
    making(&world, "create", &container)
        .run()
        .finds(message, "/linux/resources/pids/limit")
        .helps("leave the limit out, or let cgroupfs or systemd make a cgroup");
    assert!(!container.directory().exists());
}

/// What podman sends with `--cgroups=disabled`: a list of device rules.
#[test]
fn device_rules_are_told_and_the_container_runs() {
    let Some(world) = World::new("device_rules_are_told_and_the_container_runs") else { return };
    let container = world.container("a", |value| {
        without_path(value);
        value["linux"]["resources"] = json!({ "devices": [{ "allow": false, "access": "rwm" }] });
        config::runs(value, &["cat", "/proc/self/cgroup"]);
    });
    let said = making(&world, "run", &container).run().ok();
    assert_eq!(said.stdout.lines().last(), Some("0::/"), "its cgroup namespace begins at our cgroup");
    assert!(said.stderr.contains("no device rule holds"), "{}", said.stderr);
    let plan = disabled(&world, &["explain"]).path(&container.bundle).run().ok();
    assert!(!plan.stdout.contains("make the cgroup"), "{}", plan.stdout);
}
