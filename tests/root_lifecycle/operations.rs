//! What the operations promise (runtime.md, Operations and State): what `create` makes and what it leaves to
//! `start`, what a state says, and that a refused operation changes nothing.

use std::fs;

use serde_json::{Value, json};

use crate::world::container::Container;
use crate::world::{self, World, config};

/// Lets the program write the file `ran` into this directory of the host, which it sees as /mnt.
fn leaves_a_trace(world: &World, value: &mut Value) {
    let trace = world.file("trace");
    fs::create_dir_all(&trace).expect("a directory");
    config::bind(value, &trace, "/mnt");
    config::runs(value, &["sh", "-c", "echo ran >/mnt/ran; exec sleep 1000000"]);
}

#[test]
fn create_makes_everything_and_runs_nothing() {
    let Some(world) = World::new("create_makes_everything_and_runs_nothing") else { return };
    let container = world.container("a", |value| {
        leaves_a_trace(&world, value);
        value["hostname"] = json!("made");
        value["linux"]["sysctl"] = json!({ "net.ipv4.ip_forward": "1" });
        value["linux"]["devices"] =
            json!([{ "path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o600 }]);
        value["linux"]["maskedPaths"] = json!(["/proc/keys"]);
        value["process"]["oomScoreAdj"] = json!(123);
    });
    container.create().ok();
    let pid = container.pid().to_string();
    let inside = |words: &[&str]| {
        let enter = ["nsenter", "-t", &pid, "-m", "-u", "-n", "-p"];
        world::tool(&[&enter, words].concat())
    };
    assert_eq!(inside(&["cat", "/proc/sys/kernel/hostname"]), "made");
    assert_eq!(inside(&["cat", "/proc/sys/net/ipv4/ip_forward"]), "1");
    assert_eq!(inside(&["stat", "-c", "%F %t:%T %a", "/dev/fuse"]), "character special file a:e5 600");
    assert_eq!(inside(&["cat", "/proc/keys"]), "");
    assert_eq!(inside(&["touch", "/mnt/here"]), "");
    assert!(world.file("trace/here").exists(), "the bind mount is there");
    let read = |file: String| fs::read_to_string(file).expect("a file of /proc").trim().to_owned();
    assert_eq!(read(format!("/proc/{pid}/oom_score_adj")), "123");
    let members = fs::read_to_string(world.cgroup("a").join("cgroup.procs")).expect("its members");
    assert_eq!(members.trim(), pid);
    // Nothing but the gate stands between this and the program.
    let own = fs::read_link("/proc/self/ns/pid").expect("a namespace");
    assert_ne!(fs::read_link(format!("/proc/{pid}/ns/pid")).expect("a namespace"), own);
    assert!(!world.file("trace/ran").exists(), "args wait for start");
    container.start().ok();
    world::eventually("the program has run", || world.file("trace/ran").exists());
    let comm = || read(format!("/proc/{pid}/comm"));
    world::eventually("the process that create made is the program", || comm() == "sleep");
    container.finish();
}

#[test]
fn without_a_process_there_is_nothing_to_start() {
    let Some(world) = World::new("without_a_process_there_is_nothing_to_start") else { return };
    let container = world.container("a", |value| {
        value.as_object_mut().expect("an object").remove("process");
    });
    let message = "there is no process: the container has nothing to run";
    container.run(&[]).finds(message, "/process");
    let created = container.create().ok();
    let warning = "crate-run: warning: /process: there is no process: the container cannot be started";
    assert_eq!(created.stderr.trim(), warning);
    let pid = container.pid();
    container.start().fails("cannot start a container without a process: a");
    assert_eq!((container.status().as_str(), container.pid()), ("created", pid), "nothing has changed");
    container.kill("KILL").ok();
    container.becomes("stopped");
    container.delete(&[]).ok();
}

/// schema/state-schema.json of the specification: required members, and the type of each.
#[track_caller]
fn keeps_to_the_schema(state: &Value) {
    let text = |name: &str| state[name].as_str().unwrap_or_else(|| panic!("no {name}: {state}")).to_owned();
    assert_eq!(text("ociVersion"), "1.3.0");
    assert_eq!(text("id"), "a");
    assert!(["creating", "created", "running", "stopped"].contains(&text("status").as_str()), "{state}");
    assert!(text("bundle").starts_with('/'), "{state}");
    assert!(state["pid"].as_u64().is_some(), "{state}");
    let living = ["created", "running"].contains(&text("status").as_str());
    assert_eq!(state["pid"].as_u64() > Some(0), living, "{state}");
    match &state["annotations"] {
        Value::Null => assert!(state.get("annotations").is_none(), "null is no map: {state}"),
        Value::Object(map) => assert!(map.values().all(Value::is_string), "{state}"),
        _ => panic!("annotations are no map: {state}"),
    }
}

fn state_of(container: &Container) -> Value {
    container.state().ok().json()
}

#[test]
fn every_state_keeps_to_the_schema() {
    let Some(world) = World::new("every_state_keeps_to_the_schema") else { return };
    for annotations in [Value::Null, json!({}), json!({ "org.example.color": "blue", "empty": "" })] {
        let seen = world.file("seen");
        let container = world.container("a", |value| {
            config::sleeps(value);
            if !annotations.is_null() {
                value["annotations"] = annotations.clone();
            }
            // The hook asks as anybody may, while the container is being made.
            let root = world.root();
            let ask =
                format!("{} --root {} state a >{}", world.binary().display(), root.display(), seen.display());
            value["hooks"] = json!({ "createRuntime": [{ "path": "/bin/sh", "args": ["sh", "-c", ask] }] });
        });
        let mut words = Vec::new();
        let mut look = |state: Value| {
            keeps_to_the_schema(&state);
            let told = state.get("annotations").cloned().unwrap_or(json!({}));
            assert_eq!(told, if annotations.is_null() { json!({}) } else { annotations.clone() });
            words.push(state["status"].as_str().expect("a word").to_owned());
        };
        container.create().ok();
        look(serde_json::from_str(&fs::read_to_string(&seen).expect("what the hook saw")).expect("JSON"));
        look(state_of(&container));
        container.start().ok();
        look(state_of(&container));
        container.kill("KILL").ok();
        container.becomes("stopped");
        look(state_of(&container));
        container.delete(&[]).ok();
        assert_eq!(words, ["creating", "created", "running", "stopped"]);
    }
}

#[test]
fn a_bundle_that_is_named_relatively_is_told_absolutely() {
    let Some(world) = World::new("a_bundle_that_is_named_relatively_is_told_absolutely") else { return };
    let bundle = world.bundle(config::sleeps);
    let name = bundle.file_name().expect("a name").to_str().expect("UTF-8");
    let above = bundle.parent().expect("a directory above");
    world.runtime().words(&["create", "--bundle", name, "a"]).directory(above).run().ok();
    assert_eq!(world.run(&["state", "a"]).ok().json()["bundle"], json!(bundle));
    world.run(&["delete", "--force", "a"]).ok();
}

#[test]
fn a_refused_operation_changes_nothing() {
    let Some(world) = World::new("a_refused_operation_changes_nothing") else { return };
    let container = world.container("a", |value| leaves_a_trace(&world, value));
    container.create().ok();
    container.start().ok();
    world::eventually("the program has run", || world.file("trace/ran").exists());
    let files = || {
        let mut names: Vec<_> = world::inventory::files_below(&container.directory()).into_iter().collect();
        names.sort();
        names
    };
    let before = (state_of(&container), files());
    fs::remove_file(world.file("trace/ran")).expect("the trace");
    container.start().exits(1);
    container.delete(&[]).exits(1);
    container.create().exits(1);
    assert_eq!((state_of(&container), files()), before);
    assert!(!world.file("trace/ran").exists(), "nothing was run a second time");

    container.kill("KILL").ok();
    container.becomes("stopped");
    let before = (state_of(&container), files());
    container.kill("KILL").exits(1);
    container.start().exits(1);
    container.create().exits(1);
    assert_eq!((state_of(&container), files()), before);
    container.delete(&[]).ok();
    container.create().ok();
    container.finish();
}

#[test]
fn a_refused_id_makes_nothing() {
    let Some(world) = World::new("a_refused_id_makes_nothing") else { return };
    let bundle = world.bundle(config::sleeps);
    for id in ["../out", "a/b", "", "."] {
        let words = ["create", "--bundle", bundle.to_str().expect("UTF-8"), id];
        world.run(&words).exits(1);
    }
    assert!(!world.root().exists() || fs::read_dir(world.root()).expect("the root").next().is_none());
    assert!(world::inventory::descendants().is_empty());
}
