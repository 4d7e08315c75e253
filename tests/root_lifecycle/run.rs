//! `run`: create, start, wait and delete in one.

use std::fs;

use rustix::process::Signal;

use crate::world::runtime::Runtime;
use crate::world::{World, config, inventory, skip};

#[test]
fn the_exit_status_is_that_of_the_program() {
    let Some(world) = World::new("the_exit_status_is_that_of_the_program") else { return };
    for status in [0, 1, 7, 127, 255] {
        let words = ["/bin/probe", "exit", &status.to_string()].map(str::to_owned);
        let container =
            world.container("a", |config| config["process"]["args"] = words.into_iter().collect());
        container.run(&[]).exits(status);
    }
}

#[test]
fn a_signal_ends_with_128_and_its_number() {
    let Some(world) = World::new("a_signal_ends_with_128_and_its_number") else { return };
    // Only outside of a pid namespace a signal without a handler ends the first process.
    let own = world.container("a", |config| {
        config::without_namespace(config, "pid");
        config::without_mount(config, "/proc");
        config::runs(config, &["/bin/probe", "signal-self", "TERM"]);
    });
    own.run(&[]).exits(128 + 15);
    let killed = world.container("b", config::says_ready);
    let running = killed.spawn(&[]);
    running.says("ready");
    killed.kill("KILL").ok();
    running.wait().exits(128 + 9);
}

#[test]
fn signals_to_the_command_reach_the_program() {
    let Some(world) = World::new("signals_to_the_command_reach_the_program") else { return };
    let container = world.container("a", |config| config::runs(config, &["/bin/probe", "print-signals"]));
    let running = container.spawn(&[]);
    running.says("ready");
    for (signal, name) in [(Signal::HUP, "SIGHUP"), (Signal::INT, "SIGINT"), (Signal::TERM, "SIGTERM")] {
        running.signal(signal);
        running.says(name);
    }
    running.wait().ok();
}

#[test]
fn the_outputs_are_those_of_the_command() {
    let Some(world) = World::new("the_outputs_are_those_of_the_command") else { return };
    let script = "cat; echo to-stderr >&2";
    let container = world.container("a", |config| config::runs(config, &["sh", "-c", script]));
    let input = world.file("input");
    fs::write(&input, "to-stdout\n").expect("a file");
    let output = container.running(&[]).stdin(fs::File::open(&input).expect("the file")).run().ok();
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("to-stdout\n", "to-stderr\n"));
}

#[test]
fn a_bundle_with_a_slash_runs_under_a_generated_id() {
    let Some(world) = World::new("a_bundle_with_a_slash_runs_under_a_generated_id") else { return };
    let bundle = world.bundle(config::says_ready);
    let relative = format!("./{}/", bundle.file_name().and_then(|name| name.to_str()).expect("a name"));
    let parent = bundle.parent().expect("a parent");
    let running = world.runtime().words(&["run", &relative]).directory(parent).spawn();
    running.says("ready");
    let id = world.run(&["list", "--quiet"]).ok().stdout.trim().to_owned();
    assert!(id.starts_with("run-") && id.len() > 8, "{id}");
    let state = world.run(&["state", &id]).ok().json();
    assert_eq!(state["bundle"], bundle.to_str().expect("UTF-8"));
    world.run(&["kill", &id, "KILL"]).ok();
    running.wait().exits(137);
}

#[test]
fn options_may_stand_before_and_after_the_id() {
    let Some(world) = World::new("options_may_stand_before_and_after_the_id") else { return };
    let bundle = world.bundle(|config| config::runs(config, &["echo", "hello"]));
    let shown = bundle.to_str().expect("UTF-8");
    let lines: [&[&str]; 4] = [
        &["run", "--bundle", shown, "a"],
        &["run", "a", "--bundle", shown],
        &["run", "-b", shown, "a"],
        &["run", "a", "--bundle", shown, "--keep=false"],
    ];
    for words in lines {
        assert_eq!(world.run(words).ok().stdout, "hello\n", "{words:?}");
    }
    let here = world.runtime().words(&["run", "a"]).directory(&bundle).run();
    assert_eq!(here.ok().stdout, "hello\n");
}

