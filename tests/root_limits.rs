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

/// What `docker stats` and its like read, of a container without limits too.
#[test]
fn readers_of_statistics_find_their_files() {
    let Some(world) = World::new("readers_of_statistics_find_their_files") else { return };
    if !world.offers(&["cpu", "io", "memory", "pids"]) {
        return;
    }
    let container = world.container("a", config::sleeps);
    container.create().ok();
    for name in ["cpu.max", "io.stat", "memory.current", "memory.stat", "pids.current"] {
        assert!(world.cgroup("a").join(name).exists(), "{name}");
    }
    let given =
        fs::read_to_string(std::path::Path::new(CGROUPS).join(&world.tag).join("cgroup.subtree_control"));
    assert_eq!(given.expect("the controllers").trim(), "cpu io memory pids", "and no more");
    container.finish();
}

#[test]
fn a_limit_below_the_use_is_refused_when_that_is_asked_for() {
    let Some(world) = World::new("a_limit_below_the_use_is_refused_when_that_is_asked_for") else { return };
    if !world.offers(&["memory"]) {
        return;
    }
    let container = world.container("a", |value| {
        value["linux"]["resources"] =
            json!({ "memory": { "limit": 4096, "swap": 4096, "checkBeforeUpdate": true } });
    });
    let output = container.create().exits(1);
    let said = output.sentence();
    assert!(said.contains("the limit of 4096 bytes of memory is below the "), "{}", output.stderr);
    assert!(said.ends_with("(/linux/resources/memory/checkBeforeUpdate)"), "{}", output.stderr);
}

#[test]
fn an_absent_limit_on_processes_is_no_limit() {
    let Some(world) = World::new("an_absent_limit_on_processes_is_no_limit") else { return };
    let said = world.says(&["sh", "-c", "(echo forked)"], |value| {
        value["linux"]["resources"] = json!({ "pids": {} });
    });
    assert_eq!(said, "forked\n");
}

/// All of these places are named in one go.
#[track_caller]
fn faults(world: &World, resources: Value, places: &[&str]) {
    let container = world.container("a", |value| value["linux"]["resources"] = resources);
    let output = container.create().exits(1);
    for place in places {
        assert!(output.stderr.contains(&format!("(/linux/resources/{place})")), "{place}: {}", output.stderr);
    }
    let count = output.stderr.lines().filter(|line| line.contains("(/linux/resources/")).count();
    assert_eq!(count, places.len(), "and no others: {}", output.stderr);
}

/// What the kernel would refuse, or what cgroup v2 cannot do, is an error (config-linux.md, "Unified").
#[test]
fn what_cannot_be_done_is_found_before_anything_is_made() {
    let Some(world) = World::new("what_cannot_be_done_is_found_before_anything_is_made") else { return };
    let memory = json!({ "limit": -2, "kernel": 9, "kernelTCP": 9, "swappiness": 60, "disableOOMKiller": true,
        "useHierarchy": false });
    let cpu = json!({ "quota": 5000, "burst": 6000, "period": 5, "realtimeRuntime": 5, "realtimePeriod": 6,
        "idle": 3, "cpus": "all", "mems": "0;1" });
    let words = ["limit", "kernel", "kernelTCP", "swappiness", "disableOOMKiller", "useHierarchy"];
    let places = words.map(|word| format!("memory/{word}"));
    let words = ["burst", "period", "realtimeRuntime", "realtimePeriod", "idle", "cpus", "mems"];
    let places: Vec<String> = places.into_iter().chain(words.map(|word| format!("cpu/{word}"))).collect();
    let places: Vec<&str> = places.iter().map(String::as_str).collect();
    faults(&world, json!({ "memory": memory, "cpu": cpu }), &places);
}

#[test]
fn rules_and_names_that_mean_nothing_are_found_before_anything_is_made() {
    let Some(world) = World::new("rules_and_names_that_mean_nothing_are_found_before_anything_is_made")
    else {
        return;
    };
    let resources = json!({
        "devices": [
            { "allow": false, "access": "" }, { "allow": true, "type": "c", "access": "rx" },
            { "allow": true, "type": "p", "access": "r" },
            { "allow": true, "type": "b", "major": -7, "access": "r" }
        ],
        "blockIO": { "weight": 5, "leafWeight": 10, "weightDevice": [{ "major": 8, "minor": 0 }] },
        "hugepageLimits": [{ "pageSize": "2MiB", "limit": 1 }],
        "network": { "classID": 5, "priorities": [{ "name": "eth0", "priority": 5 }] },
        "rdma": { "mlx5_1": {} },
        "unified": { "memory/max": "1", "max": "1", "cgroup.procs": "1" }
    });
    let places = [
        "devices/0/access",
        "devices/1/access",
        "devices/2/type",
        "devices/3/major",
        "blockIO/weight",
        "blockIO/leafWeight",
        "blockIO/weightDevice/0",
        "hugepageLimits/0/pageSize",
        "network/classID",
        "network/priorities",
        "rdma/mlx5_1",
        "unified/memory~1max",
        "unified/max",
        "unified/cgroup.procs",
    ];
    faults(&world, resources, &places);
}

#[test]
fn a_place_that_is_none_is_found() {
    let Some(world) = World::new("a_place_that_is_none_is_found") else { return };
    let long = format!("/{}", "n".repeat(256));
    for place in ["../up", "/a/../b", "/", "/a\nb", "/cgroup.procs", &long] {
        let container = world.container("a", |value| value["linux"]["cgroupsPath"] = json!(place));
        let output = container.create().exits(1);
        assert!(output.sentence().ends_with("(/linux/cgroupsPath)"), "{place:?}: {}", output.stderr);
    }
}

#[test]
fn a_place_in_use_is_an_error() {
    let Some(world) = World::new("a_place_in_use_is_an_error") else { return };
    let first = world.container("a", config::sleeps);
    first.create().ok();
    let place = format!("/{}/a", world.tag);
    let second = world.container("b", |value| value["linux"]["cgroupsPath"] = json!(place));
    let output = second.create().exits(1);
    assert!(output.sentence().contains(&format!("cgroup {place} exists already and holds processes")));
    first.finish();
    fs::create_dir(world.cgroup("a")).expect("an empty cgroup");
    fs::write(world.cgroup("a").join("cgroup.freeze"), "1").expect("a frozen cgroup");
    let output = second.create().exits(1);
    assert!(output.sentence().contains(&format!("cgroup {place} is frozen")));
    fs::write(world.cgroup("a").join("cgroup.freeze"), "0").expect("a thawed cgroup");
    second.run(&[]).ok();
    assert!(world.cgroup("a").exists(), "what create did not make, delete leaves");
    fs::remove_dir(world.cgroup("a")).expect("an empty cgroup");
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
