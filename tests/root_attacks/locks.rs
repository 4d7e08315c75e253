//! What the host has set on its mounts, against root of a user namespace.

use std::fs;

use super::world::{World, config, tool};

/// mount_namespaces(7), "Restrictions on mount namespaces": a volume that the host has read-only and nosuid stays
/// so, and what the host has covered stays covered, though root inside may mount.
#[test]
fn root_of_a_user_namespace_cannot_unlock_a_volume() {
    let Some(world) = World::new("root_of_a_user_namespace_cannot_unlock_a_volume") else { return };
    let volume = world.file("volume");
    let below = volume.join("below");
    fs::create_dir_all(&volume).expect("volume");
    let place = volume.to_str().expect("UTF-8");
    tool(&["mount", "-t", "tmpfs", "volume", place]);
    fs::create_dir(&below).expect("below");
    fs::write(below.join("covered"), "secret").expect("covered");
    tool(&["mount", "-t", "tmpfs", "cover", below.to_str().expect("UTF-8")]);
    tool(&["mount", "-o", "remount,bind,ro,nosuid,nodev", place]);
    let root = world.own_rootfs();
    fs::create_dir(root.join("volume")).expect("mount point");
    let script = "mount -o remount,bind,rw,suid,dev /volume 2>/dev/null && echo remounted; \
        touch /volume/new 2>/dev/null && echo written; \
        umount /volume/below 2>/dev/null && echo uncovered; \
        cat /volume/below/covered 2>/dev/null; echo end";
    // Where root inside is not let through, only the clone of the host is left, and that has no locks.
    tool(&["chmod", "0711", world.file("").to_str().expect("UTF-8")]);
    let said = world.says(&["/bin/busybox", "sh", "-c", script], |value| {
        config::userns(value);
        value["root"]["path"] = root.to_str().into();
        config::capabilities(value, &["CAP_SYS_ADMIN"]);
        config::mount(value, "/volume", "bind", place, &["rbind"]);
    });
    tool(&["umount", below.to_str().expect("UTF-8")]);
    tool(&["umount", place]);
    assert_eq!(said.trim(), "end");
}
