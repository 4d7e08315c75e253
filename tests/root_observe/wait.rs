//! Waiting for the end of a container, from outside.

use super::script;
use crate::world::{World, config, inventory};

#[test]
fn the_exit_status_is_told_where_somebody_saw_it() {
    let Some(world) = World::new("the_exit_status_is_told_where_somebody_saw_it") else { return };
    let container = world.container("a", |value| {
        script::runs(&world, value, "trap 'exit 42' TERM");
    });
    container.run(&["--detach"]).ok();
    script::is_ready(&world);
    let waiting = [(); 2].map(|()| world.runtime().words(&["wait", "a"]).spawn());
    world.run(&["wait", "--timeout", "10ms", "a"]).exits(124);
    container.kill("TERM").ok();
    // Its parent, this test, has not asked for the status: it is there to be read.
    for waiting in waiting {
        assert_eq!(waiting.wait().ok().stdout, "42\n");
    }
    assert_eq!(world.run(&["wait", "a"]).ok().stdout, "42\n");
    container.delete(&[]).ok();
    world.run(&["wait", "a"]).fails("container does not exist: a");
}

#[test]
fn a_signal_counts_from_128() {
    let Some(world) = World::new("a_signal_counts_from_128") else { return };
    let container = world.container("a", config::sleeps);
    container.create().ok();
    let waiting = world.runtime().words(&["wait", "a"]).spawn();
    container.kill("KILL").ok();
    assert_eq!(waiting.wait().ok().stdout, "137\n");
    container.delete(&[]).ok();
}

#[test]
fn what_the_foreground_has_seen_is_kept() {
    let Some(world) = World::new("what_the_foreground_has_seen_is_kept") else { return };
    let container = world.container("a", |value| config::runs(value, &["sh", "-c", "exit 7"]));
    container.run(&["--keep"]).exits(7);
    assert_eq!(world.run(&["wait", "a"]).ok().stdout, "7\n");
    container.delete(&[]).ok();
}

/// The program ends, and its parent takes the status, before anybody asks.
#[test]
fn what_nobody_can_know_is_called_unknown() {
    let Some(world) = World::new("what_nobody_can_know_is_called_unknown") else { return };
    let container = world.container("a", |value| config::runs(value, &["sh", "-c", "exit 7"]));
    container.run(&["--detach"]).ok();
    container.becomes("stopped");
    inventory::bury();
    assert_eq!(world.run(&["wait", "a"]).ok().stdout, "unknown\n");
    container.delete(&[]).ok();
}
