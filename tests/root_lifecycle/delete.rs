//! `delete --force` works on anything that can lie in the state directory.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::world::{World, config};

#[test]
fn force_deletes_in_every_state() {
    let Some(world) = World::new("force_deletes_in_every_state") else { return };
    let container = world.container("a", config::sleeps);
    container.delete(&["--force"]).ok();
    container.create().ok();
    container.delete(&["--force"]).ok();
    container.create().ok();
    container.start().ok();
    container.delete(&["--force"]).ok();
    container.create().ok();
    container.kill("KILL").ok();
    container.becomes("stopped");
    container.delete(&["-f"]).ok();
    container.delete(&["--force"]).ok();
}

/// A container with a writable cgroup mount makes cgroups of any name, and as deep as it likes.
#[test]
fn no_cgroup_made_inside_keeps_a_container_from_being_deleted() {
    let Some(world) = World::new("no_cgroup_made_inside_keeps_a_container_from_being_deleted") else {
        return;
    };
    let container = world.container("a", config::sleeps);
    container.run(&["--detach"]).ok();
    let own = world.cgroup("a");
    fs::create_dir(own.join(OsStr::from_bytes(b"x-\xff"))).expect("a cgroup of this name");
    container.command("ps", &["--format", "json"]).run().ok();
    fs::create_dir_all(own.join("deep/".repeat(70))).expect("a deep cgroup");
    let said = container.command("ps", &["--format", "json"]).run().exits(1);
    assert!(said.sentence().starts_with("cannot list the processes of cgroup"), "{}", said.stderr);
    container.delete(&["--force"]).ok();
    assert!(!own.exists());
}

#[test]
fn force_ends_all_processes_of_the_container() {
    let Some(world) = World::new("force_ends_all_processes_of_the_container") else { return };
    let container = world.container("a", |config| {
        config::without_namespace(config, "pid");
        config::without_mount(config, "/proc");
        config::runs(config, &["sh", "-c", "sleep 1000000 & sleep 1000000 & exec sleep 1000000"]);
    });
    container.run(&["--detach"]).ok();
    let members = || fs::read_to_string(world.cgroup("a").join("cgroup.procs")).unwrap_or_default();
    crate::world::eventually("three processes run", || members().lines().count() == 3);
    container.delete(&["--force"]).ok();
    assert!(!world.cgroup("a").exists());
}

#[test]
fn a_kill_reaches_those_who_outlive_the_first_process() {
    let Some(world) = World::new("a_kill_reaches_those_who_outlive_the_first_process") else { return };
    let container = world.container("a", |config| {
        config::without_namespace(config, "pid");
        config::without_mount(config, "/proc");
        config::runs(config, &["sh", "-c", "sleep 1000000 & sleep 1000000 &"]);
    });
    container.run(&["--detach"]).ok();
    let members = || fs::read_to_string(world.cgroup("a").join("cgroup.procs")).unwrap_or_default();
    crate::world::eventually("the first process ends, two stay", || members().lines().count() == 2);
    container.becomes("stopped");
    container.kill("TERM").fails("container not running: a");
    container.kill("KILL").ok();
    assert_eq!(members(), "", "nobody is left");
    container.kill("KILL").fails("container not running: a");
    container.delete(&[]).ok();
}

/// Puts something into a state directory.
type Maker<'a> = &'a dyn Fn(&Path);

/// Each of these must be gone after `delete --force`, and a second time be nothing.
#[test]
fn force_deletes_garbage() {
    let Some(world) = World::new("force_deletes_garbage") else { return };
    let record = "state.json";
    let cases: [(&str, Maker); 9] = [
        ("nothing", &|_| {}),
        ("empty", &|place| write(place, record, "")),
        ("not-json", &|place| write(place, record, "\u{0}\u{1}not json")),
        ("other-json", &|place| write(place, record, "[1, 2, 3]")),
        ("empty-object", &|place| write(place, record, "{}")),
        ("half", &|place| write(place, record, "{\"id\": \"half\", \"stage\": ")),
        ("directory", &|place| fs::create_dir(place.join(record)).expect("a directory")),
        ("loop", &|place| symlink(record, place.join(record)).expect("a link")),
        ("more", &|place| {
            fs::create_dir_all(place.join("some/deep/directory")).expect("directories");
            write(place, "some/file", "x");
        }),
    ];
    for (id, make) in cases {
        let place = world.root().join(id);
        fs::create_dir_all(&place).expect("a state directory");
        make(&place);
        world.run(&["delete", "--force", id]).ok();
        assert!(!place.exists(), "{id} is still there");
        world.run(&["delete", "--force", id]).ok();
    }
}

fn write(place: &Path, name: &str, text: &str) {
    fs::write(place.join(name), text).expect("a file");
}

