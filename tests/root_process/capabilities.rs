//! The five sets, and no_new_privs.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::world::{World, config};

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
