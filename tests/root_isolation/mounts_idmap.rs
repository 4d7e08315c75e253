//! Mounts that show other ids than their filesystem has.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::world::{self, World, config, inventory};

/// Can the filesystem of this directory be id-mapped on this kernel (mount_setattr(2))? If not, its name.
pub fn idmappable(directory: &Path) -> Result<(), String> {
    let directory = directory.to_str().expect("UTF-8");
    let name = world::tool(&["stat", "-f", "-c", "%T", directory]);
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("a release");
    let mut numbers = release.split('.').filter_map(|number| number.parse::<u32>().ok());
    let kernel = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let since = match name.as_str() {
        "ext2/ext3" | "xfs" => (5, 12),
        "btrfs" => (5, 15),
        "tmpfs" => (6, 3),
        _ => (u32::MAX, 0),
    };
    if kernel >= since { Ok(()) } else { Err(name.replace("ext2/ext3", "ext4")) }
}

/// A directory that can be id-mapped, with a file of each of these owners in it; a skip where there is none.
fn owned(world: &World, test: &str, owners: &[u32]) -> Option<PathBuf> {
    let directory = world.file("owned");
    fs::create_dir(&directory).expect("a directory");
    if let Err(filesystem) = idmappable(&directory) {
        world::skip(test, &format!("{filesystem} cannot be id-mapped on this kernel"));
        return None;
    }
    for owner in owners {
        let file = directory.join(owner.to_string());
        fs::write(&file, "").expect("a file");
        chown(&file, Some(*owner), Some(*owner)).expect("an owner");
    }
    Some(directory)
}

fn map(lines: &[(u32, u32, u32)]) -> Value {
    lines
        .iter()
        .map(|(inside, outside, size)| json!({ "containerID": inside, "hostID": outside, "size": size }))
        .collect()
}

/// A bind mount on /mnt with these words and, if there are lines, mappings of its own.
fn bind(value: &mut Value, source: &Path, words: &[&str], lines: &[(u32, u32, u32)]) {
    config::mount(value, "/mnt", "bind", source.to_str().expect("UTF-8"), words);
    if !lines.is_empty() {
        let mount = value["mounts"].as_array_mut().expect("mounts").last_mut().expect("a mount");
        (mount["uidMappings"], mount["gidMappings"]) = (map(lines), map(lines));
    }
}

/// A script that tells the owners of what is in /mnt.
const OWNERS: [&str; 3] = ["sh", "-c", "cd /mnt; for file in *; do stat -c '%n %u:%g' $file; done"];

#[test]
fn a_mount_has_mappings_of_its_own() {
    const NAME: &str = "a_mount_has_mappings_of_its_own";
    let Some(world) = World::new(NAME) else { return };
    let Some(source) = owned(&world, NAME, &[0, 7, 2000]) else { return };
    for words in [&["bind", "idmap"][..], &["rbind", "ridmap", "ro"], &["bind"]] {
        let lines = [(0, 5000, 5), (7, 7, 1)];
        let said = world.says(&OWNERS, |value| bind(value, &source, words, &lines));
        assert_eq!(said, "0 5000:5000\n2000 65534:65534\n7 7:7\n", "{words:?}");
    }
}

#[test]
fn a_map_may_have_many_lines() {
    const NAME: &str = "a_map_may_have_many_lines";
    let Some(world) = World::new(NAME) else { return };
    let Some(source) = owned(&world, NAME, &[0, 3, 299]) else { return };
    let lines: Vec<(u32, u32, u32)> = (0..300).map(|id| (id, 1000 + 2 * id, 1)).collect();
    let said = world.says(&OWNERS, |value| bind(value, &source, &["bind", "idmap"], &lines));
    assert_eq!(said, "0 1000:1000\n299 1598:1598\n3 1006:1006\n");
}

/// What is written through the mount lands with the ids of the filesystem.
#[test]
fn a_new_user_namespace_lends_its_mappings() {
    const NAME: &str = "a_new_user_namespace_lends_its_mappings";
    let Some(world) = World::new(NAME) else { return };
    let Some(source) = owned(&world, NAME, &[0, 7]) else { return };
    let rootfs = world.own_rootfs();
    world::tool(&["chown", "-R", &format!("{0}:{0}", config::FIRST_ID), rootfs.to_str().expect("UTF-8")]);
    let script = format!("{}; touch /mnt/new; chown 9 /mnt/new", OWNERS[2]);
    let said = world.says(&["sh", "-c", &script], |value| {
        value["root"]["path"] = json!(rootfs);
        config::userns(value);
        bind(value, &source, &["bind", "idmap"], &[]);
    });
    assert_eq!(said, "0 0:0\n7 7:7\n");
    let new = fs::metadata(source.join("new")).expect("the file");
    assert_eq!(
        (std::os::unix::fs::MetadataExt::uid(&new), std::os::unix::fs::MetadataExt::gid(&new)),
        (9, 0)
    );
}

