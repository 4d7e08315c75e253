//! Namespaces: new, joined by path, left to the host.

use std::fs;
use std::os::unix::fs::MetadataExt;

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
    let all = KINDS.iter().chain([&("user", "user"), &("time", "time")]);
    for (kind, _) in all {
        let (other, other_file) = if *kind == "uts" { ("network", "net") } else { ("uts", "uts") };
        let path = format!("/proc/self/ns/{other_file}");
        let container = world.container("a", |value| config::namespace(value, kind, Some(&path)));
        let place = container.namespace_path();
        let sentence = format!("{path} is a {other} namespace, not a {kind} namespace");
        container.create().finds(&sentence, &place);
    }
}

#[test]
fn a_path_to_no_namespace_is_an_error() {
    let Some(world) = World::new("a_path_to_no_namespace_is_an_error") else { return };
    let file = world.file("file");
    fs::write(&file, "").expect("a file");
    let shown = file.to_str().expect("UTF-8");
    let vanished = format!("{shown}-vanished");
    for (path, sentence) in [
        ("/dev/null", "/dev/null is no namespace".to_owned()),
        (shown, format!("{shown} is no namespace")),
        (&vanished, format!("the namespace {vanished} cannot be opened: no such file or directory (ENOENT)")),
        ("proc/self/ns/net", "the namespace path \"proc/self/ns/net\" is not absolute".to_owned()),
    ] {
        let container = world.container("a", |value| config::namespace(value, "network", Some(path)));
        container.create().finds(&sentence, &container.namespace_path());
    }
    let container = world.container("a", |value| {
        let namespaces = value["linux"]["namespaces"].as_array_mut().expect("a list");
        namespaces.push(json!({ "type": "uts" }));
    });
    container.create().finds("the namespace type \"uts\" is listed twice", "/linux/namespaces/6");
}

/// The path of a namespace in which the runtime stands is as if the type were not listed.
#[test]
fn a_path_to_the_runtimes_own_is_no_namespace_of_the_containers_own() {
    let name = "a_path_to_the_runtimes_own_is_no_namespace_of_the_containers_own";
    let Some(world) = World::new(name) else { return };
    let report = world.report(&["namespaces"], |value| {
        value.as_object_mut().expect("an object").remove("hostname");
        for (kind, file) in [("uts", "uts"), ("user", "user"), ("pid", "pid"), ("time", "time")] {
            config::namespace(value, kind, Some(&format!("/proc/self/ns/{file}")));
        }
    });
    for file in ["uts", "user", "pid", "time"] {
        assert_eq!(inside(&report, file), link("self", file), "{file}");
    }
    let container = world.container("a", |value| config::namespace(value, "uts", Some("/proc/self/ns/uts")));
    container.create().finds("unable to set hostname without a private UTS namespace", "/hostname");
    let container = world.container("a", |value| {
        config::namespace(value, "network", Some("/proc/self/ns/net"));
        value["linux"]["sysctl"] = json!({ "net.ipv4.ip_forward": "1" });
    });
    let sentence = "sysctl \"net.ipv4.ip_forward\" would change the host: it needs a network namespace of the \
                    container's own";
    container.create().finds(sentence, "/linux/sysctl/net.ipv4.ip_forward");
}

/// What a process of the mount namespace sees of it.
fn mounts_of(pid: &str) -> String {
    fs::read_to_string(format!("/proc/{pid}/mountinfo")).expect("mountinfo")
}

/// A script that tells of the root, the devices and the mounts, and tries to get out.
const LOOK_AROUND: [&str; 3] = [
    "sh",
    "-c",
    "pwd; echo x >/dev/null && test -c /dev/zero && test -d /proc/1 && cat /tmp/note; \
     cat /proc/self/mountinfo; touch /etc/new 2>/dev/null && echo written; \
     chroot /tmp /bin/true 2>/dev/null; cd ../../../../../../.. && ls -d etc && readlink /proc/self/ns/mnt",
];

fn with_a_note(world: &World, value: &mut Value) {
    let note = world.file("note");
    fs::write(&note, "a note\n").expect("a file");
    config::mount(value, "/tmp", "tmpfs", "tmpfs", &[]);
    config::bind(value, &note, "/tmp/note");
    value["process"]["cwd"] = json!("/home");
}

