//! Limits of the container's cgroup: written as asked for, and felt inside.
//!
//! OCI: config-linux.md ("Control groups", "Device Whitelist" and what follows). A limit whose controller the
//! host does not offer in cgroup v2 cannot be shown there: such tests say so, and are at home in the machine.

mod world;

use std::fs;

use serde_json::{Value, json};

use world::{CGROUPS, World, config};

/// What the container's own cgroup says in these files, seen from inside.
fn files<const N: usize>(world: &World, resources: &Value, names: [&str; N]) -> [String; N] {
    let report = world.report(&["cgroup"], |value| value["linux"]["resources"] = resources.clone());
    let hierarchies = report["cgroup"].as_array().expect("hierarchies");
    let unified = hierarchies.iter().find(|one| one["controllers"] == "").expect("the unified hierarchy");
    names.map(|name| {
        unified["files"][name].as_str().unwrap_or_else(|| panic!("no {name}: {unified}")).to_owned()
    })
}

#[test]
fn a_program_that_needs_too_much_memory_is_killed() {
    let Some(world) = World::new("a_program_that_needs_too_much_memory_is_killed") else { return };
    if !world.offers(&["memory"]) {
        return;
    }
    let eats = |mebibytes: &'static str| {
        let container = world.container("a", |value| {
            value["linux"]["resources"] = json!({ "memory": { "limit": 32 << 20, "swap": 32 << 20 } });
            config::runs(value, &["/bin/probe", "eat-memory", mebibytes]);
        });
        container.run(&["--keep"])
    };
    eats("8").ok();
    world.run(&["delete", "a"]).ok();
    eats("100").exits(137);
    let events = fs::read_to_string(world.cgroup("a").join("memory.events")).expect("events");
    assert!(events.lines().any(|line| line == "oom_kill 1"), "{events}");
    world.run(&["delete", "a"]).ok();
}

#[test]
fn memory_limits_are_written() {
    let Some(world) = World::new("memory_limits_are_written") else { return };
    if !world.offers(&["memory"]) {
        return;
    }
    let names = ["memory.max", "memory.swap.max", "memory.low"];
    let both = json!({ "memory": { "limit": 64 << 20, "swap": 96 << 20, "reservation": 16 << 20 } });
    assert_eq!(files(&world, &both, names), ["67108864", "33554432", "16777216"]);
    let unlimited = json!({ "memory": { "limit": -1, "swap": -1 } });
    assert_eq!(files(&world, &unlimited, names), ["max", "max", "0"]);
}

#[test]
fn a_limit_below_what_it_takes_to_start_is_told_as_such() {
    let Some(world) = World::new("a_limit_below_what_it_takes_to_start_is_told_as_such") else { return };
    if !world.offers(&["memory"]) {
        return;
    }
    let container = world.container("a", |value| {
        value["linux"]["resources"] = json!({ "memory": { "limit": 20_480, "swap": 20_480 } });
    });
    let output = container.create().exits(1);
    assert!(output.stderr.contains("OOM-killed (memory limit too low?)"), "{}", output.stderr);
}

#[test]
fn the_number_of_processes_is_limited() {
    let Some(world) = World::new("the_number_of_processes_is_limited") else { return };
    if !world.offers(&["pids"]) {
        return;
    }
    let bomb = |limit: i64| {
        let said = world.says(&["/bin/probe", "fork-bomb", "12"], |value| {
            value["linux"]["resources"] = json!({ "pids": { "limit": limit } });
        });
        let said: Value = serde_json::from_str(&said).expect("JSON");
        [said["had"].clone(), said["stopped_by"].clone()]
    };
    // The program itself is one of them.
    assert_eq!(bomb(8), [json!(7), json!("EAGAIN")]);
    assert_eq!(bomb(-1), [json!(12), Value::Null]);
    assert_eq!(bomb(0), [json!(0), json!("EAGAIN")], "no process beside the first");
}

#[test]
fn the_limit_on_processes_is_written() {
    let Some(world) = World::new("the_limit_on_processes_is_written") else { return };
    if !world.offers(&["pids"]) {
        return;
    }
    for (limit, expected) in [(64, "64"), (-1, "max"), (0, "0")] {
        let resources = json!({ "pids": { "limit": limit } });
        assert_eq!(files(&world, &resources, ["pids.max"]), [expected]);
    }
}

