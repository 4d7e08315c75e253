//! A program that writes what happens to it into a directory of the host.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::world::{self, World, config};

/// The directory that programs of this world see as /mnt.
pub fn place(world: &World) -> PathBuf {
    let place = world.file("place");
    fs::create_dir_all(&place).expect("a directory");
    place
}

/// Lets the container run this script, which begins by making the file /mnt/ready.
pub fn runs(world: &World, config: &mut Value, script: &str) {
    config::bind(config, &place(world), "/mnt");
    config::runs(
        config,
        &["sh", "-c", &format!("{script}\n: >/mnt/ready\nwhile :; do sleep 1000000 & wait; done")],
    );
}

/// Waits until the script has got so far.
pub fn is_ready(world: &World) {
    appears(world, "ready");
}

/// Waits until the file is there.
pub fn appears(world: &World, name: &str) {
    let file = place(world).join(name);
    world::eventually(&format!("{name} is there"), || file.exists());
}

/// What the file says; nothing when there is none.
pub fn text(world: &World, name: &str) -> String {
    fs::read_to_string(place(world).join(name)).unwrap_or_default()
}
