//! The container knows what comes and lays traps: nothing is mounted outside its root, and nothing on procfs.

use std::fs;

use serde_json::json;

use super::world::World;
use super::{bind, inside, living, mounts, points, volume};

#[test]
fn a_link_out_stays_inside() {
    let Some(world) = World::new("a_link_out_stays_inside") else { return };
    let container = living(&world, |_| {});
    let outside = world.file("outside");
    fs::create_dir(&outside).expect("a directory");
    let goal = format!("../../../../../../../../{}", outside.display());
    inside(&world, &format!("ln -s {goal} /trap && ln -s {0} /straight", outside.display())).ok();
    for target in ["/trap", "/straight/deep"] {
        mounts(&world, "add", &json!([bind(&volume(&world, "one"), target, &[])])).ok();
        assert_eq!(inside(&world, &format!("cat {target}/file")).ok().stdout, "one");
        assert_eq!(fs::read_dir(&outside).expect("the directory").count(), 0, "nothing is made outside");
        mounts(&world, "remove", &json!([{ "destination": target }])).ok();
    }
    container.finish();
}

#[test]
fn a_link_to_procfs_is_refused() {
    let Some(world) = World::new("a_link_to_procfs_is_refused") else { return };
    let container = living(&world, |_| {});
    inside(&world, "ln -s /proc/self /trap; ln -s /proc/1/root /magic; ln -s /proc /whole").ok();
    let before = points(&container);
    for target in ["/trap/attr", "/magic/mnt", "/whole/sys"] {
        mounts(&world, "add", &json!([bind(&volume(&world, "one"), target, &[])])).exits(1);
        assert_eq!(points(&container), before, "{target}");
    }
    container.finish();
}

/// A directory and a link out change places all the time, while mounts come and go.
#[test]
fn a_target_that_is_swapped_meanwhile_leads_nowhere() {
    let Some(world) = World::new("a_target_that_is_swapped_meanwhile_leads_nowhere") else { return };
    let container = living(&world, |_| {});
    let outside = world.file("outside");
    fs::create_dir_all(outside.join("deep")).expect("a directory");
    let script = format!(
        "mkdir -p /real/deep /var/deep; ln -sfn ../../../../../../{} /out; echo in; \
         while :; do ln -sfn /real /way; ln -sfn /out /way; ln -sfn /proc/self /way; done",
        outside.display()
    );
    let swapper = world.runtime().words(&["exec", "web", "sh", "-c", &script]).spawn();
    swapper.says("in");
    let list = json!([bind(&volume(&world, "one"), "/way/deep", &[])]);
    let mut added = 0;
    for _ in 0..40 {
        let output = mounts(&world, "add", &list);
        assert!(!output.stderr.contains("panicked"), "{}", output.stderr);
        added += usize::from(output.status == 0);
        assert!(!outside.join("deep/file").exists(), "nothing is mounted outside");
        assert!(
            points(&container).iter().all(|point| !point.starts_with("/proc/")),
            "nothing lies on procfs"
        );
    }
    assert!(added > 0, "some find their way, inside");
    container.finish();
    swapper.wait();
}

/// What is found is what goes: a link that takes its place meanwhile does not redirect the removal.
#[test]
fn only_what_is_inside_can_be_removed() {
    let Some(world) = World::new("only_what_is_inside_can_be_removed") else { return };
    let container = living(&world, |_| {});
    let outside = world.file("outside");
    fs::create_dir(&outside).expect("a directory");
    super::world::tool(&["mount", "-t", "tmpfs", "tmpfs", outside.to_str().expect("UTF-8")]);
    inside(&world, &format!("ln -s ../../../../../../{} /trap", outside.display())).ok();
    let refused = mounts(&world, "remove", &json!([{ "destination": "/trap" }]));
    super::world::tool(&["umount", outside.to_str().expect("UTF-8")]);
    refused.exits(1);
    container.finish();
}
