//! What `linux.resources` asks for is what the kernel says.

use serde_json::{Value, json};

use crate::world::config;
use crate::{bound, limited, members, says};

#[test]
fn memory_limits_arrive_in_the_kernel() {
    let Some(world) = bound("memory_limits_arrive_in_the_kernel", &["memory"]) else { return };
    let container = limited(
        &world,
        &json!({ "memory": {
            "limit": 67108864, "swap": 134217728, "reservation": 33554432, "swappiness": 10,
            "disableOOMKiller": true, "kernel": 67108864
        } }),
    );
    assert_eq!(says(&world, "memory.limit_in_bytes"), "67108864");
    assert_eq!(says(&world, "memory.memsw.limit_in_bytes"), "134217728");
    assert_eq!(says(&world, "memory.soft_limit_in_bytes"), "33554432");
    assert_eq!(says(&world, "memory.swappiness"), "10");
    assert!(says(&world, "memory.oom_control").starts_with("oom_kill_disable 1"));
    container.finish();
}

#[test]
fn processor_limits_arrive_in_the_kernel() {
    let Some(world) = bound("processor_limits_arrive_in_the_kernel", &["cpu", "cpuset"]) else { return };
    let container = limited(
        &world,
        &json!({ "cpu": { "shares": 512, "quota": 20000, "period": 50000, "burst": 1000, "cpus": "0" } }),
    );
    assert_eq!(says(&world, "cpu.shares"), "512");
    assert_eq!(says(&world, "cpu.cfs_quota_us"), "20000");
    assert_eq!(says(&world, "cpu.cfs_period_us"), "50000");
    assert_eq!(says(&world, "cpu.cfs_burst_us"), "1000");
    assert_eq!(says(&world, "cpuset.cpus"), "0");
    assert_eq!(container.process("Cpus_allowed_list"), "0");
    container.finish();
}

#[test]
fn a_cpuset_that_nobody_asked_for_is_that_of_the_group_above() {
    let Some(world) = bound("a_cpuset_that_nobody_asked_for_is_that_of_the_group_above", &["cpuset"]) else {
        return;
    };
    let container = limited(&world, &json!({}));
    let above = crate::hierarchy("cpuset").expect("bound").place;
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let list = std::fs::read_to_string(above.join(file)).expect("the top");
        assert_eq!(says(&world, file), list.trim());
    }
    container.finish();
}

#[test]
fn the_number_of_processes_is_limited() {
    let Some(world) = bound("the_number_of_processes_is_limited", &["pids"]) else { return };
    let forks = |config: &mut Value| {
        config::runs(config, &["sh", "-c", "sleep 0 & sleep 0 & sleep 0 & sleep 0 & wait; echo all"]);
    };
    let free = world.container("free", forks).run(&[]).ok();
    assert_eq!(free.stdout, "all\n");
    let held = world.container("web", |value| {
        forks(value);
        value["linux"]["resources"] = json!({ "pids": { "limit": 1 } });
    });
    let output = held.run(&[]);
    assert!(output.status != 0 && output.stderr.contains("fork"), "{output:?}");
}

#[test]
fn a_process_that_takes_more_memory_than_it_may_is_killed() {
    let Some(world) = bound("a_process_that_takes_more_memory_than_it_may_is_killed", &["memory"]) else {
        return;
    };
    let container = world.container("web", |value| {
        // A variable of the shell that doubles until there is no memory for it.
        config::runs(value, &["sh", "-c", "x=0123456789; while :; do x=$x$x; done"]);
        value["linux"]["resources"] = json!({ "memory": { "limit": 16777216, "swap": 16777216 } });
    });
    assert_eq!(container.run(&[]).status, 137);
}

