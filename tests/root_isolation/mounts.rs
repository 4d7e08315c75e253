//! Mounts with their options, as mountinfo shows them inside and as programs meet them.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::world::{self, World, config, inventory};

/// The mount at `target`: the last one, which covers any others.
pub fn mount_at(report: &Value, target: &str) -> Value {
    let mounts = report["mounts"].as_array().expect("mounts");
    let found = mounts.iter().rfind(|mount| mount["target"] == target);
    found.unwrap_or_else(|| panic!("nothing at {target}: {report}")).clone()
}

pub fn words(value: &Value) -> Vec<&str> {
    value.as_array().expect("a list").iter().filter_map(Value::as_str).collect()
}

#[test]
fn the_usual_mounts_have_their_options() {
    let Some(world) = World::new("the_usual_mounts_have_their_options") else { return };
    let report = world.report(&["mounts"], |_| {});
    let cases = [
        ("/proc", "proc", "rw nosuid nodev noexec relatime"),
        ("/dev", "tmpfs", "rw nosuid"),
        ("/dev/pts", "devpts", "rw nosuid noexec relatime"),
        ("/dev/shm", "tmpfs", "rw nosuid nodev noexec relatime"),
        ("/dev/mqueue", "mqueue", "rw nosuid nodev noexec relatime"),
        ("/sys", "sysfs", "ro nosuid nodev noexec relatime"),
        ("/sys/fs/cgroup", "cgroup2", "ro nosuid nodev noexec relatime"),
    ];
    for (target, kind, options) in cases {
        let mount = mount_at(&report, target);
        assert_eq!(
            (mount["fstype"].as_str(), words(&mount["options"]).join(" ")),
            (Some(kind), options.into())
        );
    }
    let supers = mount_at(&report, "/dev")["super_options"].clone();
    assert!(words(&supers).contains(&"size=65536k") && words(&supers).contains(&"mode=755"), "{supers}");
    let supers = mount_at(&report, "/dev/pts")["super_options"].clone();
    assert_eq!(words(&supers), ["rw", "gid=5", "mode=620", "ptmxmode=666"]);
}

#[test]
fn each_option_does_what_it_says() {
    let Some(world) = World::new("each_option_does_what_it_says") else { return };
    // The last word wins; a word that the kernel takes for granted is not an error.
    let cases: [(&[&str], &str); 10] = [
        (&["ro", "noatime"], "ro noatime"),
        (&["ro", "rw"], "rw relatime"),
        (&["nosuid", "nodev", "noexec", "suid"], "rw nodev noexec relatime"),
        (&["nodiratime"], "rw nodiratime relatime"),
        (&["strictatime"], "rw"),
        (&["noatime", "relatime"], "rw relatime"),
        (&["nosymfollow"], "rw relatime nosymfollow"),
        (&["defaults", "async", "x-marked"], "rw relatime"),
        (&["dev", "exec", "suid"], "rw relatime"),
        (
            &["ro", "nosuid", "nodev", "noexec", "nodiratime", "noatime"],
            "ro nosuid nodev noexec noatime nodiratime",
        ),
    ];
    let report = world.report(&["mounts"], |value| {
        config::mount(value, "/mnt", "tmpfs", "tmpfs", &[]);
        for (number, (options, _)) in cases.iter().enumerate() {
            config::mount(value, &format!("/mnt/{number}"), "tmpfs", "tmpfs", options);
        }
    });
    for (number, (options, expected)) in cases.iter().enumerate() {
        let mount = mount_at(&report, &format!("/mnt/{number}"));
        let mut found = words(&mount["options"]);
        let mut expected: Vec<&str> = expected.split(' ').collect();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{options:?}");
    }
}

#[test]
fn filesystem_options_reach_the_filesystem() {
    let Some(world) = World::new("filesystem_options_reach_the_filesystem") else { return };
    let report = world.report(&["mounts"], |value| {
        config::mount(
            value,
            "/mnt",
            "tmpfs",
            "source-name",
            &["size=128k,nr_inodes=50", "mode=1711", "uid=7"],
        );
    });
    let mount = mount_at(&report, "/mnt");
    assert_eq!(mount["source"], "source-name");
    for option in ["size=128k", "nr_inodes=50", "mode=1711", "uid=7"] {
        assert!(words(&mount["super_options"]).contains(&option), "{option}: {mount}");
    }
}

