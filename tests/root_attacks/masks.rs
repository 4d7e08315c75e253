//! Masks and read-only paths that the image tries to get out of.

use std::fs;
use std::process::Command;

use serde_json::json;

use super::canary::{Canary, End, clear, end, link};
use super::world::{World, config, tool};

/// CVE-2025-31133, CVE-2025-62161: the image's /dev/null, which covered masked files, is something else.
#[test]
fn a_mask_holds_whatever_the_image_has_as_null() {
    let Some(world) = World::new("a_mask_holds_whatever_the_image_has_as_null") else { return };
    let (canary, root) = (Canary::new(&world), world.own_rootfs());
    let null = root.join("dev/null");
    let shown = null.to_str().expect("UTF-8");
    let variants: [(&str, &dyn Fn()); 6] = [
        ("absent", &|| {}),
        ("a file", &|| fs::write(&null, "fake").expect("a file")),
        ("a FIFO", &|| drop(tool(&["mkfifo", shown]))),
        ("a link to core_pattern", &|| link("/proc/sys/kernel/core_pattern", &null)),
        ("a link to the canary", &|| link(&format!("{}/file", canary.text()), &null)),
        ("a block device", &|| drop(tool(&["mknod", shown, "b", "1", "3"]))),
    ];
    let pattern = fs::read("/proc/sys/kernel/core_pattern").expect("core_pattern");
    for (what, prepare) in variants {
        clear(&null);
        prepare();
        for with_dev in [false, true] {
            let container = world.container("mask", |value| {
                value["root"] = json!({ "path": root });
                if !with_dev {
                    value["mounts"] = json!([{ "destination": "/proc", "type": "proc" }]);
                }
                value["linux"]["maskedPaths"] = json!(["/proc/kcore", "/etc/passwd", "/proc/timer_list"]);
                config::runs(
                    value,
                    &["/bin/sh", "-c", "cat /proc/kcore /etc/passwd; echo x >/proc/kcore; :"],
                );
            });
            let output = container.run(&[]);
            if end(&output, what) == End::Ran {
                assert_eq!(output.stdout, "", "{what}: a masked file was read");
            } else {
                assert!(!with_dev, "{what}: the image's /dev is covered: {}", output.stderr);
            }
            canary.sings(what);
        }
    }
    assert_eq!(pattern, fs::read("/proc/sys/kernel/core_pattern").expect("core_pattern"));
}

/// A path in a list may be a link, hold "..", stand twice, or lie below another one.
#[test]
fn what_is_listed_is_covered_or_refused() {
    let Some(world) = World::new("what_is_listed_is_covered_or_refused") else { return };
    let (canary, root) = (Canary::new(&world), world.own_rootfs());
    for name in ["secret", "nest/inner"] {
        fs::create_dir_all(root.join(name)).expect("directories");
        fs::write(root.join(name).join("file"), "secret").expect("a file");
    }
    link("/secret", &root.join("direct"));
    link("/", &root.join("all"));
    link("loop", &root.join("loop"));
    link(canary.text(), &root.join("out"));
    let lists = [
        vec!["/direct"],
        vec!["/tmp/../secret", "/secret", "/secret"],
        vec!["/secret/file", "/secret"],
        vec!["/secret", "/secret/file"],
        vec!["/all/secret"],
        vec!["/all"],
        vec!["/loop"],
        vec!["/out"],
        vec!["/nest", "/nest/inner", "/secret"],
        vec!["/nest/inner", "/nest", "/secret"],
        vec!["/proc/self/root/secret"],
        vec!["/proc/1/cwd"],
    ];
    for list in lists {
        for key in ["maskedPaths", "readonlyPaths"] {
            let container = world.container("lists", |value| {
                value["root"] = json!({ "path": root, "readonly": false });
                value["linux"][key] = json!(list);
                let script = "cat /secret/file; echo x >/secret/new && echo written";
                config::runs(value, &["/bin/sh", "-c", &format!("{script}; :")]);
            });
            let what = format!("{key} {list:?}");
            let output = container.run(&[]);
            let ended = end(&output, &what);
            clear(&root.join("secret/new"));
            canary.sings(&what);
            // "/out" leads to a place that is not in the image, "/loop" to none: these two protect nothing.
            let must_hold = !matches!(list[0], "/out" | "/loop");
            if ended == End::Ran && must_hold {
                assert!(!output.stdout.contains("written"), "{what} can be written");
                assert!(key != "maskedPaths" || !output.stdout.contains("secret"), "{what} can be read");
            }
        }
    }
}

/// What a volume brings along is read-only below a read-only path, too.
#[test]
fn a_volume_below_a_read_only_path_is_read_only() {
    let Some(world) = World::new("a_volume_below_a_read_only_path_is_read_only") else { return };
    let volume = world.file("volume");
    fs::create_dir(&volume).expect("a volume");
    let said = world.says(&["/bin/sh", "-c", "echo x >/mnt/deep/new || echo refused"], |value| {
        value["root"] = json!({ "path": world.own_rootfs() });
        config::bind(value, &volume, "/mnt/deep");
        value["linux"]["readonlyPaths"] = json!(["/mnt"]);
    });
    assert_eq!(said.trim(), "refused");
    assert!(!volume.join("new").exists());
}

/// What the runtime has made read-only, masked or nosuid stays so in a nested user namespace, where the
/// program is root again and has every capability (mount_namespaces(7), locked mounts).
#[test]
fn a_nested_user_namespace_cannot_change_the_mounts() {
    let Some(world) = World::new("a_nested_user_namespace_cannot_change_the_mounts") else { return };
    let may = Command::new("unshare").args(["-Ur", "true"]).status().is_ok_and(|status| status.success());
    if !may {
        return super::world::skip(
            "a_nested_user_namespace_cannot_change_the_mounts",
            "no user namespaces here",
        );
    }
    let volume = world.file("volume");
    fs::create_dir(&volume).expect("a volume");
    let script = "unshare -Urm sh -c '
        mount -o remount,bind,rw / && echo root; mount -o remount,bind,rw /mnt && echo volume
        umount /proc/kcore && echo kcore; umount /sys/firmware && echo firmware
        umount -l /proc && echo proc; mount -o remount,bind,rw /proc/sys && echo sys
        mount -o remount,bind,suid,dev /dev && echo dev; umount /mnt && echo mnt; echo end'";
    for in_userns in [false, true] {
        let said = world.says(&["/bin/sh", "-c", script], |value| {
            if in_userns {
                config::userns(value);
                tool(&["chmod", "0711", world.file("").to_str().expect("UTF-8")]);
            }
            config::mount(value, "/mnt", "bind", volume.to_str().expect("UTF-8"), &["bind", "ro", "nosuid"]);
            value["linux"]["maskedPaths"] = json!(["/proc/kcore", "/sys/firmware"]);
            value["linux"]["readonlyPaths"] = json!(["/proc/sys"]);
        });
        assert_eq!(said.trim(), "end", "user namespace: {in_userns}");
    }
}
