//! One container of a world, and the commands on it.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::World;
use super::runtime::{Output, Running, Runtime};

/// An id and a bundle; whether the container exists is up to the test.
pub struct Container<'w> {
    world: &'w World,
    pub id: String,
    pub bundle: PathBuf,
}

impl<'w> Container<'w> {
    pub fn new(world: &'w World, id: &str, bundle: PathBuf) -> Self {
        Self { world, id: id.to_owned(), bundle }
    }

    /// `crate-run VERB FLAGS ID`.
    pub fn command(&self, verb: &str, flags: &[&str]) -> Runtime<'w> {
        self.world.runtime().words(&[verb]).words(flags).words(&[&self.id])
    }

    fn making(&self, verb: &str, flags: &[&str]) -> Runtime<'w> {
        self.world.runtime().words(&[verb, "--bundle"]).path(&self.bundle).words(flags).words(&[&self.id])
    }

    pub fn create(&self) -> Output {
        self.create_with(&[])
    }

    pub fn create_with(&self, flags: &[&str]) -> Output {
        self.making("create", flags).run()
    }

    /// `create`, not started yet: with other streams, variables and so on.
    pub fn creating(&self, flags: &[&str]) -> Runtime<'w> {
        self.making("create", flags)
    }

    pub fn start(&self) -> Output {
        self.command("start", &[]).run()
    }

    /// `run` in the foreground, to its end.
    pub fn run(&self, flags: &[&str]) -> Output {
        self.running(flags).run()
    }

    /// `run`, not started yet.
    pub fn running(&self, flags: &[&str]) -> Runtime<'w> {
        self.making("run", flags)
    }

    /// `run` in the foreground, under way.
    pub fn spawn(&self, flags: &[&str]) -> Running {
        self.running(flags).spawn()
    }

    pub fn state(&self) -> Output {
        self.command("state", &[]).run()
    }

    /// The word of `state` for how it is.
    #[track_caller]
    pub fn status(&self) -> String {
        self.state().ok().json()["status"].as_str().expect("a status").to_owned()
    }

    /// The pid that `state` tells.
    #[track_caller]
    pub fn pid(&self) -> i64 {
        self.state().ok().json()["pid"].as_i64().expect("a pid")
    }

    pub fn kill(&self, signal: &str) -> Output {
        self.world.runtime().words(&["kill", &self.id, signal]).run()
    }

    pub fn delete(&self, flags: &[&str]) -> Output {
        self.command("delete", flags).run()
    }

    /// Kills it, waits for its end, and deletes it.
    #[track_caller]
    pub fn finish(&self) {
        self.delete(&["--force"]).ok();
    }

    /// Waits until `state` says so.
    #[track_caller]
    pub fn becomes(&self, status: &str) {
        super::eventually(&format!("{} is {status}", self.id), || self.status() == status);
    }

    /// The directory in which its state is kept.
    pub fn directory(&self) -> PathBuf {
        self.world.root().join(&self.id)
    }

    /// A line of /proc/PID/status of its first process, seen from the host.
    #[track_caller]
    pub fn process(&self, field: &str) -> String {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("its first process");
        let value = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        value.expect("the field").trim().to_owned()
    }

    /// The pointer to the path of the namespace that was added last.
    pub fn namespace_path(&self) -> String {
        let text = std::fs::read(self.bundle.join("config.json")).expect("config.json is read");
        let config: Value = serde_json::from_slice(&text).expect("JSON");
        let count = config["linux"]["namespaces"].as_array().map_or(0, Vec::len);
        format!("/linux/namespaces/{}/path", count - 1)
    }

    /// Changes the configuration in the bundle.
    pub fn configure(&self, change: impl FnOnce(&mut Value)) {
        let path: &Path = &self.bundle.join("config.json");
        let text = std::fs::read(path).expect("config.json is read");
        let mut config = serde_json::from_slice(&text).expect("JSON");
        change(&mut config);
        std::fs::write(path, config.to_string()).expect("config.json is written");
    }
}
