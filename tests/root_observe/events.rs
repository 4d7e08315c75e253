//! What a container uses, and what happens to it.

use serde_json::{Value, json};

use crate::world::{self, World, config};

fn stats(world: &World) -> Value {
    let event = world.run(&["events", "--stats", "a"]).ok().json();
    assert_eq!((&event["type"], &event["id"]), (&json!("stats"), &json!("a")));
    event["data"].clone()
}

#[test]
fn statistics_have_the_shape_of_runc() {
    let Some(world) = World::new("statistics_have_the_shape_of_runc") else { return };
    let container = world.container("a", |value| config::runs(value, &["/bin/probe", "spin", "1000000"]));
    container.run(&["--detach"]).ok();
    world::eventually("it has used the processor", || {
        stats(&world)["cpu"]["usage"]["total"].as_u64() > Some(0)
    });
    let data = stats(&world);
    let usage = &data["cpu"]["usage"];
    assert!(usage["kernel"].is_u64() && usage["user"].is_u64(), "{data}");
    for key in ["cpu", "cpuset", "memory", "pids", "blkio", "hugetlb", "intel_rdt"] {
        assert!(data[key].is_object(), "{key}: {data}");
    }
    assert_eq!(data["pids"]["current"].as_u64(), Some(1));
    let interfaces = data["network_interfaces"].as_array().expect("a namespace of its own");
    assert_eq!((interfaces.len(), &interfaces[0]["Name"]), (1, &json!("lo")), "{data}");
    container.finish();
}

#[test]
fn limits_and_usage_are_those_of_the_cgroup() {
    let Some(world) = World::new("limits_and_usage_are_those_of_the_cgroup") else { return };
    if !world.offers(&["memory", "pids", "cpu"]) {
        return;
    }
    let container = world.container("a", |value| {
        config::sleeps(value);
        value["linux"]["resources"] = json!({
            "memory": { "limit": 64 << 20, "swap": 96 << 20 }, "pids": { "limit": 50 },
            "cpu": { "quota": 50_000, "period": 100_000 }
        });
    });
    container.run(&["--detach"]).ok();
    let data = stats(&world);
    assert_eq!(data["pids"], json!({ "current": 1, "limit": 50 }));
    let memory = &data["memory"];
    assert_eq!(memory["usage"]["limit"], 64 << 20);
    assert!(memory["usage"]["usage"].as_u64() > Some(0), "{memory}");
    assert!(memory["raw"]["anon"].as_u64() > Some(0), "{memory}");
    // A kernel without swap accounting counts none.
    assert!([json!(96 << 20), json!(64 << 20)].contains(&memory["swap"]["limit"]), "{memory}");
    container.finish();
}

#[test]
fn the_interfaces_of_the_host_are_not_told() {
    let Some(world) = World::new("the_interfaces_of_the_host_are_not_told") else { return };
    let container = world.container("a", |value| {
        config::sleeps(value);
        config::without_namespace(value, "network");
    });
    container.create().ok();
    assert!(stats(&world)["network_interfaces"].is_null());
    container.finish();
}

#[test]
fn the_stream_ends_with_the_container() {
    let Some(world) = World::new("the_stream_ends_with_the_container") else { return };
    let container = world.container("a", config::sleeps);
    container.run(&["--detach"]).ok();
    let stream = world.runtime().words(&["events", "--interval", "10ms", "a"]).spawn();
    world::eventually("three events", || stream.stdout().lines().count() >= 3);
    container.kill("KILL").ok();
    let said = stream.wait().ok().stdout;
    let parsed = said.lines().map(|line| serde_json::from_str::<Value>(line).expect("an object on a line"));
    assert!(parsed.into_iter().all(|event| event["type"] == "stats"), "{said}");
    container.becomes("stopped");
    for flags in [&["events", "a"][..], &["events", "--stats", "a"]] {
        world.run(flags).fails("container with id a is not running");
    }
    container.delete(&[]).ok();
    world.run(&["events", "a"]).fails("container does not exist: a");
}

#[test]
fn the_stream_ends_when_nobody_reads() {
    let Some(world) = World::new("the_stream_ends_when_nobody_reads") else { return };
    let container = world.container("a", config::sleeps);
    container.run(&["--detach"]).ok();
    let (binary, root) = (world.binary().display().to_string(), world.root().display().to_string());
    // The reader is gone long before the first interval is over.
    let line = format!("{binary} --root {root} events --interval 1h a | true");
    world::tool(&["timeout", "60", "sh", "-c", &line]);
    container.finish();
}

/// The stream may be read for years.
#[test]
fn the_stream_does_not_grow() {
    let Some(world) = World::new("the_stream_does_not_grow") else { return };
    let container = world.container("a", config::sleeps);
    container.run(&["--detach"]).ok();
    let stream = world.runtime().words(&["events", "--interval", "1ms", "a"]).spawn();
    let pages = || {
        let text = std::fs::read_to_string(format!("/proc/{}/statm", stream.pid().as_raw_nonzero()));
        let text = text.expect("it runs");
        text.split(' ').nth(1).and_then(|resident| resident.parse::<i64>().ok()).expect("statm")
    };
    let after = |events: usize| {
        let what = format!("{events} events");
        world::eventually(&what, || stream.stdout().lines().count() > events);
        pages()
    };
    let (early, late) = (after(100), after(1000));
    // One event takes some ten pages of text and figures.
    assert!(late - early < 100, "900 events have taken {} pages", late - early);
    container.finish();
    stream.wait().ok();
}

#[test]
fn a_kill_for_want_of_memory_is_an_event() {
    let Some(world) = World::new("a_kill_for_want_of_memory_is_an_event") else { return };
    if !world.offers(&["memory"]) {
        return;
    }
    let container = world.container("a", |value| {
        value["linux"]["resources"] = json!({ "memory": { "limit": 32 << 20, "swap": 32 << 20 } });
        let script = "sleep 1; /bin/probe eat-memory 100; exec sleep 1000000";
        config::runs(value, &["sh", "-c", script]);
    });
    container.run(&["--detach"]).ok();
    let stream = world.runtime().words(&["events", "--interval", "1h", "a"]).spawn();
    stream.says("{\"type\":\"oom\",\"id\":\"a\"}\n");
    container.finish();
    let said = stream.wait().ok().stdout;
    assert_eq!(said.lines().count(), 1, "one kill, one event: {said}");
}

/// Everybody on one processor: somebody waits all the time.
#[test]
fn pressure_is_an_event_for_those_who_ask() {
    let Some(world) = World::new("pressure_is_an_event_for_those_who_ask") else { return };
    let container = world.container("a", |value| {
        config::runs(
            value,
            &["sh", "-c", "for n in 1 2 3 4; do taskset 1 /bin/probe spin 1000000 & done; wait"],
        );
    });
    container.run(&["--detach"]).ok();
    if !world.cgroup("a").join("cpu.pressure").exists() {
        world::skip("pressure_is_an_event_for_those_who_ask", "this kernel does not count pressure");
        return container.finish();
    }
    let stream = world.runtime().words(&["events", "--interval", "1h", "--pressure", "a"]).spawn();
    stream.says("{\"type\":\"pressure\",\"id\":\"a\",\"data\":{\"resource\":\"cpu\",\"psi\":{\"some\":");
    container.finish();
    stream.wait().ok();
}
