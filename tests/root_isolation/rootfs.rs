//! The root filesystem, and that nothing of the host's tree is left.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::world::{self, World, config, inventory};

fn targets(report: &Value) -> Vec<String> {
    let mounts = report["mounts"].as_array().expect("mounts");
    mounts.iter().map(|mount| mount["target"].as_str().expect("a target").to_owned()).collect()
}

fn root_of(report: &Value) -> Value {
    let mounts = report["mounts"].as_array().expect("mounts");
    mounts.iter().find(|mount| mount["target"] == "/").expect("a root").clone()
}

#[test]
fn only_the_mounts_of_the_configuration_are_there() {
    let Some(world) = World::new("only_the_mounts_of_the_configuration_are_there") else { return };
    let mut found = targets(&world.report(&["mounts"], |_| {}));
    found.sort();
    let expected = ["/", "/dev", "/dev/mqueue", "/dev/pts", "/dev/shm", "/proc", "/sys", "/sys/fs/cgroup"]
        .map(str::to_owned);
    assert_eq!(found, expected);
}

#[test]
fn the_host_tree_cannot_be_reached() {
    let Some(world) = World::new("the_host_tree_cannot_be_reached") else { return };
    let secret = world.file("secret");
    fs::write(&secret, "of the host").expect("a file");
    let climb = "../".repeat(40);
    let below = &secret.to_str().expect("UTF-8")[1..];
    let paths = ["/proc/1/root/", "/proc/self/root/", &climb, "/proc/1/cwd/../../../"];
    let script: String =
        paths.iter().map(|path| format!("cat {path}{below}; ls -a {path} | tr '\\n' ' '; echo; ")).collect();
    let container = world.container("a", |value| config::runs(value, &["sh", "-c", &script]));
    let output = container.run(&[]).ok();
    assert!(!output.stdout.contains("of the host"), "{}", output.stdout);
    let mut own: BTreeSet<&str> =
        output.stdout.lines().next().expect("a listing").split_whitespace().collect();
    own.retain(|name| !name.starts_with('.'));
    let entries = fs::read_dir(world.shared_rootfs()).expect("the root").flatten();
    let expected: Vec<String> =
        entries.map(|entry| entry.file_name().to_str().expect("UTF-8").to_owned()).collect();
    assert_eq!(own, expected.iter().map(String::as_str).collect());
    assert!(output.stdout.lines().skip(1).all(|line| line == output.stdout.lines().next().expect("a line")));
}

#[test]
fn chroot_does_not_lead_out() {
    let Some(world) = World::new("chroot_does_not_lead_out") else { return };
    // The classic escape: a root below the working directory, then up.
    let script = "mkdir /tmp/x && cd / && chroot /tmp/x /nothing; cd ..; cd ..; \
                  ls / >/tmp/a; ls . >/tmp/b; cmp /tmp/a /tmp/b && echo same";
    let said = world.says(&["sh", "-c", &format!("({script}) 2>/dev/null")], |value| {
        config::mount(value, "/tmp", "tmpfs", "tmpfs", &[]);
    });
    assert_eq!(said, "same\n");
}

#[test]
fn a_read_only_root_refuses_to_be_written() {
    let Some(world) = World::new("a_read_only_root_refuses_to_be_written") else { return };
    let words = ["/bin/probe", "paths", "/", "/etc/passwd", "/tmp", "/dev/shm"];
    let read = |text: String| serde_json::from_str::<Value>(&text).expect("JSON");
    let sealed = read(world.says(&words, |_| {}));
    for path in ["/", "/etc/passwd", "/tmp"] {
        assert_eq!(sealed[path]["write"], "EROFS", "{sealed}");
    }
    assert_eq!(sealed["/dev/shm"]["write"], "ok", "other mounts are not sealed: {sealed}");
    let rootfs = world.own_rootfs();
    let open = read(world.says(&words, |value| value["root"] = json!({ "path": rootfs })));
    for path in ["/", "/etc/passwd", "/tmp", "/dev/shm"] {
        assert_eq!(open[path]["write"], "ok", "{open}");
    }
}

#[test]
fn a_relative_root_starts_at_the_bundle() {
    let Some(world) = World::new("a_relative_root_starts_at_the_bundle") else { return };
    let container = world.container("a", |value| {
        value["root"]["path"] = json!("some/root");
        config::runs(value, &["echo", "hello"]);
    });
    fs::create_dir(container.bundle.join("some")).expect("a directory");
    fs::rename(world.own_rootfs(), container.bundle.join("some/root")).expect("a move");
    assert_eq!(container.run(&[]).ok().stdout, "hello\n");
}

#[test]
fn mount_points_are_made_in_the_image() {
    let Some(world) = World::new("mount_points_are_made_in_the_image") else { return };
    let rootfs = world.own_rootfs();
    let file = world.file("file");
    fs::write(&file, "content\n").expect("a file");
    let said = world.says(&["cat", "/new/file"], |value| {
        value["root"] = json!({ "path": rootfs, "readonly": true });
        config::bind(value, &file, "/new/file");
        config::mount(value, "/new/deep/directory", "tmpfs", "tmpfs", &[]);
    });
    assert_eq!(said, "content\n");
    assert!(rootfs.join("new/deep/directory").is_dir());
    assert_eq!(fs::read_to_string(rootfs.join("new/file")).expect("the mount point"), "");
}

