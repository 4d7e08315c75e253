//! create, start, state, kill, delete: which word `state` has for what, and what is refused when.

use std::fs;

use serde_json::json;

use crate::world::{self, World, config};

#[test]
fn a_life_from_create_to_delete() {
    let Some(world) = World::new("a_life_from_create_to_delete") else { return };
    let container = world.container("a", config::sleeps);
    container.state().fails("container does not exist: a");
    container.create().ok();
    assert_eq!(container.status(), "created");
    let pid = container.pid();
    assert!(pid > 0);
    container.start().ok();
    assert_eq!((container.status().as_str(), container.pid()), ("running", pid));
    container.kill("KILL").ok();
    container.becomes("stopped");
    assert_eq!(container.pid(), 0);
    container.delete(&[]).ok();
    container.state().fails("container does not exist: a");
}

#[test]
fn the_state_has_what_the_specification_lists() {
    let Some(world) = World::new("the_state_has_what_the_specification_lists") else { return };
    let container = world.container("a", |config| config["annotations"] = json!({ "org.example": "x" }));
    container.create().ok();
    let state = container.state().ok().json();
    assert_eq!(state["id"], "a");
    assert_eq!(state["status"], "created");
    assert_eq!(state["bundle"], json!(container.bundle));
    assert_eq!(state["rootfs"], json!(world.shared_rootfs()));
    assert_eq!(state["annotations"], json!({ "org.example": "x" }));
    assert_eq!(state["owner"], "root");
    assert!(state["ociVersion"].as_str().is_some_and(|version| version.starts_with("1.")), "{state}");
    assert!(state["created"].as_str().is_some_and(|time| time.ends_with('Z')), "{state}");
    container.finish();
}

#[test]
fn what_cannot_be_done_is_refused_in_these_words() {
    let Some(world) = World::new("what_cannot_be_done_is_refused_in_these_words") else { return };
    let container = world.container("a", config::sleeps);
    let gone = "container does not exist: a";
    container.start().fails(gone);
    container.kill("TERM").fails(gone);
    container.delete(&[]).fails(gone);

    container.create().ok();
    container.create().fails("container with given ID already exists: a");
    container.run(&[]).fails("container with given ID already exists: a");

    container.start().ok();
    container.start().fails("cannot start an already running container: a");
    container.delete(&[]).fails("cannot delete container a that is not stopped: running");
    assert_eq!(container.status(), "running");

    container.kill("KILL").ok();
    container.becomes("stopped");
    container.start().fails("cannot start a container that has stopped: a");
    container.kill("TERM").fails("container not running: a");
    container.create().fails("container with given ID already exists: a");
    container.delete(&[]).ok();
}

#[test]
fn a_created_container_can_be_killed_and_deleted_unstarted() {
    let Some(world) = World::new("a_created_container_can_be_killed_and_deleted_unstarted") else { return };
    let container = world.container("a", config::sleeps);
    container.create().ok();
    container.delete(&[]).ok();
    container.create().ok();
    container.kill("KILL").ok();
    container.becomes("stopped");
    container.start().fails("cannot start a container that has stopped: a");
    container.delete(&[]).ok();
}

#[test]
fn signals_arrive_by_name_and_number() {
    let Some(world) = World::new("signals_arrive_by_name_and_number") else { return };
    let container = world.container("a", |config| config::runs(config, &["/bin/probe", "print-signals"]));
    let program = container.spawn(&[]);
    program.says("ready");
    for (word, name) in [("HUP", "SIGHUP"), ("SIGUSR1", "SIGUSR1"), ("12", "SIGUSR2"), ("-2", "SIGINT")] {
        container.kill(word).ok();
        program.says(name);
    }
    container.kill("0").ok();
    // Without a word it is SIGTERM, which ends this program.
    world.run(&["kill", "a"]).ok();
    let output = program.wait();
    assert!(output.stdout.trim_end().ends_with("SIGTERM"), "{}", output.stdout);
}

#[test]
fn the_pid_file_holds_the_number_and_nothing_else() {
    let Some(world) = World::new("the_pid_file_holds_the_number_and_nothing_else") else { return };
    let file = world.file("pid");
    let container = world.container("a", config::sleeps);
    container.create_with(&["--pid-file", file.to_str().expect("UTF-8")]).ok();
    assert_eq!(fs::read_to_string(&file).expect("the pid file"), container.pid().to_string());
    container.finish();
}

#[test]
fn a_failed_create_leaves_no_pid_file() {
    let Some(world) = World::new("a_failed_create_leaves_no_pid_file") else { return };
    let file = world.file("pid");
    let container = world.container("a", |config| config::runs(config, &["/no/such/program"]));
    let output = container.create_with(&["--pid-file", file.to_str().expect("UTF-8")]);
    assert_eq!(output.status, 1, "{}", output.stderr);
    assert!(!file.exists());
    container.state().fails("container does not exist: a");
}

