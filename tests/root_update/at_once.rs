//! Several commands on one container at once.

use serde_json::{Value, json};

use super::world::World;
use super::world::runtime::Running;
use super::{core, limited, saved, says};

/// An update under way whose resources come from a file of its own.
fn updating(world: &World, number: usize, resources: &Value) -> Running {
    let file = world.file(&format!("given-{number}"));
    std::fs::write(&file, resources.to_string()).expect("a file");
    world.runtime().words(&["update", "web", "--resources"]).path(&file).spawn()
}

/// The kernel and the saved configuration agree on who was last, in all limits.
#[test]
fn of_several_updates_one_is_the_last() {
    let Some(world) = World::new("of_several_updates_one_is_the_last") else { return };
    let container = limited(&world, &core("1", "1"));
    let numbers: Vec<String> = (2..14).map(|number: usize| number.to_string()).collect();
    let start = |(index, number): (usize, &String)| updating(&world, index, &core(number, number));
    let running: Vec<Running> = numbers.iter().enumerate().map(start).collect();
    running.into_iter().for_each(|update| drop(update.wait().ok()));
    let last = says(&world, "cgroup.max.depth");
    assert_eq!(says(&world, "cgroup.max.descendants"), last);
    assert_eq!(saved(&container), core(&last, &last));
    container.finish();
}

/// Each command either does its work or says that the container is gone; nothing is left.
#[test]
fn updates_execs_and_deletes() {
    let Some(world) = World::new("updates_execs_and_deletes") else { return };
    for round in 0..4 {
        let container = limited(&world, &core("1", "1"));
        let mut running = Vec::new();
        for index in 0..3 {
            running.push(updating(
                &world,
                round * 10 + index,
                &json!({ "unified": { "cgroup.max.depth": "9" } }),
            ));
            running.push(world.runtime().words(&["exec", "web", "/bin/true"]).spawn());
            running.push(world.runtime().words(&["state", "web"]).spawn());
        }
        running.push(container.command("delete", &["--force"]).spawn());
        for output in running.into_iter().map(Running::wait) {
            // 137: the program of an exec was killed with the container.
            let one_line = [0, 137].contains(&output.status) || !output.stderr.trim().is_empty();
            assert!(one_line && !output.stderr.contains("panicked"), "{}: {}", output.status, output.stderr);
        }
        world.run(&["state", "web"]).fails("container does not exist: web");
    }
}
