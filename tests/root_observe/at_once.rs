//! Two commands on one container: whoever comes second finds what the first has left.

use super::script;
use crate::world::{World, config};

const ROUNDS: usize = 6;

#[test]
fn two_stops_both_succeed() {
    let Some(world) = World::new("two_stops_both_succeed") else { return };
    let container = world.container("a", config::sleeps);
    for _ in 0..ROUNDS {
        container.run(&["--detach"]).ok();
        let both = [(); 2].map(|()| world.runtime().words(&["stop", "-t", "20ms", "a"]).spawn());
        both.into_iter().for_each(|command| _ = command.wait().ok());
        assert_eq!(container.status(), "stopped");
        container.delete(&[]).ok();
    }
}

/// A stop that waits keeps nobody from deleting, and does not mind that it is done.
#[test]
fn a_delete_during_a_stop() {
    let Some(world) = World::new("a_delete_during_a_stop") else { return };
    let container = world.container("a", |value| {
        script::runs(&world, value, "trap ': >/mnt/asked' TERM");
    });
    container.run(&["--detach"]).ok();
    script::is_ready(&world);
    let stopping = world.runtime().words(&["stop", "-t", "3600", "a"]).spawn();
    script::appears(&world, "asked");
    container.delete(&["--force"]).ok();
    stopping.wait().ok();
}

#[test]
fn signals_and_looks_during_a_delete() {
    let Some(world) = World::new("signals_and_looks_during_a_delete") else { return };
    let container = world.container("a", config::sleeps);
    let lines: [&[&str]; 6] = [
        &["kill", "--all", "a", "USR1"],
        &["kill", "--all", "a", "KILL"],
        &["ps", "-f", "json", "a"],
        &["events", "--stats", "a"],
        &["stop", "-t", "0", "a"],
        &["wait", "a"],
    ];
    for _ in 0..ROUNDS {
        container.run(&["--detach"]).ok();
        let deleting = container.command("delete", &["--force"]).spawn();
        let looking = lines.map(|line| world.runtime().words(line).spawn());
        deleting.wait().ok();
        for (command, line) in looking.into_iter().zip(lines) {
            let output = command.wait();
            let fine = output.status == 0
                || [
                    "container does not exist: a",
                    "container with id a is not running",
                    "container not running: a",
                ]
                .contains(&output.sentence());
            assert!(fine, "{line:?}: {output:?}");
        }
    }
}