#[test]
fn the_mappings_of_the_container_reach_the_mounts_below_with_ridmap() {
    const NAME: &str = "the_mappings_of_the_container_reach_the_mounts_below_with_ridmap";
    let Some(world) = World::new(NAME) else { return };
    let Some(source) = owned(&world, NAME, &[7]) else { return };
    let (below, other) = (source.join("below"), world.file("other"));
    for directory in [&below, &other] {
        fs::create_dir(directory).expect("a directory");
    }
    fs::write(other.join("file"), "").expect("a file");
    world::tool(&["mount", "--bind", other.to_str().expect("UTF-8"), below.to_str().expect("UTF-8")]);
    let rootfs = world.own_rootfs();
    world::tool(&["chown", "-R", &format!("{0}:{0}", config::FIRST_ID), rootfs.to_str().expect("UTF-8")]);
    let said = world.says(&["stat", "-c", "%u", "/mnt/7", "/mnt/below/file"], |value| {
        value["root"]["path"] = json!(rootfs);
        config::userns(value);
        bind(value, &source, &["rbind", "ridmap"], &[]);
    });
    assert_eq!(said, "7\n0\n");
    inventory::unmount_below(&below);
}

#[test]
fn a_joined_user_namespace_lends_its_mappings() {
    const NAME: &str = "a_joined_user_namespace_lends_its_mappings";
    let Some(world) = World::new(NAME) else { return };
    let Some(source) = owned(&world, NAME, &[0, 7]) else { return };
    let rootfs = world.own_rootfs();
    world::tool(&["chown", "-R", &format!("{0}:{0}", config::FIRST_ID), rootfs.to_str().expect("UTF-8")]);
    let holder = world.container("holder", |value| {
        value["root"]["path"] = json!(rootfs);
        config::userns(value);
        config::sleeps(value);
    });
    holder.run(&["--detach"]).ok();
    let path = format!("/proc/{}/ns/user", holder.pid());
    let said = world.says(&OWNERS, |value| {
        value["root"]["path"] = json!(rootfs);
        config::namespace(value, "user", Some(&path));
        bind(value, &source, &["bind", "idmap"], &[]);
    });
    assert_eq!(said, "0 0:0\n7 7:7\n");
    holder.finish();
}

#[test]
fn the_words_of_crun_have_maps() {
    const NAME: &str = "the_words_of_crun_have_maps";
    let Some(world) = World::new(NAME) else { return };
    let Some(source) = owned(&world, NAME, &[0, 10]) else { return };
    let said = world.says(&OWNERS, |value| {
        bind(value, &source, &["bind", "idmap=uids=0-1-10#10-110-10;gids=0-100-20"], &[]);
    });
    assert_eq!(said, "0 1:100\n10 110:110\n");
    let rootfs = world.own_rootfs();
    world::tool(&["chown", "-R", &format!("{0}:{0}", config::FIRST_ID), rootfs.to_str().expect("UTF-8")]);
    let said = world.says(&OWNERS, |value| {
        value["root"]["path"] = json!(rootfs);
        config::userns(value);
        bind(value, &source, &["bind", "idmap=uids=@0-3-20;gids=@0-4-20"], &[]);
    });
    assert_eq!(said, "0 3:4\n10 13:14\n");
}

/// `idmap` is about the mount itself, `ridmap` about those below it as well.
#[test]
fn only_ridmap_reaches_the_mounts_below() {
    const NAME: &str = "only_ridmap_reaches_the_mounts_below";
    let Some(world) = World::new(NAME) else { return };
    let Some(source) = owned(&world, NAME, &[0]) else { return };
    let (below, other) = (source.join("below"), world.file("other"));
    for directory in [&below, &other] {
        fs::create_dir(directory).expect("a directory");
    }
    fs::write(other.join("file"), "").expect("a file");
    world::tool(&["mount", "--bind", other.to_str().expect("UTF-8"), below.to_str().expect("UTF-8")]);
    let look = ["stat", "-c", "%u", "/mnt/0", "/mnt/below/file"];
    for (word, seen) in [("idmap", "7\n0\n"), ("ridmap", "7\n7\n")] {
        let said = world.says(&look, |value| bind(value, &source, &["rbind", word], &[(0, 7, 1)]));
        assert_eq!(said, seen, "{word}");
    }
    inventory::unmount_below(&below);
}

