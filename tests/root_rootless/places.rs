//! Where the state of a user's containers lies.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use crate::user::{ID, User};
use crate::world::World;
use crate::world::runtime::Runtime;

#[test]
fn the_directory_is_his_and_is_not_cleaned_up() {
    let Some(world) = World::new("the_directory_is_his_and_is_not_cleaned_up") else { return };
    let user = User::new(&world);
    user.says(&["true"], |_| {});
    let status = fs::metadata(user.root()).expect("the state directory");
    assert_eq!((status.mode() & 0o7777, status.uid()), (0o1700, ID));
}

/// Root of a user namespace is one of us still, whether or not the environment tells who that is.
#[test]
fn root_of_a_user_namespace_shares_the_directory() {
    let Some(world) = World::new("root_of_a_user_namespace_shares_the_directory") else { return };
    let user = User::new(&world);
    user.starts("a", |_| {});
    let inside = ["unshare", "-U", "-r", "-m"];
    assert_eq!(user.within(&inside).words(&["list", "--quiet"]).run().ok().stdout, "a\n");
    let unnamed = ["-u", "USER", "unshare", "-U", "-r", "-m"];
    assert_eq!(user.within(&unnamed).words(&["list", "--quiet"]).run().ok().stdout, "a\n");
    user.run(&["delete", "--force", "a"]).ok();
}

#[test]
fn without_a_runtime_directory_one_must_be_named() {
    let Some(world) = World::new("without_a_runtime_directory_one_must_be_named") else { return };
    let user = User::new(&world);
    let sentence = "there is no place for the state of containers: XDG_RUNTIME_DIR is not set, as it is \
                    where a user logs in; set it, or give --root DIR";
    for directory in ["", "relative"] {
        user.runtime().variable("XDG_RUNTIME_DIR", directory).words(&["list"]).run().fails(sentence);
    }
    user.runtime()
        .variable("XDG_RUNTIME_DIR", "")
        .words(&["--root"])
        .path(&user.home)
        .words(&["list"])
        .run()
        .ok();
}

#[test]
fn a_directory_of_somebody_else_is_refused() {
    let Some(world) = World::new("a_directory_of_somebody_else_is_refused") else { return };
    let user = User::new(&world);
    user.configure(|_| {});
    let root = user.root();
    fs::create_dir(&root).expect("a directory");
    std::os::unix::fs::chown(&root, Some(ID - 1), Some(ID - 1)).expect("it is another's");
    fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).expect("a mode");
    let sentence = |fault: &str| format!("the state directory {} cannot be trusted: {fault}", root.display());
    user.run(&["run", "a"]).fails(&sentence("it belongs to another user"));
    std::os::unix::fs::chown(&root, Some(ID), Some(ID)).expect("it is his");
    fs::set_permissions(&root, fs::Permissions::from_mode(0o777)).expect("a mode");
    user.run(&["list"]).fails(&sentence("everybody may write to it"));
}

/// The containers of root are none of his business.
#[test]
fn he_sees_his_own_containers_only() {
    let Some(world) = World::new("he_sees_his_own_containers_only") else { return };
    let user = User::new(&world);
    let container = world.container("of-root", crate::world::config::sleeps);
    container.create().ok();
    assert_eq!(user.run(&["list", "--quiet"]).ok().stdout, "");
    let his = user.runtime().words(&["--root"]).path(&world.root()).words(&["kill", "of-root", "KILL"]).run();
    assert_eq!(his.status, 1, "{his:?}");
    assert_eq!(container.status(), "created");
    container.finish();
}

#[test]
fn doctor_tells_what_is_his() {
    let Some(world) = World::new("doctor_tells_what_is_his") else { return };
    let user = User::new(&world);
    let said = user.run(&["doctor"]).ok().stdout;
    for line in [
        format!("user          {ID}: not root; containers need a user namespace (spec --rootless)"),
        "namespaces    a user may make them".to_owned(),
        "mounts        no tmpcopyup, no idmap: the mounts here are not this user's".to_owned(),
        "device rules  cannot hold: a filter takes root; no container makes a device node".to_owned(),
    ] {
        assert!(said.lines().any(|said| said == line), "{line}\n{said}");
    }
    assert!(said.contains("limits        none: "), "{said}");
    let root = Runtime::new(&world).words(&["doctor"]).run().ok().stdout;
    assert!(root.contains("user          root\n") && !root.contains("limits "), "{root}");
}
