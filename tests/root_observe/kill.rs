//! Signals to everybody, and to many containers.

use super::script;
use crate::world::{self, World, config};

/// Everybody writes his name when the signal comes.
const FAMILY: &str = "
trap 'echo first >>/mnt/heard' USR1
for child in 1 2 3; do
  sh -c 'trap \"echo child >>/mnt/heard\" USR1; : >/mnt/child'$child'
    while :; do sleep 1000000 & wait; done' &
done
while [ ! -e /mnt/child1 -o ! -e /mnt/child2 -o ! -e /mnt/child3 ]; do :; done";

#[test]
fn every_process_gets_the_signal() {
    let Some(world) = World::new("every_process_gets_the_signal") else { return };
    let container = world.container("a", |value| script::runs(&world, value, FAMILY));
    container.run(&["--detach"]).ok();
    script::is_ready(&world);
    world.run(&["kill", "a", "USR1"]).ok();
    world::eventually("the first process has heard", || script::text(&world, "heard") == "first\n");
    world.run(&["kill", "--all", "a", "USR1"]).ok();
    let heard = |name: &str| script::text(&world, "heard").lines().filter(|line| *line == name).count();
    world::eventually("everybody has heard", || (heard("first"), heard("child")) == (2, 3));
    container.finish();
}

#[test]
fn a_signal_to_the_frozen_waits() {
    let Some(world) = World::new("a_signal_to_the_frozen_waits") else { return };
    let container = world.container("a", |value| script::runs(&world, value, FAMILY));
    container.run(&["--detach"]).ok();
    script::is_ready(&world);
    container.command("pause", &[]).run().ok();
    world.run(&["kill", "--all", "a", "USR1"]).ok();
    assert_eq!((container.status().as_str(), script::text(&world, "heard").as_str()), ("paused", ""));
    container.command("resume", &[]).run().ok();
    world::eventually("everybody has heard", || script::text(&world, "heard").lines().count() == 4);
    container.finish();
}

/// Who forks all the time is born into no gap: nobody survives.
#[test]
fn nobody_escapes_by_multiplying() {
    let Some(world) = World::new("nobody_escapes_by_multiplying") else { return };
    let container = world.container("a", |value| {
        config::without_namespace(value, "pid");
        script::runs(&world, value, "(while :; do sleep 0.01 & done) &");
    });
    container.run(&["--detach"]).ok();
    script::is_ready(&world);
    world.run(&["kill", "--all", "a", "KILL"]).ok();
    container.becomes("stopped");
    assert_eq!(world.run(&["ps", "-f", "json", "a"]).ok().stdout, "[]\n");
    container.delete(&[]).ok();
}

#[test]
fn a_stopped_container_has_nobody_to_signal() {
    let Some(world) = World::new("a_stopped_container_has_nobody_to_signal") else { return };
    let container = world.container("a", |_| {});
    container.run(&["--keep"]).ok();
    world.run(&["kill", "a", "TERM"]).fails("container not running: a");
    // Engines that ask for all only want none to be left.
    for signal in ["KILL", "TERM", "0"] {
        world.run(&["kill", "--all", "a", signal]).ok();
    }
    container.delete(&[]).ok();
    world.run(&["kill", "--all", "a", "KILL"]).fails("container does not exist: a");
}

#[test]
fn an_expression_names_many() {
    let Some(world) = World::new("an_expression_names_many") else { return };
    let containers = ["web1", "web2", "db"].map(|id| world.container(id, config::sleeps));
    containers.iter().for_each(|container| _ = container.run(&["--detach"]).ok());
    world.run(&["kill", "--regex", "^web[0-9]$", "KILL"]).ok();
    containers[0].becomes("stopped");
    containers[1].becomes("stopped");
    assert_eq!(containers[2].status(), "running");
    // What runs is not deleted, and does not keep the others from being deleted.
    let some = world.run(&["delete", "-r", "."]);
    some.fails("cannot delete container db that is not stopped: running");
    assert_eq!(world.run(&["list", "-q"]).ok().stdout, "db\n");
    world.run(&["delete", "--regex", "--force", "b$"]).ok();
    assert_eq!(world.run(&["list", "-q"]).ok().stdout, "");
    world.run(&["delete", "--regex", "nothing"]).ok();
    let wrong = world.run(&["delete", "--regex", "("]).exits(1);
    assert!(wrong.sentence().starts_with("invalid regular expression \"(\": "), "{}", wrong.stderr);
}

#[test]
fn each_failure_among_many_is_told() {
    let Some(world) = World::new("each_failure_among_many_is_told") else { return };
    let containers = ["a", "b"].map(|id| world.container(id, config::sleeps));
    containers.iter().for_each(|container| _ = container.run(&["--detach"]).ok());
    let said = world.run(&["delete", "-r", "."]).exits(1).stderr;
    for id in ["a", "b"] {
        let line = format!("crate-run: cannot delete container {id} that is not stopped: running");
        assert!(said.lines().any(|said| said == line), "{said}");
    }
    containers.iter().for_each(|container| container.finish());
}
