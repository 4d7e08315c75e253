//! Images and volumes that turn the options of a mount against the host.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde_json::{Value, json};

use super::canary::{Canary, End, end, link, refused};
use super::world::{self, World, config, inventory};

fn mapped(value: &mut Value, target: &str, source: &Path, words: &[&str]) {
    config::mount(value, target, "bind", source.to_str().expect("UTF-8"), words);
    let mount = value["mounts"].as_array_mut().expect("mounts").last_mut().expect("a mount");
    let map = json!([{ "containerID": 0, "hostID": 7, "size": 1000 }]);
    (mount["uidMappings"], mount["gidMappings"]) = (map.clone(), map);
}

fn owners(directory: &Path) -> Vec<(PathBuf, u32, u32)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory").flatten() {
        let status = fs::symlink_metadata(entry.path()).expect("a status");
        found.push((entry.path(), status.uid(), status.gid()));
    }
    found.sort();
    found
}

/// A mount that shows other ids must not land outside, and must not change whose the files are.
#[test]
fn an_id_mapped_mount_on_a_link_stays_inside() {
    let Some(world) = World::new("an_id_mapped_mount_on_a_link_stays_inside") else { return };
    let (canary, root, source) = (Canary::new(&world), world.own_rootfs(), world.file("source"));
    fs::create_dir(&source).expect("a directory");
    fs::write(source.join("file"), "").expect("a file");
    chown(source.join("file"), Some(3), Some(3)).expect("an owner");
    let before = (owners(&source), owners(&canary.path));
    for goal in
        [canary.text(), "/", "..", "../../..", "/proc/self/root", "/proc/1/cwd", "m", "/proc/self/fd/3"]
    {
        link(goal, &root.join("m"));
        for target in ["/m", "/m/x"] {
            for words in [&["bind", "idmap"][..], &["rbind", "ridmap", "dest-nofollow"]] {
                let container = world.container("map", |value| {
                    value["root"] = json!({ "path": root });
                    mapped(value, target, &source, words);
                });
                let what = format!("{target} through {goal}, {words:?}");
                end(&container.run(&[]), &what);
                canary.sings(&what);
                assert_eq!(before, (owners(&source), owners(&canary.path)), "{what}");
            }
        }
    }
}

/// The link itself is covered, or nothing; never what it leads to.
#[test]
fn a_link_that_is_a_target_leads_nowhere() {
    let Some(world) = World::new("a_link_that_is_a_target_leads_nowhere") else { return };
    let (canary, root, file) = (Canary::new(&world), world.own_rootfs(), world.file("mounted"));
    fs::write(&file, "mounted\n").expect("a file");
    for goal in [canary.text(), "/", "/etc/passwd", "missing", "/proc/self/fd/3"] {
        link(goal, &root.join("m"));
        let output = world
            .container("link", |value| {
                value["root"] = json!({ "path": root });
                let source = file.to_str().expect("UTF-8");
                config::mount(value, "/m", "bind", source, &["bind", "dest-nofollow"]);
                config::runs(value, &["cat", "/m"]);
            })
            .run(&[]);
        assert_eq!(output.ok().stdout, "mounted\n", "{goal}");
        canary.sings(goal);
    }
}

/// The source of a copied link is the host's; what lies at its place in the image is not followed.
#[test]
fn a_copied_link_is_made_inside() {
    let Some(world) = World::new("a_copied_link_is_made_inside") else { return };
    let (canary, root, source) = (Canary::new(&world), world.own_rootfs(), world.file("link"));
    std::os::unix::fs::symlink(canary.path.join("file"), &source).expect("a link");
    for (place, goal) in [("a", canary.text()), ("b", "/"), ("c", "../../../.."), ("d", "/proc/self/root")] {
        link(goal, &root.join(place));
        let output = world
            .container("copy", |value| {
                value["root"] = json!({ "path": root });
                let (target, source) = (format!("/{place}/new/link"), source.to_str().expect("UTF-8"));
                config::mount(value, &target, "bind", source, &["bind", "copy-symlink"]);
                config::runs(value, &["cat", &target]);
            })
            .run(&[]);
        // The link leads to a path of the host, which is not there inside.
        assert_ne!(output.status, 0, "{place}: {}", output.stdout);
        canary.sings(place);
    }
}

