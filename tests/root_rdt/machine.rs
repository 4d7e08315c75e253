//! A host with the processor of `fake.rs`, and the runtime on it.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::fake::Fake;
use crate::fuse::Mounted;
use crate::world::runtime::{Output, Runtime};
use crate::world::{self, World, config};

/// A world with a resctrl in it.
pub struct Machine<'w> {
    world: &'w World,
    pub resctrl: Mounted<Fake>,
    mountinfo: PathBuf,
}

impl<'w> Machine<'w> {
    /// `None`, and a line that says why, without FUSE.
    pub fn new(test: &str, world: &'w World, fake: Fake) -> Option<Self> {
        if !std::path::Path::new("/dev/fuse").exists() {
            world::skip(test, "this host has no /dev/fuse to show a resctrl with");
            return None;
        }
        let place = world.file("a resctrl");
        fs::create_dir(&place).expect("a mount point");
        let resctrl = Mounted::new(&place, fake);
        let mountinfo = world.file("mountinfo");
        let line = format!(
            "99999 1 0:99 / {} rw,relatime - resctrl resctrl rw\n",
            place.to_str().expect("UTF-8").replace(' ', "\\040")
        );
        fs::write(&mountinfo, line).expect("a table of mounts");
        Some(Self { world, resctrl, mountinfo })
    }

    /// crate-run, in a mount namespace of its own in which its table of mounts has the resctrl.
    pub fn runtime(&self) -> Runtime<'w> {
        let script = "mount --bind \"$0\" /proc/$$/mountinfo && exec \"$@\"";
        let file = self.mountinfo.to_str().expect("UTF-8");
        let words = ["unshare", "-m", "--propagation", "private", "sh", "-c", script, file];
        Runtime::within(self.world, &words)
    }

    pub fn create(&self, id: &str, rdt: Value) -> Output {
        self.create_with(id, |config| config["linux"]["intelRdt"] = rdt)
    }

    pub fn create_with(&self, id: &str, change: impl FnOnce(&mut Value)) -> Output {
        let container = self.world.container(id, |config| {
            config::sleeps(config);
            change(config);
        });
        self.runtime().words(&["create", "--bundle"]).path(&container.bundle).words(&[id]).run()
    }

    pub fn pid(&self, id: &str) -> i32 {
        self.world.run(&["state", id]).ok().json()["pid"].as_i64().expect("a pid") as i32
    }

    pub fn delete(&self, id: &str) {
        self.runtime().words(&["delete", "--force", id]).run().ok();
    }

    /// What was done to the tree since the last look.
    pub fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.resctrl.files().log)
    }
}