#[test]
fn processor_time_is_limited() {
    let Some(world) = World::new("processor_time_is_limited") else { return };
    if !world.offers(&["cpu"]) {
        return;
    }
    let max = |cpu: Value| files(&world, &json!({ "cpu": cpu }), ["cpu.max"])[0].clone();
    assert_eq!(max(json!({ "quota": 50_000, "period": 200_000 })), "50000 200000");
    assert_eq!(max(json!({ "quota": 50_000 })), "50000 100000");
    assert_eq!(max(json!({ "quota": -1, "period": 50_000 })), "max 50000");
    let burst = json!({ "cpu": { "quota": 50_000, "period": 100_000, "burst": 20_000 } });
    assert_eq!(files(&world, &burst, ["cpu.max.burst"]), ["20000"]);
    assert_eq!(files(&world, &json!({ "cpu": { "idle": 1 } }), ["cpu.idle"]), ["1"]);
}

/// The conversion of runc 1.3.2 and crun 1.23: 1024 shares, the default, are the weight 100, the default.
#[test]
fn shares_become_weights() {
    let Some(world) = World::new("shares_become_weights") else { return };
    if !world.offers(&["cpu"]) {
        return;
    }
    for (shares, weight) in [(2, "1"), (1024, "100"), (2048, "174"), (262_144, "10000")] {
        let resources = json!({ "cpu": { "shares": shares } });
        assert_eq!(files(&world, &resources, ["cpu.weight"]), [weight], "{shares} shares");
    }
}

#[test]
fn half_a_processor_is_half_a_processor() {
    let Some(world) = World::new("half_a_processor_is_half_a_processor") else { return };
    if !world.offers(&["cpu"]) {
        return;
    }
    let container = world.container("a", |value| {
        value["linux"]["resources"] = json!({ "cpu": { "quota": 10_000, "period": 100_000 } });
        config::runs(value, &["/bin/probe", "spin", "1"]);
    });
    container.run(&["--keep"]).ok();
    let stat = fs::read_to_string(world.cgroup("a").join("cpu.stat")).expect("statistics");
    let throttled = stat.lines().find_map(|line| line.strip_prefix("nr_throttled ")).expect("a number");
    assert_ne!(throttled, "0", "{stat}");
    container.delete(&[]).ok();
}

#[test]
fn processors_and_memory_nodes_are_chosen() {
    let Some(world) = World::new("processors_and_memory_nodes_are_chosen") else { return };
    if !world.offers(&["cpuset"]) {
        return;
    }
    let resources = json!({ "cpu": { "cpus": "0", "mems": "0" } });
    let names = ["cpuset.cpus", "cpuset.mems", "cpuset.cpus.effective"];
    assert_eq!(files(&world, &resources, names), ["0", "0", "0"]);
    let report = world.report(&["process"], |value| value["linux"]["resources"] = resources.clone());
    assert_eq!(report["process"]["cpus_allowed"], "0");
}

