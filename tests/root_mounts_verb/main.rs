//! `crate-run mounts add` and `mounts remove`: what a container that runs gets and loses, all of it or
//! nothing, and never anything outside its root.

#[path = "../world/mod.rs"]
mod world;

mod attacks;
mod changes;
mod faults;
mod refused;

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use world::container::Container;
use world::runtime::Output;
use world::{World, config};

/// A container that runs, with a root of its own to which it may write.
fn living(world: &World, change: impl FnOnce(&mut Value)) -> Container<'_> {
    let root = world.own_rootfs();
    let container = world.container("web", |value| {
        config::sleeps(value);
        value["root"] = json!({ "path": root, "readonly": false });
        change(value);
    });
    container.running(&["--detach"]).run().ok();
    container
}

/// `mounts ACTION web FILE` with this list in the file.
fn mounts(world: &World, action: &str, list: &Value) -> Output {
    let file = world.file("list.json");
    fs::write(&file, list.to_string()).expect("a file");
    world.runtime().words(&["mounts", action, "web"]).path(&file).run()
}

/// A directory of the host with a file in it.
fn volume(world: &World, text: &str) -> PathBuf {
    let volume = world.file(&format!("volume-{text}"));
    fs::create_dir_all(&volume).expect("a directory");
    fs::write(volume.join("file"), text).expect("a file");
    volume
}

fn bind(source: &PathBuf, target: &str, options: &[&str]) -> Value {
    let options: Vec<&str> = ["rbind"].iter().chain(options).copied().collect();
    json!({ "destination": target, "type": "bind", "source": source, "options": options })
}

/// What a shell inside says.
fn inside(world: &World, script: &str) -> Output {
    world.run(&["exec", "web", "sh", "-c", script])
}

/// The mount points of the container.
fn points(container: &Container) -> Vec<String> {
    let table = fs::read_to_string(format!("/proc/{}/mountinfo", container.pid())).expect("its mounts");
    table.lines().filter_map(|line| line.split(' ').nth(4)).map(str::to_owned).collect()
}