#[test]
fn the_root_has_the_propagation_that_was_asked_for() {
    let Some(world) = World::new("the_root_has_the_propagation_that_was_asked_for") else { return };
    for (word, expected) in [
        ("private", ""),
        ("rprivate", ""),
        ("slave", ""),
        ("rslave", ""),
        ("shared", "shared:"),
        ("rshared", "shared:"),
        ("unbindable", "unbindable"),
        ("runbindable", "unbindable"),
    ] {
        let report = world.report(&["mounts"], |value| value["linux"]["rootfsPropagation"] = json!(word));
        let propagation = &root_of(&report)["propagation"];
        let first = propagation[0].as_str().unwrap_or_default();
        assert!(
            first.starts_with(expected) && first.is_empty() == expected.is_empty(),
            "{word}: {propagation}"
        );
    }
}

/// A directory of the host that is a shared mount of its own, with a subdirectory to mount on.
fn shared_directory(world: &World) -> std::path::PathBuf {
    let shared = world.file("shared");
    fs::create_dir(&shared).expect("a directory");
    let path = shared.to_str().expect("UTF-8");
    world::tool(&["mount", "-t", "tmpfs", "shared", path]);
    world::tool(&["mount", "--make-shared", path]);
    fs::create_dir(shared.join("below")).expect("a directory");
    shared
}

fn mounts_inside(pid: i64) -> String {
    fs::read_to_string(format!("/proc/{pid}/mountinfo")).expect("its mounts")
}

#[test]
fn later_mounts_of_the_host_arrive_only_where_they_are_wanted() {
    let Some(world) = World::new("later_mounts_of_the_host_arrive_only_where_they_are_wanted") else {
        return;
    };
    let shared = shared_directory(&world);
    for (word, arrives) in [("rslave", true), ("rshared", true), ("rprivate", false)] {
        let container = world.container("a", |value| {
            config::sleeps(value);
            let source = shared.to_str().expect("UTF-8");
            config::mount(value, "/mnt", "bind", source, &["rbind", word]);
        });
        container.run(&["--detach"]).ok();
        let below = shared.join("below");
        world::tool(&["mount", "-t", "tmpfs", "later", below.to_str().expect("UTF-8")]);
        let seen = mounts_inside(container.pid()).lines().any(|line| line.contains(" /mnt/below "));
        assert_eq!(seen, arrives, "{word}");
        world::tool(&["umount", below.to_str().expect("UTF-8")]);
        container.finish();
    }
    inventory::unmount_below(&shared);
}

#[test]
fn mounts_of_the_container_reach_the_host_only_through_a_shared_one() {
    let Some(world) = World::new("mounts_of_the_container_reach_the_host_only_through_a_shared_one") else {
        return;
    };
    let shared = shared_directory(&world);
    let cases = [
        ("rslave", "", false),
        ("rprivate", "", false),
        ("rshared", "", false),
        ("rshared", "rshared", true),
    ];
    for (word, of_root, arrives) in cases {
        let container = world.container("a", |value| {
            value["linux"]["rootfsPropagation"] = json!(of_root);
            let source = shared.to_str().expect("UTF-8");
            config::mount(value, "/mnt", "bind", source, &["rbind", word]);
            let caps = json!(["CAP_SYS_ADMIN"]);
            value["process"]["capabilities"] =
                json!({ "bounding": caps, "effective": caps, "permitted": caps });
            config::runs(value, &["mount", "-t", "tmpfs", "inner", "/mnt/below"]);
        });
        container.run(&[]).ok();
        let below = shared.join("below");
        let seen = inventory::mounts().iter().any(|line| line.contains(&format!(" {} ", below.display())));
        assert_eq!(seen, arrives, "{word}, of the root {of_root:?}");
        inventory::unmount_below(Path::new(&below));
    }
    inventory::unmount_below(&shared);
}

#[test]
fn a_shared_rootfs_mount_does_not_show_our_mounts_to_the_host() {
    let Some(world) = World::new("a_shared_rootfs_mount_does_not_show_our_mounts_to_the_host") else {
        return;
    };
    let rootfs = world.own_rootfs();
    let path = rootfs.to_str().expect("UTF-8");
    world::tool(&["mount", "--bind", path, path]);
    world::tool(&["mount", "--make-shared", path]);
    let container = world.container("a", |value| {
        value["root"]["path"] = json!(rootfs);
        config::sleeps(value);
    });
    container.run(&["--detach"]).ok();
    let below = format!(" {path}/");
    assert_eq!(inventory::mounts().iter().find(|line| line.contains(&below)), None);
    container.finish();
    inventory::unmount_below(&rootfs);
}
