//! Namespaces: new, joined by path, left to the host.

use std::fs;

use serde_json::{Value, json};

use crate::world::{World, config};

/// The words of config.json, and the names in /proc/PID/ns.
const KINDS: [(&str, &str); 6] = [
    ("pid", "pid"),
    ("network", "net"),
    ("mount", "mnt"),
    ("ipc", "ipc"),
    ("uts", "uts"),
    ("cgroup", "cgroup"),
];

/// The namespace of a process as the kernel names it: `pid:[4026531836]`.
fn link(pid: &str, file: &str) -> String {
    let link = fs::read_link(format!("/proc/{pid}/ns/{file}")).expect("a namespace");
    link.to_str().expect("UTF-8").to_owned()
}

fn inside(report: &Value, file: &str) -> String {
    report["namespaces"][file]["link"].as_str().unwrap_or_else(|| panic!("{report}")).to_owned()
}

#[test]
fn those_that_are_listed_are_new_and_no_others() {
    let Some(world) = World::new("those_that_are_listed_are_new_and_no_others") else { return };
    let report = world.report(&["namespaces", "process"], |_| {});
    for (_, file) in KINDS {
        assert_ne!(inside(&report, file), link("self", file), "{file}");
    }
    for file in ["user", "time"] {
        assert_eq!(inside(&report, file), link("self", file), "{file}");
    }
    assert_eq!(report["namespaces"]["pid_seen_inside"], 1);
    assert_eq!(report["process"]["ppid"], 0);
    assert_eq!(inside(&report, "pid_for_children"), inside(&report, "pid"));
}

#[test]
fn one_that_is_not_listed_is_the_hosts() {
    let Some(world) = World::new("one_that_is_not_listed_is_the_hosts") else { return };
    for (kind, _) in KINDS.iter().filter(|(kind, _)| *kind != "mount") {
        let report = world.report(&["namespaces"], |value| {
            config::without_namespace(value, kind);
            value.as_object_mut().expect("an object").remove("hostname");
        });
        for (other, other_file) in KINDS {
            let shared = inside(&report, other_file) == link("self", other_file);
            assert_eq!(shared, other == *kind, "{other} when {kind} is not listed");
        }
    }
}

#[test]
fn an_empty_path_means_new() {
    let Some(world) = World::new("an_empty_path_means_new") else { return };
    let report = world.report(&["namespaces"], |value| config::namespace(value, "network", Some("")));
    assert_ne!(inside(&report, "net"), link("self", "net"));
}

#[test]
fn one_with_a_path_is_joined() {
    let Some(world) = World::new("one_with_a_path_is_joined") else { return };
    let holder = world.container("holder", |value| {
        config::sleeps(value);
        config::namespace(value, "time", None);
    });
    holder.run(&["--detach"]).ok();
    let pid = holder.pid().to_string();
    let kinds = KINDS.iter().filter(|(kind, _)| *kind != "mount").chain([&("time", "time")]);
    let path = |file: &str| format!("/proc/{pid}/ns/{file}");
    for (kind, file) in kinds.clone() {
        let report = world.report(&["namespaces"], |value| {
            value.as_object_mut().expect("an object").remove("hostname");
            config::namespace(value, kind, Some(&path(file)));
        });
        assert_eq!(inside(&report, file), link(&pid, file), "{kind}");
        assert_eq!(report["namespaces"]["pid_seen_inside"] == 1, *kind != "pid", "{kind}");
    }
    let report = world.report(&["namespaces", "net", "uts"], |value| {
        value.as_object_mut().expect("an object").remove("hostname");
        kinds.clone().for_each(|(kind, file)| config::namespace(value, kind, Some(&path(file))));
    });
    for (kind, file) in kinds {
        assert_eq!(inside(&report, file), link(&pid, file), "{kind}, all at once");
    }
    assert_eq!(report["uts"]["hostname"], "inside", "it was the holder who set it");
    assert_eq!(report["net"]["lo"]["up"], true);
    holder.finish();
}

