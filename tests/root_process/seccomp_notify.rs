//! SCMP_ACT_NOTIFY: calls that a program outside, the seccomp agent, decides.
//!
//! OCI: config-linux.md, Seccomp and The Container Process State. seccomp_unotify(2).

use crate_run_sys::supervisor::Reply;
use serde_json::{Value, json};

use crate::agent::{self, Agent};
use crate::world::{World, config, eventually};

const NATIVE: &str = if cfg!(target_arch = "x86_64") { "SCMP_ARCH_X86_64" } else { "SCMP_ARCH_AARCH64" };
/// EADDRNOTAVAIL: nothing else answers that here.
const ANSWER: u16 = 99;

/// A profile that asks the agent at `path` about these calls and allows all others.
fn notify(value: &mut Value, path: &str, names: &[&str]) {
    value["linux"]["seccomp"] = json!({
        "defaultAction": "SCMP_ACT_ALLOW", "architectures": [NATIVE],
        "listenerPath": path, "listenerMetadata": "some metadata",
        "syscalls": [{ "names": names, "action": "SCMP_ACT_NOTIFY" }],
    });
}

fn personality_is_tried(value: &mut Value) {
    config::runs(value, &["/bin/probe", "try-all", "personality", "openat2"]);
}

#[test]
fn create_hands_the_listener_over_with_the_state() {
    let Some(world) = World::new("create_hands_the_listener_over_with_the_state") else { return };
    let agent = Agent::new(&world);
    let container = world.container("a", |value| {
        notify(value, agent.path(), &["personality"]);
        value["annotations"] = json!({ "some.key": "a value" });
        config::sleeps(value);
    });
    container.create().ok();
    let handover = agent.accept();
    let (pid, bundle) = (container.pid(), container.bundle.to_str().expect("UTF-8"));
    let expected = json!({
        "ociVersion": "1.3.0", "fds": ["seccompFd"], "pid": pid, "metadata": "some metadata",
        "state": {
            "ociVersion": "1.3.0", "id": "a", "status": "creating", "pid": pid, "bundle": bundle,
            "annotations": { "some.key": "a value" },
        },
    });
    assert_eq!(handover.state, expected);
    assert_eq!(agent::kind(&handover.listener), "anon_inode:seccomp notify");
    assert_eq!(container.status(), "created");
    container.start().ok();
    assert!(agent.is_idle(), "there is one connection");
    container.finish();
}

/// Another program in the container has a listener of its own; the container is running by then.
#[test]
fn exec_hands_another_listener_over() {
    let Some(world) = World::new("exec_hands_another_listener_over") else { return };
    let agent = Agent::new(&world);
    let container = world.container("a", |value| {
        notify(value, agent.path(), &["personality"]);
        config::sleeps(value);
    });
    container.create().ok();
    let first = agent.accept();
    container.start().ok();
    let pid = container.pid();
    let answers = agent.serve(|_| Reply::Fail(ANSWER));
    let exec = ["exec", "a", "/bin/probe", "try-all", "personality"];
    assert_eq!(world.run(&exec).ok().json()["personality"], "EADDRNOTAVAIL");
    let (state, calls) = answers.join().expect("the agent");
    assert!(!calls.is_empty());
    assert_eq!((&state["state"]["status"], &state["state"]["pid"]), (&json!("running"), &json!(pid)));
    assert_ne!(state["pid"], pid);
    drop(first);
    container.finish();
}

#[test]
fn the_agent_decides_with_and_without_no_new_privs() {
    let Some(world) = World::new("the_agent_decides_with_and_without_no_new_privs") else { return };
    for (no_new_privileges, uid) in [(true, 0), (false, 0), (true, 1000), (false, 1000)] {
        let agent = Agent::new(&world);
        let path = agent.path.clone();
        let container = world.container("a", |value| {
            notify(value, agent.path(), &["personality"]);
            value["process"]["noNewPrivileges"] = json!(no_new_privileges);
            value["process"]["user"]["uid"] = json!(uid);
            personality_is_tried(value);
        });
        let answers = agent.serve(|_| Reply::Fail(ANSWER));
        let tried = container.run(&[]).ok().json();
        assert_eq!(tried, json!({ "personality": "EADDRNOTAVAIL", "openat2": "ok" }));
        let (_, calls) = answers.join().expect("the agent");
        assert!(!calls.is_empty(), "noNewPrivileges {no_new_privileges}, user {uid}");
        std::fs::remove_file(path).expect("the socket");
    }
}

