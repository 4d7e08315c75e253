//! Graceful ends.

use serde_json::json;

use super::script;
use crate::world::{World, config};

const SAYS_GOODBYE: &str = "trap 'echo TERM >>/mnt/heard; exit 3' TERM
trap 'echo QUIT >>/mnt/heard; exit 4' QUIT
trap 'echo INT >>/mnt/heard; exit 5' INT";

#[test]
fn the_program_may_say_goodbye() {
    let Some(world) = World::new("the_program_may_say_goodbye") else { return };
    for (annotation, flags, signal) in [
        (None, &["stop", "a"][..], "TERM\n"),
        (Some("SIGQUIT"), &["stop", "a"], "QUIT\n"),
        (Some("3"), &["stop", "a", "--timeout", "3600"], "QUIT\n"),
        (Some("SIGQUIT"), &["stop", "--signal", "INT", "a"], "INT\n"),
    ] {
        let container = world.container("a", |value| {
            script::runs(&world, value, SAYS_GOODBYE);
            if let Some(name) = annotation {
                value["annotations"] = json!({ "org.opencontainers.image.stopSignal": name });
            }
        });
        container.run(&["--detach"]).ok();
        script::is_ready(&world);
        world.run(flags).ok();
        assert_eq!(
            (container.status().as_str(), script::text(&world, "heard").as_str()),
            ("stopped", signal)
        );
        container.delete(&[]).ok();
        std::fs::remove_dir_all(script::place(&world)).expect("it is ours");
    }
}

#[test]
fn who_does_not_want_to_end_is_killed() {
    let Some(world) = World::new("who_does_not_want_to_end_is_killed") else { return };
    let container = world.container("a", |value| script::runs(&world, value, "trap '' TERM"));
    for time in ["0", "50ms"] {
        container.run(&["--detach"]).ok();
        script::is_ready(&world);
        world.run(&["stop", "-t", time, "a"]).ok();
        assert_eq!(container.status(), "stopped");
        // Nothing is left to stop, and that is all right.
        world.run(&["stop", "a"]).ok();
        container.delete(&[]).ok();
    }
}

#[test]
fn a_frozen_program_is_woken_to_say_goodbye() {
    let Some(world) = World::new("a_frozen_program_is_woken_to_say_goodbye") else { return };
    let container = world.container("a", |value| script::runs(&world, value, SAYS_GOODBYE));
    container.run(&["--detach"]).ok();
    script::is_ready(&world);
    container.command("pause", &[]).run().ok();
    world.run(&["stop", "--timeout", "3600", "a"]).ok();
    assert_eq!((container.status().as_str(), script::text(&world, "heard").as_str()), ("stopped", "TERM\n"));
    container.delete(&[]).ok();
}

#[test]
fn who_has_not_begun_need_not_say_goodbye() {
    let Some(world) = World::new("who_has_not_begun_need_not_say_goodbye") else { return };
    let container = world.container("a", config::sleeps);
    container.create().ok();
    world.run(&["stop", "--timeout", "3600", "a"]).ok();
    assert_eq!(container.status(), "stopped");
    container.start().fails("cannot start a container that has stopped: a");
    container.delete(&[]).ok();
    world.run(&["stop", "a"]).fails("container does not exist: a");
}

#[test]
fn nobody_is_left_in_a_pid_namespace_of_the_host() {
    let Some(world) = World::new("nobody_is_left_in_a_pid_namespace_of_the_host") else { return };
    let container = world.container("a", |value| {
        config::without_namespace(value, "pid");
        script::runs(&world, value, "trap 'exit 0' TERM; sleep 1000001 & sleep 1000002 &");
    });
    container.run(&["--detach"]).ok();
    script::is_ready(&world);
    world.run(&["stop", "a"]).ok();
    assert_eq!(world.run(&["ps", "-f", "json", "a"]).ok().stdout, "[]\n");
    assert_eq!(container.status(), "stopped");
    container.delete(&[]).ok();
}

#[test]
fn a_wish_that_names_no_signal_is_told() {
    let Some(world) = World::new("a_wish_that_names_no_signal_is_told") else { return };
    let container = world.container("a", |value| {
        script::runs(&world, value, SAYS_GOODBYE);
        value["annotations"] = json!({ "org.opencontainers.image.stopSignal": "SIGNOPE" });
    });
    container.run(&["--detach"]).ok();
    script::is_ready(&world);
    let said = world.run(&["stop", "a"]).ok().stderr;
    assert!(said.contains("unknown signal \"SIGNOPE\"") && said.contains("SIGTERM is sent"), "{said}");
    assert_eq!(script::text(&world, "heard"), "TERM\n");
    container.delete(&[]).ok();
}

#[test]
fn a_run_has_its_time() {
    let Some(world) = World::new("a_run_has_its_time") else { return };
    let over = "the time of container a was over: it was stopped";
    let container = world.container("a", |value| script::runs(&world, value, SAYS_GOODBYE));
    let ran = container.run(&["--timeout", "2s"]).exits(124);
    assert_eq!(ran.sentence(), over);
    assert_eq!(script::text(&world, "heard"), "TERM\n");
    assert_eq!(world.run(&["list", "-q"]).ok().stdout, "", "it is deleted as after any run");
    container.run(&["--keep", "--timeout", "1500ms"]).exits(124);
    assert_eq!(
        (container.status().as_str(), world.run(&["wait", "a"]).ok().stdout.as_str()),
        ("stopped", "3\n")
    );
    container.delete(&[]).ok();
    let quick = world.container("a", |value| config::runs(value, &["sh", "-c", "exit 9"]));
    quick.run(&["--timeout", "1h"]).exits(9);
}
