//! Scheduler, I/O priority, processors, memory policy: as they are inside, and what the kernel refuses.

use serde_json::{Value, json};

use crate::world::runtime::Runtime;
use crate::world::{World, config, skip, tool};

/// What a program sees of itself under this scheduler: policy, real-time priority, nice value.
fn scheduled(world: &World, scheduler: &Value, user: bool) -> Value {
    let report = world.report(&["process"], |value| {
        value["process"]["scheduler"] = scheduler.clone();
        if user {
            config::userns(value);
        }
    });
    let process = &report["process"];
    json!([process["scheduler"]["policy"], process["scheduler"]["rt_priority"], process["nice"]])
}

#[test]
fn each_policy_is_set() {
    let Some(world) = World::new("each_policy_is_set") else { return };
    let cases = [
        (json!({ "policy": "SCHED_OTHER" }), json!(["SCHED_OTHER", "0", 0])),
        (json!({ "policy": "SCHED_OTHER", "nice": -5 }), json!(["SCHED_OTHER", "0", -5])),
        (json!({ "policy": "SCHED_BATCH", "nice": 19 }), json!(["SCHED_BATCH", "0", 19])),
        (json!({ "policy": "SCHED_IDLE" }), json!(["SCHED_IDLE", "0", 0])),
        (json!({ "policy": "SCHED_FIFO", "priority": 1 }), json!(["SCHED_FIFO", "1", 0])),
        (json!({ "policy": "SCHED_RR", "priority": 99 }), json!(["SCHED_RR", "99", 0])),
        (
            json!({ "policy": "SCHED_DEADLINE", "runtime": 50_000_000, "deadline": 100_000_000,
                    "flags": ["SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_RECLAIM"] }),
            json!(["SCHED_DEADLINE", "0", 0]),
        ),
    ];
    for (scheduler, expected) in cases {
        for user in [false, true] {
            assert_eq!(scheduled(&world, &scheduler, user), expected, "{scheduler}, user namespace: {user}");
        }
    }
}

#[test]
fn the_callers_nice_value_is_kept_or_replaced() {
    let Some(world) = World::new("the_callers_nice_value_is_kept_or_replaced") else { return };
    let nice = |scheduler: Value| {
        let container = world.container("a", |value| {
            config::runs(value, &["/bin/probe", "process"]);
            value["process"]["scheduler"] = scheduler;
        });
        rustix::process::setpriority_process(None, 7).expect("a nice value");
        let output = container.run(&[]);
        rustix::process::setpriority_process(None, 0).expect("a nice value");
        output.ok().json()["nice"].clone()
    };
    assert_eq!(nice(Value::Null), 7);
    assert_eq!(nice(json!({ "policy": "SCHED_OTHER" })), 0, "a nice value that is not given is 0");
}

/// A child of the program has the default policy when the flag says so, and the program's when not.
#[test]
fn a_flag_resets_the_policy_of_children() {
    let Some(world) = World::new("a_flag_resets_the_policy_of_children") else { return };
    let policy = |flags: Value| {
        let said = world.says(&["sh", "-c", "/bin/probe process; true"], |value| {
            value["process"]["scheduler"] = json!({ "policy": "SCHED_FIFO", "priority": 10, "flags": flags });
        });
        let said: Value = serde_json::from_str(&said).expect("JSON");
        said["scheduler"]["policy"].clone()
    };
    assert_eq!(policy(json!(["SCHED_FLAG_RESET_ON_FORK"])), "SCHED_OTHER");
    assert_eq!(policy(json!([])), "SCHED_FIFO");
}

#[test]
fn what_the_kernel_refuses_is_explained() {
    let Some(world) = World::new("what_the_kernel_refuses_is_explained") else { return };
    let container = world.container("a", |value| {
        value["process"]["scheduler"] = json!({ "policy": "SCHED_ISO" });
    });
    let sentence =
        "cannot set the scheduling policy SCHED_ISO: sched_setattr(2) answered: invalid argument (EINVAL)";
    let output = container.run(&[]).fails_at(sentence, "/process/scheduler");
    output.helps("no kernel implements SCHED_ISO: choose SCHED_BATCH or SCHED_RR");
}

#[test]
fn a_deadline_needs_every_processor() {
    let Some(world) = World::new("a_deadline_needs_every_processor") else { return };
    if !world.offers(&["cpuset"]) {
        return;
    }
    if std::thread::available_parallelism().map_or(1, usize::from) < 2 {
        return skip("a_deadline_needs_every_processor", "this host has one processor");
    }
    let container = world.container("a", |value| {
        value["linux"]["resources"] = json!({ "cpu": { "cpus": "0" } });
        value["process"]["scheduler"] = json!({
            "policy": "SCHED_DEADLINE", "runtime": 10_000_000, "deadline": 100_000_000
        });
    });
    let sentence = "cannot set the scheduling policy SCHED_DEADLINE, runtime 10000000, deadline 100000000: \
                    sched_setattr(2) answered: operation not permitted (EPERM)";
    let output = container.run(&[]).fails_at(sentence, "/process/scheduler");
    assert!(output.stderr.contains("linux.resources.cpu.cpus"), "{}", output.stderr);
}

