//! Seccomp filters, seen by what becomes of system calls.

use serde_json::{Value, json};

use crate::world::{World, config};

fn tries(world: &World, names: &[&str], change: impl FnOnce(&mut Value)) -> Value {
    let said = world.says(&[&["/bin/probe", "try-all"], names].concat(), change);
    serde_json::from_str(&said).expect("JSON")
}

#[test]
fn a_denied_call_gives_its_errno_with_and_without_no_new_privs() {
    let Some(world) = World::new("a_denied_call_gives_its_errno_with_and_without_no_new_privs") else {
        return;
    };
    for (no_new_privileges, uid) in [(true, 0), (false, 0), (true, 1000), (false, 1000)] {
        let change = |value: &mut Value| {
            config::deny(value, "personality", 99);
            value["process"]["noNewPrivileges"] = json!(no_new_privileges);
            value["process"]["user"]["uid"] = json!(uid);
        };
        let tried = tries(&world, &["personality", "openat2"], change);
        // 99 is EADDRNOTAVAIL: nothing else answers that here.
        let expected = json!({ "personality": "EADDRNOTAVAIL", "openat2": "ok" });
        assert_eq!(tried, expected, "noNewPrivileges {no_new_privileges}, user {uid}");
        let report = world.report(&["seccomp", "caps"], change);
        assert_eq!(report["seccomp"], json!({ "mode": "filter", "filters": 1 }));
        assert_eq!(report["caps"]["no_new_privs"], no_new_privileges);
    }
}

#[test]
fn without_a_profile_there_is_no_filter() {
    let Some(world) = World::new("without_a_profile_there_is_no_filter") else { return };
    let report = world.report(&["seccomp"], |_| {});
    assert_eq!(report["seccomp"]["mode"], "disabled");
    assert_eq!(tries(&world, &["personality"], |_| {})["personality"], "ok");
}

#[test]
fn the_profile_of_docker_refuses_what_it_should() {
    let Some(world) = World::new("the_profile_of_docker_refuses_what_it_should") else { return };
    let refused = [
        "keyctl",
        "add-key",
        "unshare-user",
        "bpf",
        "acct",
        "setns-of-pid1",
        "open-tree",
        "fsopen",
        "fanotify",
    ];
    let allowed = ["openat2", "pidfd-open", "chroot", "signal-pid1", "mkfifo", "bind-port-80"];
    let tried = tries(&world, &[&refused[..], &allowed].concat(), |value| {
        value["linux"]["seccomp"] = world.docker_profile();
    });
    for name in refused {
        assert_eq!(tried[name], "EPERM", "{name}: {tried}");
    }
    for name in allowed {
        assert_eq!(tried[name], "ok", "{name}: {tried}");
    }
    let unfiltered = tries(&world, &["keyctl", "unshare-user"], |_| {});
    assert_eq!(unfiltered["unshare-user"], "ok", "it was the filter that refused: {unfiltered}");
}

#[test]
fn arguments_decide() {
    let Some(world) = World::new("arguments_decide") else { return };
    // AF_VSOCK is 40; all other sockets are allowed.
    let tried = tries(&world, &["socket-raw", "socket-vsock"], |value| {
        config::deny(value, "socket", 97);
        value["linux"]["seccomp"]["syscalls"][0]["args"] =
            json!([{ "index": 0, "value": 40, "op": "SCMP_CMP_EQ" }]);
    });
    assert_eq!(tried, json!({ "socket-raw": "ok", "socket-vsock": "EAFNOSUPPORT" }));
}

#[test]
fn a_killing_filter_ends_with_sigsys() {
    let Some(world) = World::new("a_killing_filter_ends_with_sigsys") else { return };
    for action in ["SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_KILL", "SCMP_ACT_TRAP"] {
        let container = world.container("a", |value| {
            config::deny(value, "personality", 1);
            let rule = json!({ "names": ["personality"], "action": action });
            value["linux"]["seccomp"]["syscalls"][0] = rule;
            config::runs(value, &["/bin/probe", "try", "personality"]);
        });
        container.run(&[]).exits(128 + 31);
    }
}

/// The filter refuses the program and the end of the process: it ends all the same, and says why.
#[test]
fn a_filter_that_refuses_to_let_the_process_end_does_not_keep_it() {
    let Some(world) = World::new("a_filter_that_refuses_to_let_the_process_end_does_not_keep_it") else {
        return;
    };
    let container = world.container("a", |value| {
        config::deny(value, "execve", 1);
        value["linux"]["seccomp"]["syscalls"][0]["names"] =
            json!(["execve", "execveat", "exit_group", "exit"]);
    });
    container.run(&[]).fails_at("exec /bin/true: operation not permitted", "/process/args");
}

/// Two profiles that differ in one word: the names of calls that this kernel does not have are passed over.
#[test]
fn unknown_names_are_passed_over() {
    let Some(world) = World::new("unknown_names_are_passed_over") else { return };
    let tried = tries(&world, &["personality"], |value| {
        config::deny(value, "personality", 99);
        value["linux"]["seccomp"]["syscalls"][0]["names"] = json!(["call_from_the_future", "personality"]);
    });
    assert_eq!(tried["personality"], "EADDRNOTAVAIL");
}
