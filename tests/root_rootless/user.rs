//! A user who is nobody, with a home of his own.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::world::runtime::{Output, Runtime};
use crate::world::{World, tool};

/// The overflow id: no machine gives it anything.
pub const ID: u32 = 65534;

/// The user, his home, and the bundle in it.
pub struct User<'w> {
    pub world: &'w World,
    pub home: PathBuf,
    binary: PathBuf,
}

impl<'w> User<'w> {
    /// Gives him a copy of the program, a runtime directory, and a bundle without a configuration.
    pub fn new(world: &'w World) -> Self {
        let home = world.file("home");
        let binary = world.file("crate-run");
        fs::copy(world.binary(), &binary).expect("a copy of the program");
        fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).expect("a mode");
        for (name, mode) in [("", 0o755), ("run", 0o700), ("bundle", 0o755)] {
            let directory = home.join(name);
            fs::create_dir(&directory).expect("a directory of the user");
            fs::set_permissions(&directory, fs::Permissions::from_mode(mode)).expect("a mode");
        }
        fs::rename(world.own_rootfs(), home.join("bundle/rootfs")).expect("a root filesystem");
        tool(&["chown", "-R", &format!("{ID}:{ID}"), home.to_str().expect("UTF-8")]);
        Self { world, home, binary }
    }

    /// crate-run as he calls it, in the directory of the bundle.
    pub fn runtime(&self) -> Runtime<'w> {
        let runtime = Runtime::of_user(self.world, &self.binary, ID).directory(&self.home.join("bundle"));
        let path = std::env::var("PATH").expect("a PATH");
        runtime
            .variable("XDG_RUNTIME_DIR", self.home.join("run").to_str().expect("UTF-8"))
            .variable("PATH", &path)
    }

    /// The same through another program of the host: `unshare --user ...`.
    pub fn within(&self, words: &[&str]) -> Runtime<'w> {
        let path = std::env::var("PATH").expect("a PATH");
        let runtime = Runtime::of_user(self.world, Path::new("/usr/bin/env"), ID).words(words);
        let runtime = runtime.path(&self.binary).directory(&self.home.join("bundle"));
        runtime
            .variable("XDG_RUNTIME_DIR", self.home.join("run").to_str().expect("UTF-8"))
            .variable("PATH", &path)
            .variable("USER", "nobody")
    }

    pub fn run(&self, words: &[&str]) -> Output {
        self.runtime().words(words).run()
    }

    /// `spec --rootless`, then what `change` does to it; it has no terminal and its root is writable.
    pub fn configure(&self, change: impl FnOnce(&mut Value)) {
        let file = self.home.join("bundle/config.json");
        let _ = fs::remove_file(&file);
        self.run(&["spec", "--rootless"]).ok();
        let mut config = serde_json::from_slice(&fs::read(&file).expect("config.json")).expect("JSON");
        set(&mut config, "/process/terminal", json!(false));
        set(&mut config, "/root/readonly", json!(false));
        change(&mut config);
        fs::write(&file, config.to_string()).expect("config.json is written");
        chown(&file, Some(ID), Some(ID)).expect("it stays his");
    }

    /// What these words say in a container with this configuration.
    #[track_caller]
    pub fn says(&self, words: &[&str], change: impl FnOnce(&mut Value)) -> String {
        self.configure(|config| {
            set(config, "/process/args", json!(words));
            change(config);
        });
        self.run(&["run", "says"]).ok().stdout
    }

    /// Makes and starts a container that lives until it is killed.
    #[track_caller]
    pub fn starts(&self, id: &str, change: impl FnOnce(&mut Value)) {
        self.configure(|config| {
            set(config, "/process/args", json!(["sleep", "1000000"]));
            change(config);
        });
        self.run(&["create", id]).ok();
        self.run(&["start", id]).ok();
    }

    /// What `state` tells of a container.
    #[track_caller]
    pub fn state(&self, id: &str) -> Value {
        self.run(&["state", id]).ok().json()
    }

    /// The directory in which his containers are.
    pub fn root(&self) -> PathBuf {
        self.home.join("run/crate-run")
    }
}

/// Puts a value in the place of another.
pub fn set(config: &mut Value, pointer: &str, value: Value) {
    *config.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}")) = value;
}

/// Adds a namespace without a path.
pub fn namespace(config: &mut Value, kind: &str) {
    let list = config["linux"]["namespaces"].as_array_mut().expect("a list of namespaces");
    list.push(json!({ "type": kind }));
}
