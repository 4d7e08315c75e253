//! The container knows what comes and lays traps: nothing is mounted outside its root, and nothing on procfs.

use std::fs;
use std::process::Command;

use serde_json::json;

use super::world::{World, config, eventually, skip, tool};
use super::{bind, faults, inside, living, mounts, points, volume};

#[test]
fn a_link_out_stays_inside() {
    let Some(world) = World::new("a_link_out_stays_inside") else { return };
    let container = living(&world, |_| {});
    let outside = world.file("outside");
    fs::create_dir(&outside).expect("a directory");
    let before = points(&container);
    let goal = format!("../../../../../../../../{}", outside.display());
    inside(&world, &format!("ln -s {goal} /trap && ln -s {0} /straight", outside.display())).ok();
    for (target, place) in [("/trap", outside.clone()), ("/straight/deep", outside.join("deep"))] {
        mounts(&world, "add", &json!([bind(&volume(&world, "one"), target, &[])])).ok();
        assert_eq!(inside(&world, &format!("cat {target}/file")).ok().stdout, "one");
        assert_eq!(fs::read_dir(&outside).expect("the directory").count(), 0, "nothing is made outside");
        let refused = mounts(&world, "remove", &json!([{ "destination": target }])).exits(1);
        assert!(refused.sentence().contains("a symbolic link is on the way"), "{}", refused.stderr);
        mounts(&world, "remove", &json!([{ "destination": place }])).ok();
        assert_eq!(points(&container), before);
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

/// A directory above a mount can be moved away, and a link put in its place. What protects the host must not
/// go instead of the mount.
#[test]
fn a_link_on_the_way_to_a_mount_has_no_other_one_removed() {
    let Some(world) = World::new("a_link_on_the_way_to_a_mount_has_no_other_one_removed") else { return };
    let container = living(&world, |value| value["linux"]["readonlyPaths"] = json!(["/proc/sys"]));
    mounts(&world, "add", &json!([bind(&volume(&world, "one"), "/srv/app/sys", &[])])).ok();
    inside(&world, "mv /srv/app /srv/gone && ln -s /proc /srv/app").ok();
    let before = points(&container);
    assert!(before.contains(&"/proc/sys".to_owned()));
    let refused = mounts(&world, "remove", &json!([{ "destination": "/srv/app/sys" }])).exits(1);
    assert!(refused.sentence().contains("a symbolic link is on the way"), "{}", refused.stderr);
    assert_eq!(points(&container), before);
    mounts(&world, "remove", &json!([{ "destination": "/srv/gone/sys" }])).ok();
    container.finish();
}

/// The same with a directory in its place, where no link is on the way.
#[test]
fn a_directory_on_the_way_to_a_mount_has_no_other_one_removed() {
    let Some(world) = World::new("a_directory_on_the_way_to_a_mount_has_no_other_one_removed") else {
        return;
    };
    let guarded = volume(&world, "guarded");
    let container = living(&world, |value| {
        config::mount(value, "/guard/sys", "bind", guarded.to_str().expect("UTF-8"), &["rbind", "ro"])
    });
    let (one, two) = (volume(&world, "one"), volume(&world, "two"));
    mounts(&world, "add", &json!([bind(&one, "/srv/app/sys", &[]), bind(&two, "/srv/other/sys", &[])])).ok();
    inside(&world, "mv /srv/app /srv/gone && mv /guard /srv/app").ok();
    let before = points(&container);
    assert!(before.contains(&"/srv/app/sys".to_owned()), "what guards is there now: {before:?}");
    let stays = |target: &str| {
        let refused = mounts(&world, "remove", &json!([{ "destination": target }])).exits(1);
        assert!(refused.sentence().contains("was not put there by mounts add"), "{}", refused.stderr);
        assert_eq!(points(&container), before);
    };
    stays("/srv/app/sys");
    // Nor does one that was added elsewhere go instead, nor one of config.json by its own name.
    inside(&world, "mv /srv/app /guard && mv /srv/other /srv/app").ok();
    let before = points(&container);
    let refused = mounts(&world, "remove", &json!([{ "destination": "/srv/app/sys" }])).exits(1);
    assert!(refused.sentence().contains("was not put there by mounts add"), "{}", refused.stderr);
    mounts(&world, "remove", &json!([{ "destination": "/guard/sys" }])).exits(1);
    assert_eq!(points(&container), before);
    // What was added goes where it is now, once.
    let gone = json!([{ "destination": "/srv/gone/sys" }]);
    mounts(&world, "remove", &gone).ok();
    mounts(&world, "remove", &gone).exits(1);
    container.finish();
}

/// In a user namespace of its own a process has the power over its mounts: `ro` would hold nobody.
#[test]
fn a_process_that_has_left_the_user_namespace_gets_no_mounts() {
    let Some(world) = World::new("a_process_that_has_left_the_user_namespace_gets_no_mounts") else { return };
    let moves = ["unshare", "-U", "-m", "sh", "-c", "touch /moved; exec sleep 1000000"];
    let container = living(&world, |value| {
        config::runs(value, &moves);
        value["process"]["user"] = json!({ "uid": 0, "gid": 0 });
    });
    let users = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/user")).expect("a link");
    eventually("it is gone", || users(&container.pid().to_string()) != users("self"));
    let before = points(&container);
    let list = json!([bind(&volume(&world, "one"), "/mnt", &["ro"])]);
    for action in ["add", "remove"] {
        let refused = mounts(&world, action, &list).exits(1);
        assert!(refused.sentence().contains("a user namespace of its own"), "{}", refused.stderr);
    }
    // It may go when the runtime has looked already.
    let (status, said) = faults::too_late(&world, &list);
    assert!(status == 7 && said.contains("of another user namespace"), "{said}");
    assert_eq!(points(&container), before);
    container.finish();
}

/// The server of a filesystem that the container sees takes no call.
#[test]
fn a_filesystem_that_does_not_answer_is_waited_for_in_vain() {
    let test = "a_filesystem_that_does_not_answer_is_waited_for_in_vain";
    let Some(world) = World::new(test) else { return };
    if fs::File::open("/dev/fuse").is_err() {
        return skip(test, "there is no /dev/fuse");
    }
    let shared = world.file("shared");
    let place = shared.to_str().expect("UTF-8");
    fs::create_dir(&shared).expect("a directory");
    tool(&["mount", "-t", "tmpfs", "tmpfs", place]);
    tool(&["mount", "--make-shared", place]);
    fs::create_dir(shared.join("hung")).expect("a directory");
    let container =
        living(&world, |value| config::mount(value, "/shared", "bind", place, &["rbind", "rslave"]));
    let options = "fd=3,rootmode=40000,user_id=0,group_id=0";
    let script = format!(
        "exec 3<>/dev/fuse; mount -i -t fuse -o {options} fuse {place}/hung || exit 1; exec sleep 1000000"
    );
    let mut server = Command::new("sh").args(["-c", &script]).spawn().expect("a shell");
    eventually("it is mounted", || points(&container).contains(&"/shared/hung".to_owned()));
    let refused = mounts(&world, "add", &json!([bind(&volume(&world, "one"), "/shared/hung/x", &[])]));
    server.kill().expect("it is there");
    server.wait().expect("its end");
    container.finish();
    // With all that is mounted below it.
    tool(&["umount", "-l", place]);
    assert!(refused.exits(1).sentence().contains("not done after 30 s"));
}
