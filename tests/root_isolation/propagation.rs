//! linux.rootfsPropagation: which mounts of the host and of the container reach the other side.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::world::container::Container;
use crate::world::{self, World, config, inventory};

/// A root filesystem that is a shared mount of the host, with another one on its /mnt.
fn shared_root(world: &World) -> PathBuf {
    let rootfs = world.own_rootfs();
    let text = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    world::tool(&["mount", "--bind", &text(&rootfs), &text(&rootfs)]);
    world::tool(&["mount", "--make-shared", &text(&rootfs)]);
    world::tool(&["mount", "-t", "tmpfs", "below", &text(&rootfs.join("mnt"))]);
    fs::create_dir(rootfs.join("mnt/inner")).expect("a directory");
    rootfs
}

fn container<'w>(
    world: &'w World,
    rootfs: &Path,
    word: &str,
    change: impl FnOnce(&mut Value),
) -> Container<'w> {
    world.container("a", |value| {
        value["root"] = json!({ "path": rootfs });
        value["linux"]["rootfsPropagation"] = json!(word);
        config::sleeps(value);
        change(value);
    })
}

fn mounts_of(pid: i64) -> String {
    fs::read_to_string(format!("/proc/{pid}/mountinfo")).expect("its mounts")
}

#[test]
fn mounts_of_the_host_arrive_at_a_root_that_is_not_private() {
    let Some(world) = World::new("mounts_of_the_host_arrive_at_a_root_that_is_not_private") else { return };
    let rootfs = shared_root(&world);
    let cases =
        [("slave", true), ("shared", true), ("private", false), ("unbindable", false), ("rslave", true)];
    for (word, arrives) in cases {
        for user_namespace in [false, true] {
            let container = container(&world, &rootfs, word, |value| {
                if user_namespace {
                    config::userns(value);
                }
            });
            container.run(&["--detach"]).ok();
            for place in ["tmp", "mnt/inner"] {
                let target = rootfs.join(place).display().to_string();
                world::tool(&["mount", "-t", "tmpfs", "later", &target]);
                let seen = mounts_of(container.pid()).contains(&format!(" /{place} "));
                assert_eq!(seen, arrives, "{word}, {place}, user namespace: {user_namespace}");
                world::tool(&["umount", &target]);
            }
            container.finish();
        }
    }
    inventory::unmount_below(&rootfs);
}

#[test]
fn mounts_of_the_container_stay_inside_whatever_its_root_is() {
    let Some(world) = World::new("mounts_of_the_container_stay_inside_whatever_its_root_is") else { return };
    let rootfs = shared_root(&world);
    for word in ["slave", "shared", "rshared", "private", "unbindable"] {
        let container = container(&world, &rootfs, word, |value| {
            config::capabilities(value, &["CAP_SYS_ADMIN"]);
            let script = "mount -t tmpfs inner /tmp && mount -t tmpfs inner /mnt/inner && echo mounted && \
                          exec sleep 1000000";
            config::runs(value, &["sh", "-c", script]);
        });
        let running = container.spawn(&[]);
        running.says("mounted");
        let leaked: Vec<String> =
            inventory::mounts().into_iter().filter(|line| line.ends_with(" inner rw")).collect();
        assert_eq!(leaked, Vec::<String>::new(), "{word}");
        container.kill("KILL").ok();
        running.wait().exits(137);
    }
    inventory::unmount_below(&rootfs);
}

/// mountinfo names the peer group of a mount: `shared:N`, and `master:N` where it receives events from.
#[test]
fn a_shared_root_has_a_peer_group_of_its_own() {
    let Some(world) = World::new("a_shared_root_has_a_peer_group_of_its_own") else { return };
    let rootfs = shared_root(&world);
    let groups = |text: &str, target: &str| -> Vec<String> {
        let line = text.lines().find(|line| line.split(' ').nth(4) == Some(target)).expect("the root");
        line.split(' ').skip(6).take_while(|word| *word != "-").map(str::to_owned).collect()
    };
    let own = fs::read_to_string("/proc/self/mountinfo").expect("our mounts");
    let host = groups(&own, rootfs.to_str().expect("UTF-8"));
    assert!(host[0].starts_with("shared:"), "{host:?}");
    let container = container(&world, &rootfs, "shared", |_| {});
    container.run(&["--detach"]).ok();
    let inside = groups(&mounts_of(container.pid()), "/");
    assert!(inside[0].starts_with("shared:") && inside[0] != host[0], "{inside:?} {host:?}");
    container.finish();
    inventory::unmount_below(&rootfs);
}

#[test]
fn an_unbindable_root_cannot_be_bound() {
    let Some(world) = World::new("an_unbindable_root_cannot_be_bound") else { return };
    let rootfs = world.own_rootfs();
    for (word, expected) in [("unbindable", "refused\n"), ("private", "bound\n")] {
        let container = container(&world, &rootfs, word, |value| {
            config::capabilities(value, &["CAP_SYS_ADMIN"]);
            let script = "mount --bind / /tmp 2>/dev/null && echo bound || echo refused";
            config::runs(value, &["sh", "-c", script]);
        });
        assert_eq!(container.run(&[]).ok().stdout, expected, "{word}");
    }
}

/// Masks are clones of the host's null device, and in a user namespace the devices are. Where systemd has made
/// /dev shared, a mount on one of them must not appear on the host.
#[test]
fn nothing_mounted_on_a_mask_or_a_lent_device_reaches_the_host() {
    let Some(world) = World::new("nothing_mounted_on_a_mask_or_a_lent_device_reaches_the_host") else {
        return;
    };
    world::tool(&["mount", "--bind", "/dev/null", "/dev/null"]);
    world::tool(&["mount", "--make-shared", "/dev/null"]);
    let before = inventory::mounts();
    let script = "mount --bind /etc/passwd /proc/version && mount --bind /etc/passwd /dev/null && echo mounted && \
                  exec sleep 1000000";
    let mut leaked = Vec::new();
    for user_namespace in [false, true] {
        let container = world.container("a", |value| {
            config::capabilities(value, &["CAP_SYS_ADMIN"]);
            value["linux"]["maskedPaths"] = json!(["/proc/version"]);
            config::runs(value, &["sh", "-c", script]);
            if user_namespace {
                config::userns(value);
            }
        });
        let running = container.spawn(&[]);
        running.says("mounted");
        let is_new = |mount: &String| !before.contains(mount);
        leaked.extend(inventory::mounts().into_iter().filter(is_new));
        container.kill("KILL").ok();
        running.wait().exits(137);
    }
    let mounts_there = || inventory::mounts().iter().any(|mount| mount.contains(" /dev/null "));
    while mounts_there() {
        // Detached, for the command's own standard input lies on it.
        world::tool(&["umount", "-l", "/dev/null"]);
    }
    assert_eq!(leaked, Vec::<String>::new());
}