#[test]
fn a_tmpfs_takes_over_the_mode_of_its_mount_point() {
    let Some(world) = World::new("a_tmpfs_takes_over_the_mode_of_its_mount_point") else { return };
    // In the fixtures' root /tmp has the mode 1777, /root 0700.
    let said = world.says(&["stat", "-c", "%a", "/tmp", "/root"], |value| {
        config::mount(value, "/tmp", "tmpfs", "tmpfs", &["nosuid"]);
        config::mount(value, "/root", "tmpfs", "tmpfs", &["mode=750"]);
    });
    assert_eq!(said, "1777\n750\n");
}

#[test]
fn an_option_that_the_filesystem_refuses_is_told_in_its_words() {
    let Some(world) = World::new("an_option_that_the_filesystem_refuses_is_told_in_its_words") else {
        return;
    };
    let container = world.container("a", |value| config::mount(value, "/mnt", "tmpfs", "x", &["size=lots"]));
    let sentence = "cannot mount tmpfs on /mnt: fsconfig(2) answered: invalid argument (EINVAL) \
                    (tmpfs: Bad value for 'size')";
    container.create().fails_at(sentence, "/mounts/7").helps("correct the option, or leave it out");
}

#[test]
fn an_unknown_filesystem_is_told() {
    let Some(world) = World::new("an_unknown_filesystem_is_told") else { return };
    let container = world.container("a", |value| config::mount(value, "/mnt", "nofs", "nofs", &[]));
    let sentence = "cannot mount nofs on /mnt: fsopen(2) answered: no such device (ENODEV)";
    let cure = "the kernel does not know this filesystem: see /proc/filesystems";
    container.create().fails_at(sentence, "/mounts/7").helps(cure);
}

#[test]
fn a_bind_mount_shows_the_hosts_files_with_its_own_options() {
    let Some(world) = World::new("a_bind_mount_shows_the_hosts_files_with_its_own_options") else { return };
    let source = world.file("source");
    fs::create_dir(&source).expect("a directory");
    fs::write(source.join("file"), "of the host\n").expect("a file");
    fs::write(source.join("program"), "#!/bin/sh\necho ran\n").expect("a file");
    fs::set_permissions(source.join("program"), fs::Permissions::from_mode(0o755)).expect("mode");
    let path = source.to_str().expect("UTF-8");
    let script = "cat /mnt/file; echo more >/mnt/file; /mnt/program; echo $?";
    let run = |options: &[&str]| {
        let container = world.container("a", |value| {
            config::mount(value, "/mnt", "bind", path, options);
            config::runs(value, &["sh", "-c", script]);
        });
        container.run(&[]).ok()
    };
    let sealed = run(&["bind", "ro", "noexec"]);
    assert_eq!(sealed.stdout, "of the host\n126\n");
    assert!(sealed.stderr.contains("Read-only file system"), "{}", sealed.stderr);
    let open = run(&["bind"]);
    assert_eq!((open.stdout.as_str(), open.stderr.as_str()), ("of the host\nran\n0\n", ""));
    assert_eq!(fs::read_to_string(source.join("file")).expect("the file"), "more\n");
}

/// The type `bind` alone means the same as the option.
#[test]
fn a_bind_mount_may_be_one_file_and_its_source_relative() {
    let Some(world) = World::new("a_bind_mount_may_be_one_file_and_its_source_relative") else { return };
    let container = world.container("a", |value| {
        config::mount(value, "/etc/hosts", "bind", "hosts", &["ro"]);
        config::runs(value, &["cat", "/etc/hosts"]);
    });
    fs::write(container.bundle.join("hosts"), "127.0.0.1 bundle\n").expect("a file");
    assert_eq!(container.run(&[]).ok().stdout, "127.0.0.1 bundle\n");
}