/// A volume with the root filesystem in it is bound into that root: the tree ends, and recursive words reach
/// the clone and nothing of the host.
#[test]
fn a_tree_that_contains_its_own_root_ends() {
    let Some(world) = World::new("a_tree_that_contains_its_own_root_ends") else { return };
    let (root, all) = (world.own_rootfs(), world.file(""));
    let text = root.to_str().expect("UTF-8");
    world::tool(&["mount", "--bind", text, text]);
    world::tool(&["mount", "--make-shared", text]);
    world::tool(&["mount", "-t", "tmpfs", "inner", &format!("{text}/mnt")]);
    fs::create_dir(root.join("mnt/self")).expect("a directory");
    let before = inventory::mounts();
    for (target, words) in [
        ("/srv", ["rbind", "rro", "rshared"]),
        ("/mnt/self", ["rbind", "rnoexec", "runbindable"]),
        ("/srv/deep/er", ["rbind", "rnosymfollow", "rslave"]),
    ] {
        let output = world
            .container("self", |value| {
                value["root"] = json!({ "path": root });
                config::mount(value, target, "bind", all.to_str().expect("UTF-8"), &words);
                config::mount(value, "/mnt", "bind", text, &words);
            })
            .run(&[]);
        assert_eq!(end(&output, target), End::Ran, "{target}: {}", output.stderr);
        assert_eq!(before, inventory::mounts(), "{target}");
    }
    inventory::unmount_below(&root);
}

/// `ridmap` over a tree of which one mount cannot be mapped: nothing runs, nothing is left.
#[test]
fn a_tree_that_cannot_be_mapped_whole_is_refused() {
    let Some(world) = World::new("a_tree_that_cannot_be_mapped_whole_is_refused") else { return };
    let (source, below) = (world.file("source"), world.file("source/below"));
    fs::create_dir_all(&below).expect("directories");
    world::tool(&["mount", "-t", "proc", "proc", below.to_str().expect("UTF-8")]);
    let before = inventory::mounts();
    let output =
        world.container("tree", |value| mapped(value, "/mnt", &source, &["rbind", "ridmap"])).run(&[]);
    refused(&output, "a tree with a procfs in it");
    assert!(
        output.stderr.contains("or one that is mounted below it, cannot be id-mapped"),
        "{}",
        output.stderr
    );
    assert_eq!(before, inventory::mounts());
    inventory::unmount_below(&source);
}

/// A volume whose owner exchanges two directories all the time: a mount of ours on one of them gets new
/// options, and the filesystem of the host on the other must not get them.
#[test]
fn new_options_never_reach_a_filesystem_of_the_host() {
    let Some(world) = World::new("new_options_never_reach_a_filesystem_of_the_host") else { return };
    let (volume, host) = (world.file("volume"), world.file("host"));
    for place in [&volume, &volume.join("a"), &volume.join("b"), &host] {
        fs::create_dir(place).expect("a directory");
    }
    let host_text = host.to_str().expect("UTF-8");
    world::tool(&["mount", "-t", "tmpfs", "-o", "size=512k", "host", host_text]);
    let (stop, mut ran) = (AtomicBool::new(false), 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let _ = renameat_with(CWD, volume.join("a"), CWD, volume.join("b"), RenameFlags::EXCHANGE);
            }
        });
        for _ in 0..40 {
            let container = world.container("race", |value| {
                config::mount(value, "/mnt", "bind", volume.to_str().expect("UTF-8"), &["rbind"]);
                config::mount(value, "/mnt/a", "tmpfs", "tmpfs", &["size=64k"]);
                config::mount(value, "/mnt/b", "bind", host_text, &["bind"]);
                config::mount(value, "/mnt/a", "", "", &["remount", "size=128k", "sync"]);
            });
            ran += u32::from(end(&container.run(&[]), "a race") == End::Ran);
        }
        stop.store(true, Ordering::Relaxed);
    });
    let mounts = fs::read_to_string("/proc/self/mounts").expect("mounts");
    let line = mounts.lines().find(|line| line.contains(host_text)).expect("the mount of the host");
    assert!(line.contains("size=512k") && !line.contains("sync"), "{line}");
    assert!(ran > 0, "no container ran");
    inventory::unmount_below(&host);
}

/// While the maps of a mount are made, a process exists beside the container: it is gone before the container
/// is born, and what it has lent is not in the container.
#[test]
fn who_lends_the_maps_is_gone() {
    let Some(world) = World::new("who_lends_the_maps_is_gone") else { return };
    let source = world.file("source");
    fs::create_dir(&source).expect("a directory");
    let container = world.container("gone", |value| {
        mapped(value, "/mnt", &source, &["bind", "idmap"]);
        mapped(value, "/tmp", &source, &["bind", "ridmap"]);
    });
    container.create().ok();
    let held: Vec<String> = fs::read_dir(format!("/proc/{}/fd", container.pid()))
        .expect("descriptors")
        .flatten()
        .filter_map(|entry| Some(fs::read_link(entry.path()).ok()?.display().to_string()))
        .collect();
    assert!(held.iter().all(|target| !target.starts_with("user:")), "{held:?}");
    let own = fs::read_link("/proc/self/ns/user").expect("a namespace");
    let inside = fs::read_link(format!("/proc/{}/ns/user", container.pid())).expect("a namespace");
    assert_eq!(own, inside, "the container is in no user namespace of its own");
    let processes = inventory::descendants();
    assert_eq!(processes.len(), 1, "only that of the container: {processes:?}");
    container.finish();
}
