//! A whole life: made, started, entered, signalled, removed.

use std::fs;
use std::os::unix::fs::MetadataExt;

use serde_json::json;

use crate::user::{ID, User, set};
use crate::world::{World, eventually};

#[test]
fn a_whole_life() {
    let Some(world) = World::new("a_whole_life") else { return };
    let user = User::new(&world);
    user.configure(|config| set(config, "/process/args", json!(["sleep", "1000000"])));
    let made = user.run(&["create", "a"]).ok();
    assert_eq!(made.stderr, "", "nothing is missing that was asked for");
    assert_eq!(user.state("a")["status"], "created");
    user.run(&["start", "a"]).ok();
    let state = user.state("a");
    assert_eq!(state["status"], "running");
    let process = format!("/proc/{}", state["pid"]);
    assert_eq!(fs::metadata(&process).expect("the process").uid(), ID);
    let listed = user.run(&["list", "--format", "json"]).ok().json();
    assert_eq!(listed[0]["id"], "a");
    user.run(&["kill", "a", "KILL"]).ok();
    eventually("it has stopped", || user.state("a")["status"] == "stopped");
    user.run(&["delete", "a"]).ok();
    assert_eq!(fs::read_dir(user.root()).expect("the state directory").count(), 0);
}

#[test]
fn run_gives_the_status_of_the_program() {
    let Some(world) = World::new("run_gives_the_status_of_the_program") else { return };
    let user = User::new(&world);
    user.configure(|config| set(config, "/process/args", json!(["sh", "-c", "exit 7"])));
    assert_eq!(user.run(&["run", "a"]).status, 7);
    user.configure(|config| set(config, "/process/args", json!(["no-such-program"])));
    let said = user.run(&["run", "a"]);
    assert!(said.stderr.contains("executable file not found in $PATH"), "{}", said.stderr);
    assert_eq!(said.status, 1);
}

#[test]
fn a_program_enters() {
    let Some(world) = World::new("a_program_enters") else { return };
    let user = User::new(&world);
    user.starts("a", |_| {});
    let said = user.run(&["exec", "a", "sh", "-c", "id -u; id -g; readlink /proc/self/ns/user"]).ok().stdout;
    let namespace =
        fs::read_link(format!("/proc/{}/ns/user", user.state("a")["pid"])).expect("its namespace");
    assert_eq!(said, format!("0\n0\n{}\n", namespace.display()));
    let status = user.run(&["exec", "a", "grep", "-E", "^(CapEff|NoNewPrivs):", "/proc/self/status"]).ok();
    let first = user.run(&["exec", "a", "grep", "-E", "^(CapEff|NoNewPrivs):", "/proc/1/status"]).ok();
    assert_eq!(status.stdout, first.stdout, "no more power than the first process has");
    let said = user.run(&["exec", "--additional-gids", "0", "a", "true"]).exits(255).stderr;
    assert!(said.contains("cannot set any additional groups"), "{said}");
    user.run(&["delete", "--force", "a"]).ok();
}

/// The powers for it come from the user namespace that they share.
#[test]
fn a_container_joins_the_namespaces_of_another() {
    let Some(world) = World::new("a_container_joins_the_namespaces_of_another") else { return };
    let user = User::new(&world);
    user.starts("a", |_| {});
    let first = user.state("a")["pid"].to_string();
    let kinds = ["pid", "ipc", "uts", "user"];
    let joined = kinds.map(|kind| (kind, format!("/proc/{first}/ns/{kind}")));
    let said = user.says(&["sh", "-c", "readlink /proc/self/ns/pid; cat /proc/1/comm; id -u"], |config| {
        let list = joined.iter().map(|(kind, path)| json!({ "type": kind, "path": path }));
        let list = list.chain([json!({ "type": "mount" })]);
        set(config, "/linux/namespaces", list.collect());
        let linux = config["linux"].as_object_mut().expect("linux");
        linux.remove("uidMappings");
        linux.remove("gidMappings");
    });
    let namespace = fs::read_link(format!("/proc/{first}/ns/pid")).expect("its namespace");
    assert_eq!(said, format!("{}\nsleep\n0\n", namespace.display()));
    user.run(&["delete", "--force", "a"]).ok();
}

#[test]
fn a_program_that_enters_can_have_a_terminal() {
    let Some(world) = World::new("a_program_that_enters_can_have_a_terminal") else { return };
    let user = User::new(&world);
    user.starts("a", |_| {});
    let said = user.run(&["exec", "--tty", "a", "sh", "-c", "tty; test -t 0 && echo yes"]).ok().stdout;
    assert_eq!(said, "/dev/pts/0\nyes\n");
    user.run(&["delete", "--force", "a"]).ok();
}

#[test]
fn a_program_has_a_terminal() {
    let Some(world) = World::new("a_program_has_a_terminal") else { return };
    let user = User::new(&world);
    let script = "tty; stat -c %u:%g $(readlink -f /proc/self/fd/0); ls /dev/console";
    let said = user.says(&["sh", "-c", script], |config| set(config, "/process/terminal", json!(true)));
    assert_eq!(said, "/dev/pts/0\n0:0\n/dev/console\n");
}

/// What it runs for its containers is done as the user.
#[test]
fn hooks_run_as_the_user() {
    let Some(world) = World::new("hooks_run_as_the_user") else { return };
    let user = User::new(&world);
    let file = user.home.join("hook");
    let hook = |script: &str| json!([{ "path": "/bin/sh", "args": ["sh", "-c", script], "env": [env()] }]);
    let script = format!("id -u >>{0}; cat >/dev/null", file.display());
    user.says(&["true"], |config| {
        config["hooks"] = json!({ "createRuntime": hook(&script), "poststop": hook(&script) });
    });
    assert_eq!(fs::read_to_string(&file).expect("the hooks have run"), format!("{ID}\n{ID}\n"));
}

fn env() -> String {
    format!("PATH={}", std::env::var("PATH").expect("a PATH"))
}

#[test]
fn filters_hold() {
    let Some(world) = World::new("filters_hold") else { return };
    let user = User::new(&world);
    for no_new_privileges in [true, false] {
        let said = user.says(&["sh", "-c", "mkdir /tmp/a 2>&1; echo done"], |config| {
            crate::world::config::deny(config, "mkdir", 42);
            set(config, "/process/noNewPrivileges", json!(no_new_privileges));
        });
        assert!(said.contains("No message of desired type"), "{said}");
    }
}
