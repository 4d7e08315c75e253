//! The creator dies: nothing runs on that nobody knows of, and `delete --force` finds everything.

use std::fs;
use std::path::Path;

use rustix::process::Signal;
use serde_json::json;

use crate::world::container::Container;
use crate::world::{World, config, eventually, inventory};

/// Kills `create` or `run` as soon as `moment` has come: nobody is left, or a container that can be seen.
fn killed_at(world: &World, verb: &str, what: &str, moment: impl Fn(&Container) -> bool) {
    let container = world.container("a", config::sleeps);
    let making = if verb == "run" { container.running(&[]) } else { container.creating(&[]) };
    let creator = making.spawn();
    eventually(what, || moment(&container) || !alive(creator.pid().as_raw_nonzero().get()));
    creator.signal(Signal::KILL);
    creator.wait();
    // A container whose creation was complete may live on; any other must not.
    eventually(&format!("{what}: nothing runs that nobody knows of"), || {
        inventory::bury();
        inventory::descendants().is_empty() || is_known(&container)
    });
    container.delete(&["--force"]).ok();
    eventually(&format!("{what}: all processes end"), || {
        inventory::bury();
        inventory::descendants().is_empty()
    });
    assert_eq!(world.differences(), Vec::<String>::new(), "{what}");
}

fn alive(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.rsplit_once(')').is_none_or(|(_, rest)| rest.starts_with(" Z"))
}

fn is_known(container: &Container) -> bool {
    let state = container.state();
    state.status == 0 && matches!(state.json()["status"].as_str(), Some("created" | "running"))
}

#[test]
fn killed_at_every_moment_that_can_be_seen() {
    let Some(world) = World::new("killed_at_every_moment_that_can_be_seen") else { return };
    let cgroup = world.cgroup("a");
    let born = || fs::read_to_string(cgroup.join("cgroup.procs")).is_ok_and(|text| !text.is_empty());
    for verb in ["create", "run"] {
        killed_at(&world, verb, "at once", |_| true);
        killed_at(&world, verb, "the directory is made", |c| c.directory().exists());
        killed_at(&world, verb, "the record is written", |c| c.directory().join("state.json").exists());
        killed_at(&world, verb, "the cgroup is made", |_| cgroup.exists());
        killed_at(&world, verb, "the process is born", |_| born());
        let created = |c: &Container| {
            fs::read_to_string(c.directory().join("state.json")).is_ok_and(|text| text.contains("created\""))
        };
        killed_at(&world, verb, "the record says created", created);
    }
}

/// A hook that tells that it runs, and ends when it may.
fn waiting_hook(world: &World) -> (serde_json::Value, std::path::PathBuf) {
    let (here, go) = (world.file("here"), world.file("go"));
    let script = format!("echo >{}; until [ -e {} ]; do sleep 0.02; done", here.display(), go.display());
    (json!([{ "path": "/bin/sh", "args": ["sh", "-c", script] }]), here)
}

#[test]
fn killed_while_a_hook_of_the_runtime_runs() {
    let Some(world) = World::new("killed_while_a_hook_of_the_runtime_runs") else { return };
    let (hook, here) = waiting_hook(&world);
    let container = world.container("a", |config| config["hooks"] = json!({ "createRuntime": hook }));
    let creator = container.creating(&[]).spawn();
    eventually("the hook runs", || here.exists());
    assert_eq!(container.status(), "creating");
    creator.signal(Signal::KILL);
    creator.wait();
    assert_eq!(container_processes(&world), "", "the child dies with its creator");
    assert_eq!(container.status(), "stopped");
    container.start().fails("cannot start a container that has stopped: a");
    container.delete(&["--force"]).ok();
    fs::write(world.file("go"), "").expect("a file");
    eventually("the hook ends", || {
        inventory::bury();
        inventory::descendants().is_empty()
    });
}

/// Who is in the container's cgroup, once the kernel has done with the dying.
fn container_processes(world: &World) -> String {
    let read = || fs::read_to_string(world.cgroup("a").join("cgroup.procs")).unwrap_or_default();
    for _ in 0..1000 {
        if read().is_empty() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    read()
}

#[test]
fn killed_while_a_hook_of_the_container_runs() {
    let Some(world) = World::new("killed_while_a_hook_of_the_container_runs") else { return };
    let (hook, here) = waiting_hook(&world);
    let container = world.container("a", |config| config["hooks"] = json!({ "createContainer": hook }));
    let creator = container.creating(&[]).spawn();
    eventually("the hook runs", || here.exists());
    creator.signal(Signal::KILL);
    creator.wait();
    assert_eq!(container_processes(&world), "", "hook and child die with the creator");
    assert_eq!(container.status(), "stopped");
    container.delete(&["--force"]).ok();
}

#[test]
fn a_creator_who_is_asked_to_end_undoes_everything() {
    let Some(world) = World::new("a_creator_who_is_asked_to_end_undoes_everything") else { return };
    for signal in [Signal::TERM, Signal::INT] {
        let (hook, here) = waiting_hook(&world);
        let container = world.container("a", |config| config["hooks"] = json!({ "createContainer": hook }));
        let creator = container.creating(&[]).spawn();
        eventually("the hook runs", || here.exists());
        creator.signal(signal);
        creator.wait();
        assert_eq!(container_processes(&world), "");
        container.delete(&["--force"]).ok();
        fs::remove_file(Path::new(&here)).expect("the hook's mark");
    }
}

#[test]
fn the_end_of_the_foreground_leaves_a_container_that_can_be_deleted() {
    let name = "the_end_of_the_foreground_leaves_a_container_that_can_be_deleted";
    let Some(world) = World::new(name) else { return };
    let container = world.container("a", config::says_ready);
    let running = container.spawn(&[]);
    running.says("ready");
    running.signal(Signal::KILL);
    running.wait();
    assert_eq!(container.status(), "running");
    container.delete(&["--force"]).ok();
}
