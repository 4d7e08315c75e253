//! What is added is there, with its options; what is removed is gone.

use serde_json::json;

use super::world::{World, config};
use super::{bind, inside, living, mounts, points, volume};

#[test]
fn directories_files_and_filesystems_are_added_and_removed() {
    let Some(world) = World::new("directories_files_and_filesystems_are_added_and_removed") else { return };
    let container = living(&world, |_| {});
    let before = points(&container);
    let list = json!([
        bind(&volume(&world, "one"), "/srv/data", &["ro"]),
        bind(&volume(&world, "two").join("file"), "/etc/added", &[]),
        { "destination": "/scratch", "type": "tmpfs", "source": "tmpfs", "options": ["size=64k", "noexec"] },
    ]);
    mounts(&world, "add", &list).ok();
    let script = "cat /srv/data/file /etc/added; touch /srv/data/x 2>/dev/null || echo ' closed'; \
                  touch /scratch/x && grep -c ' /scratch .*noexec' /proc/self/mountinfo";
    assert_eq!(inside(&world, script).ok().stdout, "onetwo closed\n1\n");
    mounts(&world, "remove", &list).ok();
    assert_eq!(points(&container), before);
    assert_eq!(inside(&world, "cat /srv/data/file /etc/added; ls /scratch").stdout, "");
    container.finish();
}

#[test]
fn a_container_in_a_user_namespace_and_a_created_one_get_mounts_too() {
    let test = "a_container_in_a_user_namespace_and_a_created_one_get_mounts_too";
    let Some(world) = World::new(test) else { return };
    let root = world.own_rootfs();
    super::world::tool(&["chown", "-R", "100000:100000", root.to_str().expect("UTF-8")]);
    super::world::tool(&["chmod", "0711", world.file("").to_str().expect("UTF-8")]);
    let container = world.container("web", |value| {
        config::sleeps(value);
        config::userns(value);
        value["root"] = json!({ "path": root, "readonly": false });
    });
    container.create().ok();
    let refused =
        mounts(&world, "add", &json!([bind(&volume(&world, "one"), "/srv/data", &["ro"])])).exits(1);
    assert!(refused.sentence().contains("can make this mount writable"), "{}", refused.stderr);
    mounts(&world, "add", &json!([bind(&volume(&world, "one"), "/srv/data", &[])])).ok();
    container.start().ok();
    assert_eq!(inside(&world, "cat /srv/data/file").ok().stdout, "one");
    mounts(&world, "remove", &json!([{ "destination": "/srv/data" }])).ok();
    assert_eq!(inside(&world, "ls /srv/data").ok().stdout, "");
    container.finish();
}

#[test]
fn when_one_cannot_be_added_none_is() {
    let Some(world) = World::new("when_one_cannot_be_added_none_is") else { return };
    let container = living(&world, |_| {});
    inside(&world, "ln -s / /all").ok();
    let before = points(&container);
    let (dir, file) = (volume(&world, "one"), volume(&world, "two").join("file"));
    let list = json!([bind(&dir, "/a", &[]), bind(&file, "/b", &[]), bind(&dir, "/all", &[])]);
    let refused = mounts(&world, "add", &list).exits(1);
    assert!(refused.sentence().contains("leads to its root"), "{}", refused.stderr);
    assert!(refused.sentence().contains("(/mounts/2)"), "{}", refused.stderr);
    assert_eq!(points(&container), before);
    container.finish();
}

#[test]
fn when_one_is_not_there_none_is_removed() {
    let Some(world) = World::new("when_one_is_not_there_none_is_removed") else { return };
    let container = living(&world, |_| {});
    mounts(&world, "add", &json!([bind(&volume(&world, "one"), "/a", &[])])).ok();
    let before = points(&container);
    for target in ["/etc", "/nowhere"] {
        let list = json!([{ "destination": "/a" }, { "destination": target }]);
        mounts(&world, "remove", &list).exits(1);
        assert_eq!(points(&container), before, "{target}");
    }
    container.finish();
}

#[test]
fn a_mount_that_is_in_use_goes_out_of_sight() {
    let Some(world) = World::new("a_mount_that_is_in_use_goes_out_of_sight") else { return };
    let container = living(&world, |_| {});
    let list = json!([bind(&volume(&world, "one"), "/a", &[])]);
    mounts(&world, "add", &list).ok();
    let user =
        world.runtime().words(&["exec", "web", "sh", "-c", "cd /a && echo in && exec sleep 1000000"]).spawn();
    user.says("in");
    mounts(&world, "remove", &list).ok();
    assert!(!points(&container).contains(&"/a".to_owned()));
    container.finish();
    user.wait();
}