#[test]
fn a_joined_mount_namespace_stays_as_it_is() {
    let Some(world) = World::new("a_joined_mount_namespace_stays_as_it_is") else { return };
    let holder = world.container("holder", config::sleeps);
    holder.run(&["--detach"]).ok();
    let pid = holder.pid().to_string();
    let (mounts, root) = (mounts_of(&pid), fs::metadata(format!("/proc/{pid}/root")).expect("a root"));
    let path = format!("/proc/{pid}/ns/mnt");
    let said = world.says(&LOOK_AROUND, |value| {
        config::namespace(value, "mount", Some(&path));
        with_a_note(&world, value);
    });
    assert_eq!(said, format!("/home\na note\netc\n{}\n", link(&pid, "mnt")));
    let created = world.container("b", |value| config::namespace(value, "mount", Some(&path)));
    created.create().ok();
    assert_eq!(link(&created.pid().to_string(), "mnt"), link(&pid, "mnt"), "before it is started");
    assert_eq!(mounts_of(&pid), mounts);
    created.finish();
    let now = fs::metadata(format!("/proc/{pid}/root")).expect("a root");
    assert_eq!((now.dev(), now.ino()), (root.dev(), root.ino()), "its processes keep their root");
    assert_eq!(mounts_of(&pid), mounts);
    holder.finish();
}

/// What is mounted on the host is compared by the world at its end.
#[test]
fn a_container_without_any_namespace_is_in_those_of_the_runtime() {
    let name = "a_container_without_any_namespace_is_in_those_of_the_runtime";
    let Some(world) = World::new(name) else { return };
    let none = |value: &mut Value| {
        value["linux"]["namespaces"] = json!([]);
        value.as_object_mut().expect("an object").remove("hostname");
        config::without_mount(value, "/dev/mqueue");
    };
    let report = world.report(&["namespaces"], none);
    for (_, file) in KINDS.iter().chain([&("user", "user"), &("time", "time")]) {
        assert_eq!(inside(&report, file), link("self", file), "{file}");
    }
    let container = world.container("a", |value| {
        none(value);
        with_a_note(&world, value);
        value["linux"]["maskedPaths"] = json!(["/proc/version"]);
        config::runs(value, &LOOK_AROUND);
    });
    let output = container.run(&[]).ok();
    assert_eq!(output.stdout, format!("/home\na note\netc\n{}\n", link("self", "mnt")));
    assert!(output.stderr.contains("shares the runtime's mount namespace"), "{}", output.stderr);
}

/// The mount namespace has another root than the container.
#[test]
fn exec_finds_the_root_of_a_container_that_shares_its_mount_namespace() {
    let name = "exec_finds_the_root_of_a_container_that_shares_its_mount_namespace";
    let Some(world) = World::new(name) else { return };
    let holder = world.container("holder", config::sleeps);
    holder.run(&["--detach"]).ok();
    for path in [None, Some(format!("/proc/{}/ns/mnt", holder.pid()))] {
        let container = world.container("a", |value| {
            config::without_namespace(value, "mount");
            if let Some(path) = &path {
                config::namespace(value, "mount", Some(path));
            }
            config::mount(value, "/tmp", "tmpfs", "tmpfs", &[]);
            config::runs(value, &["sh", "-c", "echo a note >/tmp/note; exec sleep 1000000"]);
        });
        container.run(&["--detach"]).ok();
        let look = "until cat /tmp/note 2>/dev/null; do sleep 0.1; done; ls -d /bin/probe; readlink /proc/self/ns/mnt";
        let output = world.run(&["exec", "a", "sh", "-c", look]).ok();
        let namespace = link(&container.pid().to_string(), "mnt");
        assert_eq!(output.stdout, format!("a note\n/bin/probe\n{namespace}\n"));
        container.finish();
    }
    holder.finish();
}

#[test]
fn what_does_not_go_with_a_shared_mount_namespace_is_found() {
    let Some(world) = World::new("what_does_not_go_with_a_shared_mount_namespace_is_found") else { return };
    let container = world.container("a", |value| {
        config::without_namespace(value, "mount");
        value["linux"]["rootfsPropagation"] = json!("unbindable");
    });
    let sentence = "an unbindable mount cannot be taken along into a mount namespace that is shared";
    let output = container.create();
    assert!(output.stderr.contains(&format!("{sentence} (/linux/rootfsPropagation)")), "{}", output.stderr);
    let container = world.container("a", |value| {
        config::userns(value);
        config::without_namespace(value, "mount");
    });
    let sentence = "a container in a user namespace has no power over a mount namespace that is not its own";
    container.create().finds(sentence, "/linux/namespaces");
}