#[test]
fn a_new_filesystem_can_show_other_ids() {
    const NAME: &str = "a_new_filesystem_can_show_other_ids";
    let Some(world) = World::new(NAME) else { return };
    let shown = world.file("memory");
    fs::create_dir(&shown).expect("a directory");
    world::tool(&["mount", "-t", "tmpfs", "tmpfs", shown.to_str().expect("UTF-8")]);
    let possible = idmappable(&shown);
    inventory::unmount_below(&shown);
    let container = world.container("a", |value| {
        config::mount(value, "/mnt", "tmpfs", "tmpfs", &["idmap", "uid=3", "mode=750", "noexec"]);
        let mount = value["mounts"].as_array_mut().expect("mounts").last_mut().expect("a mount");
        (mount["uidMappings"], mount["gidMappings"]) = (map(&[(0, 70, 10)]), map(&[(0, 70, 10)]));
        let look = "stat -c '%u:%g %a' /mnt; grep ' /mnt ' /proc/mounts | cut -d' ' -f4 | cut -d, -f1-2";
        config::runs(value, &["sh", "-c", look]);
    });
    let output = container.run(&[]);
    match possible {
        Ok(()) => assert_eq!(output.ok().stdout, "73:70 750\nrw,noexec\n"),
        Err(_) => drop(output.finds_part("can be id-mapped since Linux 6.3", "/mounts/7/options/0")),
    }
}

#[test]
fn what_cannot_be_mapped_is_told_with_its_filesystem() {
    let Some(world) = World::new("what_cannot_be_mapped_is_told_with_its_filesystem") else { return };
    let container = world.container("a", |value| {
        bind(value, Path::new("/proc/self"), &["bind", "idmap"], &[(0, 7, 1)]);
    });
    let why = "cannot clone the tree of /proc/self, with other ids: mount_setattr(2) answered: invalid \
               argument (EINVAL): a filesystem of the type proc cannot be id-mapped";
    container.create().fails_at(why, "/mounts/7");
}

#[test]
fn wrong_maps_are_findings() {
    let Some(world) = World::new("wrong_maps_are_findings") else { return };
    let source = world.file("source");
    fs::create_dir(&source).expect("a directory");
    let finds = |words: &[&str], change: &dyn Fn(&mut Value), part: &str, pointer: &str| {
        let container = world.container("a", |value| {
            bind(value, &source, words, &[]);
            change(&mut value["mounts"][7]);
        });
        container.create().finds_part(part, pointer);
    };
    let nothing = |_: &mut Value| {};
    finds(&["bind", "idmap"], &nothing, "needs mappings", "/mounts/7/options/1");
    finds(&["bind", "ridmap"], &nothing, "needs mappings", "/mounts/7/options/1");
    let one = |mount: &mut Value| mount["uidMappings"] = map(&[(0, 7, 1)]);
    finds(&["bind"], &one, "come together with gidMappings", "/mounts/7/uidMappings");
    let other = |mount: &mut Value| mount["gidMappings"] = map(&[(0, 7, 1)]);
    finds(&["bind", "idmap"], &other, "come together with uidMappings", "/mounts/7/gidMappings");
    let bad = |mount: &mut Value| {
        (mount["uidMappings"], mount["gidMappings"]) = (map(&[(0, 7, 0)]), map(&[(0, 7, 1)]));
    };
    finds(&["bind", "idmap"], &bad, "size 0", "/mounts/7/uidMappings/0/size");
    let long = |mount: &mut Value| {
        let lines: Vec<(u32, u32, u32)> =
            (0..300).map(|id| (4_000_000_000 + id, 3_000_000_000 + id, 1)).collect();
        (mount["uidMappings"], mount["gidMappings"]) = (map(&lines), map(&[(0, 7, 1)]));
    };
    finds(&["bind", "idmap"], &long, "longer than the 4095 bytes", "/mounts/7/uidMappings");
    finds(&["bind", "idmap=uids=0-1-1"], &nothing, "both uids= and gids=", "/mounts/7/options/1");
    finds(
        &["bind", "idmap=uids=@0-1-1;gids=0-1-1"],
        &nothing,
        "no mapping of the container",
        "/mounts/7/options/1",
    );
    let filesystem = |mount: &mut Value| {
        (mount["type"], mount["uidMappings"], mount["gidMappings"]) =
            (json!("mqueue"), map(&[(0, 7, 1)]), map(&[(0, 7, 1)]));
    };
    finds(&["idmap"], &filesystem, "type mqueue cannot be id-mapped", "/mounts/7/options/0");
}
