//! Who the user is inside.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::user::{ID, User, set};
use crate::world::World;

#[test]
fn the_user_is_root_and_nobody_else() {
    let Some(world) = World::new("the_user_is_root_and_nobody_else") else { return };
    let user = User::new(&world);
    let script = "id -u; cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; touch /tmp/file";
    let said = user.says(&["sh", "-c", script], |_| {});
    let words: Vec<&str> = said.split_whitespace().collect();
    let id = ID.to_string();
    assert_eq!(words, ["0", "0", &id, "1", "0", &id, "1", "deny"]);
}

/// Somebody must set the container up.
#[test]
fn the_user_cannot_be_himself_alone() {
    let Some(world) = World::new("the_user_cannot_be_himself_alone") else { return };
    let user = User::new(&world);
    user.configure(|config| {
        let own = json!([{ "containerID": ID, "hostID": ID, "size": 1 }]);
        set(config, "/linux/uidMappings", own);
    });
    let said = user.run(&["run", "a"]).exits(1).stderr;
    assert!(said.contains("no mapping covers uid 0 of the container"), "{said}");
}

#[test]
fn other_ids_take_helpers() {
    let Some(world) = World::new("other_ids_take_helpers") else { return };
    let user = User::new(&world);
    let more = json!([
        { "containerID": 0, "hostID": ID, "size": 1 },
        { "containerID": 1, "hostID": 900_000_000, "size": 65536 }
    ]);
    user.configure(|config| set(config, "/linux/uidMappings", more));
    let path = user.home.join("bin");
    fs::create_dir(&path).expect("a directory");
    let run = || user.runtime().variable("PATH", path.to_str().expect("UTF-8")).words(&["run", "a"]).run();
    let said = run().exits(1).stderr;
    assert!(
        said.contains("to map other uids than one's own takes newuidmap, which is not in PATH"),
        "{said}"
    );
    assert!(said.contains("/linux/uidMappings"), "{said}");
    let helper = path.join("newuidmap");
    fs::write(&helper, "#!/bin/sh\necho 'newuidmap: not today' >&2\nexit 3\n").expect("a program");
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).expect("a mode");
    let said = run().exits(1).stderr;
    assert!(said.contains("is neither setuid root nor has it file capabilities"), "{said}");
    assert!(!user.root().exists(), "nothing was made");
}

/// The helper is asked, and what it says against it is told; nothing is left of the container.
#[test]
fn a_helper_that_refuses_is_quoted() {
    let Some(world) = World::new("a_helper_that_refuses_is_quoted") else { return };
    let user = User::new(&world);
    let known = fs::read_to_string("/etc/passwd").is_ok_and(|text| text.contains(&format!(":{ID}:")));
    let ranges = fs::read_to_string("/etc/subuid").unwrap_or_default();
    if known && !ranges.contains(&format!("{ID}:900000000:65536")) {
        crate::world::skip(
            "a_helper_that_refuses_is_quoted",
            "/etc/subuid knows the user, and this range is not his",
        );
        return;
    }
    user.configure(|config| {
        let other = json!([{ "containerID": 0, "hostID": 900_000_000, "size": 65536 }]);
        set(config, "/linux/uidMappings", other);
    });
    let path = user.home.join("bin");
    fs::create_dir(&path).expect("a directory");
    let helper = path.join("newuidmap");
    fs::write(&helper, "#!/bin/sh\necho 'newuidmap: not today' >&2\nexit 3\n").expect("a program");
    // The kernel gives a script no power; that it has the bit is what crate-run looks at.
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o4755)).expect("a mode");
    let said = user.runtime().variable("PATH", path.to_str().expect("UTF-8")).words(&["run", "a"]).run();
    let words = format!("{} refused: exit status 3, newuidmap: not today", helper.display());
    assert!(said.stderr.contains(&words), "{}", said.stderr);
    assert_eq!(fs::read_dir(user.root()).expect("the state directory").count(), 0);
}

#[test]
fn groups_cannot_be_given() {
    let Some(world) = World::new("groups_cannot_be_given") else { return };
    let user = User::new(&world);
    user.configure(|config| config["process"]["user"]["additionalGids"] = json!([0]));
    user.run(&["run", "a"])
        .finds_part("cannot set any additional groups", "/process/user/additionalGids")
        .helps("leave them out, or map more gids than your own, for which newgidmap(1) is asked");
}
