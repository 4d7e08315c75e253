//! What `features` prints is true: every word of it is driven through a container.
//!
//! Each test takes the words of one place, and fails for a word that it cannot drive; the first test fails for
//! a place that no test takes. What a word does in detail is the business of the tests of its feature.
//!
//! OCI: features.md, features-linux.md.

#[path = "../world/mod.rs"]
mod world;

// Only a part of what these offer is needed here.
#[allow(dead_code)]
#[path = "../root_process/agent.rs"]
mod agent;
#[allow(dead_code)]
#[path = "../root_rdt/fake.rs"]
mod fake;
#[allow(dead_code)]
#[path = "../root_rdt/fuse.rs"]
mod fuse;
#[allow(dead_code)]
#[path = "../root_rdt/machine.rs"]
mod machine;

mod linux;
mod mounts;
mod seccomp;

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use world::{World, config};

/// The places of the structure that the tests of this program take.
const DRIVEN: [&str; 30] = [
    "/annotations/org.opencontainers.runc.checkpoint.enabled",
    "/annotations/run.oci.crate-run.commit",
    "/annotations/run.oci.crate-run.version",
    "/hooks",
    "/linux/apparmor/enabled",
    "/linux/capabilities",
    "/linux/cgroup/rdma",
    "/linux/cgroup/systemd",
    "/linux/cgroup/systemdUser",
    "/linux/cgroup/v1",
    "/linux/cgroup/v2",
    "/linux/intelRdt/enabled",
    "/linux/intelRdt/monitoring",
    "/linux/intelRdt/schemata",
    "/linux/memoryPolicy/flags",
    "/linux/memoryPolicy/modes",
    "/linux/mountExtensions/idmap/enabled",
    "/linux/namespaces",
    "/linux/netDevices/enabled",
    "/linux/seccomp/actions",
    "/linux/seccomp/archs",
    "/linux/seccomp/enabled",
    "/linux/seccomp/knownFlags",
    "/linux/seccomp/operators",
    "/linux/seccomp/supportedFlags",
    "/linux/selinux/enabled",
    "/mountOptions",
    "/ociVersionMax",
    "/ociVersionMin",
    "/potentiallyUnsafeConfigAnnotations",
];

/// What `features` prints.
fn features(world: &World) -> Value {
    world.run(&["features"]).ok().json()
}

/// The words at a place of the structure.
fn words(world: &World, place: &str) -> Vec<String> {
    let words = features(world).pointer(place).cloned().unwrap_or_else(|| panic!("nothing at {place}"));
    let words: Vec<String> = serde_json::from_value(words).expect("a list of words");
    assert!(!words.is_empty(), "{place}");
    words
}

/// The value at a place of the structure.
fn value(world: &World, place: &str) -> Value {
    features(world).pointer(place).cloned().unwrap_or_else(|| panic!("nothing at {place}"))
}

/// The places of everything that is not an object.
fn places(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    match value.as_object() {
        Some(members) => {
            for (name, member) in members {
                places(member, &format!("{at}/{name}"), found);
            }
        }
        None => drop(found.insert(at.to_owned())),
    }
}

#[test]
fn every_place_has_a_test() {
    let Some(world) = World::new("every_place_has_a_test") else { return };
    let mut found = BTreeSet::new();
    places(&features(&world), "", &mut found);
    assert_eq!(found, DRIVEN.map(str::to_owned).into());
}

/// features.md: the content is determined when the runtime is built.
#[test]
fn the_structure_does_not_depend_on_the_host() {
    let Some(world) = World::new("the_structure_does_not_depend_on_the_host") else { return };
    let plain = world.run(&["features"]).ok().stdout;
    let nobody = ["unshare", "-U", "-m", "-n", "env", "-i"];
    let elsewhere = world::runtime::Runtime::within(&world, &nobody).words(&["features"]).run().ok().stdout;
    assert_eq!(plain, elsewhere);
    assert!(!plain.contains("null"), "what is not known is left out");
}

#[test]
fn both_versions_are_accepted() {
    let Some(world) = World::new("both_versions_are_accepted") else { return };
    let version = |place| value(&world, place).as_str().expect("a version").to_owned();
    let (least, most) = (version("/ociVersionMin"), version("/ociVersionMax"));
    let numbers = |version: &str| -> Vec<u32> {
        version.split('.').map(|number| number.parse().expect("a number")).collect()
    };
    assert!(numbers(&least) <= numbers(&most));
    for version in [least, most] {
        world.container("a", |config| config["ociVersion"] = json!(version)).run(&[]).ok();
    }
}

#[test]
fn every_hook_is_run() {
    let Some(world) = World::new("every_hook_is_run") else { return };
    let names = words(&world, "/hooks");
    let place = world.file("marks");
    fs::create_dir(&place).expect("a directory");
    let container = world.container("a", |config| {
        config::sleeps(config);
        config::bind(config, &place, "/mnt");
        for name in &names {
            let inside = match name.as_str() {
                "startContainer" => true,
                "prestart" | "createRuntime" | "createContainer" | "poststart" | "poststop" => false,
                other => panic!("no driver for the hook {other}"),
            };
            let file = if inside { "/mnt".into() } else { place.display().to_string() };
            let script = format!("echo {name} >> {file}/marks");
            config["hooks"][name] = json!([{ "path": "/bin/sh", "args": ["sh", "-c", script] }]);
        }
    });
    container.create().ok();
    container.start().ok();
    container.finish();
    let marks = fs::read_to_string(place.join("marks")).expect("marks");
    assert_eq!(marks.lines().collect::<Vec<_>>(), names, "in the order of a container's life");
}

#[test]
fn annotations_tell_the_truth() {
    let Some(world) = World::new("annotations_tell_the_truth") else { return };
    let annotation = |name: &str| {
        let annotations = value(&world, "/annotations");
        annotations[name].as_str().unwrap_or_else(|| panic!("{name} is no string")).to_owned()
    };
    let version = world.run(&["--version"]).ok().stdout;
    assert!(version.contains(&format!("crate-run version {}\n", annotation("run.oci.crate-run.version"))));
    assert!(version.contains(&format!("commit: {}\n", annotation("run.oci.crate-run.commit"))));
    assert_eq!(annotation("org.opencontainers.runc.checkpoint.enabled"), "false");
    let container = world.container("a", config::sleeps);
    container.create().ok();
    assert_ne!(world.run(&["checkpoint", "a"]).status, 0, "a runtime that can says so");
    container.finish();
}
