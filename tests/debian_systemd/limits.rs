//! What systemd knows of a container, and what stays when it reads its units again.

use std::fs;

use serde_json::json;

use crate::world::{World, config, tool};
use crate::{cgroup, living, making, no_unit_is_left, scope, told, world};

const FILES: [&str; 8] = [
    "memory.max=67108864",
    "memory.low=4194304",
    "memory.oom.group=1",
    "pids.max=33",
    "cpu.weight=59",
    "cpu.max=13000 100000",
    "cpuset.cpus=0",
    "cgroup.max.depth=5",
];

fn files(world: &World) -> Vec<String> {
    let read = |line: &&str| {
        let name = line.split('=').next().unwrap_or_default();
        let value = fs::read_to_string(cgroup(world, "a").join(name)).expect(name);
        format!("{name}={}", value.trim())
    };
    FILES.iter().map(read).collect()
}

#[test]
fn limits_are_systemds_and_the_kernels_and_outlive_a_reload() {
    let Some(world) = world("limits_are_systemds_and_the_kernels_and_outlive_a_reload") else { return };
    let container = living(&world, "a", |value| {
        value["linux"]["resources"] = json!({
            "memory": { "limit": 64 << 20, "reservation": 4 << 20 },
            "pids": { "limit": 33 },
            "cpu": { "shares": 512, "quota": 12345, "period": 100_000, "cpus": "0" },
            "unified": { "memory.high": "60000000", "memory.oom.group": "1", "cgroup.max.depth": "5" },
        });
    });
    making(&world, "create", &container).run().ok();
    let unit = scope(&world, "a");
    for (property, value) in [
        ("MemoryMax", "67108864"),
        ("MemoryLow", "4194304"),
        ("MemoryHigh", "60000000"),
        ("TasksMax", "33"),
        ("CPUWeight", "59"),
        ("CPUQuotaPerSecUSec", "130ms"),
        ("AllowedCPUs", "0"),
        ("OOMPolicy", "kill"),
    ] {
        assert_eq!(told(&unit, property), value, "{property}");
    }
    assert_eq!(files(&world), FILES);
    tool(&["systemctl", "daemon-reload"]);
    // Now systemd has a reason to write the files of this unit once more.
    tool(&["systemctl", "set-property", "--runtime", &unit, "IOWeight=200"]);
    assert_eq!(files(&world), FILES);
    container.start().ok();
    let seen = world.run(&["exec", "a", "cat", "/sys/fs/cgroup/memory.max"]).ok();
    assert_eq!(seen.stdout, "67108864\n", "the program finds its limit at the root");
    container.finish();
    no_unit_is_left(&world);
}

#[test]
fn devices_stay_denied_after_a_reload() {
    let Some(world) = world("devices_stay_denied_after_a_reload") else { return };
    let container = living(&world, "a", |value| {
        value["linux"]["resources"] = json!({ "devices": [{ "allow": false, "access": "rwm" }] });
    });
    making(&world, "create", &container).run().ok();
    container.start().ok();
    let unit = scope(&world, "a");
    assert_eq!(told(&unit, "DevicePolicy"), "strict");
    assert!(told(&unit, "DeviceAllow").contains("/dev/char/1:3 rw"), "{}", told(&unit, "DeviceAllow"));
    // A node may be made; nobody may use that of kmsg (1:11).
    world.run(&["exec", "a", "mknod", "/dev/foreign", "c", "1", "11"]).ok();
    let denied = || {
        let said = world.run(&["exec", "a", "sh", "-c", "exec 3</dev/foreign"]);
        assert!(said.stderr.contains("not permitted"), "{said:?}");
        world.run(&["exec", "a", "sh", "-c", "exec 3</dev/zero 4>/dev/null"]).ok();
    };
    denied();
    tool(&["systemctl", "daemon-reload"]);
    denied();
    tool(&["systemctl", "set-property", "--runtime", &unit, "DevicePolicy=auto", "DeviceAllow="]);
    denied();
    container.finish();
    no_unit_is_left(&world);
}

/// systemd has no list that says this rule, and filters nothing; our own filter does.
#[test]
fn rules_that_systemd_cannot_say_hold_all_the_same() {
    let Some(world) = world("rules_that_systemd_cannot_say_hold_all_the_same") else { return };
    let container = living(&world, "a", |value| {
        value["linux"]["resources"] = json!({ "devices": [
            { "allow": true, "type": "c", "major": 1, "access": "rwm" },
            { "allow": false, "type": "c", "major": 1, "minor": 11, "access": "rw" },
        ] });
    });
    making(&world, "create", &container).run().ok();
    container.start().ok();
    assert_eq!(told(&scope(&world, "a"), "DevicePolicy"), "auto");
    world.run(&["exec", "a", "mknod", "/dev/foreign", "c", "1", "11"]).ok();
    tool(&["systemctl", "daemon-reload"]);
    let said = world.run(&["exec", "a", "sh", "-c", "exec 3</dev/foreign"]);
    assert!(said.stderr.contains("not permitted"), "{said:?}");
    container.finish();
    no_unit_is_left(&world);
}

#[test]
fn a_scope_that_ran_out_of_memory_leaves_no_failed_unit() {
    let Some(world) = world("a_scope_that_ran_out_of_memory_leaves_no_failed_unit") else { return };
    let container = living(&world, "a", |value| {
        value["linux"]["resources"] = json!({ "memory": { "limit": 16 << 20, "swap": 16 << 20 } });
        config::runs(value, &["/bin/probe", "eat-memory", "64"]);
    });
    making(&world, "create", &container).run().ok();
    container.start().ok();
    container.becomes("stopped");
    no_unit_is_left(&world);
    container.delete(&[]).ok();
}

#[test]
fn systemd_hears_of_an_update() {
    let Some(world) = world("systemd_hears_of_an_update") else { return };
    let container = living(&world, "a", |value| {
        value["linux"]["resources"] = json!({ "memory": { "limit": 64 << 20 }, "pids": { "limit": 33 } });
    });
    making(&world, "create", &container).run().ok();
    let unit = scope(&world, "a");
    world.run(&["update", "--pids-limit", "44", "--memory", "50331648", "a"]).ok();
    assert_eq!((told(&unit, "TasksMax"), told(&unit, "MemoryMax")), ("44".into(), "50331648".into()));
    tool(&["systemctl", "daemon-reload"]);
    let read = |name: &str| fs::read_to_string(cgroup(&world, "a").join(name)).expect(name);
    assert_eq!((read("pids.max").trim(), read("memory.max").trim()), ("44", "50331648"));
    // One write is refused, so nothing holds: neither for the kernel nor for systemd.
    let resources = world.file("resources");
    let given = json!({ "pids": { "limit": 55 }, "unified": { "memory.high": "no number" } });
    fs::write(&resources, given.to_string()).expect("a file");
    world.run(&["update", "--resources", resources.to_str().expect("UTF-8"), "a"]).exits(1);
    assert_eq!((told(&unit, "TasksMax").as_str(), read("pids.max").trim()), ("44", "44"));
    container.finish();
    no_unit_is_left(&world);
}