#[test]
fn a_detached_run_leaves_no_process_of_ours() {
    let Some(world) = World::new("a_detached_run_leaves_no_process_of_ours") else { return };
    let container = world.container("a", config::sleeps);
    container.run(&["--detach"]).ok();
    assert_eq!(container.status(), "running");
    let pid = container.pid() as i32;
    assert_eq!(inventory::descendants(), [pid], "only the program itself");
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).expect("its name");
    assert_eq!(name.trim(), "sleep");
    container.finish();
}

#[test]
fn keep_leaves_a_stopped_container() {
    let Some(world) = World::new("keep_leaves_a_stopped_container") else { return };
    let container = world.container("a", |config| config::runs(config, &["/bin/probe", "exit", "3"]));
    container.run(&["--keep"]).exits(3);
    assert_eq!(container.status(), "stopped");
    container.delete(&[]).ok();
}

/// A peer hangs in one of seven such runs.
#[test]
fn two_hundred_quick_runs_end() {
    let Some(world) = World::new("two_hundred_quick_runs_end") else { return };
    let container = world.container("a", |_| {});
    for _ in 0..200 {
        container.run(&[]).ok();
    }
}

#[test]
fn orphans_in_the_container_are_no_concern_of_the_command() {
    let Some(world) = World::new("orphans_in_the_container_are_no_concern_of_the_command") else { return };
    // Without a pid namespace, orphans outlive the program; the cgroup tells who they are.
    let container = world.container("a", |config| {
        config::without_namespace(config, "pid");
        config::without_mount(config, "/proc");
        config::runs(config, &["sh", "-c", "sleep 1000000 & exit 4"]);
    });
    container.run(&[]).exits(4);
}

#[test]
fn a_second_file_may_be_the_configuration() {
    let Some(world) = World::new("a_second_file_may_be_the_configuration") else { return };
    let container = world.container("a", |config| config::runs(config, &["echo", "config.json"]));
    let text = fs::read_to_string(container.bundle.join("config.json")).expect("config.json");
    let other = world.file("other.json");
    fs::write(&other, text.replace("\"config.json\"", "\"other.json\"")).expect("another file");
    let output = container.run(&["--config", other.to_str().expect("UTF-8")]).ok();
    assert_eq!(output.stdout, "other.json\n");
}

#[test]
fn the_default_root_is_below_run() {
    let Some(world) = World::new("the_default_root_is_below_run") else { return };
    let existed = std::path::Path::new("/run/crate-run").exists();
    let container = world.container(&world.tag, config::sleeps);
    let words = ["run", "--detach", &world.tag, "--bundle"];
    let command = || std::process::Command::new(world.binary());
    let status = command().args(words).arg(&container.bundle).status().expect("crate-run");
    assert!(status.success());
    assert!(std::path::Path::new("/run/crate-run").join(&world.tag).join("state.json").exists());
    let status = command().args(["delete", "--force", &world.tag]).status().expect("crate-run");
    assert!(status.success());
    if !existed {
        fs::remove_dir("/run/crate-run").expect("it is empty");
    }
}

#[test]
fn a_caller_who_ignores_signals_changes_nothing() {
    let Some(world) = World::new("a_caller_who_ignores_signals_changes_nothing") else { return };
    let container = world.container("a", |config| config::runs(config, &["/bin/probe", "exit", "3"]));
    let script = "trap '' CHLD PIPE TERM; exec \"$@\"";
    let bundle = container.bundle.to_str().expect("UTF-8");
    Runtime::within(&world, &["sh", "-c", script, "sh"])
        .words(&["run", "--bundle", bundle, "a"])
        .run()
        .exits(3);
}

/// vm.memfd_noexec=2 (Documentation/admin-guide/sysctl/vm.rst, Linux 6.3) belongs to a pid namespace, so it can be
/// set for this command alone.
#[test]
fn a_host_that_forbids_executable_memfds_is_served_too() {
    const NAME: &str = "a_host_that_forbids_executable_memfds_is_served_too";
    let Some(world) = World::new(NAME) else { return };
    let parameter = "/proc/sys/vm/memfd_noexec";
    if !fs::exists(parameter).unwrap_or(false) {
        return skip(NAME, "this kernel has no vm.memfd_noexec (Linux 6.3)");
    }
    let bundle = world.bundle(|config| config::runs(config, &["/bin/probe", "exit", "7"]));
    let forbid = format!("echo 2 >{parameter} && exec \"$@\"");
    let caller = ["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", &forbid, "sh"];
    Runtime::within(&world, &caller).words(&["run", "--bundle"]).path(&bundle).words(&["a"]).run().exits(7);
}
