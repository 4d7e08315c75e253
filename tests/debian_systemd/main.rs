//! The systemd driver under a real systemd, in the Debian machine (`make test-engines`).
//!
//! Each test has scopes of its own: their names hold that of its world, so that the world finds the cgroup of one
//! that is left, and [`units`] the unit.

// Parts of other test programs, of which not everything is needed here.
#![allow(dead_code)]

mod bus;
mod faults;
mod limits;
mod scope;
mod user;

#[path = "../root_faults/edit.rs"]
mod edit;
#[path = "../root_faults/judge.rs"]
mod judge;
#[path = "../root_faults/trial.rs"]
mod trial;
#[path = "../world/mod.rs"]
mod world;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use world::container::Container;
use world::runtime::Runtime;
use world::{World, config};

/// A world on a machine that systemd has booted; `None`, and a line that says why, elsewhere.
fn world(test: &'static str) -> Option<World> {
    if !Path::new("/run/systemd/system").is_dir() {
        world::skip(test, "systemd does not run here");
        return None;
    }
    World::new(test)
}

/// The `cgroupsPath` of the container `id`.
fn place(world: &World, id: &str) -> String {
    format!("system.slice:{}:{id}", world.tag)
}

/// The name of its unit.
fn scope(world: &World, id: &str) -> String {
    format!("{}-{id}.scope", world.tag)
}

/// Its cgroup.
fn cgroup(world: &World, id: &str) -> PathBuf {
    Path::new(world::CGROUPS).join("system.slice").join(scope(world, id))
}

/// A container that lives until it is killed.
fn living<'w>(world: &'w World, id: &str, change: impl FnOnce(&mut Value)) -> Container<'w> {
    world.container(id, |value| {
        value["linux"]["cgroupsPath"] = json!(place(world, id));
        config::sleeps(value);
        change(value);
    })
}

/// `create` or `run` with the systemd driver.
fn making<'w>(world: &'w World, verb: &str, container: &Container) -> Runtime<'w> {
    let words = ["--systemd-cgroup", verb, "--bundle"];
    world.runtime().words(&words).path(&container.bundle).words(&[&container.id])
}

/// What systemd says of a unit.
fn told(unit: &str, property: &str) -> String {
    world::tool(&["systemctl", "show", "--value", "--property", property, unit])
}

/// The units of this world that systemd knows, also those that have failed.
fn units(world: &World) -> String {
    let pattern = format!("{}*", world.tag);
    world::tool(&["systemctl", "list-units", "--all", "--no-legend", "--plain", &pattern])
}

/// Waits until systemd has forgotten all of them.
fn no_unit_is_left(world: &World) {
    world::eventually("no unit is left", || units(world).is_empty());
}

/// Not a test by itself: the trials with faults start this program once more.
#[test]
fn the_runtime_of_a_trial() {
    if let Some(trial) = trial::Trial::of_this_process() {
        trial.perform();
    }
}
