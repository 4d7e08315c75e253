//! What is refused changes nothing.

use std::fs;

use serde_json::json;

use super::world::World;
use super::{config, core, given, limited, saved, says};

#[test]
fn a_container_that_is_not_there_or_has_ended() {
    let Some(world) = World::new("a_container_that_is_not_there_or_has_ended") else { return };
    world.run(&["update", "web", "--pids-limit", "5"]).fails("container does not exist: web");
    let container = world.container("web", |value| config::runs(value, &["/bin/true"]));
    container.running(&["--keep"]).run().ok();
    let update = world.run(&["update", "web", "--pids-limit", "5"]);
    update.fails("cannot update a container that is stopped: web");
    container.finish();
}

#[test]
fn a_value_that_the_kernel_refuses_takes_the_others_with_it() {
    let Some(world) = World::new("a_value_that_the_kernel_refuses_takes_the_others_with_it") else { return };
    let container = limited(&world, &core("5", "6"));
    let before = fs::read(container.directory().join("config.json")).expect("the copy");
    let refused = given(&world, &core("7", "many")).exits(1);
    let said = refused.sentence();
    assert!(said.contains("cannot write \"many\" to cgroup.max.descendants"), "{said}");
    assert!(said.contains("given.json:1:") && said.ends_with("(/unified/cgroup.max.descendants)"), "{said}");
    assert_eq!(
        (says(&world, "cgroup.max.depth"), says(&world, "cgroup.max.descendants")),
        ("5".into(), "6".into())
    );
    assert_eq!(fs::read(container.directory().join("config.json")).expect("the copy"), before);
    container.finish();
}

#[test]
fn bad_values_are_found_before_anything_is_written() {
    let Some(world) = World::new("bad_values_are_found_before_anything_is_written") else { return };
    let container = limited(&world, &core("5", "6"));
    let mut resources = core("7", "8");
    resources["blockIO"] = json!({ "weight": 5 });
    let said = given(&world, &resources).exits(1).stderr;
    assert!(said.contains("a weight of 5 is not between 10 and 1000 (/blockIO/weight)"), "{said}");
    let said = container.command("update", &["--cpu-quota", "5", "--blkio-weight=5"]).run().exits(1).stderr;
    assert!(said.contains("update: a quota of 5 us is below the kernel's least"), "{said}");
    container.command("update", &["--memory", "lots"]).run().exits(1);
    let nowhere = container.command("update", &["-r", "/no/such/file"]).run().exits(1).stderr;
    assert!(nowhere.contains("no such file or directory"), "{nowhere}");
    assert_eq!(says(&world, "cgroup.max.depth"), "5");
    assert_eq!(saved(&container), core("5", "6"));
    container.finish();
}

#[test]
fn a_limit_below_the_use_is_refused_if_that_was_asked_for() {
    let Some(world) = World::new("a_limit_below_the_use_is_refused_if_that_was_asked_for") else { return };
    if !world.offers(&["memory"]) {
        return;
    }
    let container = limited(&world, &json!({ "memory": { "limit": 64 << 20, "checkBeforeUpdate": true } }));
    let refused = container.command("update", &["--memory", "4096"]).run().exits(1);
    assert!(refused.sentence().contains("is below the"), "{}", refused.stderr);
    assert_eq!(says(&world, "memory.max"), (64 << 20).to_string());
    container.finish();
}
