//! What a configuration may say besides what is known (config.md, Annotations and Extensibility).

use serde_json::{Value, json};

use crate::world::{World, config};

/// Adds a member that nobody knows to every object, but those whose names are the user's own.
fn extend(value: &mut Value, name: &str) {
    const MAPS: [&str; 6] = ["annotations", "sysctl", "unified", "timeOffsets", "netDevices", "rdma"];
    match value {
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                extend(member, name);
            }
            if !MAPS.contains(&name) {
                members.insert("org.example.unknown".to_owned(), json!({ "deep": [1, null, "x"] }));
            }
        }
        Value::Array(entries) => entries.iter_mut().for_each(|entry| extend(entry, name)),
        _ => {}
    }
}

#[test]
fn unknown_members_are_ignored_everywhere() {
    let Some(world) = World::new("unknown_members_are_ignored_everywhere") else { return };
    let container = world.container("a", |value| {
        config::namespace(value, "time", None);
        config::deny(value, "personality", 99);
        value["process"]["rlimits"] = json!([{ "type": "RLIMIT_CORE", "soft": 0, "hard": 0 }]);
        value["process"]["consoleSize"] = json!({ "height": 10, "width": 20 });
        value["hooks"] = json!({ "poststop": [{ "path": "/bin/true" }] });
        value["annotations"] = json!({ "org.example.color": "blue" });
        value["linux"]["sysctl"] = json!({ "net.ipv4.ip_forward": "1" });
        value["linux"]["timeOffsets"] = json!({ "monotonic": { "secs": 7 } });
        value["linux"]["personality"] = json!({ "domain": "LINUX" });
        value["linux"]["devices"] = json!([{ "path": "/dev/pipe", "type": "p" }]);
        value["linux"]["resources"] = json!({
            "devices": [{ "allow": false, "access": "rwm" }], "memory": {}, "cpu": {}, "pids": {},
            "blockIO": {}, "network": {}
        });
        value["linux"]["seccomp"]["syscalls"][0]["args"] =
            json!([{ "index": 0, "value": 1, "op": "SCMP_CMP_EQ" }]);
        config::runs(value, &["sh", "-c", "cat /proc/sys/net/ipv4/ip_forward"]);
        extend(value, "");
    });
    let output = container.run(&[]).ok();
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("1\n", ""));
}

#[test]
fn annotations_nobody_knows_are_kept_as_they_are() {
    let Some(world) = World::new("annotations_nobody_knows_are_kept_as_they_are") else { return };
    let annotations = json!({
        "org.opencontainers.image.os": "linux",
        "org.opencontainers.something.of.the.future": "x",
        "no reverse domain": "\u{e4} \"quoted\"\n",
        "empty": ""
    });
    let container = world.container("a", |value| value["annotations"] = annotations.clone());
    container.create().ok();
    assert_eq!(container.state().ok().json()["annotations"], annotations);
    container.finish();
}

/// What is for other platforms says nothing here.
#[test]
fn sections_of_other_platforms_are_ignored() {
    let Some(world) = World::new("sections_of_other_platforms_are_ignored") else { return };
    let said = world.says(&["hostname"], |value| {
        for platform in ["freebsd", "zos", "solaris"] {
            value[platform] = json!({});
        }
        value["windows"] = json!({ "layerFolders": ["C:\\layer"] });
        value["vm"] = json!({ "kernel": { "path": "/vmlinuz" } });
        value["process"]["user"]["username"] = json!("containeradministrator");
        value["process"]["commandLine"] = json!("cmd.exe /c ver");
    });
    assert_eq!(said, "inside\n");
}

/// As old tools write it (config.md, Mounts).
#[test]
fn a_relative_destination_counts_from_the_root() {
    let Some(world) = World::new("a_relative_destination_counts_from_the_root") else { return };
    let said = world.says(&["sh", "-c", "cd /; stat -f -c %T /mnt"], |value| {
        value["process"]["cwd"] = json!("/home");
        config::mount(value, "mnt", "tmpfs", "tmpfs", &[]);
    });
    assert_eq!(said, "tmpfs\n");
}
