//! A small world for each test of the running program: a place for state, bundles and files, and the promise
//! that nothing of it is left on the host when the test is over.
//!
//! ```text
//! let Some(world) = World::new("name_of_the_test") else { return };
//! let container = world.container("web", |config| config["hostname"] = json!("web"));
//! container.create().ok();
//! assert_eq!(container.status(), "created");
//! container.delete(&["--force"]).ok();
//! ```
//!
//! When the world is dropped, it compares the host with what it found ([`inventory::Inventory`]) and panics
//! if anything was left: a mount, a cgroup, a process, a file, another value of a kernel parameter.

// Each test program uses its own part of this module.
#![allow(dead_code)]

pub mod config;
pub mod container;
pub mod inventory;
pub mod runtime;

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::prctl::set_child_subreaper;
use serde_json::Value;

use container::Container;
use inventory::Inventory;
use runtime::{Output, Runtime};

/// Where the tests expect the unified hierarchy: the machine has it there, `with-cgroup2` puts it there.
pub const CGROUPS: &str = "/sys/fs/cgroup";

/// Where a host that has bound controllers to cgroup v1 mounts it.
const HYBRID: &str = "/sys/fs/cgroup/unified";

/// Longer than anything takes, also under emulation on a busy host: only a hang reaches it.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// The processes of this test program are compared before and after, so its worlds exist one at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// The surroundings of one test.
pub struct World {
    test: &'static str,
    /// Part of the name of everything on the host that belongs to this world.
    pub tag: String,
    directory: PathBuf,
    binary: PathBuf,
    fixtures: PathBuf,
    before: Inventory,
    /// Where cgroup2 is mounted.
    cgroups: PathBuf,
    controllers: String,
    bundles: Cell<usize>,
    _alone: MutexGuard<'static, ()>,
}

/// Says that the test cannot show anything on this host; the runner counts these lines.
pub fn skip(test: &str, reason: &str) {
    println!("SKIP {test}: {reason}");
}

/// Why there can be no world here, in a few words.
fn obstacle(binary: Option<&Path>, fixtures: Option<&Path>, cgroups: &str) -> Option<&'static str> {
    let is_root = fs::metadata("/proc/self").is_ok_and(|status| status.uid() == 0);
    if !is_root {
        Some("not root")
    } else if !binary.is_some_and(Path::is_file) {
        Some("CRATE_RUN_BIN names no program")
    } else if !fixtures.is_some_and(|fixtures| fixtures.join("rootfs/bin/probe").exists()) {
        Some("CRATE_RUN_FIXTURES has no rootfs")
    } else if !Path::new(cgroups).join("cgroup.controllers").exists() {
        Some("no cgroup2 where it is expected")
    } else {
        None
    }
}

fn controllers_of_children() -> String {
    fs::read_to_string(Path::new(CGROUPS).join("cgroup.subtree_control")).unwrap_or_default()
}

impl World {
    /// The world of `test`; `None`, and a line that says why, where it cannot exist.
    pub fn new(test: &'static str) -> Option<Self> {
        Self::at(test, CGROUPS)
    }

    /// The same on a host that has bound controllers to cgroup v1 and mounts cgroup2 beside them.
    pub fn beside_v1(test: &'static str) -> Option<Self> {
        Self::at(test, HYBRID)
    }

    fn at(test: &'static str, cgroups: &str) -> Option<Self> {
        let place = |name| std::env::var_os(name).map(PathBuf::from);
        let (binary, fixtures) = (place("CRATE_RUN_BIN"), place("CRATE_RUN_FIXTURES"));
        if let Some(obstacle) = obstacle(binary.as_deref(), fixtures.as_deref(), cgroups) {
            skip(test, obstacle);
            return None;
        }
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        // Whatever a runtime leaves behind becomes our child, and is found as such.
        set_child_subreaper(true).expect("a subreaper");
        let tag = format!("crate-run-{test}-{}", std::process::id());
        let directory = std::env::temp_dir().join(&tag);
        fs::create_dir(&directory).expect("a directory for this test");
        fs::create_dir(Path::new(cgroups).join(&tag)).expect("a cgroup for this test");
        let fixtures = fixtures?;
        Some(Self {
            test,
            before: Inventory::take(&tag, &fixtures.join("rootfs")),
            tag,
            directory,
            binary: binary?,
            fixtures,
            cgroups: cgroups.into(),
            controllers: controllers_of_children(),
            bundles: Cell::new(0),
            _alone: alone,
        })
    }

    /// Does this host hand down these controllers in cgroup v2? Says so in a line if not.
    pub fn offers(&self, controllers: &[&str]) -> bool {
        let offered = fs::read_to_string(Path::new(CGROUPS).join("cgroup.controllers")).unwrap_or_default();
        let has = |name: &&&str| offered.split_whitespace().any(|one| one == **name);
        let missing: Vec<&str> = controllers.iter().filter(|name| !has(name)).copied().collect();
        if !missing.is_empty() {
            skip(self.test, &format!("this host's cgroup v2 lacks {}", missing.join(", ")));
        }
        missing.is_empty()
    }

    /// A file of this world, gone with it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The `--root` of this world.
    pub fn root(&self) -> PathBuf {
        self.file("root")
    }

