//! Two commands on one container at the same time: one of them comes first, and the other sees what it did.

use rustix::process::Signal;

use crate::world::{World, config, inventory};

const ROUNDS: usize = 8;

#[test]
fn one_of_two_creates_wins() {
    let Some(world) = World::new("one_of_two_creates_wins") else { return };
    let container = world.container("a", config::sleeps);
    for _ in 0..ROUNDS {
        let both = [container.creating(&[]).spawn(), container.creating(&[]).spawn()];
        let mut outputs = both.map(|command| command.wait());
        outputs.sort_by_key(|output| output.status);
        assert_eq!(outputs[0].status, 0, "{outputs:?}");
        outputs[1].clone().fails("container with given ID already exists: a");
        assert_eq!(container.status(), "created");
        container.finish();
    }
}

#[test]
fn one_of_two_starts_wins() {
    let Some(world) = World::new("one_of_two_starts_wins") else { return };
    let container = world.container("a", config::sleeps);
    for _ in 0..ROUNDS {
        container.create().ok();
        let both = [(); 2].map(|()| container.command("start", &[]).spawn());
        let mut outputs = both.map(|command| command.wait());
        outputs.sort_by_key(|output| output.status);
        assert_eq!(outputs[0].status, 0, "{outputs:?}");
        outputs[1].clone().fails("cannot start an already running container: a");
        container.finish();
    }
}

#[test]
fn two_forced_deletes_both_succeed() {
    let Some(world) = World::new("two_forced_deletes_both_succeed") else { return };
    let container = world.container("a", config::sleeps);
    for _ in 0..ROUNDS {
        container.run(&["--detach"]).ok();
        let both = [(); 2].map(|()| container.command("delete", &["--force"]).spawn());
        for command in both {
            command.wait().ok();
        }
    }
}

#[test]
fn a_delete_during_create_waits_for_it() {
    let Some(world) = World::new("a_delete_during_create_waits_for_it") else { return };
    let container = world.container("a", config::sleeps);
    for _ in 0..ROUNDS {
        let creator = container.creating(&[]).spawn();
        while !container.directory().exists() && !inventory::descendants().is_empty() {
            std::thread::yield_now();
        }
        let deleted = container.delete(&["--force"]);
        let created = creator.wait();
        // Either the delete came first and found nothing, or it waited and deleted what was created.
        deleted.ok();
        assert_eq!(created.status, 0, "{}", created.stderr);
        container.delete(&["--force"]).ok();
    }
}

/// Nobody keeps the lock while it waits for a program to say goodbye.
#[test]
fn a_stop_spares_the_next_container_of_the_same_name() {
    let Some(world) = World::new("a_stop_spares_the_next_container_of_the_same_name") else { return };
    let container = world.container("a", config::sleeps);
    for _ in 0..ROUNDS {
        container.run(&["--detach"]).ok();
        container.command("pause", &[]).run().ok();
        let stop = container.command("stop", &["--timeout", "50"]).spawn();
        // It has been woken, and does not listen to SIGTERM.
        container.becomes("running");
        container.delete(&["--force"]).ok();
        container.create().ok();
        stop.wait().ok();
        assert_eq!(container.status(), "created");
        container.finish();
    }
}

#[test]
fn many_containers_at_once_are_all_there() {
    let Some(world) = World::new("many_containers_at_once_are_all_there") else { return };
    let containers: Vec<_> =
        (0..8).map(|number| world.container(&format!("c{number}"), config::sleeps)).collect();
    let commands: Vec<_> = containers.iter().map(|one| one.running(&["--detach"]).spawn()).collect();
    for command in commands {
        command.wait().ok();
    }
    let names = world.run(&["list", "--quiet"]).ok().stdout;
    assert_eq!(names.lines().count(), 8);
    let deletes: Vec<_> = containers.iter().map(|one| one.command("delete", &["--force"]).spawn()).collect();
    for command in deletes {
        command.wait().ok();
    }
}

/// `run` in the foreground deletes its container in the end, and its own alone.
#[test]
fn the_end_of_a_run_spares_the_next_container_of_the_same_name() {
    let Some(world) = World::new("the_end_of_a_run_spares_the_next_container_of_the_same_name") else {
        return;
    };
    let container = world.container("a", config::says_ready);
    for flags in [&[][..], &["--keep"], &["--timeout", "1000"]] {
        let first = container.spawn(flags);
        first.says("ready");
        first.signal(Signal::STOP);
        container.finish();
        let second = container.spawn(&[]);
        second.says("ready");
        first.signal(Signal::CONT);
        first.wait().exits(137);
        assert_eq!(container.status(), "running", "{flags:?}");
        let record = std::fs::read_to_string(container.directory().join("state.json")).expect("a record");
        assert!(!record.contains("exit_status"), "{record}");
        container.kill("KILL").ok();
        second.wait().exits(137);
    }
}