/// Major and minor number of the first disk of this host.
fn disk() -> Option<(u64, u64)> {
    let mut disks: Vec<_> = fs::read_dir("/sys/block").ok()?.flatten().map(|entry| entry.path()).collect();
    disks.retain(|path| path.join("device").exists());
    disks.sort();
    let numbers = fs::read_to_string(disks.first()?.join("dev")).ok()?;
    let (major, minor) = numbers.trim().split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[test]
fn reading_and_writing_disks_is_limited() {
    let Some(world) = World::new("reading_and_writing_disks_is_limited") else { return };
    if !world.offers(&["io"]) {
        return;
    }
    let Some((major, minor)) = disk() else {
        return world::skip("reading_and_writing_disks_is_limited", "this host has no disk");
    };
    let rate = |rate: u64| json!([{ "major": major, "minor": minor, "rate": rate }]);
    let resources = json!({ "blockIO": {
        "throttleReadBpsDevice": rate(1_048_576), "throttleWriteBpsDevice": rate(2_097_152),
        "throttleReadIOPSDevice": rate(100), "throttleWriteIOPSDevice": rate(200)
    } });
    let expected = format!("{major}:{minor} rbps=1048576 wbps=2097152 riops=100 wiops=200");
    assert_eq!(files(&world, &resources, ["io.max"]), [expected]);
    if !std::path::Path::new(CGROUPS).join(&world.tag).join("io.bfq.weight").exists() {
        return world::skip("reading_and_writing_disks_is_limited", "this kernel has no bfq");
    }
    let weight = json!({ "blockIO": { "weight": 300 } });
    assert_eq!(files(&world, &weight, ["io.bfq.weight"]), ["default 300"]);
}

#[test]
fn huge_pages_are_limited() {
    let Some(world) = World::new("huge_pages_are_limited") else { return };
    if !world.offers(&["hugetlb"]) {
        return;
    }
    let resources = json!({ "hugepageLimits": [{ "pageSize": "2MB", "limit": 4 << 20 }] });
    assert_eq!(
        files(&world, &resources, ["hugetlb.2MB.max", "hugetlb.2MB.rsvd.max"]),
        ["4194304", "4194304"]
    );
}

#[test]
fn unified_writes_any_file_and_has_the_last_word() {
    let Some(world) = World::new("unified_writes_any_file_and_has_the_last_word") else { return };
    if !world.offers(&["memory", "pids"]) {
        return;
    }
    let resources = json!({
        "pids": { "limit": 10 },
        "unified": { "memory.high": "50331648", "pids.max": "20", "memory.oom.group": "1" }
    });
    let names = ["memory.high", "pids.max", "memory.oom.group"];
    assert_eq!(files(&world, &resources, names), ["50331648", "20", "1"]);
}

#[test]
fn only_the_needed_controllers_are_handed_down() {
    let Some(world) = World::new("only_the_needed_controllers_are_handed_down") else { return };
    if !world.offers(&["memory", "pids"]) {
        return;
    }
    let given = || {
        let file = std::path::Path::new(CGROUPS).join(&world.tag).join("cgroup.subtree_control");
        fs::read_to_string(file).expect("the controllers").trim().to_owned()
    };
    world.container("a", |_| {}).run(&[]).ok();
    assert_eq!(given(), "");
    let resources = json!({ "pids": { "limit": 10 } });
    world.container("a", |value| value["linux"]["resources"] = resources.clone()).run(&[]).ok();
    assert_eq!(given(), "pids");
}

#[test]
fn a_controller_that_is_not_there_is_named() {
    let Some(world) = World::new("a_controller_that_is_not_there_is_named") else { return };
    let offered =
        fs::read_to_string(std::path::Path::new(CGROUPS).join("cgroup.controllers")).expect("controllers");
    let limits = [
        ("memory", json!({ "memory": { "limit": 64 << 20 } }), "/linux/resources/memory/limit"),
        ("pids", json!({ "pids": { "limit": 10 } }), "/linux/resources/pids/limit"),
        ("nosuch", json!({ "unified": { "nosuch.max": "1" } }), "/linux/resources/unified/nosuch.max"),
    ];
    let is_absent = |name: &str| !offered.split_whitespace().any(|one| one == name);
    for (name, resources, pointer) in limits.iter().filter(|(name, ..)| is_absent(name)) {
        let container = world.container("a", |value| value["linux"]["resources"] = resources.clone());
        let output = container.create().exits(1);
        let said = output.sentence();
        assert!(said.contains(&format!("cgroup controller {name} ")), "{}", output.stderr);
        assert!(
            said.contains("config.json:") && said.ends_with(&format!("({pointer})")),
            "{}",
            output.stderr
        );
        container.state().fails("container does not exist: a");
    }
}

/// What becomes of opening each of these paths to read, and of making the node of a disk.
fn devices(world: &World, rules: &Value) -> [String; 4] {
    let words = ["/bin/probe", "try-all", "mknod-null", "mknod-disk", "open-new-disk"];
    let change = |value: &mut Value| {
        // Where the probe makes its nodes, they must count as such: without nodev.
        config::without_mount(value, "/dev/shm");
        config::mount(value, "/dev/shm", "tmpfs", "shm", &["mode=1777"]);
        if !rules.is_null() {
            value["linux"]["resources"] = json!({ "devices": rules });
        }
    };
    let tried: Value = serde_json::from_str(&world.says(&words, change)).expect("JSON");
    let zero = world.says(&["sh", "-c", "head -c 1 /dev/zero | wc -c"], change);
    let tried = ["mknod-null", "mknod-disk", "open-new-disk"]
        .map(|name| tried[name].as_str().expect("a word").to_owned());
    let [null, disk, open] = tried;
    [zero.trim().to_owned(), null, disk, open]
}

#[test]
fn the_device_filter_decides() {
    let Some(world) = World::new("the_device_filter_decides") else { return };
    let rule = |allow: bool, more: Value| {
        let mut rule = json!({ "allow": allow, "access": "rwm" });
        more.as_object().expect("an object").iter().for_each(|(key, value)| rule[key] = value.clone());
        rule
    };
    // Without rules: any node may be made, only the harmless ones opened.
    assert_eq!(devices(&world, &Value::Null), ["1", "ok", "ok", "EPERM"]);
    let all = json!([rule(true, json!({}))]);
    assert_eq!(devices(&world, &all)[..3], ["1", "ok", "ok"]);
    assert_ne!(devices(&world, &all)[3], "EPERM", "what is missing now is the disk, not the permission");
    let engines = json!([
        rule(false, json!({})),
        rule(true, json!({ "type": "b", "major": 8, "minor": 0, "access": "m" }))
    ]);
    assert_eq!(devices(&world, &engines), ["1", "ok", "ok", "EPERM"]);
    let disk = json!([rule(false, json!({})), rule(true, json!({ "type": "b", "major": 8 }))]);
    assert_ne!(devices(&world, &disk)[3], "EPERM");
}