#[test]
fn rates_of_a_disk_arrive_in_the_kernel() {
    let Some(world) = bound("rates_of_a_disk_arrive_in_the_kernel", &["blkio"]) else { return };
    let Some((major, minor)) = disk() else {
        return crate::skip("rates_of_a_disk_arrive_in_the_kernel", "this host has no disk");
    };
    let rate = |rate: u64| json!([{ "major": major, "minor": minor, "rate": rate }]);
    let container = limited(
        &world,
        &json!({ "blockIO": { "throttleReadBpsDevice": rate(1048576), "throttleWriteIOPSDevice": rate(100) } }),
    );
    assert_eq!(says(&world, "blkio.throttle.read_bps_device"), format!("{major}:{minor} 1048576"));
    assert_eq!(says(&world, "blkio.throttle.write_iops_device"), format!("{major}:{minor} 100"));
    container.finish();
}

/// The numbers of a whole disk.
fn disk() -> Option<(u32, u32)> {
    let is_disk = |name: &str| ["vd", "sd", "nvme", "xvd"].iter().any(|start| name.starts_with(start));
    let entry = std::fs::read_dir("/sys/block")
        .ok()?
        .flatten()
        .find(|entry| entry.file_name().to_str().is_some_and(is_disk))?;
    let numbers = std::fs::read_to_string(entry.path().join("dev")).ok()?;
    let (major, minor) = numbers.trim().split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[test]
fn devices_are_filtered() {
    let Some(world) = bound("devices_are_filtered", &["memory"]) else { return };
    // A number that no driver has: who may open it is told that there is no such device.
    let answer = |rules: Value| {
        let container = world.container("web", |value| {
            config::runs(value, &["sh", "-c", "mknod /dev/none c 1 6 && cat /dev/none"]);
            value["linux"]["resources"] = json!({ "devices": rules });
        });
        container.run(&[]).exits(1).stderr
    };
    let closed = json!({ "allow": false, "access": "rwm" });
    let open = json!({ "allow": true, "type": "c", "major": 1, "minor": 6, "access": "r" });
    let said = answer(json!([closed]));
    assert!(said.contains("not permitted"), "{said}");
    let said = answer(json!([closed, open]));
    assert!(said.contains("No such device"), "{said}");
    let said = answer(json!([closed, open, closed]));
    assert!(said.contains("not permitted"), "{said}");
}

#[test]
fn an_update_changes_what_is_given_and_keeps_the_rest() {
    let Some(world) = bound("an_update_changes_what_is_given_and_keeps_the_rest", &["memory", "cpu", "pids"])
    else {
        return;
    };
    let container = limited(
        &world,
        &json!({ "memory": { "limit": 67108864, "swap": 134217728 }, "cpu": { "quota": 20000, "period": 50000 },
                 "pids": { "limit": 20 } }),
    );
    let update = |words: &[&str]| world.runtime().words(&["update"]).words(words).words(&["web"]).run();
    update(&["--memory", "268435456", "--memory-swap", "536870912", "--pids-limit", "30"]).ok();
    assert_eq!(says(&world, "memory.limit_in_bytes"), "268435456");
    assert_eq!(says(&world, "memory.memsw.limit_in_bytes"), "536870912");
    assert_eq!(says(&world, "pids.max"), "30");
    assert_eq!(says(&world, "cpu.cfs_quota_us"), "20000");
    // More than memory and swap together may be: refused, and what was changed before is taken back.
    let refused = update(&["--pids-limit", "40", "--cpu-quota", "25000", "--memory", "1073741824"]);
    let refused =
        refused.exits(1).helps("give the limit on memory and swap together too: it may not be the lower one");
    assert!(refused.stderr.contains("memory.limit_in_bytes"), "{}", refused.stderr);
    assert_eq!(says(&world, "pids.max"), "30");
    assert_eq!(says(&world, "cpu.cfs_quota_us"), "20000");
    assert_eq!(says(&world, "memory.limit_in_bytes"), "268435456");
    assert_eq!(members(&world, "memory"), [container.pid().to_string()]);
    container.finish();
}
