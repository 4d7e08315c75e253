//! Roots and namespaces of unexpected kinds.

use std::fs;

use serde_json::json;

use super::canary::{Canary, clear, end, link, refused};
use super::world::{World, config, tool};

/// A root that is the host's, a file, a link, missing, or hides behind "..".
#[test]
fn a_root_of_any_shape() {
    let Some(world) = World::new("a_root_of_any_shape") else { return };
    let (canary, root) = (Canary::new(&world), world.own_rootfs());
    let name = root.file_name().expect("a name").to_string_lossy().into_owned();
    for path in ["/", "/..", "//", "/proc/self/root", "missing", "", "../canary/file", "/dev/null"] {
        refused(&world.container("root", |value| value["root"] = json!({ "path": path })).run(&[]), path);
        canary.sings(path);
    }
    link(&root.display().to_string(), &world.file("linked"));
    for path in ["../linked".to_owned(), format!("../canary/../{name}"), format!("../{name}/bin/..")] {
        let container = world.container("root", |value| {
            value["root"] = json!({ "path": path });
            config::runs(value, &["/bin/true"]);
        });
        container.run(&[]).ok();
    }
    clear(&world.file("linked"));
}

/// On a filesystem that forbids programs, or cannot be written, or has mounts in it.
#[test]
fn a_root_on_any_filesystem() {
    let Some(world) = World::new("a_root_on_any_filesystem") else { return };
    let (root, place) = (world.own_rootfs(), world.file("place"));
    fs::create_dir(&place).expect("a directory");
    let (from, to) = (root.to_str().expect("UTF-8"), place.to_str().expect("UTF-8"));
    for (options, runs) in [("ro", true), ("noexec", false), ("nosuid,nodev", true)] {
        tool(&["mount", "--bind", from, to]);
        tool(&["mount", "-o", &format!("remount,bind,{options}"), to]);
        let container = world.container("root", |value| {
            value["root"] = json!({ "path": place });
            config::runs(value, &["/bin/true"]);
        });
        let output = container.run(&[]);
        tool(&["umount", to]);
        assert_eq!(output.status == 0, runs, "{options}: {}", output.stderr);
    }
    tool(&["mount", "-t", "tmpfs", "hidden", &format!("{from}/mnt")]);
    let said = world.says(&["/bin/sh", "-c", "ls -A /mnt; grep -c ' /mnt ' /proc/self/mountinfo"], |value| {
        value["root"] = json!({ "path": root });
    });
    tool(&["umount", &format!("{from}/mnt")]);
    assert_eq!(said.trim(), "1");
}

/// A namespace path that is no namespace of the type, at once and in a sentence.
#[test]
fn a_namespace_path_of_any_kind() {
    let Some(world) = World::new("a_namespace_path_of_any_kind") else { return };
    let canary = Canary::new(&world);
    let fifo = world.file("fifo");
    tool(&["mkfifo", fifo.to_str().expect("UTF-8")]);
    let file = canary.path.join("file").display().to_string();
    let paths = [
        file.as_str(),
        canary.text(),
        fifo.to_str().expect("UTF-8"),
        "/dev/zero",
        "/proc/self/ns/mnt",
        "/missing",
        "relative",
        "/proc/self/fd/0",
        "/proc/self/ns/uts\0x",
    ];
    for kind in ["network", "ipc", "pid", "cgroup", "user", "mount", "time"] {
        for path in paths {
            // The runtime's own is inherited: tests/root_isolation/namespaces.rs.
            if (kind, path) == ("mount", "/proc/self/ns/mnt") {
                continue;
            }
            let container = world.container("namespace", |value| {
                config::namespace(value, kind, Some(path));
                config::without_mount(value, "/sys");
            });
            refused(&container.run(&[]), &format!("{kind} at {path:?}"));
            canary.sings(path);
        }
    }
    for kind in ["pid", "user"] {
        let container = world.container("twice", |value| {
            let list = value["linux"]["namespaces"].as_array_mut().expect("a list");
            list.push(json!({ "type": kind }));
            list.push(json!({ "type": kind }));
        });
        refused(&container.run(&[]), "a type twice");
    }
}

/// Masks, a terminal and everything else in the pid namespace of the host: no crash, no trace.
#[test]
fn namespaces_of_the_host_leave_the_host_as_it_is() {
    let Some(world) = World::new("namespaces_of_the_host_leave_the_host_as_it_is") else { return };
    for kinds in [
        &["pid"][..],
        &["network"],
        &["ipc"],
        &["uts"],
        &["cgroup"],
        &["pid", "network", "ipc", "uts", "cgroup"],
    ] {
        let container = world.container("host", |value| {
            for kind in kinds {
                config::without_namespace(value, kind);
            }
            if kinds.contains(&"uts") {
                value.as_object_mut().expect("an object").remove("hostname");
            }
            value["linux"]["maskedPaths"] = json!(["/proc/kcore", "/proc/acpi"]);
            config::runs(value, &["/bin/true"]);
        });
        end(&container.run(&[]), &format!("{kinds:?} of the host"));
    }
}
