//! Root of a user namespace: what `unshare` and Podman make of a user.

use serde_json::{Value, json};

use crate::user::{ID, User, set};
use crate::world::{World, config};

/// Its containers need no user namespace more.
fn without_users(value: &mut Value) {
    config::without_namespace(value, "user");
    let linux = value["linux"].as_object_mut().expect("an object");
    linux.remove("uidMappings");
    linux.remove("gidMappings");
}

#[test]
fn with_a_mount_namespace_of_its_own() {
    let Some(world) = World::new("with_a_mount_namespace_of_its_own") else { return };
    let user = User::new(&world);
    user.configure(|value| {
        without_users(value);
        set(
            value,
            "/process/args",
            json!(["sh", "-c", "id -u; test -c /dev/null && echo null; cat /tmp/copied"]),
        );
        config::mount(value, "/tmp", "tmpfs", "tmpfs", &["tmpcopyup"]);
    });
    let file = user.home.join("bundle/rootfs/tmp/copied");
    std::fs::write(&file, "copied\n").expect("a file of the image");
    std::os::unix::fs::chown(&file, Some(ID), Some(ID)).expect("it is his");
    let said = user.within(&["unshare", "-U", "-r", "-m"]).words(&["run", "a"]).run().ok();
    assert_eq!(said.stdout, "0\nnull\ncopied\n");
}

/// Then it has no power over the mounts it sees, and the child clones them.
#[test]
fn in_the_mount_namespace_of_the_host() {
    let Some(world) = World::new("in_the_mount_namespace_of_the_host") else { return };
    let user = User::new(&world);
    user.configure(|value| {
        without_users(value);
        set(value, "/process/args", json!(["sh", "-c", "id -u; test -c /dev/null && echo null"]));
    });
    let said = user.within(&["unshare", "-U", "-r"]).words(&["run", "a"]).run().ok();
    assert_eq!(said.stdout, "0\nnull\n");
    user.configure(|value| {
        without_users(value);
        config::mount(value, "/tmp", "tmpfs", "tmpfs", &["tmpcopyup"]);
    });
    let said = user.within(&["unshare", "-U", "-r"]).words(&["run", "a"]).run().exits(1).stderr;
    assert!(said.contains("an ordinary user cannot fill a tmpfs from the image"), "{said}");
}

#[test]
fn ids_that_it_does_not_have_cannot_be_mapped() {
    let Some(world) = World::new("ids_that_it_does_not_have_cannot_be_mapped") else { return };
    let user = User::new(&world);
    user.configure(|value| {
        let lines = json!([{ "containerID": 0, "hostID": 0, "size": 2 }]);
        set(value, "/linux/uidMappings", lines);
        set(value, "/linux/gidMappings", json!([{ "containerID": 0, "hostID": 0, "size": 1 }]));
    });
    let said = user.within(&["unshare", "-U", "-r", "-m"]).words(&["run", "a"]).run();
    said.finds(
        "the uids 0 to 1 do not exist in the user namespace of crate-run itself",
        "/linux/uidMappings/0",
    );
}

/// An engine names groups without looking; the container is made all the same.
#[test]
fn groups_that_cannot_be_given_are_told() {
    let Some(world) = World::new("groups_that_cannot_be_given_are_told") else { return };
    let user = User::new(&world);
    user.configure(|value| {
        without_users(value);
        set(value, "/process/args", json!(["true"]));
        value["process"]["user"]["additionalGids"] = json!([0]);
    });
    let said = user.within(&["unshare", "-U", "-r", "-m"]).words(&["run", "a"]).run().ok();
    assert!(said.stderr.contains("cannot set any additional groups"), "{}", said.stderr);
}