#[test]
fn recursive_options_reach_the_mounts_below() {
    let Some(world) = World::new("recursive_options_reach_the_mounts_below") else { return };
    let source = world.file("source");
    fs::create_dir_all(source.join("below")).expect("directories");
    let below = source.join("below");
    world::tool(&["mount", "-t", "tmpfs", "below", below.to_str().expect("UTF-8")]);
    fs::write(below.join("file"), "below\n").expect("a file");
    let path = source.to_str().expect("UTF-8");
    let look = |options: &[&str]| {
        let words = ["/bin/probe", "paths", "/mnt", "/mnt/below", "/mnt/below/file"];
        let said = world.says(&words, |value| config::mount(value, "/mnt", "bind", path, options));
        let seen: Value = serde_json::from_str(&said).expect("JSON");
        [&seen["/mnt"]["write"], &seen["/mnt/below"]["write"], &seen["/mnt/below/file"]["bytes"]]
            .map(Clone::clone)
    };
    assert_eq!(look(&["rbind", "rro"]), [json!("EROFS"), json!("EROFS"), json!(6)]);
    assert_eq!(look(&["rbind", "ro"]), [json!("EROFS"), json!("ok"), json!(6)]);
    assert_eq!(look(&["rbind", "rro", "rrw"]), [json!("ok"), json!("ok"), json!(6)]);
    assert_eq!(look(&["bind"]), [json!("ok"), json!("ok"), Value::Null], "the mount below stays behind");
    inventory::unmount_below(&source);
}

#[test]
fn mounts_come_in_the_listed_order() {
    let Some(world) = World::new("mounts_come_in_the_listed_order") else { return };
    let file = world.file("file");
    fs::write(&file, "bound\n").expect("a file");
    let said = world.says(&["sh", "-c", "cat /mnt/inner/file; ls /mnt"], |value| {
        config::mount(value, "/mnt", "tmpfs", "first", &[]);
        config::mount(value, "/mnt/covered", "tmpfs", "second", &[]);
        config::mount(value, "/mnt", "tmpfs", "third", &[]);
        config::mount(value, "/mnt/inner", "tmpfs", "fourth", &[]);
        config::bind(value, &file, "/mnt/inner/file");
    });
    assert_eq!(said, "bound\ninner\n");
}

#[test]
fn a_remount_changes_what_is_there() {
    let Some(world) = World::new("a_remount_changes_what_is_there") else { return };
    let report = world.report(&["mounts"], |value| {
        config::mount(value, "/mnt", "tmpfs", "tmpfs", &["nosuid"]);
        config::mount(value, "/mnt", "", "", &["remount", "ro", "noexec"]);
    });
    let mount = mount_at(&report, "/mnt");
    assert_eq!(words(&mount["options"]).join(" "), "ro nosuid noexec relatime");
}

#[test]
fn a_missing_source_is_an_error() {
    let Some(world) = World::new("a_missing_source_is_an_error") else { return };
    let container = world.container("a", |value| config::mount(value, "/mnt", "bind", "/no/such", &["bind"]));
    let message = "the source /no/such of the bind mount on /mnt: no such file or directory";
    container.create().finds(message, "/mounts/7/source");
}

#[test]
fn only_a_directory_covers_a_directory() {
    let Some(world) = World::new("only_a_directory_covers_a_directory") else { return };
    for (source, target) in [("/etc/passwd", "/mnt"), ("/etc", "/bin/busybox")] {
        let container = world.container("a", |value| config::mount(value, target, "bind", source, &["bind"]));
        let sentence = format!(
            "cannot bind mount on {target}: source and target must both be directories, or neither: one is not a directory"
        );
        container.create().fails_at(&sentence, "/mounts/7");
    }
}

#[test]
fn a_link_in_the_image_does_not_lead_a_mount_out() {
    let Some(world) = World::new("a_link_in_the_image_does_not_lead_a_mount_out") else { return };
    let rootfs = world.own_rootfs();
    let outside = world.file("outside");
    fs::create_dir(&outside).expect("a directory");
    std::os::unix::fs::symlink(&outside, rootfs.join("link")).expect("a link");
    let container = world.container("a", |value| {
        value["root"]["path"] = json!(rootfs);
        config::mount(value, "/link/mount", "tmpfs", "tmpfs", &[]);
    });
    // Inside, the link leads nowhere: its goal is made there, under the same name.
    let same_name = rootfs.join(outside.strip_prefix("/").expect("an absolute path"));
    container.create().ok();
    container.finish();
    assert!(same_name.join("mount").is_dir());
    assert_eq!(fs::read_dir(&outside).expect("the directory").count(), 0);
}
