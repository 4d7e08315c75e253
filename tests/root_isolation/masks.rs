//! Masked and read-only paths, as a program in the container meets them.

use serde_json::{Value, json};

use crate::world::{World, config};

/// What `probe paths` says about each path.
fn look(world: &World, paths: &[&str], change: impl FnOnce(&mut Value)) -> Value {
    let words = [&["/bin/probe", "paths"], paths].concat();
    let said = world.says(&words, change);
    serde_json::from_str(&said).expect("JSON")
}

#[test]
fn masked_files_are_empty_and_masked_directories_too() {
    let Some(world) = World::new("masked_files_are_empty_and_masked_directories_too") else { return };
    let paths = ["/proc/version", "/proc/keys", "/sys/kernel", "/etc", "/etc/passwd"];
    let before = look(&world, &paths, |_| {});
    assert!(before["/proc/version"]["bytes"].as_u64() > Some(0), "{before}");
    assert!(before["/sys/kernel"]["entries"].as_u64() > Some(0), "{before}");
    assert!(before["/etc/passwd"]["bytes"].as_u64() > Some(0), "{before}");
    let masked = look(&world, &paths, |value| {
        value["linux"]["maskedPaths"] =
            json!(["/proc/version", "/sys/kernel", "/etc", "/no/such/path", "/etc"]);
    });
    let version = &masked["/proc/version"];
    assert_eq!((&version["bytes"], &version["stat"]["device"]), (&json!(0), &json!("1:3")), "{masked}");
    for path in ["/sys/kernel", "/etc"] {
        assert_eq!(
            (&masked[path]["entries"], &masked[path]["write"]),
            (&json!(0), &json!("EROFS")),
            "{masked}"
        );
    }
    assert_eq!(masked["/etc/passwd"]["stat"], "ENOENT");
    assert_eq!(masked["/proc/keys"]["stat"]["type"], "file", "not masked, not touched: {masked}");
}

#[test]
fn read_only_paths_cannot_be_written() {
    let Some(world) = World::new("read_only_paths_cannot_be_written") else { return };
    let paths = ["/proc/sys/kernel/msgmax", "/dev/shm", "/proc/sys/kernel/msgmni", "/proc/self/comm"];
    let before = look(&world, &paths, |_| {});
    for path in paths {
        assert_eq!(before[path]["write"], "ok", "{before}");
    }
    let after = look(&world, &paths, |value| {
        value["linux"]["readonlyPaths"] = json!(["/proc/sys/kernel/msgmax", "/dev/shm", "/no/such"]);
    });
    let written = paths.map(|path| after[path]["write"].as_str().unwrap_or_default());
    assert_eq!(written, ["EROFS", "EROFS", "ok", "ok"], "{after}");
    assert!(after[paths[0]]["bytes"].as_u64() > Some(0), "it can still be read: {after}");
    let below = look(&world, &paths, |value| value["linux"]["readonlyPaths"] = json!(["/proc/sys"]));
    assert_eq!((&below[paths[0]]["write"], &below[paths[2]]["write"]), (&json!("EROFS"), &json!("EROFS")));
}

#[test]
fn a_mask_cannot_be_taken_off() {
    let Some(world) = World::new("a_mask_cannot_be_taken_off") else { return };
    let script =
        "umount /proc/version; umount /sys/kernel; mount -o remount,rw,bind /proc/sys; wc -c </proc/version";
    let said = world.says(&["sh", "-c", &format!("({script}) 2>/dev/null")], |value| {
        value["linux"]["maskedPaths"] = json!(["/proc/version", "/sys/kernel"]);
        value["linux"]["readonlyPaths"] = json!(["/proc/sys"]);
    });
    assert_eq!(said.trim(), "0");
}

#[test]
fn masks_work_in_a_user_namespace() {
    let Some(world) = World::new("masks_work_in_a_user_namespace") else { return };
    let paths = ["/proc/version", "/sys/kernel", "/proc/sys/kernel/shmmax"];
    let seen = look(&world, &paths, |value| {
        config::userns(value);
        value["linux"]["maskedPaths"] = json!(["/proc/version", "/sys/kernel"]);
        value["linux"]["readonlyPaths"] = json!(["/proc/sys"]);
    });
    assert_eq!((&seen[paths[0]]["bytes"], &seen[paths[1]]["entries"]), (&json!(0), &json!(0)), "{seen}");
    assert_eq!(seen[paths[2]]["write"], "EROFS", "{seen}");
}