#[test]
fn the_io_priority_is_set_for_the_process_group() {
    let Some(world) = World::new("the_io_priority_is_set_for_the_process_group") else { return };
    let own = world.report(&["process"], |_| {})["process"]["io_priority"].clone();
    for (class, priority, expected) in [
        ("IOPRIO_CLASS_RT", 0, "realtime: prio 0"),
        ("IOPRIO_CLASS_BE", 7, "best-effort: prio 7"),
        ("IOPRIO_CLASS_IDLE", 4, "idle"),
    ] {
        for user in [false, true] {
            let report = world.report(&["process"], |value| {
                value["process"]["ioPriority"] = json!({ "class": class, "priority": priority });
                if user {
                    config::userns(value);
                }
            });
            assert_eq!(report["process"]["io_priority"], expected, "{class}, user namespace: {user}");
        }
    }
    let after = world.report(&["process"], |_| {})["process"]["io_priority"].clone();
    assert_eq!(own, after, "the group of the runtime was left alone");
}

#[test]
fn a_pinned_runtime_does_not_pin_its_containers() {
    let Some(world) = World::new("a_pinned_runtime_does_not_pin_its_containers") else { return };
    if std::thread::available_parallelism().map_or(1, usize::from) < 2 {
        return skip("a_pinned_runtime_does_not_pin_its_containers", "this host has one processor");
    }
    let report = world.report(&["process"], |_| {});
    let free = report["process"]["cpus_allowed"].as_str().expect("a list");
    let first = free.split([',', '-']).next().expect("a processor");
    for user in [false, true] {
        let container = world.container("a", |value| {
            config::runs(value, &["/bin/probe", "process"]);
            if user {
                config::userns(value);
            }
        });
        let bundle = container.bundle.to_str().expect("UTF-8");
        let pinned =
            Runtime::within(&world, &["taskset", "-c", first]).words(&["run", "--bundle", bundle, "a"]);
        let inside = pinned.run().ok().json();
        assert_ne!(free, first, "the test shows something");
        assert_eq!(inside["cpus_allowed"], free);
    }
}

#[test]
fn lists_of_processors_are_checked_in_every_container() {
    let Some(world) = World::new("lists_of_processors_are_checked_in_every_container") else { return };
    let run = |initial: &str, last: &str| {
        let container = world.container("a", |value| {
            value["process"]["execCPUAffinity"] = json!({ "initial": initial, "final": last });
        });
        container.run(&[])
    };
    run("0-3,7", "").ok();
    run(",0,,5 ", "1024-2000").ok();
    run("zero", "0").finds(
        r#"this is not a list of processors: "zero" is neither a number nor a range"#,
        "/process/execCPUAffinity/initial",
    );
    run("0", "3-1").finds(
        "this is not a list of processors: the range 3-1 ends before it begins",
        "/process/execCPUAffinity/final",
    );
}

fn kernel() -> (u32, u32) {
    let release = tool(&["uname", "-r"]);
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok());
    (numbers.next().expect("a major number"), numbers.next().expect("a minor number"))
}

#[test]
fn each_memory_policy_is_set() {
    let Some(world) = World::new("each_memory_policy_is_set") else { return };
    let policy = |policy: Value, user: bool| {
        let report = world.report(&["process"], |value| {
            value["linux"]["memoryPolicy"] = policy.clone();
            if user {
                config::userns(value);
            }
        });
        report["process"]["memory_policy"].clone()
    };
    if policy(Value::Null, false)["error"].is_string() {
        return skip("each_memory_policy_is_set", "this kernel is built without CONFIG_NUMA");
    }
    for (mode, nodes, flags, expected) in [
        ("MPOL_DEFAULT", Value::Null, json!([]), "default"),
        ("MPOL_LOCAL", Value::Null, json!([]), "local"),
        ("MPOL_PREFERRED", Value::Null, json!([]), "local"),
        ("MPOL_PREFERRED", json!("0"), json!([]), "prefer:0"),
        ("MPOL_BIND", json!("0"), json!([]), "bind:0"),
        ("MPOL_BIND", json!("0"), json!(["MPOL_F_STATIC_NODES"]), "bind=static:0"),
        ("MPOL_BIND", json!("0"), json!(["MPOL_F_RELATIVE_NODES"]), "bind=relative:0"),
        ("MPOL_INTERLEAVE", json!(",0-0,"), json!([]), "interleave:0"),
        ("MPOL_BIND", json!("0"), json!(["MPOL_F_NUMA_BALANCING"]), "bind=balancing:0"),
        // The probe tells the first word of "prefer (many):0" and "weighted interleave:0".
        ("MPOL_PREFERRED_MANY", json!("0"), json!([]), "prefer"),
        ("MPOL_WEIGHTED_INTERLEAVE", json!("0"), json!([]), "weighted"),
    ] {
        if mode == "MPOL_WEIGHTED_INTERLEAVE" && kernel() < (6, 9) {
            skip("each_memory_policy_is_set", "MPOL_WEIGHTED_INTERLEAVE needs Linux 6.9");
            continue;
        }
        for user in [false, true] {
            let set = policy(json!({ "mode": mode, "nodes": nodes, "flags": flags }), user);
            // Older kernels set this flag and do not show it.
            let shown =
                if set == "bind:0" { expected.replace("=balancing", "") } else { expected.to_owned() };
            assert_eq!(set, shown, "{mode} {flags}, user namespace: {user}");
        }
    }
}

#[test]
fn a_memory_node_that_is_not_there_is_explained() {
    let Some(world) = World::new("a_memory_node_that_is_not_there_is_explained") else { return };
    let container = world.container("a", |value| {
        value["linux"]["memoryPolicy"] = json!({ "mode": "MPOL_BIND", "nodes": "1023" });
    });
    let sentence =
        "cannot set the memory policy MPOL_BIND: set_mempolicy(2) answered: invalid argument (EINVAL)";
    let output = container.run(&[]).fails_at(sentence, "/linux/memoryPolicy");
    assert!(output.stderr.contains("/sys/devices/system/node/online"), "{}", output.stderr);
}