/// The rest of the profile holds, too: what it forbids is forbidden, whoever decides about other calls.
#[test]
fn the_other_rules_of_the_profile_hold() {
    let Some(world) = World::new("the_other_rules_of_the_profile_hold") else { return };
    let agent = Agent::new(&world);
    let container = world.container("a", |value| {
        notify(value, agent.path(), &["personality"]);
        let rules = value["linux"]["seccomp"]["syscalls"].as_array_mut().expect("rules");
        rules.push(json!({ "names": ["openat2"], "action": "SCMP_ACT_ERRNO", "errnoRet": 97 }));
        personality_is_tried(value);
    });
    let answers = agent.serve(|_| Reply::Continue);
    let tried = container.run(&[]).ok().json();
    assert_eq!(tried, json!({ "personality": "ok", "openat2": "EAFNOSUPPORT" }));
    answers.join().expect("the agent");
}

/// Some of these are made by crate-run's own last steps: the agent lets them go on.
#[test]
fn an_agent_may_ask_to_be_asked_about_important_calls() {
    let Some(world) = World::new("an_agent_may_ask_to_be_asked_about_important_calls") else { return };
    let names = [
        "execve",
        "execveat",
        "openat",
        "openat2",
        "read",
        "close",
        "fcntl",
        "prctl",
        "recvmsg",
        "accept4",
        "setresuid",
        "capset",
        "close_range",
        "seccomp",
        "umask",
        "exit_group",
    ];
    for no_new_privileges in [true, false] {
        let agent = Agent::new(&world);
        let path = agent.path.clone();
        let container = world.container("a", |value| {
            notify(value, agent.path(), &names);
            value["process"]["noNewPrivileges"] = json!(no_new_privileges);
            config::runs(value, &["/bin/true"]);
        });
        let answers = agent.serve(|_| Reply::Continue);
        container.run(&[]).ok();
        let (_, calls) = answers.join().expect("the agent");
        assert!(calls.len() > 3, "{calls:?}");
        std::fs::remove_file(path).expect("the socket");
    }
}

#[test]
fn a_hook_of_the_container_is_under_the_supervision_too() {
    let Some(world) = World::new("a_hook_of_the_container_is_under_the_supervision_too") else { return };
    let agent = Agent::new(&world);
    let container = world.container("a", |value| {
        notify(value, agent.path(), &["personality"]);
        // The shell's three streams, and the directory that ls reads: no listener among them.
        let script = "test $(ls /proc/self/fd | wc -l) = 4 && exec /bin/probe try personality";
        value["hooks"]["startContainer"] = json!([{ "path": "/bin/sh", "args": ["sh", "-c", script] }]);
    });
    let answers = agent.serve(|_| Reply::Fail(ANSWER));
    container.run(&[]).ok();
    assert!(!answers.join().expect("the agent").1.is_empty());
}

/// The agent holds the only listener: when it is gone, calls answer ENOSYS (seccomp_unotify(2)).
#[test]
fn without_its_agent_a_call_fails_and_does_not_hang() {
    let Some(world) = World::new("without_its_agent_a_call_fails_and_does_not_hang") else { return };
    let agent = Agent::new(&world);
    let container = world.container("a", |value| {
        notify(value, agent.path(), &["personality", "execve", "execveat"]);
        personality_is_tried(value);
    });
    container.create().ok();
    drop(agent.accept());
    let output = container.start();
    assert_eq!(output.status, 1, "{}", output.stderr);
    assert!(output.sentence().contains("function not implemented"), "{}", output.stderr);
    container.delete(&["--force"]).ok();
}

#[test]
fn no_agent_is_an_error_of_create() {
    let Some(world) = World::new("no_agent_is_an_error_of_create") else { return };
    let path = world.file("nobody");
    let path = path.to_str().expect("UTF-8");
    let container = world.container("a", |value| notify(value, path, &["personality"]));
    let sentence =
        format!("cannot send the listener to the seccomp agent {path}: no such file or directory (ENOENT)");
    for output in [container.create(), container.run(&[])] {
        output
            .fails_at(&sentence, "/linux/seccomp/listenerPath")
            .helps("a seccomp agent must listen on a stream socket at linux.seccomp.listenerPath");
        assert_eq!(world.differences(), [""; 0]);
    }
}

