//! What the container sees: mounts, devices, network.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};

use serde_json::{Value, json};

use crate::user::{ID, User, namespace, set};
use crate::world::{World, config, tool};

#[test]
fn devices_are_those_of_the_host() {
    let Some(world) = World::new("devices_are_those_of_the_host") else { return };
    let user = User::new(&world);
    let script = "for name in null zero full random urandom tty; do test -c /dev/$name && echo $name; done; \
                  echo text >/dev/null; head -c 3 /dev/zero | wc -c; mknod /tmp/null c 1 3 || echo refused";
    let said = user.says(&["sh", "-c", script], |_| {});
    assert_eq!(said, "null\nzero\nfull\nrandom\nurandom\ntty\n3\nrefused\n");
}

#[test]
fn masks_hold() {
    let Some(world) = World::new("masks_hold") else { return };
    let user = User::new(&world);
    let script =
        "cat /proc/keys | wc -c; ls /sys/firmware | wc -l; echo 1 >/proc/sys/kernel/panic || echo refused";
    let said = user.says(&["sh", "-c", script], |config| {
        config["linux"]["maskedPaths"].as_array_mut().expect("a list").push(json!("/etc/passwd"));
    });
    assert_eq!(said, "0\n0\nrefused\n");
    let said = user.says(&["wc", "-c", "/etc/passwd"], |config| {
        config["linux"]["maskedPaths"] = json!(["/etc/passwd"]);
    });
    assert_eq!(said, "0 /etc/passwd\n");
}

#[test]
fn a_network_of_its_own_has_its_loopback_up() {
    let Some(world) = World::new("a_network_of_its_own_has_its_loopback_up") else { return };
    let user = User::new(&world);
    let script = "cat /proc/net/dev | tail -n +3 | cut -d: -f1; ping -c 1 127.0.0.1 >/dev/null && echo up";
    let said = user.says(&["sh", "-c", script], |config| {
        namespace(config, "network");
        config::without_mount(config, "/sys");
        config::mount(config, "/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", "ro"]);
        config::capabilities(config, &["CAP_NET_RAW"]);
    });
    assert_eq!(said.split_whitespace().collect::<Vec<_>>(), ["lo", "up"]);
}

/// The kernel refuses a sysfs of the host's network, a proc of its pid namespace and an mqueue of its ipc
/// namespace; the host's own trees show the same.
#[test]
fn what_shows_the_hosts_namespaces_is_the_hosts() {
    let Some(world) = World::new("what_shows_the_hosts_namespaces_is_the_hosts") else { return };
    let user = User::new(&world);
    let script = "ls /sys/class/net | sort; grep ' /sys sysfs' /proc/mounts | cut -d' ' -f4 | cut -d, -f1";
    let said = user.says(&["sh", "-c", script], |config| {
        config::without_mount(config, "/sys");
        config::mount(config, "/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", "ro"]);
    });
    let host = tool(&["sh", "-c", "ls /sys/class/net | sort"]);
    assert_eq!(said, format!("{host}\nro\n"));
    let own = format!("/proc/{}/stat", std::process::id());
    let said = user.says(&["ls", &own], |config| {
        config::without_namespace(config, "pid");
        config["linux"]["maskedPaths"] = Value::Null;
        config["linux"]["readonlyPaths"] = Value::Null;
    });
    assert_eq!(said, format!("{own}\n"));
}

#[test]
fn bind_mounts_keep_what_the_host_has_set() {
    let Some(world) = World::new("bind_mounts_keep_what_the_host_has_set") else { return };
    let user = User::new(&world);
    let source = world.file("locked");
    fs::create_dir(&source).expect("a directory");
    let shown = source.to_str().expect("UTF-8");
    tool(&["mount", "-t", "tmpfs", "-o", "ro,nosuid,nodev,noexec", "tmpfs", shown]);
    let said = user.says(&["sh", "-c", "grep ' /mnt ' /proc/mounts | cut -d' ' -f4"], |value| {
        config::bind(value, &source, "/mnt");
    });
    assert!(said.starts_with("ro,nosuid,nodev,noexec"), "{said}");
    user.configure(|value| config::mount(value, "/mnt", "bind", shown, &["bind", "rw"]));
    let said = user.run(&["run", "a"]).exits(1).stderr;
    tool(&["umount", shown]);
    assert!(said.contains("the user namespace may not change what the host has set"), "{said}");
}

