//! The container is in its groups from its first moment, alone, and the groups go with it.

use std::fs;

use serde_json::json;

use crate::world::{config, eventually, inventory};
use crate::{bound, group, limited, members};
use crate_run::host::Host;

#[test]
fn it_is_in_a_group_of_each_hierarchy_and_sees_none_above() {
    let Some(world) = bound("it_is_in_a_group_of_each_hierarchy_and_sees_none_above", &["memory"]) else {
        return;
    };
    let container = limited(&world, &json!({}));
    let text = fs::read_to_string(format!("/proc/{}/cgroup", container.pid())).expect("its groups");
    let own = format!("/{}/web", world.tag);
    let all = Host::probe().bound().len() + 1;
    assert_eq!(text.lines().filter(|line| line.ends_with(&format!(":{own}"))).count(), all, "{text}");
    container.finish();
    let inside = world.says(&["cat", "/proc/self/cgroup"], |_| ());
    assert!(inside.lines().all(|line| line.ends_with(":/")), "{inside}");
}

#[test]
fn a_relative_path_begins_in_the_runtimes_own_group() {
    let Some(world) = bound("a_relative_path_begins_in_the_runtimes_own_group", &["memory", "pids"]) else {
        return;
    };
    // A runtime that stands below the top, as an engine's does.
    let engine = group(&world, "memory", "engine");
    fs::create_dir_all(&engine).expect("a group");
    let container = world.container("web", |value| {
        config::sleeps(value);
        value["linux"]["cgroupsPath"] = json!(format!("{}-relative/web", world.tag));
    });
    let script = format!("echo $$ >{}/cgroup.procs; exec \"$@\"", engine.display());
    let words = ["run", "--detach", "--bundle", container.bundle.to_str().expect("UTF-8"), "web"];
    crate::world::runtime::Runtime::within(&world, &["sh", "-c", &script, "sh"]).words(&words).run().ok();
    let text = fs::read_to_string(format!("/proc/{}/cgroup", container.pid())).expect("its groups");
    let of = |name: &str| {
        text.lines().find(|line| line.contains(&format!(":{name}:"))).expect("a line").to_owned()
    };
    assert!(of("memory").ends_with(&format!(":/{0}/engine/{0}-relative/web", world.tag)), "{text}");
    assert!(of("pids").ends_with(&format!(":/{}-relative/web", world.tag)), "{text}");
    container.finish();
    fs::remove_dir(&engine).expect("nothing is left in it");
    fs::remove_dir(engine.parent().expect("a group above")).expect("nothing is left in it");
}

#[test]
fn what_was_there_before_stays() {
    let Some(world) = bound("what_was_there_before_stays", &["memory"]) else { return };
    let above = group(&world, "memory", "");
    fs::create_dir(&above).expect("a group");
    let container = limited(&world, &json!({}));
    container.finish();
    assert!(above.is_dir() && !above.join("web").exists());
    fs::remove_dir(&above).expect("it is empty");
}

#[test]
fn a_group_in_use_is_refused_and_nothing_is_made() {
    let Some(world) = bound("a_group_in_use_is_refused_and_nothing_is_made", &["pids"]) else { return };
    let taken = group(&world, "pids", "web");
    fs::create_dir_all(&taken).expect("a group");
    let mut sleeper = std::process::Command::new("sleep").arg("1000").spawn().expect("sleep");
    fs::write(taken.join("cgroup.procs"), sleeper.id().to_string()).expect("it moves");
    let container = world.container("web", config::sleeps);
    let refused = container.create().exits(1);
    assert!(refused.stderr.contains("exists already and holds processes"), "{}", refused.stderr);
    let left: Vec<_> = inventory::cgroups(&world.tag);
    assert!(
        left.iter().all(|path| path.starts_with(world.cgroup("web").parent().expect("that of the world"))
            || path.starts_with(taken.parent().expect("made here"))),
        "{left:?}"
    );
    sleeper.kill().expect("it is ours");
    sleeper.wait().expect("it ends");
    eventually("the group is empty", || fs::remove_dir(&taken).is_ok());
    fs::remove_dir(taken.parent().expect("a group above")).expect("it is empty");
}

#[test]
fn exec_joins_every_group() {
    let Some(world) = bound("exec_joins_every_group", &["memory", "pids"]) else { return };
    let container = limited(&world, &json!({ "pids": { "limit": 20 } }));
    world.run(&["exec", "--detach", "web", "sleep", "1000000"]).ok();
    for controller in ["memory", "pids"] {
        assert_eq!(members(&world, controller).len(), 2, "{controller}");
    }
    let inside = world.run(&["exec", "web", "cat", "/proc/self/cgroup"]).ok().stdout;
    assert!(inside.lines().all(|line| line.ends_with(":/")), "{inside}");
    container.finish();
}

#[test]
fn pause_stops_every_process_and_resume_lets_them_go_on() {
    let Some(world) = bound("pause_stops_every_process_and_resume_lets_them_go_on", &["memory"]) else {
        return;
    };
    let container = limited(&world, &json!({}));
    world.run(&["pause", "web"]).ok();
    assert_eq!(container.status(), "paused");
    world.run(&["exec", "web", "true"]).exits(255);
    world.run(&["resume", "web"]).ok();
    assert_eq!(container.status(), "running");
    world.run(&["exec", "web", "true"]).ok();
    container.finish();
}

#[test]
fn killing_all_ends_those_too_that_share_the_pid_namespace() {
    let Some(world) = bound("killing_all_ends_those_too_that_share_the_pid_namespace", &["memory"]) else {
        return;
    };
    let container = world.container("web", |value| {
        config::without_namespace(value, "pid");
        config::runs(value, &["sh", "-c", "sleep 1000000 & sleep 1000000 & exec sleep 1000000"]);
    });
    container.running(&["--detach"]).run().ok();
    eventually("three processes", || members(&world, "memory").len() == 3);
    let listed = world.run(&["ps", "--format", "json", "web"]).ok().json();
    assert_eq!(listed.as_array().map(Vec::len), Some(3), "{listed}");
    world.run(&["kill", "--all", "web", "KILL"]).ok();
    container.becomes("stopped");
    container.delete(&[]).ok();
    assert!(!group(&world, "memory", "web").exists());
}

#[test]
fn a_failed_start_leaves_no_group() {
    let Some(world) = bound("a_failed_start_leaves_no_group", &["memory"]) else { return };
    let container = world.container("web", |value| {
        config::runs(value, &["/no/such/program"]);
    });
    container.create().exits(1);
    let left = inventory::cgroups(&world.tag);
    assert_eq!(left, [world.cgroup("web").parent().expect("that of the world")], "{left:?}");
}

#[test]
fn force_removes_the_groups_of_a_runtime_that_died() {
    let Some(world) = bound("force_removes_the_groups_of_a_runtime_that_died", &["memory", "pids"]) else {
        return;
    };
    let container = limited(&world, &json!({}));
    // As if it had died after the intent was written: no process is known.
    let path = container.directory().join("state.json");
    let mut record: serde_json::Value =
        serde_json::from_slice(&fs::read(&path).expect("the record")).expect("JSON");
    record["process"] = json!(null);
    fs::write(&path, record.to_string()).expect("the record is written");
    container.delete(&["--force"]).ok();
    assert!(!group(&world, "memory", "web").exists() && !group(&world, "pids", "web").exists());
}
