//! `crate-run update`: what is asked for arrives in the kernel, everything else stays, and a change that
//! fails takes the others with it.

#[path = "../world/mod.rs"]
mod world;

mod at_once;
mod faults;
mod limits;
mod refused;

use std::fs;

use serde_json::{Value, json};

use world::container::Container;
use world::runtime::Output;
use world::{World, config};

/// A container that runs, with these resources.
fn limited<'w>(world: &'w World, resources: &Value) -> Container<'w> {
    let container = world.container("web", |value| {
        config::sleeps(value);
        value["linux"]["resources"] = resources.clone();
    });
    container.running(&["--detach"]).run().ok();
    container
}

/// `update` with this text for its resources.
fn given(world: &World, text: &Value) -> Output {
    let file = world.file("given.json");
    fs::write(&file, text.to_string()).expect("a file");
    world.runtime().words(&["update", "--resources"]).path(&file).words(&["web"]).run()
}

/// What a file of the container's cgroup says.
#[track_caller]
fn says(world: &World, file: &str) -> String {
    let path = world.cgroup("web").join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).trim().to_owned()
}

/// The resources of the saved configuration.
fn saved(container: &Container) -> Value {
    let text = fs::read(container.directory().join("config.json")).expect("the copy");
    let config: Value = serde_json::from_slice(&text).expect("JSON");
    config["linux"]["resources"].clone()
}

/// Limits that every cgroup has, whatever its controllers.
fn core(depth: &str, descendants: &str) -> Value {
    json!({ "unified": { "cgroup.max.depth": depth, "cgroup.max.descendants": descendants } })
}
