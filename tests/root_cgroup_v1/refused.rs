//! What cannot be done here is told before anything is made.

use serde_json::{Value, json};

use crate::bound;
use crate::world::{World, config, tool};

fn refused(world: &World, resources: &Value, pointer: &str, words: &str) {
    let container = world.container("web", |value| {
        config::sleeps(value);
        value["linux"]["resources"] = resources.clone();
    });
    container.create().finds_part(words, pointer);
}

#[test]
fn files_of_version_2_and_impossible_values_are_findings() {
    let Some(world) = bound("files_of_version_2_and_impossible_values_are_findings", &["memory"]) else {
        return;
    };
    let at = "/linux/resources";
    refused(
        &world,
        &json!({ "unified": { "memory.high": "5000000" } }),
        &format!("{at}/unified"),
        "cgroup v2",
    );
    let more = json!({ "memory": { "limit": 6000000, "swap": 5000000 } });
    refused(&world, &more, &format!("{at}/memory/swap"), "less than the memory limit");
    let leaf = json!({ "blockIO": { "leafWeight": 100 } });
    refused(&world, &leaf, &format!("{at}/blockIO/leafWeight"), "CFQ");
}

/// A host without any mount of cgroup2: the runtime mounts one for itself.
#[test]
fn a_host_without_a_mount_of_cgroup2_is_served_too() {
    let Some(world) = bound("a_host_without_a_mount_of_cgroup2_is_served_too", &["memory"]) else { return };
    let binary = world.binary().to_str().expect("UTF-8").to_owned();
    let root = world.root();
    let bundle = world.bundle(|value| {
        config::sleeps(value);
        value["linux"]["resources"] = json!({ "memory": { "limit": 67108864 } });
    });
    let script = "umount /sys/fs/cgroup/unified || exit 9
        run=\"$0\"; root=\"$1\"; bundle=\"$2\"
        set -e
        $run --root $root run --detach --bundle $bundle web
        $run --root $root pause web
        $run --root $root state web | grep '\"status\"'
        $run --root $root resume web
        $run --root $root exec web cat /sys/fs/cgroup/memory/memory.limit_in_bytes
        $run --root $root delete --force web
        $run doctor | grep 'cgroup v2'";
    let (root, bundle) = (root.to_str().expect("UTF-8"), bundle.to_str().expect("UTF-8"));
    let said =
        tool(&["unshare", "--mount", "--propagation", "private", "sh", "-c", script, &binary, root, bundle]);
    assert!(said.contains("paused") && said.contains("67108864") && said.contains("Legacy"), "{said}");
}
