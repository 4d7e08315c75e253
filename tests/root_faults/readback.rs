//! Nothing starts as something else than the plan says: each setting is left out or changed in turn, and the
//! child must notice when it reads it back.

use serde_json::{Value, json};

use crate_run::plan::request::Gate;

use super::edit::Edit;
use super::trial::Trial;
use super::world::{World, config};

/// Groups that the kernel gives back in another order than they are listed in; one is listed twice.
const GROUPS: [u32; 5] = [50, 5, 40, 6, 50];

fn everything_of_the_tail(value: &mut Value) {
    config::runs(value, &["/bin/true"]);
    config::deny(value, "personality", 1);
    let names = ["CAP_KILL", "CAP_CHOWN"];
    value["process"]["capabilities"] = json!({
        "bounding": ["CAP_KILL", "CAP_CHOWN", "CAP_NET_RAW"],
        "effective": names, "permitted": names, "inheritable": names, "ambient": ["CAP_KILL"],
    });
    value["process"]["noNewPrivileges"] = json!(true);
    value["process"]["user"] = json!({ "uid": 1000, "gid": 1000, "additionalGids": GROUPS, "umask": 0o077 });
}

/// What the edits are about, in turn; each must be told in its words, and leave nothing behind.
fn is_noticed(world: &World, edits: &[Edit], change: impl FnOnce(&mut Value)) {
    let bundle = world.bundle(change);
    let clean = Trial::new(world, &bundle, Gate::Open);
    let output = clean.run();
    assert!(output.status.success(), "{}", output.error);
    world.run(&["delete", "--force", super::trial::ID]).ok();
    let _ = std::fs::remove_file(world.file("pid"));
    for edit in edits {
        let output = clean.edited(*edit).run();
        assert_eq!(output.status.code(), Some(1), "{edit:?}: {}", output.error);
        assert!(output.error.contains(edit.told()), "{edit:?}: {}", output.error);
        assert_eq!(world.differences(), [""; 0], "{edit:?}");
    }
}

#[test]
fn what_is_not_as_planned_is_not_executed() {
    let Some(world) = World::new("what_is_not_as_planned_is_not_executed") else { return };
    is_noticed(&world, &Edit::ALL, everything_of_the_tail);
}

/// Then the filter comes before the powers are dropped, and what reads back runs under it.
#[test]
fn nor_without_no_new_privs() {
    let Some(world) = World::new("nor_without_no_new_privs") else { return };
    let edits = Edit::ALL.into_iter().filter(|edit| *edit != Edit::NoNoNewPrivileges).collect::<Vec<_>>();
    is_noticed(&world, &edits, |value| {
        everything_of_the_tail(value);
        value["process"]["noNewPrivileges"] = json!(false);
    });
}

#[test]
fn ids_are_read_back_without_capabilities_too() {
    let Some(world) = World::new("ids_are_read_back_without_capabilities_too") else { return };
    let edits = [Edit::NoIds, Edit::OtherGroup, Edit::OtherGroups, Edit::NoNoNewPrivileges, Edit::NoUmask];
    is_noticed(&world, &edits, |value| {
        everything_of_the_tail(value);
        value["process"]["capabilities"] = Value::Null;
    });
}

/// The kernel is not asked where the filter kills who asks; what seccomp(2) has answered is remembered.
#[test]
fn a_filter_that_forbids_the_question_is_known_all_the_same() {
    let Some(world) = World::new("a_filter_that_forbids_the_question_is_known_all_the_same") else { return };
    is_noticed(&world, &[Edit::NoFilter], |value| {
        everything_of_the_tail(value);
        value["linux"]["seccomp"]["syscalls"] =
            json!([{ "names": ["prctl"], "action": "SCMP_ACT_KILL_PROCESS" }]);
    });
}

#[test]
fn long_lists_of_groups_are_read_back_in_a_user_namespace() {
    let Some(world) = World::new("long_lists_of_groups_are_read_back_in_a_user_namespace") else { return };
    // The order of the numbers outside is not the one inside: it is by those outside that the kernel sorts.
    is_noticed(&world, &[Edit::OtherGroups, Edit::OneGroupMore], |value| {
        super::bundles::with_user_namespace(&world, value);
        config::runs(value, &["/bin/true"]);
        value["linux"]["gidMappings"] = json!([
            { "containerID": 0, "hostID": 100_000, "size": 1000 },
            { "containerID": 1000, "hostID": 90_000, "size": 1000 },
        ]);
        let groups: Vec<u32> = (950..1150).collect();
        value["process"]["user"] = json!({ "uid": 0, "gid": 0, "additionalGids": groups });
    });
}