    /// The program under test.
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// The root filesystem that all tests share: nothing may be written to it. Mount on what is there, such
    /// as /mnt, for a mount point that is missing would be made.
    pub fn shared_rootfs(&self) -> PathBuf {
        self.fixtures.join("rootfs")
    }

    /// A copy of the root filesystem for a test that changes it.
    pub fn own_rootfs(&self) -> PathBuf {
        let copy = self.file(&format!("rootfs-{}", self.next_number()));
        let status = Command::new("cp").arg("-a").arg(self.shared_rootfs()).arg(&copy).status();
        assert!(status.expect("cp").success(), "the root filesystem is copied");
        copy
    }

    /// Docker's seccomp profile, for the capabilities of [`config::DOCKER`], as the fixtures' bundle has it.
    pub fn docker_profile(&self) -> Value {
        let text =
            fs::read(self.fixtures.join("bundle/config.json")).expect("the configuration of the fixtures");
        let config: Value = serde_json::from_slice(&text).expect("JSON");
        config["linux"]["seccomp"].clone()
    }

    fn next_number(&self) -> usize {
        self.bundles.set(self.bundles.get() + 1);
        self.bundles.get()
    }

    /// A new bundle: the plain configuration of [`config::plain`] with what `change` does to it. Its cgroup
    /// is `container` below that of the world.
    pub fn bundle(&self, change: impl FnOnce(&mut Value)) -> PathBuf {
        self.bundle_for("container", change)
    }

    fn bundle_for(&self, id: &str, change: impl FnOnce(&mut Value)) -> PathBuf {
        let mut config = config::plain(&self.shared_rootfs(), &format!("/{}/{id}", self.tag));
        change(&mut config);
        let bundle = self.file(&format!("bundle-{}", self.next_number()));
        fs::create_dir(&bundle).expect("a directory for the bundle");
        let text = serde_json::to_string_pretty(&config).expect("JSON");
        fs::write(bundle.join("config.json"), text).expect("config.json is written");
        bundle
    }

    /// A container with a bundle of its own, which is not made yet. Its cgroup has the name `id`.
    pub fn container(&self, id: &str, change: impl FnOnce(&mut Value)) -> Container<'_> {
        Container::new(self, id, self.bundle_for(id, change))
    }

    /// crate-run with the `--root` of this world, ready to be given words.
    pub fn runtime(&self) -> Runtime<'_> {
        Runtime::new(self)
    }

    /// Runs crate-run with these words to its end.
    pub fn run(&self, words: &[&str]) -> Output {
        self.runtime().words(words).run()
    }

    /// What the probe reports from inside a container: `probe report TOPICS`.
    pub fn report(&self, topics: &[&str], change: impl FnOnce(&mut Value)) -> Value {
        let container = self.container("report", |value| {
            change(value);
            let words = ["/bin/probe", "report"].iter().chain(topics);
            value["process"]["args"] = words.copied().collect();
        });
        container.run(&[]).ok().json()
    }

    /// What standard output says when these words run in a container.
    pub fn says(&self, words: &[&str], change: impl FnOnce(&mut Value)) -> String {
        let container = self.container("says", |value| {
            change(value);
            value["process"]["args"] = words.iter().copied().collect();
        });
        container.run(&[]).ok().stdout
    }

    /// The cgroup of the container `id`, below that of this world, as a path of the host.
    pub fn cgroup(&self, id: &str) -> PathBuf {
        self.cgroups.join(&self.tag).join(id)
    }

    /// Removes what is left over, by the ways of the kernel.
    fn clean(&self) {
        for process in inventory::descendants() {
            inventory::kill(process);
        }
        inventory::unmount_below(&self.directory);
        inventory::remove_cgroups(&self.tag);
        let now = controllers_of_children();
        let is_new = |name: &&str| !self.controllers.split_whitespace().any(|old| old == *name);
        for name in now.split_whitespace().filter(is_new) {
            let _ = fs::write(Path::new(CGROUPS).join("cgroup.subtree_control"), format!("-{name}"));
        }
        let _ = fs::remove_dir_all(&self.directory);
    }

    /// What is there now and was not there before, or the other way round; one line each.
    pub fn differences(&self) -> Vec<String> {
        // A program that entered a pid namespace from outside is ours to bury, and only then can the first
        // process in there end (pid_namespaces(7)).
        let soon = Instant::now() + Duration::from_secs(5);
        let mut found = loop {
            inventory::bury();
            let found = self.before.differences(&Inventory::take(&self.tag, &self.shared_rootfs()));
            if found.is_empty() || Instant::now() > soon {
                break found;
            }
            sleep(Duration::from_millis(5));
        };
        found.extend(inventory::files_below(&self.root()).into_iter().map(|file| format!("left: {file}")));
        found
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let failed = std::thread::panicking();
        let differences = if failed { Vec::new() } else { self.differences() };
        self.clean();
        assert!(differences.is_empty(), "{} leaves traces:\n{}", self.test, differences.join("\n"));
    }
}

/// Waits until `condition` holds; a condition that never holds is a failure.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "never: {what}");
        sleep(Duration::from_millis(5));
    }
}

/// Runs a tool of the host (mount, sh, ...), which must succeed; answers its standard output.
pub fn tool(words: &[&str]) -> String {
    let output = Command::new(words[0]).args(&words[1..]).stdin(Stdio::null()).output().expect(words[0]);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}