#[test]
fn force_follows_no_link_out_of_the_state_directory() {
    let Some(world) = World::new("force_follows_no_link_out_of_the_state_directory") else { return };
    let treasure = world.file("treasure");
    fs::create_dir(&treasure).expect("a directory");
    fs::write(treasure.join("gold"), "gold").expect("a file");
    let place = world.root().join("inside");
    fs::create_dir_all(&place).expect("a state directory");
    symlink(&treasure, place.join("link")).expect("a link");
    world.run(&["delete", "--force", "inside"]).ok();
    assert!(!place.exists());
    symlink(&treasure, world.root().join("whole")).expect("a link");
    let output = world.run(&["delete", "--force", "whole"]);
    assert!(treasure.join("gold").exists(), "{} {}", output.status, output.stderr);
    let _ = fs::remove_file(world.root().join("whole"));
}

/// The number of a process that has ended may be somebody else's by now.
#[test]
fn force_kills_nobody_who_only_has_the_number() {
    let Some(world) = World::new("force_kills_nobody_who_only_has_the_number") else { return };
    let container = world.container("a", config::sleeps);
    container.create().ok();
    container.kill("KILL").ok();
    container.becomes("stopped");
    let mut innocent = Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().expect("sleep");
    edit_record(&container.directory(), |record| {
        record["process"]["pid"] = json!(innocent.id());
        // Two processes of one clock tick cannot be told apart; a number is not given out again that fast.
        record["process"]["started"] = json!(record["process"]["started"].as_u64().expect("ticks") - 1);
    });
    assert_eq!(container.status(), "stopped");
    container.kill("KILL").fails("container not running: a");
    for words in [&["kill", "--all", "a", "KILL"][..], &["kill", "--all", "a", "TERM"], &["stop", "a"]] {
        world.run(words).ok();
    }
    assert_eq!(world.run(&["ps", "--format", "json", "a"]).ok().stdout, "[]\n");
    assert_eq!(world.run(&["wait", "a"]).ok().stdout, "unknown\n");
    container.delete(&["--force"]).ok();
    assert_eq!(innocent.try_wait().expect("it is ours"), None, "the innocent lives");
    innocent.kill().expect("it is ours");
    innocent.wait().expect("its end");
}

fn edit_record(directory: &Path, change: impl FnOnce(&mut Value)) {
    let path = directory.join("state.json");
    let mut record = serde_json::from_slice(&fs::read(&path).expect("the record")).expect("JSON");
    change(&mut record);
    fs::write(path, record.to_string()).expect("the record is written");
}

#[test]
fn a_cgroup_that_was_there_before_stays() {
    let Some(world) = World::new("a_cgroup_that_was_there_before_stays") else { return };
    let cgroup = world.cgroup("a");
    fs::create_dir_all(&cgroup).expect("a cgroup");
    let container = world.container("a", config::sleeps);
    container.run(&["--detach"]).ok();
    container.delete(&["--force"]).ok();
    assert!(cgroup.exists(), "its maker wants to keep it");
    assert_eq!(fs::read_to_string(cgroup.join("cgroup.procs")).expect("its members"), "");
    fs::remove_dir(&cgroup).expect("an empty cgroup");
}

#[test]
fn the_levels_that_were_made_are_removed() {
    let Some(world) = World::new("the_levels_that_were_made_are_removed") else { return };
    let place = format!("/{}/some/levels/below", world.tag);
    let container = world.container("a", |config| config["linux"]["cgroupsPath"] = json!(place));
    container.create().ok();
    assert!(world.cgroup("some/levels/below").exists());
    container.delete(&["--force"]).ok();
    assert!(!world.cgroup("some").exists());
}

#[test]
fn a_broken_record_is_an_error_for_all_others() {
    let Some(world) = World::new("a_broken_record_is_an_error_for_all_others") else { return };
    let place = world.root().join("a");
    fs::create_dir_all(&place).expect("a state directory");
    write(&place, "state.json", "{");
    for verb in ["state", "start", "kill", "stop", "wait", "ps", "events", "delete"] {
        let output = world.run(&[verb, "a"]).exits(1);
        let file = place.join("state.json");
        let expected = format!("cannot read the container's state {}: ", file.display());
        assert!(output.sentence().starts_with(&expected), "{verb}: {}", output.stderr);
    }
    let output = world.run(&["list", "--quiet"]).ok();
    assert_eq!(output.stdout, "");
    assert!(output.stderr.contains("container a"), "{}", output.stderr);
    fs::remove_file(place.join("state.json")).expect("it was written here");
    let output = world.run(&["list", "--quiet"]).ok();
    let said = "crate-run: warning: container a has no state; crate-run delete --force removes it\n";
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", said));
    world.run(&["delete", "--force", "a"]).ok();
}