/// A message that does not fit into the socket's buffer, and nobody who reads.
#[test]
fn an_agent_that_does_not_read_is_not_waited_for_without_end() {
    let Some(world) = World::new("an_agent_that_does_not_read_is_not_waited_for_without_end") else {
        return;
    };
    let (socket, path) = agent::deaf(&world);
    let container = world.container("a", |value| {
        notify(value, path.to_str().expect("UTF-8"), &["personality"]);
        value["annotations"] = json!({ "long": "x".repeat(4 << 20) });
    });
    let output = container.create();
    assert_eq!(output.status, 1, "{}", output.stderr);
    assert!(output.sentence().starts_with("cannot send the listener"), "{}", output.stderr);
    drop(socket);
}

#[test]
fn without_the_action_the_path_is_ignored() {
    let Some(world) = World::new("without_the_action_the_path_is_ignored") else { return };
    let container = world.container("a", |value| {
        config::deny(value, "personality", 99);
        value["linux"]["seccomp"]["listenerPath"] = json!("/there/is/nobody\0");
        value["linux"]["seccomp"]["listenerMetadata"] = json!("some metadata");
    });
    container.run(&[]).ok();
}

#[test]
fn the_annotation_of_crun_names_the_agent() {
    let Some(world) = World::new("the_annotation_of_crun_names_the_agent") else { return };
    let agent = Agent::new(&world);
    let annotated = |path: &str| {
        let path = path.to_owned();
        move |value: &mut Value| {
            notify(value, "", &["personality"]);
            value["linux"]["seccomp"]["listenerMetadata"] = json!(null);
            value["annotations"] = json!({ "run.oci.seccomp.receiver": path });
            personality_is_tried(value);
        }
    };
    let relative = world.container("a", annotated("agent"));
    relative.create().finds(
        "the seccomp receiver \"agent\" is not an absolute path",
        "/annotations/run.oci.seccomp.receiver",
    );
    let container = world.container("a", annotated(agent.path()));
    let answers = agent.serve(|_| Reply::Fail(ANSWER));
    assert_eq!(container.run(&[]).ok().json()["personality"], "EADDRNOTAVAIL");
    let (state, _) = answers.join().expect("the agent");
    assert!(state.get("metadata").is_none(), "{state}");
}

#[test]
fn a_profile_that_cannot_be_handed_over_is_refused() {
    let Some(world) = World::new("a_profile_that_cannot_be_handed_over_is_refused") else { return };
    let finds = |change: fn(&mut Value), message: &str, pointer: &str| {
        let container = world.container("a", |value| {
            notify(value, "/agent", &["personality"]);
            change(&mut value["linux"]["seccomp"]);
        });
        container.create().finds(message, pointer);
    };
    finds(
        |seccomp| seccomp["defaultAction"] = json!("SCMP_ACT_NOTIFY"),
        "SCMP_ACT_NOTIFY cannot be used as default action: the listener could not be handed over",
        "/linux/seccomp/defaultAction",
    );
    finds(
        |seccomp| seccomp["syscalls"][0]["names"] = json!(["read", "write"]),
        "SCMP_ACT_NOTIFY cannot be used for the write syscall: \
         with it the listener is announced, and nobody listens yet",
        "/linux/seccomp/syscalls/0/names/1",
    );
    finds(
        |seccomp| {
            seccomp["listenerPath"] = json!(null);
            seccomp["listenerMetadata"] = json!(null);
        },
        "SCMP_ACT_NOTIFY needs a listenerPath: nobody else could answer",
        "/linux/seccomp/syscalls",
    );
    finds(
        |seccomp| {
            seccomp["listenerPath"] = json!("");
            seccomp["syscalls"][0]["action"] = json!("SCMP_ACT_ERRNO");
        },
        "listenerMetadata must not be set without listenerPath",
        "/linux/seccomp/listenerMetadata",
    );
    finds(
        |seccomp| seccomp["listenerPath"] = json!("/agent\0"),
        "the path holds a NUL character",
        "/linux/seccomp/listenerPath",
    );
}

#[test]
fn a_wait_that_only_death_ends_can_be_asked_for() {
    let Some(world) = World::new("a_wait_that_only_death_ends_can_be_asked_for") else { return };
    let agent = Agent::new(&world);
    let container = world.container("a", |value| {
        notify(value, agent.path(), &["personality"]);
        value["linux"]["seccomp"]["flags"] = json!(["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]);
        personality_is_tried(value);
    });
    let answers = agent.serve(|_| Reply::Fail(ANSWER));
    let tried = container.run(&[]).ok().json();
    assert_eq!(tried["personality"], "EADDRNOTAVAIL");
    answers.join().expect("the agent");
    eventually("the container is gone", || container.state().status != 0);
}
