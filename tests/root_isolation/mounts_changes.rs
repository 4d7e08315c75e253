//! Mounts that change what is there: attributes of a source that are cleared or locked, filesystems that get
//! new options, links that are kept, and trees of the host in the place of a filesystem that is refused.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::{Value, json};

use crate::mounts::{mount_at, words};
use crate::world::{self, World, config, inventory};

/// A tmpfs of the host with these options and a file in it.
fn tree(world: &World, name: &str, options: &str) -> String {
    let place = world.file(name);
    fs::create_dir(&place).expect("a directory");
    let text = place.to_str().expect("UTF-8").to_owned();
    world::tool(&["mount", "-t", "tmpfs", "tree", &text]);
    fs::write(place.join("file"), "of the host\n").expect("a file");
    world::tool(&["mount", "-o", &format!("remount,bind,{options}"), &text]);
    text
}

fn options(report: &Value, target: &str) -> String {
    words(&mount_at(report, target)["options"]).join(" ")
}

/// The options of the superblock; some kernels add how wide the inode numbers of a tmpfs are.
fn superblock(report: &Value, target: &str) -> String {
    let mount = mount_at(report, target);
    let mut options = words(&mount["super_options"]);
    options.retain(|option| !option.starts_with("inode"));
    options.join(" ")
}

/// What the source has is kept, unless a word clears it.
#[test]
fn a_bind_mount_keeps_what_its_source_has() {
    let Some(world) = World::new("a_bind_mount_keeps_what_its_source_has") else { return };
    let source = tree(&world, "source", "nosuid,nodev,noexec,noatime");
    let cases: [(&[&str], &str); 4] = [
        (&["bind"], "rw nosuid nodev noexec noatime"),
        (&["bind", "ro"], "ro nosuid nodev noexec noatime"),
        (&["bind", "suid", "dev", "exec", "atime"], "rw relatime"),
        (&["rbind", "rsuid", "nostrictatime"], "rw nodev noexec relatime"),
    ];
    let report = world.report(&["mounts"], |value| {
        config::mount(value, "/mnt", "tmpfs", "tmpfs", &[]);
        for (number, (words, _)) in cases.iter().enumerate() {
            config::mount(value, &format!("/mnt/{number}"), "bind", &source, words);
        }
    });
    for (number, (words, expected)) in cases.iter().enumerate() {
        assert_eq!(options(&report, &format!("/mnt/{number}")), *expected, "{words:?}");
    }
    inventory::unmount_below(Path::new(&source));
}

/// In a user namespace what the host has set is locked (mount_namespaces(7)): it is kept, and a word that
/// would clear it is an error that says so.
#[test]
fn what_the_host_has_locked_stays() {
    let Some(world) = World::new("what_the_host_has_locked_stays") else { return };
    let source = tree(&world, "source", "ro,nosuid,nodev,noexec,relatime");
    let rootfs = world.own_rootfs();
    world::tool(&["chown", "-R", &format!("{0}:{0}", config::FIRST_ID), rootfs.to_str().expect("UTF-8")]);
    let bind = |value: &mut Value, words: &[&str]| {
        value["root"]["path"] = json!(rootfs);
        config::userns(value);
        config::mount(value, "/mnt", "bind", &source, words);
    };
    for words in
        [&["rbind"][..], &["rbind", "ro", "rslave", "relatime"], &["bind", "shared", "private", "shared"]]
    {
        let report = world.report(&["mounts"], |value| bind(value, words));
        assert_eq!(options(&report, "/mnt"), "ro nosuid nodev noexec relatime", "{words:?}");
    }
    for word in ["rw", "suid", "dev", "exec", "noatime", "rrw", "rexec", "rstrictatime"] {
        let container = world.container("a", |value| bind(value, &["rbind", word]));
        let sentence = format!(
            "cannot bind {source} on /mnt: the user namespace may not change what the host has set on the \
             source: it is locked"
        );
        let cure = "leave out the words that clear it (rw, suid, dev, exec) or change its access times";
        container.create().fails_at(&sentence, "/mounts/7").helps(cure);
    }
    inventory::unmount_below(Path::new(&source));
}

