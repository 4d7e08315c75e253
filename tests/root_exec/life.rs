//! When it may enter, how it ends, and what is left.

use super::world::{World, config};
use super::{exec, living, says};

#[test]
fn its_exit_status_is_that_of_the_program() {
    let Some(world) = World::new("its_exit_status_is_that_of_the_program") else { return };
    let container = living(&world, |_| ());
    assert_eq!(exec(&world, &[], &["sh", "-c", "exit 7"]).status, 7);
    assert_eq!(exec(&world, &[], &["sh", "-c", "kill -9 $$"]).status, 137);
    assert_eq!(exec(&world, &[], &["-c"]).status, 255);
    let missing = exec(&world, &[], &["nosuch"]);
    assert_eq!(missing.status, 255);
    let text = "exec: \"nosuch\": executable file not found in $PATH";
    assert!(missing.stderr.contains(text), "{missing:?}");
    container.finish();
}

#[test]
fn a_container_must_be_there_and_not_have_ended() {
    let Some(world) = World::new("a_container_must_be_there_and_not_have_ended") else { return };
    let absent = exec(&world, &[], &["true"]);
    assert_eq!((absent.status, absent.stderr.as_str()), (255, "crate-run: container does not exist: a\n"));
    let container = world.container("a", config::sleeps);
    container.create().ok();
    assert_eq!(says(&world, &[], &["echo", "created"]), "created\n");
    container.kill("KILL").ok();
    container.becomes("stopped");
    let stopped = exec(&world, &[], &["true"]);
    assert_eq!(stopped.status, 255);
    assert_eq!(stopped.stderr, "crate-run: cannot exec in a stopped container: a\n");
    container.finish();
}

#[test]
fn a_paused_container_is_entered_only_if_wanted() {
    let Some(world) = World::new("a_paused_container_is_entered_only_if_wanted") else { return };
    let container = living(&world, |_| ());
    container.command("pause", &[]).run().ok();
    assert_eq!(container.status(), "paused");
    let refused = exec(&world, &[], &["true"]);
    assert_eq!(refused.stderr, "crate-run: cannot exec in a paused container: a\n");
    let waiting = world.runtime().words(&["exec", "--ignore-paused", "a", "echo", "awake"]).spawn();
    container.command("resume", &[]).run().ok();
    assert_eq!(waiting.wait().ok().stdout, "awake\n");
    container.finish();
}

#[test]
fn pause_and_resume_want_the_right_state() {
    let Some(world) = World::new("pause_and_resume_want_the_right_state") else { return };
    let container = world.container("a", config::sleeps);
    let said = |verb: &str| container.command(verb, &[]).run().stderr;
    assert_eq!(said("pause"), "crate-run: container does not exist: a\n");
    container.create().ok();
    assert_eq!(said("resume"), "crate-run: container not paused: a\n");
    assert_eq!(said("pause"), "");
    assert_eq!(container.start().stderr, "crate-run: cannot start a paused container: a; resume it first\n");
    assert_eq!(said("pause"), "crate-run: cannot pause a container that is paused: a\n");
    assert_eq!(said("resume"), "");
    container.start().ok();
    assert_eq!(said("pause"), "");
    let refused = container.delete(&[]).stderr;
    assert_eq!(refused, "crate-run: cannot delete container a that is not stopped: paused\n");
    container.kill("KILL").ok();
    container.becomes("stopped");
    container.delete(&[]).ok();
}

#[test]
fn what_it_starts_ends_with_the_container() {
    let Some(world) = World::new("what_it_starts_ends_with_the_container") else { return };
    for without_pids in [false, true] {
        let container = living(&world, |value| {
            if without_pids {
                config::without_namespace(value, "pid");
                config::without_mount(value, "/proc");
            }
        });
        exec(&world, &["--detach"], &["sleep", "1000000"]).ok();
        container.finish();
    }
}
