//! The words of `mountOptions`: each on a mount of its own, all in one container.

use serde_json::{Value, json};

use crate::world::{World, config};
use crate::{value, words};

/// Adds a mount with this word at /mnt/WORD. To a tmpfs, whatever is no word of ours is an option of its own,
/// and it knows none of these.
fn add(config: &mut Value, word: &str, source: &str) {
    let target = format!("/mnt/{word}");
    match word {
        "bind" | "rbind" => config::mount(config, &target, "none", source, &[word]),
        "remount" => {
            config::mount(config, &target, "tmpfs", "tmpfs", &[]);
            config::mount(config, &target, "tmpfs", "tmpfs", &["remount", "ro"]);
        }
        "idmap" | "ridmap" => {
            let bind = if word == "idmap" { "bind" } else { "rbind" };
            config::mount(config, &target, "none", source, &[bind, word]);
            let map = json!([{ "containerID": 0, "hostID": config::FIRST_ID, "size": 65536 }]);
            let mounts = config["mounts"].as_array_mut().expect("a list of mounts");
            let last = mounts.last_mut().expect("just added");
            last["uidMappings"] = map.clone();
            last["gidMappings"] = map;
        }
        _ => config::mount(config, &target, "tmpfs", "tmpfs", &[word]),
    }
}

#[test]
fn every_mount_option_is_one() {
    let Some(world) = World::new("every_mount_option_is_one") else { return };
    let words = words(&world, "/mountOptions");
    let source = world.file("source");
    std::fs::create_dir(&source).expect("a directory");
    let source = source.to_str().expect("UTF-8");
    let report = world.report(&["mounts"], |config| {
        config::mount(config, "/mnt", "tmpfs", "tmpfs", &[]);
        words.iter().for_each(|word| add(config, word, source));
    });
    let mounts = report["mounts"].as_array().expect("mounts");
    for word in &words {
        let target = format!("/mnt/{word}");
        assert!(mounts.iter().any(|mount| mount["target"] == target.as_str()), "{word}");
    }
}

/// What the words do, is shown for those that mountinfo tells.
#[test]
fn options_that_can_be_seen_are_seen() {
    let Some(world) = World::new("options_that_can_be_seen_are_seen") else { return };
    let words = words(&world, "/mountOptions");
    let shown = ["ro", "nosuid", "nodev", "noexec", "noatime", "nodiratime", "relatime", "nosymfollow"];
    let seen: Vec<&String> = words
        .iter()
        .filter(|word| shown.iter().any(|shown| word == shown || word.strip_prefix('r') == Some(shown)))
        .collect();
    let report = world.report(&["mounts"], |config| {
        config::mount(config, "/mnt", "tmpfs", "tmpfs", &[]);
        seen.iter().for_each(|word| add(config, word, "/"));
    });
    assert_eq!(seen.len(), 2 * shown.len(), "each also with r for the whole tree: {seen:?}");
    for word in seen {
        let expected = shown.iter().find(|shown| word == *shown || word.strip_prefix('r') == Some(shown));
        let target = format!("/mnt/{word}");
        let mounts = report["mounts"].as_array().expect("mounts").iter();
        let options: Vec<Value> =
            mounts.filter(|mount| mount["target"] == target.as_str()).map(|m| m["options"].clone()).collect();
        let has = options
            .iter()
            .flat_map(Value::as_array)
            .flatten()
            .any(|option| Some(option.as_str()) == Some(expected.copied()));
        assert!(has, "{word}: {options:?}");
    }
}

#[test]
fn idmapped_mounts_are_as_told() {
    let Some(world) = World::new("idmapped_mounts_are_as_told") else { return };
    let source = world.file("source");
    std::fs::create_dir(&source).expect("a directory");
    let container = world.container("a", |config| {
        config::bind(config, &source, "/mnt");
        let mounts = config["mounts"].as_array_mut().expect("a list of mounts");
        let last = mounts.last_mut().expect("just added");
        last["uidMappings"] = json!([{ "containerID": 0, "hostID": 7, "size": 1 }]);
        last["gidMappings"] = json!([{ "containerID": 0, "hostID": 7, "size": 1 }]);
        config::runs(config, &["stat", "-c", "%u", "/mnt"]);
    });
    assert_eq!(value(&world, "/linux/mountExtensions/idmap/enabled"), true);
    assert_eq!(container.run(&[]).ok().stdout, "7\n");
}