#[test]
fn a_hostname_renames_a_joined_namespace() {
    let Some(world) = World::new("a_hostname_renames_a_joined_namespace") else { return };
    let holder = world.container("holder", config::sleeps);
    holder.run(&["--detach"]).ok();
    let path = format!("/proc/{}/ns/uts", holder.pid());
    let report = world.report(&["uts"], |value| {
        config::namespace(value, "uts", Some(&path));
        value["hostname"] = json!("renamed");
    });
    assert_eq!(report["uts"]["hostname"], "renamed");
    holder.finish();
}

#[test]
fn a_path_of_another_kind_is_an_error() {
    let Some(world) = World::new("a_path_of_another_kind_is_an_error") else { return };
    let cases = [
        ("network", "/proc/self/ns/uts", "it is the uts namespace of a process"),
        ("ipc", "/dev/null", "it is no namespace"),
    ];
    for (kind, path, reason) in cases {
        let container = world.container("a", |value| config::namespace(value, kind, Some(path)));
        let sentence = format!("cannot open the {kind} namespace {path}: {reason}");
        container.create().fails_at(&sentence, "/linux/namespaces/5/path");
    }
}

#[test]
fn the_container_is_the_root_of_its_cgroup_namespace() {
    let Some(world) = World::new("the_container_is_the_root_of_its_cgroup_namespace") else { return };
    let report = world.report(&["cgroup"], |_| {});
    let unified = |report: &Value| {
        let all = report["cgroup"].as_array().expect("hierarchies").clone();
        all.into_iter().find(|one| one["controllers"] == "").expect("the unified hierarchy")
    };
    assert_eq!(unified(&report)["path"], "/");
    assert_eq!(unified(&report)["files"]["cgroup.procs"], "1", "the mount shows its own cgroup");
    let report = world.report(&["cgroup"], |value| config::without_namespace(value, "cgroup"));
    assert_eq!(unified(&report)["path"], format!("/{}/report", world.tag));
}

#[test]
fn a_new_network_has_only_loopback_and_it_is_up() {
    let Some(world) = World::new("a_new_network_has_only_loopback_and_it_is_up") else { return };
    let report = world.report(&["net"], |_| {});
    let names: Vec<&String> = report["net"].as_object().expect("interfaces").keys().collect();
    assert_eq!(names, ["lo"]);
    assert_eq!((&report["net"]["lo"]["up"], &report["net"]["lo"]["running"]), (&json!(true), &json!(true)));
    assert_eq!(report["net"]["lo"]["addresses"][0], "127.0.0.1/8");
}

#[test]
fn clocks_are_moved_by_their_offsets() {
    let Some(world) = World::new("clocks_are_moved_by_their_offsets") else { return };
    let report = world.report(&["namespaces", "clocks"], |value| {
        config::namespace(value, "time", None);
        let (monotonic, boottime) = (json!({ "secs": 86_400 }), json!({ "secs": 172_800, "nanosecs": 500 }));
        value["linux"]["timeOffsets"] = json!({ "monotonic": monotonic, "boottime": boottime });
    });
    let offsets = &report["namespaces"]["timens_offsets"];
    assert_eq!(*offsets, json!({ "monotonic": [86_400, 0], "boottime": [172_800, 500] }));
    let uptime = fs::read_to_string("/proc/uptime").expect("uptime");
    let host: f64 = uptime.split(' ').next().expect("a number").parse().expect("a number");
    let moved = |clock: &str| report["clocks"][clock].as_f64().expect("seconds") - host;
    assert!((moved("monotonic") - 86_400.0).abs() < 3600.0, "{report}");
    assert!((moved("boottime") - 172_800.0).abs() < 3600.0, "{report}");
    assert_ne!(inside(&report, "time"), link("self", "time"));
    assert_eq!(inside(&report, "time"), inside(&report, "time_for_children"));
}

/// What belongs to others: processes, System V segments, abstract sockets.
#[test]
fn nobody_else_is_seen() {
    let Some(world) = World::new("nobody_else_is_seen") else { return };
    let other = world.container("other", config::sleeps);
    other.run(&["--detach"]).ok();
    let script = "for p in /proc/[0-9]*; do cat $p/comm; done; cat /proc/net/unix | wc -l";
    let said = world.says(&["sh", "-c", script], |_| {});
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines, ["sh", "1"], "only itself, and no socket but the head of the table");
    other.finish();
}