#[test]
fn what_the_user_may_not_reach_is_not_there() {
    let Some(world) = World::new("what_the_user_may_not_reach_is_not_there") else { return };
    let user = User::new(&world);
    let closed = world.file("closed");
    fs::create_dir_all(closed.join("inner")).expect("a directory");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).expect("a mode");
    user.configure(|value| config::bind(value, &closed.join("inner"), "/mnt"));
    let said = user.run(&["run", "a"]).exits(1).stderr;
    assert!(said.contains("permission denied"), "{said}");
    // The directory itself can be mounted, and stays closed.
    let said =
        user.says(&["sh", "-c", "ls /mnt 2>&1 || echo closed"], |value| config::bind(value, &closed, "/mnt"));
    assert!(said.ends_with("closed\n"), "{said}");
}

#[test]
fn files_belong_to_the_user() {
    let Some(world) = World::new("files_belong_to_the_user") else { return };
    let user = User::new(&world);
    let shared = user.home.join("shared");
    fs::create_dir(&shared).expect("a directory");
    chown(&shared, Some(ID), Some(ID)).expect("it is his");
    user.says(&["sh", "-c", "echo text >/mnt/file"], |value| config::bind(value, &shared, "/mnt"));
    use std::os::unix::fs::MetadataExt;
    let status = fs::metadata(shared.join("file")).expect("the file");
    assert_eq!((status.uid(), status.gid()), (ID, ID));
}

/// Where something lies on the host's /proc, as in a container that masks parts of it, the kernel lets nobody
/// in a user namespace see beneath.
#[test]
fn a_covered_proc_cannot_be_mounted_anew() {
    let Some(world) = World::new("a_covered_proc_cannot_be_mounted_anew") else { return };
    let user = User::new(&world);
    tool(&["mount", "--bind", "/dev/null", "/proc/keys"]);
    user.configure(|value| set(value, "/process/args", json!(["sh", "-c", "cat /proc/keys | wc -c"])));
    let refused = user.run(&["run", "a"]);
    user.configure(|value| {
        set(value, "/process/args", json!(["sh", "-c", "cat /proc/keys | wc -c"]));
        config::without_mount(value, "/proc");
        config::mount(value, "/proc", "bind", "/proc", &["rbind"]);
        let mounts = value["mounts"].as_array_mut().expect("a list of mounts");
        mounts.rotate_right(1);
    });
    let bound = user.run(&["run", "a"]);
    tool(&["umount", "/proc/keys"]);
    assert_eq!(refused.status, 1, "{refused:?}");
    assert!(refused.stderr.contains("cannot mount proc on /proc"), "{}", refused.stderr);
    assert!(refused.stderr.contains("bind mount /proc instead"), "{}", refused.stderr);
    assert_eq!((bound.status, bound.stdout.as_str()), (0, "0\n"), "{}", bound.stderr);
}

/// Only filesystems without a disk; nothing else is worth an attempt, and the help says which.
#[test]
fn a_disk_cannot_be_mounted() {
    let Some(world) = World::new("a_disk_cannot_be_mounted") else { return };
    let user = User::new(&world);
    user.configure(|value| config::mount(value, "/mnt", "ext4", "/dev/none", &[]));
    let said = user.run(&["run", "a"]).exits(1).stderr;
    assert!(said.contains("cannot mount ext4 on /mnt"), "{said}");
    assert!(said.contains("help: "), "{said}");
}
