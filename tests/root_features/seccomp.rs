//! The words of `linux.seccomp`: each in a profile, and what becomes of personality(2).

use serde_json::{Value, json};

use crate::agent::Agent;
use crate::world::{World, config};
use crate::{value, words};

const NATIVE: &str = if cfg!(target_arch = "x86_64") { "SCMP_ARCH_X86_64" } else { "SCMP_ARCH_AARCH64" };
/// EADDRNOTAVAIL: nothing else answers that here.
const ANSWER: u32 = 99;
/// ADDR_NO_RANDOMIZE of personality(2), which the probe sets.
const ARGUMENT: u64 = 0x0040000;

/// What becomes of the call under this rule: `ok`, the name of an errno, or the exit status.
fn outcome(world: &World, rule: Value, change: impl FnOnce(&mut Value)) -> String {
    let container = world.container("a", |value| {
        let profile =
            json!({ "defaultAction": "SCMP_ACT_ALLOW", "architectures": [NATIVE], "syscalls": [rule] });
        value["linux"]["seccomp"] = profile;
        config::runs(value, &["/bin/probe", "try-all", "personality"]);
        change(value);
    });
    let output = container.run(&[]);
    match output.status {
        0 => output.json()["personality"].as_str().expect("a word").to_owned(),
        status => status.to_string(),
    }
}

fn rule(action: &str) -> Value {
    json!({ "names": ["personality"], "action": action })
}

fn nothing(_: &mut Value) {}

#[test]
fn every_action_does_what_it_says() {
    let Some(world) = World::new("every_action_does_what_it_says") else { return };
    assert_eq!(value(&world, "/linux/seccomp/enabled"), true);
    for action in words(&world, "/linux/seccomp/actions") {
        let agent = (action == "SCMP_ACT_NOTIFY").then(|| Agent::new(&world));
        let path = agent.as_ref().map(|agent| agent.path().to_owned());
        // An agent that takes the listener and dies: the call is answered ENOSYS (seccomp_unotify(2)).
        let dies = agent.map(|agent| std::thread::spawn(move || drop(agent.accept())));
        let change = |config: &mut Value| {
            if let Some(path) = path {
                config["linux"]["seccomp"]["listenerPath"] = json!(path);
            }
        };
        let expected = match action.as_str() {
            "SCMP_ACT_ALLOW" | "SCMP_ACT_LOG" => "ok",
            "SCMP_ACT_ERRNO" => "EPERM",
            "SCMP_ACT_KILL" | "SCMP_ACT_KILL_PROCESS" | "SCMP_ACT_KILL_THREAD" | "SCMP_ACT_TRAP" => {
                "killed by SIGSYS"
            }
            // Without a tracer, and without an agent.
            "SCMP_ACT_TRACE" | "SCMP_ACT_NOTIFY" => "ENOSYS",
            other => panic!("no driver for the action {other}"),
        };
        assert_eq!(outcome(&world, rule(&action), change), expected, "{action}");
        if let Some(agent) = dies {
            agent.join().expect("the agent has got its listener");
        }
    }
}

#[test]
fn every_operator_compares() {
    let Some(world) = World::new("every_operator_compares") else { return };
    let (less, same, more) = (ARGUMENT - 1, ARGUMENT, 1 << 40);
    for operator in words(&world, "/linux/seccomp/operators") {
        // (value, valueTwo) for which the comparison holds, and for which it does not.
        let [holds, fails] = match operator.as_str() {
            "SCMP_CMP_EQ" => [(same, 0), (more, 0)],
            "SCMP_CMP_NE" => [(more, 0), (same, 0)],
            "SCMP_CMP_LT" => [(more, 0), (same, 0)],
            "SCMP_CMP_LE" => [(same, 0), (less, 0)],
            "SCMP_CMP_GE" => [(same, 0), (more, 0)],
            "SCMP_CMP_GT" => [(less, 0), (same, 0)],
            "SCMP_CMP_MASKED_EQ" => [(same, same), (same, 0)],
            other => panic!("no driver for the operator {other}"),
        };
        for ((value, second), expected) in [(holds, "EADDRNOTAVAIL"), (fails, "ok")] {
            let mut rule = rule("SCMP_ACT_ERRNO");
            rule["errnoRet"] = json!(ANSWER);
            rule["args"] = json!([{ "index": 0, "value": value, "valueTwo": second, "op": operator }]);
            assert_eq!(outcome(&world, rule, nothing), expected, "{operator} {value:#x} {second:#x}");
        }
    }
}

/// An architecture whose programs this machine does not run is a warning, and the filter is the same.
#[test]
fn every_architecture_may_be_listed() {
    let Some(world) = World::new("every_architecture_may_be_listed") else { return };
    for architecture in words(&world, "/linux/seccomp/archs") {
        let change = |config: &mut Value| {
            config["linux"]["seccomp"]["architectures"] = json!([architecture]);
        };
        assert_eq!(outcome(&world, rule("SCMP_ACT_ERRNO"), change), "EPERM", "{architecture}");
    }
}

#[test]
fn every_flag_is_taken() {
    let Some(world) = World::new("every_flag_is_taken") else { return };
    let supported = words(&world, "/linux/seccomp/supportedFlags");
    let known = words(&world, "/linux/seccomp/knownFlags");
    assert!(supported.iter().all(|flag| known.contains(flag)), "{supported:?} of {known:?}");
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().unwrap_or(0));
    let kernel: (u32, u32) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    for flag in known {
        if flag == "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" && kernel < (5, 19) {
            crate::world::skip("every_flag_is_taken", &format!("Linux {release} does not know {flag}"));
            continue;
        }
        let change = |config: &mut Value| config["linux"]["seccomp"]["flags"] = json!([flag]);
        assert_eq!(outcome(&world, rule("SCMP_ACT_ERRNO"), change), "EPERM", "{flag}");
    }
}

#[test]
fn every_unsafe_annotation_changes_something() {
    let Some(world) = World::new("every_unsafe_annotation_changes_something") else { return };
    for name in words(&world, "/potentiallyUnsafeConfigAnnotations") {
        match name.as_str() {
            "run.oci.seccomp.receiver" => {
                let agent = Agent::new(&world);
                let path = agent.path().to_owned();
                let dies = std::thread::spawn(move || drop(agent.accept()));
                let change = |config: &mut Value| config["annotations"][&name] = json!(path);
                assert_eq!(outcome(&world, rule("SCMP_ACT_NOTIFY"), change), "ENOSYS");
                dies.join().expect("the agent has got its listener");
            }
            "run.oci.seccomp_fail_unknown_syscall" => {
                let rule = json!({ "names": ["call_from_the_future"], "action": "SCMP_ACT_ERRNO" });
                assert_eq!(outcome(&world, rule.clone(), nothing), "ok");
                let change = |config: &mut Value| config["annotations"][&name] = json!("1");
                assert_eq!(outcome(&world, rule, change), "1");
            }
            // What systemd is told: a bad value is refused before anybody asks systemd.
            "org.systemd.property." => {
                let container = world.container("a", |config| {
                    config["annotations"] = json!({ "org.systemd.property.KillMode": "no text" });
                });
                let words = ["--systemd-cgroup", "explain"];
                let said = world.runtime().words(&words).path(&container.bundle).run().exits(1);
                assert!(said.stderr.contains("the property KillMode cannot be"), "{}", said.stderr);
            }
            other => panic!("no driver for the annotation {other}"),
        }
    }
}
