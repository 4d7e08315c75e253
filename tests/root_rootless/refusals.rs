//! What an ordinary user cannot have is told before anything is made, with what mends it.

use serde_json::{Value, json};

use crate::user::{User, namespace};
use crate::world::{World, config};

/// What a test does to the configuration of a user.
type Change = fn(&mut Value);

#[test]
fn what_a_user_cannot_have_is_found() {
    let Some(world) = World::new("what_a_user_cannot_have_is_found") else { return };
    let user = User::new(&world);
    let cases: [(Change, &str, &str); 5] = [
        (
            |value| {
                config::without_namespace(value, "user");
                value["linux"].as_object_mut().expect("an object").remove("uidMappings");
                value["linux"].as_object_mut().expect("an object").remove("gidMappings");
            },
            "an ordinary user makes containers in a user namespace, and this one has none",
            "/linux/namespaces",
        ),
        (
            |value| config::mount(value, "/tmp", "tmpfs", "tmpfs", &["mode=700", "tmpcopyup"]),
            "an ordinary user cannot fill a tmpfs from the image: it takes power over the mounts of the host",
            "/mounts/7/options/1",
        ),
        (
            |value| config::mount(value, "/mnt", "bind", "/etc", &["bind", "idmap"]),
            "an ordinary user cannot show other ids on a mount: it takes power over the mounts of the host",
            "/mounts/7/options/1",
        ),
        (
            |value| {
                namespace(value, "network");
                value["linux"]["netDevices"] = json!({ "eth0": {} });
            },
            "to move a network device takes CAP_NET_ADMIN in the network namespace of the runtime",
            "/linux/netDevices",
        ),
        (
            |value| config::mount(value, "/mnt", "tmpfs", "tmpfs", &["uid=5"]),
            "the mount option uid=5 names a uid that the user namespace does not map",
            "/mounts/7/options/0",
        ),
    ];
    for (change, message, place) in cases {
        user.configure(change);
        user.run(&["run", "a"]).finds(message, place);
        assert!(!user.root().exists(), "nothing was made for {place}");
        assert_eq!(user.run(&["validate"]).status, 1, "{message}");
    }
}
