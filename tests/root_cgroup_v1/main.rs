//! Containers on a host that has bound controllers to cgroup v1, in its own hierarchies: limits arrive in the
//! kernel, every verb works, and no group is left behind.
//!
//! Needs root, cgroup v1 at /sys/fs/cgroup with cgroup2 at /sys/fs/cgroup/unified, and a crate-run with the
//! feature `cgroup-v1`. Each world has groups of its own, below its name, in every hierarchy.

#[path = "../world/mod.rs"]
mod world;

mod events;
mod life;
mod limits;
mod refused;
mod view;

use std::fs;
use std::path::PathBuf;

use crate_run::cgroup::v1::Bound;
use crate_run::host::Host;
use serde_json::Value;

use world::container::Container;
use world::{World, config, skip};

/// The world of a test that needs these controllers on version 1.
fn bound(test: &'static str, controllers: &[&str]) -> Option<World> {
    let missing: Vec<&str> = controllers.iter().filter(|name| hierarchy(name).is_none()).copied().collect();
    if !missing.is_empty() {
        skip(test, &format!("no hierarchy of cgroup v1 has {}", missing.join(", ")));
        return None;
    }
    let world = World::beside_v1(test)?;
    let drives = world.run(&["features"]).ok().json()["linux"]["cgroup"]["v1"] == true;
    assert!(drives, "CRATE_RUN_BIN was built without the feature cgroup-v1");
    Some(world)
}

/// The hierarchy of this controller.
fn hierarchy(controller: &str) -> Option<Bound> {
    Host::probe()
        .bound()
        .iter()
        .find(|bound| bound.controllers.iter().any(|name| name == controller))
        .cloned()
}

/// Where the group of the container `id` lies, or would lie.
fn group(world: &World, controller: &str, id: &str) -> PathBuf {
    hierarchy(controller).expect("bound").place.join(&world.tag).join(id)
}

/// What a file of the container's group says.
#[track_caller]
fn says(world: &World, file: &str) -> String {
    let controller = file.split('.').next().expect("a name");
    let path = group(world, controller, "web").join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).trim().to_owned()
}

/// The processes in the container's group.
fn members(world: &World, controller: &str) -> Vec<String> {
    let path = group(world, controller, "web").join("cgroup.procs");
    fs::read_to_string(path).expect("a group").lines().map(str::to_owned).collect()
}

/// A container that sleeps, with these resources.
fn limited<'w>(world: &'w World, resources: &Value) -> Container<'w> {
    let container = world.container("web", |value| {
        config::sleeps(value);
        value["linux"]["resources"] = resources.clone();
    });
    container.running(&["--detach"]).run().ok();
    container
}
