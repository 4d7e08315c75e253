//! User, groups, umask.

use serde_json::json;

use crate::world::World;

#[test]
fn the_ids_are_those_of_the_configuration() {
    let Some(world) = World::new("the_ids_are_those_of_the_configuration") else { return };
    let ids = world.report(&["ids"], |value| {
        value["process"]["user"] =
            json!({ "uid": 1000, "gid": 1001, "additionalGids": [5, 77, 65534], "umask": 0o027 });
    })["ids"]
        .clone();
    let all = |id: u32| json!({ "real": id, "effective": id, "saved": id, "filesystem": id });
    assert_eq!((&ids["uid"], &ids["gid"]), (&all(1000), &all(1001)));
    assert_eq!(ids["groups"], json!([5, 77, 65534]));
    assert_eq!(ids["umask"], "0027");
}

#[test]
fn without_groups_and_umask_there_are_none_of_the_caller() {
    let Some(world) = World::new("without_groups_and_umask_there_are_none_of_the_caller") else { return };
    let container = world.container("a", |value| crate::world::config::runs(value, &["/bin/probe", "ids"]));
    let caller = ["sh", "-c", "umask 0777; exec \"$@\"", "sh"];
    let bundle = container.bundle.to_str().expect("UTF-8");
    let runtime = crate::world::runtime::Runtime::within(&world, &caller);
    let ids = runtime.words(&["run", "--bundle", bundle, "a"]).run().ok().json();
    assert_eq!((&ids["groups"], &ids["umask"]), (&json!([]), &json!("0022")));
}
