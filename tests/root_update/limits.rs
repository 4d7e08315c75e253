//! What arrives, and what stays.

use std::fs::File;

use serde_json::json;

use super::world::World;
use super::{core, given, limited, saved, says};

#[test]
fn what_is_absent_keeps_its_value() {
    let Some(world) = World::new("what_is_absent_keeps_its_value") else { return };
    let container = limited(&world, &core("5", "6"));
    given(&world, &json!({ "unified": { "cgroup.max.depth": "7" } })).ok();
    assert_eq!(
        (says(&world, "cgroup.max.depth"), says(&world, "cgroup.max.descendants")),
        ("7".into(), "6".into())
    );
    assert_eq!(saved(&container), core("7", "6"));
    given(&world, &json!({})).ok();
    assert_eq!(saved(&container), core("7", "6"));
    container.finish();
}

#[test]
fn resources_come_from_standard_input_and_other_flags_are_ignored() {
    let test = "resources_come_from_standard_input_and_other_flags_are_ignored";
    let Some(world) = World::new(test) else { return };
    let container = limited(&world, &core("5", "6"));
    std::fs::write(world.file("given"), core("8", "9").to_string()).expect("a file");
    let given = File::open(world.file("given")).expect("the file");
    world.runtime().words(&["update", "--resources=-", "--blkio-weight", "3", "web"]).stdin(given).run().ok();
    assert_eq!(says(&world, "cgroup.max.depth"), "8");
    container.finish();
}

#[test]
fn a_dry_run_tells_and_changes_nothing() {
    let Some(world) = World::new("a_dry_run_tells_and_changes_nothing") else { return };
    let container = limited(&world, &core("5", "6"));
    std::fs::write(world.file("given"), core("8", "9").to_string()).expect("a file");
    let file = world.file("given");
    let told = world.runtime().words(&["update", "web", "--dry-run", "-r"]).path(&file).run().ok().stdout;
    assert!(told.contains("write 8 to cgroup.max.depth"), "{told}");
    assert_eq!(says(&world, "cgroup.max.depth"), "5");
    assert_eq!(saved(&container), core("5", "6"));
    container.finish();
}

#[test]
fn created_and_paused_containers_are_changed_too() {
    let Some(world) = World::new("created_and_paused_containers_are_changed_too") else { return };
    let container = world.container("web", super::config::sleeps);
    container.create().ok();
    given(&world, &core("3", "3")).ok();
    assert_eq!(says(&world, "cgroup.max.depth"), "3");
    container.start().ok();
    container.command("pause", &[]).run().ok();
    given(&world, &core("4", "4")).ok();
    assert_eq!(says(&world, "cgroup.max.depth"), "4");
    container.finish();
}

#[test]
fn flags_arrive_in_the_files_of_their_controllers() {
    let Some(world) = World::new("flags_arrive_in_the_files_of_their_controllers") else { return };
    if !world.offers(&["cpu", "memory", "pids"]) {
        return;
    }
    let container = limited(&world, &json!({ "memory": { "limit": 128 << 20 }, "pids": { "limit": 50 } }));
    let flags = ["--memory=256m", "--memory-swap", "512m", "--memory-reservation", "64m", "--pids-limit=60"];
    container.command("update", &flags).run().ok();
    container.command("update", &["--cpu-quota", "50000", "--cpu-share=512"]).run().ok();
    container.command("update", &["--cpu-period", "200000", "--kernel-memory", "1m"]).run().ok();
    let expected = [
        ("memory.max", "268435456"),
        ("memory.low", "67108864"),
        ("pids.max", "60"),
        ("cpu.max", "50000 200000"),
        ("cpu.weight", "59"),
    ];
    for (file, value) in expected {
        assert_eq!(says(&world, file), value, "{file}");
    }
    let memory = json!({ "limit": 256 << 20, "swap": 512 << 20, "reservation": 64 << 20 });
    assert_eq!(saved(&container)["memory"], memory);
    container.command("update", &["--memory=-1", "--cpu-quota=-1", "--pids-limit=-1"]).run().ok();
    for (file, value) in [("memory.max", "max"), ("pids.max", "max"), ("cpu.max", "max 200000")] {
        assert_eq!(says(&world, file), value, "{file}");
    }
    container.finish();
}

#[test]
fn processors_are_changed_although_no_controller_was_asked_for_at_create() {
    let test = "processors_are_changed_although_no_controller_was_asked_for_at_create";
    let Some(world) = World::new(test) else { return };
    if !world.offers(&["cpuset"]) {
        return;
    }
    let container = limited(&world, &json!({}));
    container.command("update", &["--cpuset-cpus", "0", "--cpuset-mems", "0"]).run().ok();
    assert_eq!((says(&world, "cpuset.cpus"), says(&world, "cpuset.mems")), ("0".into(), "0".into()));
    container.finish();
}

#[test]
fn an_idle_container_gets_its_weight_back() {
    let Some(world) = World::new("an_idle_container_gets_its_weight_back") else { return };
    if !world.offers(&["cpu"]) {
        return;
    }
    let container = limited(&world, &json!({ "cpu": { "shares": 512 } }));
    container.command("update", &["--cpu-idle", "1"]).run().ok();
    assert_eq!(says(&world, "cpu.idle"), "1");
    container.command("update", &["--cpu-idle", "0"]).run().ok();
    assert_eq!((says(&world, "cpu.idle"), says(&world, "cpu.weight")), ("0".into(), "59".into()));
    container.finish();
}
