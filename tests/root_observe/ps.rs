//! Who is in a container.

use std::fs;

use crate::world::{self, World, config, inventory};

#[test]
fn everybody_is_listed_by_the_numbers_of_the_host() {
    let Some(world) = World::new("everybody_is_listed_by_the_numbers_of_the_host") else { return };
    let container = world.container("a", |value| {
        config::runs(value, &["sh", "-c", "sleep 1000001 & sleep 1000002 & wait"]);
    });
    container.create().ok();
    assert_eq!(pids(&world), [container.pid()], "also of a container that waits for its start");
    container.start().ok();
    world::eventually("three processes", || pids(&world).len() == 3);
    let table = world.run(&["ps", "a"]).ok().stdout;
    let count = |part: &str| table.lines().filter(|line| line.contains(part)).count();
    assert!(table.lines().next().expect("a heading").contains("PID"), "{table}");
    // Every row is of the container: nobody of the host, not even the ps that was asked.
    assert_eq!((count("sleep 100000"), table.lines().count()), (3, 4), "{table}");
    let named = world.run(&["ps", "--format", "table", "a", "-o pid,args"]).ok().stdout;
    assert_eq!(named.lines().count(), 4, "{named}");
    let joined = world.run(&["exec", "--detach", "a", "sleep", "1000003"]);
    joined.ok();
    world::eventually("a fourth one", || pids(&world).len() == 4);
    container.kill("KILL").ok();
    // The first process ends when the one that entered is buried (pid_namespaces(7)), by this test.
    world::eventually("nobody", || {
        inventory::bury();
        container.status() == "stopped" && pids(&world).is_empty()
    });
    assert_eq!(world.run(&["ps", "a"]).ok().stdout.lines().count(), 1, "nothing but the heading");
    container.delete(&[]).ok();
}

fn pids(world: &World) -> Vec<i64> {
    let list = world.run(&["ps", "-f", "json", "a"]).ok().json();
    list.as_array().expect("a list").iter().map(|pid| pid.as_i64().expect("a number")).collect()
}

#[test]
fn without_a_pid_namespace_too() {
    let Some(world) = World::new("without_a_pid_namespace_too") else { return };
    let container = world.container("a", |value| {
        config::runs(value, &["sh", "-c", "sleep 1000001 & wait"]);
        config::without_namespace(value, "pid");
    });
    container.run(&["--detach"]).ok();
    world::eventually("two processes", || pids(&world).len() == 2);
    container.finish();
}

/// Something in the container has made a threaded cgroup of its own (cgroups(7), "Thread mode").
#[test]
fn threaded_cgroups_hide_nobody() {
    let Some(world) = World::new("threaded_cgroups_hide_nobody") else { return };
    let container = world.container("a", |value| config::runs(value, &["sh", "-c", "sleep 1000001 & wait"]));
    container.run(&["--detach"]).ok();
    world::eventually("two processes", || pids(&world).len() == 2);
    let all = pids(&world);
    let threaded = world.cgroup("a").join("threaded");
    fs::create_dir(&threaded).expect("a cgroup");
    fs::write(threaded.join("cgroup.type"), "threaded").expect("a threaded cgroup");
    fs::write(threaded.join("cgroup.threads"), all[1].to_string()).expect("a thread is moved");
    assert!(
        fs::read_to_string(threaded.join("cgroup.procs")).is_err(),
        "the kernel lists no processes there"
    );
    assert_eq!(pids(&world), all);
    world.run(&["kill", "--all", "a", "KILL"]).ok();
    container.becomes("stopped");
    container.finish();
}

#[test]
fn a_container_that_is_a_threaded_cgroup_itself() {
    let Some(world) = World::new("a_container_that_is_a_threaded_cgroup_itself") else { return };
    let container = world.container("a", |value| config::runs(value, &["sh", "-c", "sleep 1000001 & wait"]));
    fs::create_dir(world.cgroup("a")).expect("a cgroup");
    if fs::write(world.cgroup("a").join("cgroup.type"), "threaded").is_err() {
        world::skip(
            "a_container_that_is_a_threaded_cgroup_itself",
            "controllers of domains are enabled here",
        );
        fs::remove_dir(world.cgroup("a")).expect("it is empty");
        return;
    }
    let ran = container.run(&["--detach"]);
    if ran.status == 0 {
        world::eventually("two processes", || pids(&world).len() == 2);
        world.run(&["kill", "--all", "a", "KILL"]).ok();
        container.becomes("stopped");
        container.finish();
    }
    fs::remove_dir(world.cgroup("a")).expect("it was there before the container, so it stays");
    ran.ok();
}

#[test]
fn what_ps_cannot_show_is_told() {
    let Some(world) = World::new("what_ps_cannot_show_is_told") else { return };
    world.run(&["ps", "a"]).fails("container does not exist: a");
    let container = world.container("a", config::sleeps);
    container.create().ok();
    world
        .run(&["ps", "a", "-o", "args"])
        .fails("cannot find the column PID in what ps prints: choose options that show it");
    let lost = world.runtime().variable("PATH", "/nowhere").words(&["ps", "a"]).run();
    assert!(lost.sentence().starts_with("cannot run ps of this host: "), "{}", lost.stderr);
    container.finish();
}