/// Types come one after the other: a slave that is then shared is both.
#[test]
fn propagation_types_come_as_listed() {
    let Some(world) = World::new("propagation_types_come_as_listed") else { return };
    let source = tree(&world, "source", "rw");
    world::tool(&["mount", "--make-shared", &source]);
    let cases: [(&[&str], &[&str]); 5] = [
        (&["bind", "slave", "shared"], &["shared:", "master:"]),
        (&["bind", "shared", "private"], &[]),
        (&["bind", "private", "shared", "unbindable"], &["unbindable"]),
        (&["rbind", "rprivate", "rshared"], &["shared:"]),
        (&["bind", "unbindable", "slave", "shared"], &["shared:"]),
    ];
    for has_users in [false, true] {
        let report = world.report(&["mounts"], |value| {
            if has_users {
                config::userns(value);
            }
            config::mount(value, "/mnt", "tmpfs", "tmpfs", &[]);
            for (number, (words, _)) in cases.iter().enumerate() {
                config::mount(value, &format!("/mnt/{number}"), "bind", &source, words);
            }
        });
        for (number, (given, expected)) in cases.iter().enumerate() {
            let fields = mount_at(&report, &format!("/mnt/{number}"))["propagation"].clone();
            let found = words(&fields);
            let same = found.len() == expected.len()
                && found.iter().zip(*expected).all(|(field, kind)| field.starts_with(kind));
            assert!(same, "{given:?}, user namespace: {has_users}: {found:?}");
        }
    }
    inventory::unmount_below(Path::new(&source));
}

/// The words for the whole tree are for mounts of every kind, and a remount finds what lies below.
#[test]
fn recursive_words_are_for_every_kind_of_mount() {
    let Some(world) = World::new("recursive_words_are_for_every_kind_of_mount") else { return };
    const WORDS: [&str; 5] = ["rro", "rnosuid", "rnodev", "rnoexec", "rnoatime"];
    let kinds = [
        ("/sys", "sysfs", "sysfs", &[][..]),
        ("/sys/fs/cgroup", "cgroup", "cgroup", &[]),
        ("/mnt/proc", "proc", "proc", &[]),
        ("/mnt/mqueue", "mqueue", "mqueue", &[]),
        ("/mnt/devpts", "devpts", "devpts", &["newinstance"]),
        ("/mnt/copied", "tmpfs", "tmpfs", &["tmpcopyup"]),
        ("/mnt/at-once", "tmpfs", "tmpfs", &["iversion"]),
    ];
    for namespaces in ["own", "of the host"] {
        let report = world.report(&["mounts"], |value| {
            config::without_mount(value, "/sys");
            config::without_mount(value, "/sys/fs/cgroup");
            if namespaces == "of the host" {
                config::without_namespace(value, "network");
                config::without_namespace(value, "cgroup");
            }
            config::mount(value, "/mnt", "tmpfs", "tmpfs", &[]);
            for (target, kind, source, words) in kinds {
                config::mount(value, target, kind, source, &[words, &WORDS].concat());
            }
            config::mount(value, "/mnt/new", "tmpfs", "tmpfs", &["rsync"]);
            config::mount(value, "/mnt/new/below", "tmpfs", "tmpfs", &["rdirsync", "exec"]);
            config::mount(value, "/mnt/new", "", "", &[&["remount"][..], &WORDS].concat());
        });
        for target in kinds.iter().map(|kind| kind.0).chain(["/mnt/new", "/mnt/new/below"]) {
            let found = options(&report, target);
            assert_eq!(found, "ro nosuid nodev noexec noatime", "{target}, namespaces {namespaces}");
        }
        assert!(words(&mount_at(&report, "/mnt/new")["super_options"]).contains(&"sync"));
        assert!(words(&mount_at(&report, "/mnt/new/below")["super_options"]).contains(&"dirsync"));
    }
}

#[test]
fn a_new_filesystem_gets_new_options() {
    let Some(world) = World::new("a_new_filesystem_gets_new_options") else { return };
    let report = world.report(&["mounts"], |value| {
        config::mount(value, "/mnt", "tmpfs", "tmpfs", &["size=64k", "sync"]);
        config::mount(value, "/mnt/inner", "tmpfs", "tmpfs", &["size=64k", "tmpcopyup"]);
        config::mount(value, "/mnt/inner", "", "", &["remount", "size=128k", "noexec"]);
        config::mount(value, "/mnt", "", "", &["remount", "size=256k,nr_inodes=70", "async"]);
        config::mount(value, "/mnt", "", "", &["remount", "bind", "nosuid", "sync"]);
    });
    assert_eq!(superblock(&report, "/mnt"), "rw size=256k nr_inodes=70 mode=755");
    assert!(superblock(&report, "/mnt/inner").contains("size=128k"), "{report}");
    assert_eq!(options(&report, "/mnt"), "rw nosuid relatime");
    assert_eq!(options(&report, "/mnt/inner"), "rw noexec relatime");
}

