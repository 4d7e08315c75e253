//! The five sets, and no_new_privs.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::world::runtime::Runtime;
use crate::world::{World, config};
use crate_run::feature::capabilities;

fn names(caps: &Value, set: &str) -> Vec<String> {
    let mut names: Vec<String> = serde_json::from_value(caps[set]["names"].clone()).expect("names");
    names.sort();
    names
}

#[test]
fn root_gets_the_bounding_set_and_nothing_else() {
    let Some(world) = World::new("root_gets_the_bounding_set_and_nothing_else") else { return };
    let caps = world.report(&["caps"], |_| {})["caps"].clone();
    let mut docker = config::DOCKER.map(str::to_owned);
    docker.sort();
    for set in ["bounding", "effective", "permitted"] {
        assert_eq!(names(&caps, set), docker, "{set}");
    }
    for set in ["inheritable", "ambient"] {
        assert_eq!(names(&caps, set), Vec::<String>::new(), "{set}");
    }
    assert_eq!(caps["securebits"], 0);
}

#[test]
fn each_set_is_its_own() {
    let Some(world) = World::new("each_set_is_its_own") else { return };
    let sets = |user: u32, no_new_privileges: bool| {
        world.report(&["caps"], |value| {
            value["process"]["user"]["uid"] = json!(user);
            value["process"]["noNewPrivileges"] = json!(no_new_privileges);
            value["process"]["capabilities"] = json!({
                "bounding": ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW", "CAP_NET_BIND_SERVICE", "CAP_SETUID"],
                "permitted": ["CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
                "effective": ["CAP_CHOWN"],
                "inheritable": ["CAP_NET_BIND_SERVICE", "CAP_KILL"],
                "ambient": ["CAP_NET_BIND_SERVICE"]
            });
        })["caps"]
            .clone()
    };
    // What execve(2) makes of them for a user who is not root: capabilities(7), "Transformation".
    let user = sets(1000, false);
    let bounding = ["CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETUID"];
    assert_eq!(names(&user, "bounding"), bounding);
    assert_eq!(names(&user, "inheritable"), ["CAP_KILL", "CAP_NET_BIND_SERVICE"]);
    for set in ["ambient", "permitted", "effective"] {
        assert_eq!(names(&user, set), ["CAP_NET_BIND_SERVICE"], "{set}");
    }
    // Root's programs get the bounding set, but with no_new_privs nothing that was not permitted.
    let (root, bound) = (sets(0, false), sets(0, true));
    assert_eq!(names(&root, "permitted"), bounding);
    assert_eq!(names(&bound, "permitted"), ["CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE"]);
    assert_eq!(names(&bound, "bounding"), bounding);
    assert_eq!(names(&root, "ambient"), ["CAP_NET_BIND_SERVICE"]);
}

#[test]
fn no_capabilities_are_none() {
    let Some(world) = World::new("no_capabilities_are_none") else { return };
    let caps = world.report(&["caps"], |value| config::capabilities(value, &[]))["caps"].clone();
    for set in ["bounding", "effective", "permitted", "inheritable", "ambient"] {
        assert_eq!(names(&caps, set), Vec::<String>::new(), "{set}");
    }
}

#[test]
fn what_a_capability_allows_can_be_done() {
    let Some(world) = World::new("what_a_capability_allows_can_be_done") else { return };
    let tries = |caps: &[&str]| -> Value {
        let words =
            ["/bin/probe", "try-all", "chroot", "mknod-null", "socket-raw", "bind-port-80", "sethostname"];
        let said = world.says(&words, |value| config::capabilities(value, caps));
        serde_json::from_str(&said).expect("JSON")
    };
    let none = tries(&[]);
    for name in ["chroot", "mknod-null", "socket-raw", "sethostname"] {
        assert_eq!(none[name], "EPERM", "{none}");
    }
    assert_eq!(none["bind-port-80"], "EACCES", "{none}");
    let docker = tries(&config::DOCKER);
    for name in ["chroot", "mknod-null", "socket-raw", "bind-port-80"] {
        assert_eq!(docker[name], "ok", "{docker}");
    }
    assert_eq!(docker["sethostname"], "EPERM", "{docker}");
}

#[test]
fn an_unknown_capability_is_a_warning() {
    let Some(world) = World::new("an_unknown_capability_is_a_warning") else { return };
    let container = world.container("a", |value| {
        config::runs(value, &["/bin/probe", "caps"]);
        config::capabilities(value, &["CAP_CHOWN", "CAP_FROM_THE_FUTURE"]);
    });
    let output = container.run(&[]).ok();
    assert_eq!(names(&output.json(), "effective"), ["CAP_CHOWN"]);
    for set in ["bounding", "effective", "permitted"] {
        let at = format!("/process/capabilities/{set}/1");
        let line =
            format!(r#"crate-run: warning: {at}: unknown capability "CAP_FROM_THE_FUTURE" is ignored"#);
        assert!(output.stderr.lines().any(|said| said == line), "{}", output.stderr);
    }
}

/// What cannot be granted is a warning that says why, and the rest is granted (config.md, Linux process).
#[test]
fn what_cannot_be_granted_is_a_warning() {
    let Some(world) = World::new("what_cannot_be_granted_is_a_warning") else { return };
    let container = world.container("a", |value| {
        config::runs(value, &["/bin/probe", "caps"]);
        value["process"]["user"]["uid"] = json!(1000);
        value["process"]["capabilities"] = json!({
            "bounding": ["CAP_CHOWN", "CAP_KILL"],
            "permitted": ["CAP_CHOWN", "CAP_KILL"],
            "effective": ["CAP_CHOWN", "CAP_FOWNER"],
            "inheritable": ["CAP_KILL", "CAP_CHOWN", "CAP_FOWNER"],
            "ambient": ["CAP_KILL", "CAP_FOWNER"]
        });
    });
    let output = container.run(&[]).ok();
    let caps = output.json();
    assert_eq!(names(&caps, "inheritable"), ["CAP_CHOWN", "CAP_KILL"]);
    assert_eq!(names(&caps, "ambient"), ["CAP_KILL"]);
    assert_eq!(names(&caps, "effective"), ["CAP_KILL"], "of a user's program only what is ambient");
    for (set, reason) in [
        ("effective", "what is effective must be permitted"),
        ("inheritable", "what is inheritable must be in the bounding set"),
        ("ambient", "what is ambient must be permitted and inheritable"),
    ] {
        let line = format!(
            "crate-run: warning: /process/capabilities/{set}: the {set} set cannot have CAP_FOWNER: {reason}"
        );
        assert!(output.stderr.lines().any(|said| said == line), "{line}\n{}", output.stderr);
    }
}

/// A runtime that lacks a capability cannot pass it on.
#[test]
fn what_the_runtime_lacks_is_a_warning() {
    let test = "what_the_runtime_lacks_is_a_warning";
    let Some(world) = World::new(test) else { return };
    let help = std::process::Command::new("setpriv").arg("--help").output();
    if !help.is_ok_and(|help| String::from_utf8_lossy(&help.stdout).contains("--bounding-set")) {
        return crate::world::skip(test, "setpriv(1) here cannot take a capability away");
    }
    let container = world.container("a", |value| {
        config::runs(value, &["/bin/probe", "caps"]);
        config::capabilities(value, &["CAP_CHOWN", "CAP_SYSLOG"]);
    });
    let bundle = container.bundle.to_str().expect("UTF-8");
    let without = ["setpriv", "--bounding-set", "-syslog"];
    let output = Runtime::within(&world, &without).words(&["run", "--bundle", bundle, "a"]).run().ok();
    assert_eq!(names(&output.json(), "bounding"), ["CAP_CHOWN"]);
    for set in ["bounding", "permitted", "effective"] {
        let words = format!("the {set} set cannot have CAP_SYSLOG: crate-run does not have them to give");
        assert!(output.stderr.contains(&words), "{}", output.stderr);
    }
}

/// Without the member the sets are left alone: root keeps what the runtime has, another user has nothing.
#[test]
fn capabilities_that_are_not_mentioned_are_left_alone() {
    let Some(world) = World::new("capabilities_that_are_not_mentioned_are_left_alone") else { return };
    let caps = |uid: u32, absent: Value| {
        let report = world.report(&["caps"], |value| {
            value["process"]["user"]["uid"] = json!(uid);
            value["process"]["capabilities"] = absent;
        });
        report["caps"].clone()
    };
    let status = fs::read_to_string("/proc/self/status").expect("the status of this test");
    let own = status.lines().find_map(|line| line.strip_prefix("CapBnd:")).expect("the field").trim();
    let own: Vec<String> = capabilities::names(u64::from_str_radix(own, 16).expect("hexadecimal"));
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    let root = caps(0, Value::Null);
    assert_eq!(names(&root, "bounding"), sorted(own.clone()));
    assert_eq!(names(&root, "effective"), sorted(own.clone()));
    let user = caps(1000, Value::Null);
    assert_eq!(names(&user, "bounding"), sorted(own));
    assert_eq!(names(&user, "effective"), Vec::<String>::new());
    assert_eq!(names(&caps(0, json!({})), "bounding"), Vec::<String>::new(), "an empty object takes all");
}

#[test]
fn no_new_privs_takes_the_power_from_setuid_programs() {
    let Some(world) = World::new("no_new_privs_takes_the_power_from_setuid_programs") else { return };
    let rootfs = world.own_rootfs();
    let program = rootfs.join("bin/setuid-probe");
    fs::copy(rootfs.join("bin/probe"), &program).expect("a copy");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).expect("mode");
    let effective = |flag: bool| {
        let said = world.says(&["/bin/setuid-probe", "report", "ids", "caps"], |value| {
            value["root"] = json!({ "path": rootfs });
            value["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
            value["process"]["noNewPrivileges"] = json!(flag);
        });
        let report: Value = serde_json::from_str(&said).expect("JSON");
        assert_eq!(report["caps"]["no_new_privs"], flag);
        report["ids"]["uid"]["effective"].clone()
    };
    assert_eq!((effective(true), effective(false)), (json!(1000), json!(0)));
}
