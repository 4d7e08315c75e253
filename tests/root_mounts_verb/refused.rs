//! What is refused, before anything is done.

use serde_json::json;

use super::world::{World, config};
use super::{bind, living, mounts, points, volume};

#[test]
fn containers_that_have_no_mounts_to_change() {
    let Some(world) = World::new("containers_that_have_no_mounts_to_change") else { return };
    let list = json!([bind(&volume(&world, "one"), "/mnt", &[])]);
    mounts(&world, "add", &list).fails("container does not exist: web");
    let container = world.container("web", |value| config::runs(value, &["/bin/true"]));
    container.running(&["--keep"]).run().ok();
    mounts(&world, "add", &list).fails("cannot change the mounts of a stopped container: web");
    container.finish();
}

#[test]
fn lists_that_make_no_sense() {
    let Some(world) = World::new("lists_that_make_no_sense") else { return };
    let container = living(&world, |_| {});
    let before = points(&container);
    let long = format!("lowerdir=/{}", "a".repeat(250));
    let tmpfs = |at, options: &[&str]| json!({ "destination": at, "type": "tmpfs", "options": options });
    let cases = [
        (json!({ "destination": "/mnt" }), "mounts"),
        (json!([{ "destination": "/p", "type": "proc", "source": "proc" }]), "a proc shows namespaces"),
        (json!([{ "destination": "/tmp", "options": ["remount", "ro"] }]), "a remount changes"),
        (json!([{ "destination": "/m", "type": "tmpfs", "options": ["tmpcopyup"] }]), "tmpcopyup takes"),
        (json!([{ "destination": "/m", "type": "tmpfs", "options": ["iversion"] }]), "need mount(2)"),
        (
            json!([{ "destination": "/m", "type": "overlay", "source": "o", "options": [long] }]),
            "need mount(2)",
        ),
        (json!([tmpfs("/m", &["ro"]), tmpfs("/m/in", &[])]), "is writable until they are there"),
        (json!([bind(&world.file("nowhere"), "/mnt", &[])]), "no such file or directory"),
        (json!([bind(&volume(&world, "one"), "/proc/sys", &[])]), "lies inside /proc"),
        (json!([bind(&volume(&world, "one"), "/", &[])]), "on the root of the container"),
        (json!([{ "destination": 5 }]), "destination must be a string"),
    ];
    for (list, part) in cases {
        let refused = mounts(&world, "add", &list).exits(1);
        assert!(refused.sentence().contains(part), "{list}: {}", refused.stderr);
    }
    let cases = [
        (json!({}), "must be a list"),
        (json!([{ "destination": "/" }]), "cannot be removed"),
        (json!([{ "destination": "mnt" }, {}]), "absolute path"),
    ];
    for (list, part) in cases {
        let refused = mounts(&world, "remove", &list).exits(1);
        assert!(refused.stderr.contains(part), "{list}: {}", refused.stderr);
    }
    assert_eq!(points(&container), before);
    container.finish();
}