#[test]
fn new_options_that_are_refused_are_told_in_the_filesystems_words() {
    let Some(world) = World::new("new_options_that_are_refused_are_told_in_the_filesystems_words") else {
        return;
    };
    let container = world.container("a", |value| {
        config::mount(value, "/mnt", "tmpfs", "tmpfs", &["size=64k"]);
        config::mount(value, "/mnt", "", "", &["remount", "size=lots"]);
    });
    let sentence = "cannot give the filesystem new options: size=lots: fsconfig(2) answered: invalid argument \
                    (EINVAL) (tmpfs: Bad value for 'size')";
    container.create().fails_at(sentence, "/mounts/8");
}

/// A filesystem of the host is not the container's to change.
#[test]
fn only_filesystems_of_the_container_get_new_options() {
    let Some(world) = World::new("only_filesystems_of_the_container_get_new_options") else { return };
    let source = world.file("source");
    fs::create_dir(&source).expect("a directory");
    let source = source.to_str().expect("UTF-8");
    let finds = |target: &str, words: &[&str], part: &str| {
        let container = world.container("a", |value| {
            config::mount(value, "/mnt", "bind", source, &["bind"]);
            config::mount(value, target, "", "", words);
        });
        container.create().finds_part(part, "/mounts/8/options");
    };
    finds("/mnt", &["remount", "sync"], "\"sync\" would change a filesystem of the host");
    finds("/mnt", &["remount", "size=1m"], "no earlier mount makes a new one at /mnt");
    finds("/", &["remount", "errors=panic"], "no earlier mount makes a new one at /");
    finds("/mnt", &["remount", "bind", "size=1m"], "cannot have any filesystem-specific options");
}

/// `iversion` and `silent` are flags of mount(2) alone, so that is the way those mounts go.
#[test]
fn flags_of_mount_alone_go_with_everything_else() {
    let Some(world) = World::new("flags_of_mount_alone_go_with_everything_else") else { return };
    let report = world.report(&["mounts"], |value| {
        config::mount(
            value,
            "/tmp",
            "tmpfs",
            "named",
            &["iversion", "size=64k,uid=7", "ro", "rnoexec", "shared"],
        );
        config::mount(value, "/root", "tmpfs", "tmpfs", &["silent", "lazytime", "sync", "async"]);
    });
    assert_eq!(options(&report, "/tmp"), "ro noexec relatime");
    let mount = mount_at(&report, "/tmp");
    assert_eq!((mount["source"].as_str(), words(&mount["propagation"]).len()), (Some("named"), 1));
    assert_eq!(superblock(&report, "/tmp"), "ro size=64k uid=7");
    assert_eq!(superblock(&report, "/root"), "rw lazytime mode=700");
}

#[test]
fn a_volume_need_not_know_of_acls() {
    let Some(world) = World::new("a_volume_need_not_know_of_acls") else { return };
    let source = tree(&world, "source", "rw");
    for words in [&["rbind", "acl", "z"][..], &["rbind", "noacl", "Z", "x-mark=1", "comment=2", "_netdev"]] {
        let said = world.says(&["cat", "/mnt/file"], |value| {
            config::mount(value, "/mnt", "bind", &source, words);
        });
        assert_eq!(said, "of the host\n", "{words:?}");
    }
    inventory::unmount_below(Path::new(&source));
}

#[test]
fn a_link_is_copied_or_must_be_the_same() {
    let Some(world) = World::new("a_link_is_copied_or_must_be_the_same") else { return };
    let (rootfs, link, file) = (world.own_rootfs(), world.file("link"), world.file("plain"));
    symlink("/etc/passwd", &link).expect("a link");
    fs::write(&file, "plain\n").expect("a file");
    symlink("/etc/passwd", rootfs.join("srv-same")).expect("a link");
    symlink("/etc/group", rootfs.join("srv-other")).expect("a link");
    let container = |source: &Path, target: &str, script: &str| {
        world.container("a", |value| {
            value["root"]["path"] = json!(rootfs);
            config::mount(value, target, "bind", source.to_str().expect("UTF-8"), &["rbind", "copy-symlink"]);
            config::runs(value, &["sh", "-c", script]);
        })
    };
    let made = container(&link, "/srv-made/link", "readlink /srv-made/link");
    assert_eq!(made.run(&[]).ok().stdout, "/etc/passwd\n");
    let same = container(&link, "/srv-same", "readlink /srv-same");
    assert_eq!(same.run(&[]).ok().stdout, "/etc/passwd\n");
    // What is no link is mounted.
    let plain = container(&file, "/srv-plain", "cat /srv-plain");
    assert_eq!(plain.run(&[]).ok().stdout, "plain\n");
    let sentence = "cannot make the link /srv-other to /etc/passwd: something else than this symbolic link is \
                    there already";
    container(&link, "/srv-other", "true").create().fails_at(sentence, "/mounts/7");
}

