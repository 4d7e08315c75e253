//! `exec`: another program in a container, with no more power than the container's own.

mod inside;
mod life;
mod peek;
mod process;
#[path = "../world/mod.rs"]
mod world;

use serde_json::Value;
use world::World;
use world::container::Container;
use world::runtime::Output;

/// A container that runs until the end of the test.
fn living<'w>(world: &'w World, change: impl FnOnce(&mut Value)) -> Container<'w> {
    let container = world.container("a", |config| {
        world::config::sleeps(config);
        change(config);
    });
    container.run(&["--detach"]).ok();
    container
}

/// `crate-run exec FLAGS a WORDS`.
fn exec(world: &World, flags: &[&str], words: &[&str]) -> Output {
    world.runtime().words(&["exec"]).words(flags).words(&["a"]).words(words).run()
}

/// What the program prints.
#[track_caller]
fn says(world: &World, flags: &[&str], words: &[&str]) -> String {
    exec(world, flags, words).ok().stdout
}