#[test]
fn the_bundle_may_change_or_go_after_create() {
    let Some(world) = World::new("the_bundle_may_change_or_go_after_create") else { return };
    let seen = world.file("seen");
    fs::create_dir(&seen).expect("a directory");
    let writes = |word: &str| format!("hostname >/mnt/name; echo {word} >/mnt/word");
    let container = world.container("a", |config| {
        config::bind(config, &seen, "/mnt");
        config::runs(config, &["sh", "-c", &writes("old")]);
    });
    container.create().ok();
    container.configure(|config| {
        config["hostname"] = json!("other");
        config::runs(config, &["sh", "-c", &writes("new")]);
    });
    fs::remove_dir_all(&container.bundle).expect("the bundle is removed");
    container.start().ok();
    container.becomes("stopped");
    let read = |name: &str| fs::read_to_string(seen.join(name)).expect(name);
    assert_eq!((read("name").trim(), read("word").trim()), ("inside", "old"));
    container.delete(&[]).ok();
}

#[test]
fn start_tells_when_exec_fails() {
    let Some(world) = World::new("start_tells_when_exec_fails") else { return };
    let rootfs = world.own_rootfs();
    fs::write(rootfs.join("bin/garbage"), "neither ELF nor script").expect("a file");
    world::tool(&["chmod", "+x", rootfs.join("bin/garbage").to_str().expect("UTF-8")]);
    let container = world.container("a", |config| {
        config["root"]["path"] = json!(rootfs);
        config::runs(config, &["/bin/garbage"]);
    });
    container.create().ok();
    container.start().fails_at("exec /bin/garbage: exec format error", "/process/args");
    container.becomes("stopped");
    container.delete(&[]).ok();
}

#[test]
fn list_shows_the_containers_of_this_root() {
    let Some(world) = World::new("list_shows_the_containers_of_this_root") else { return };
    let (first, second) = (world.container("a", config::sleeps), world.container("b", config::sleeps));
    first.create().ok();
    second.create().ok();
    second.start().ok();
    assert_eq!(world.run(&["list", "--quiet"]).ok().stdout, "a\nb\n");
    let rows = world.run(&["list", "--format", "json"]).ok().json();
    assert_eq!((&rows[0]["id"], &rows[0]["status"]), (&json!("a"), &json!("created")));
    assert_eq!((&rows[1]["id"], &rows[1]["status"]), (&json!("b"), &json!("running")));
    first.finish();
    second.finish();
    assert_eq!(world.run(&["list", "--format", "json"]).ok().stdout, "[]\n");
}

#[test]
fn the_default_cgroup_is_the_id_beside_our_own() {
    let Some(world) = World::new("the_default_cgroup_is_the_id_beside_our_own") else { return };
    let own = fs::read_to_string("/proc/self/cgroup").expect("our cgroup");
    let own = own.lines().find_map(|line| line.strip_prefix("0::")).expect("a v2 cgroup");
    let parent = own.rsplit_once('/').map_or("", |(parent, _)| parent).to_owned();
    let container = world.container(&world.tag, |config| {
        config["linux"].as_object_mut().expect("an object").remove("cgroupsPath");
    });
    container.create().ok();
    let its = fs::read_to_string(format!("/proc/{}/cgroup", container.pid())).expect("its cgroup");
    assert!(its.lines().any(|line| line == format!("0::{parent}/{}", world.tag)), "{its}");
    container.finish();
}

#[test]
fn a_world_notices_what_is_left() {
    let Some(world) = World::new("a_world_notices_what_is_left") else { return };
    assert_eq!(world.differences(), Vec::<String>::new());
    fs::create_dir_all(world.cgroup("left")).expect("a cgroup");
    fs::create_dir_all(world.root().join("left")).expect("a state directory");
    let mut process = std::process::Command::new("sleep").arg("1000").spawn().expect("sleep");
    let mount = world.file("mount");
    fs::create_dir(&mount).expect("a directory");
    world::tool(&["mount", "-t", "tmpfs", "left", mount.to_str().expect("UTF-8")]);
    let found = world.differences().join("\n");
    for kind in ["left: cgroup ", "left: mount ", "left: process ", "left: /"] {
        assert!(found.contains(kind), "{kind}: {found}");
    }
    process.kill().expect("it is ours");
    process.wait().expect("its end");
    world::inventory::unmount_below(&mount);
    fs::remove_dir(world.cgroup("left")).expect("an empty cgroup");
    fs::remove_dir(world.root().join("left")).expect("it is empty");
}
