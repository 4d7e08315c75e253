//! What a container uses is what the controllers of version 1 have counted.

use serde_json::{Value, json};

use crate::world::{World, eventually};
use crate::{bound, limited, says};

fn stats(world: &World) -> Value {
    world.run(&["events", "--stats", "web"]).ok().json()["data"].clone()
}

#[test]
fn usage_and_limits_are_those_of_the_groups() {
    let controllers = ["memory", "cpu", "cpuacct", "cpuset", "pids", "blkio"];
    let Some(world) = bound("usage_and_limits_are_those_of_the_groups", &controllers) else { return };
    let container = limited(
        &world,
        &json!({ "memory": { "limit": 67108864, "swap": 134217728 }, "pids": { "limit": 20 },
                 "cpu": { "quota": 20000, "period": 50000, "cpus": "0" } }),
    );
    let data = stats(&world);
    let memory = &data["memory"];
    assert_eq!((&memory["usage"]["limit"], &memory["swap"]["limit"]), (&json!(67108864), &json!(134217728)));
    assert!(memory["usage"]["usage"].as_u64() > Some(0), "{memory}");
    assert!(memory["usage"]["max"].as_u64() >= memory["usage"]["usage"].as_u64(), "{memory}");
    assert!(memory["raw"]["hierarchical_memory_limit"] == 67108864, "{memory}");
    assert_eq!(data["pids"], json!({ "current": 1, "limit": 20 }));
    assert_eq!(data["cpuset"]["cpus"], json!([0]));
    // The shell counts while we look.
    world.run(&["exec", "web", "sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"]).ok();
    let usage = &stats(&world)["cpu"]["usage"];
    let counted: u64 = says(&world, "cpuacct.usage").parse().expect("nanoseconds");
    assert!(usage["total"].as_u64() > Some(1_000_000), "{usage}");
    assert!(usage["total"].as_u64() <= Some(counted), "{usage}, {counted}");
    assert!(usage["user"].as_u64() > Some(0), "{usage}");
    eventually("it is throttled", || {
        world.run(&["exec", "web", "sh", "-c", "i=0; while [ $i -lt 50000 ]; do i=$((i+1)); done"]).ok();
        let throttling = &stats(&world)["cpu"]["throttling"];
        throttling["throttledPeriods"].as_u64() > Some(0) && throttling["throttledTime"].as_u64() > Some(0)
    });
    container.finish();
}

#[test]
fn a_kill_for_want_of_memory_is_told() {
    let Some(world) = bound("a_kill_for_want_of_memory_is_told", &["memory"]) else { return };
    let container = limited(&world, &json!({ "memory": { "limit": 16777216, "swap": 16777216 } }));
    let following = world.runtime().words(&["events", "--interval", "50ms", "web"]).spawn();
    following.says("\"type\":\"stats\"");
    assert!(!following.stdout().contains("oom\""), "nothing has happened yet");
    // A variable of the shell that doubles until there is no memory for it.
    world.run(&["exec", "web", "sh", "-c", "x=0123456789; while :; do x=$x$x; done"]).exits(137);
    following.says(r#"{"type":"oom","id":"web"}"#);
    container.finish();
    following.wait().ok();
}