/// In a user namespace the child clones the source itself, and the link is the source there as well.
#[test]
fn a_link_is_a_source_in_a_user_namespace_too() {
    let Some(world) = World::new("a_link_is_a_source_in_a_user_namespace_too") else { return };
    let (rootfs, link) = (world.own_rootfs(), world.file("link"));
    symlink("/nowhere", &link).expect("a link");
    symlink("/etc/passwd", rootfs.join("covered")).expect("a link");
    world::tool(&["chown", "-R", &format!("{0}:{0}", config::FIRST_ID), rootfs.to_str().expect("UTF-8")]);
    let said = world.says(&["readlink", "/covered"], |value| {
        value["root"]["path"] = json!(rootfs);
        config::userns(value);
        let source = link.to_str().expect("UTF-8");
        config::mount(value, "/covered", "bind", source, &["bind", "src-nofollow", "dest-nofollow"]);
    });
    assert_eq!(said, "/nowhere\n");
}

/// No machine of the tests refuses a cgroup2 in a cgroup namespace of the container's own, as a host with v1
/// does: the plan has the way that is taken then.
#[test]
fn the_directory_of_its_cgroup_stands_in_for_a_refused_cgroup2() {
    let Some(world) = World::new("the_directory_of_its_cgroup_stands_in_for_a_refused_cgroup2") else {
        return;
    };
    let container = world.container("own", |_| {});
    let plan =
        world.runtime().words(&["explain", "--format", "json"]).path(&container.bundle).run().ok().json();
    let steps = plan.as_array().expect("steps");
    let step =
        steps.iter().find(|step| step["what"] == "mount cgroup2 on /sys/fs/cgroup").expect("the mount");
    let instead = format!("bind /sys/fs/cgroup/{}/own on /sys/fs/cgroup", world.tag);
    assert_eq!(step["alternative"]["what"], instead, "{step}");
}

#[test]
fn words_in_the_wrong_place_are_findings() {
    let Some(world) = World::new("words_in_the_wrong_place_are_findings") else { return };
    let source = world.file("source");
    fs::create_dir(&source).expect("a directory");
    let source = source.to_str().expect("UTF-8");
    let finds = |kind: &str, source: &str, words: &[&str], part: &str, pointer: &str| {
        let container = world.container("a", |value| config::mount(value, "/mnt", kind, source, words));
        container.create().finds_part(part, pointer);
    };
    finds("bind", source, &["bind", "tmpcopyup"], "is for a new tmpfs", "/mounts/7/options/1");
    finds("mqueue", "mqueue", &["tmpcopyup"], "is for a new tmpfs", "/mounts/7/options/0");
    finds(
        "tmpfs",
        "tmpfs",
        &["tmpcopyup", "idmap=uids=0-1-1;gids=0-1-1"],
        "keeps the owners",
        "/mounts/7/options/1",
    );
    for other in ["src-nofollow", "dest-nofollow"] {
        let words = ["bind", other, "copy-symlink"];
        finds("bind", source, &words, "copy-symlink makes a link", "/mounts/7/options/2");
    }
    finds("bind", "", &["bind"], "a bind mount needs a source", "/mounts/7");
    finds("bind", source, &["bind", "size=1m"], "filesystem-specific", "/mounts/7/options");
    finds("bind", source, &["bind", "nosiud"], "\"nosiud\" is not a mount option", "/mounts/7/options");
}

#[test]
fn words_without_a_source_are_warnings() {
    let Some(world) = World::new("words_without_a_source_are_warnings") else { return };
    for word in ["src-nofollow", "copy-symlink"] {
        let container = world.container("a", |value| {
            config::mount(value, "mnt", "tmpfs", "tmpfs", &[word]);
            config::runs(value, &["stat", "-f", "-c", "%T", "/mnt"]);
        });
        let output = container.run(&[]).ok();
        assert_eq!(output.stdout, "tmpfs\n");
        let said = output.stderr;
        assert!(said.contains(&format!("{word} is about the source of a bind mount")), "{said}");
        assert!(said.contains("is relative and is taken from /"), "{said}");
    }
}

/// SELinux is on no test machine: the check is that a label cannot be lost without a word.
#[test]
fn a_mount_label_needs_selinux() {
    const NAME: &str = "a_mount_label_needs_selinux";
    let Some(world) = World::new(NAME) else { return };
    if Path::new("/sys/fs/selinux/enforce").exists() {
        world::skip(NAME, "this kernel runs with SELinux");
        return;
    }
    let label = "system_u:object_r:container_file_t:s0:c1,c2";
    let container = world.container("a", |value| value["linux"]["mountLabel"] = json!(label));
    container.create().finds_part("cannot be applied: this kernel runs without selinux", "/linux/mountLabel");
    let container = world.container("b", |value| value["linux"]["mountLabel"] = json!(""));
    container.run(&[]).ok();
}