/// In a new user namespace nobody may join what belongs to the host: the newborn has it from its parent.
#[test]
fn namespaces_of_the_host_go_with_a_new_user_namespace() {
    let Some(world) = World::new("namespaces_of_the_host_go_with_a_new_user_namespace") else { return };
    let holder = world.container("holder", |value| {
        config::sleeps(value);
        config::namespace(value, "time", None);
    });
    holder.run(&["--detach"]).ok();
    let pid = holder.pid().to_string();
    let all = [("network", "net"), ("ipc", "ipc"), ("uts", "uts"), ("time", "time"), ("cgroup", "cgroup")];
    let joins = |value: &mut serde_json::Value, kinds: &[(&str, &str)]| {
        config::userns(value);
        value.as_object_mut().expect("an object").remove("hostname");
        config::without_mount(value, "/dev/mqueue");
        for (kind, file) in kinds {
            config::namespace(value, kind, Some(&format!("/proc/{pid}/ns/{file}")));
        }
    };
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").expect("the mounts");
    let kinds = if mounts.contains("nsdelegate") {
        // There a cgroup namespace is a border that no birth crosses (cgroups(7)).
        let refused = world.container("refused", |value| joins(value, &all)).create();
        assert!(refused.stderr.contains("nsdelegate"), "{refused:?}");
        &all[..4]
    } else {
        &all[..]
    };
    let report = world.report(&["namespaces", "ids"], |value| joins(value, kinds));
    for (kind, file) in kinds {
        assert_eq!(inside(&report, file), link(&pid, file), "{kind}");
    }
    assert_ne!(inside(&report, "user"), link("self", "user"));
    assert_eq!(report["ids"]["uid"]["real"], 0);
    holder.finish();
}

/// A user namespace by path, with what it owns, with what the host owns, and with new ones.
#[test]
fn a_joined_user_namespace_goes_with_all_others() {
    let Some(world) = World::new("a_joined_user_namespace_goes_with_all_others") else { return };
    let owner = world.container("owner", |value| {
        config::userns(value);
        config::sleeps(value);
    });
    owner.run(&["--detach"]).ok();
    let of_host = world.container("of-host", config::sleeps);
    of_host.run(&["--detach"]).ok();
    let (owner_pid, host_pid) = (owner.pid().to_string(), of_host.pid().to_string());
    let report = world.report(&["namespaces", "devices", "ids"], |value| {
        let at = |pid: &str, file: &str| format!("/proc/{pid}/ns/{file}");
        config::namespace(value, "network", Some(&at(&host_pid, "net")));
        config::namespace(value, "uts", Some(&at(&owner_pid, "uts")));
        config::namespace(value, "ipc", Some(&at(&owner_pid, "ipc")));
        config::namespace(value, "user", Some(&at(&owner_pid, "user")));
        value["hostname"] = json!("renamed");
    });
    assert_eq!(inside(&report, "net"), link(&host_pid, "net"));
    for file in ["uts", "ipc", "user"] {
        assert_eq!(inside(&report, file), link(&owner_pid, file), "{file}");
    }
    for file in ["pid", "mnt", "cgroup"] {
        let found = inside(&report, file);
        let others = ["self", &owner_pid, &host_pid].map(|pid| link(pid, file));
        assert!(!others.contains(&found), "{file} is new");
    }
    assert_eq!(report["devices"]["/dev/null"]["device"], "1:3");
    assert_eq!(report["namespaces"]["uid_map"], json!([[0, config::FIRST_ID, 65536]]));
    // Its mount namespace belongs to it as well.
    let said = world.says(&["readlink", "/proc/self/ns/mnt"], |value| {
        for (kind, file) in [("user", "user"), ("mount", "mnt")] {
            config::namespace(value, kind, Some(&format!("/proc/{owner_pid}/ns/{file}")));
        }
    });
    assert_eq!(said.trim(), link(&owner_pid, "mnt"));
    owner.finish();
    of_host.finish();
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
