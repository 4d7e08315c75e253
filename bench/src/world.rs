//! The world the benchmark lives in: a private mount namespace with a scratch directory and a cgroup2
//! hierarchy.
//!
//! The machine's own mounts are never touched. Its cgroup2 hierarchy gets one directory, which is removed
//! again.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, statfs};

use crate::processes;

const CGROUP2: &str = "/sys/fs/cgroup";
const REMOVAL_LIMIT: Duration = Duration::from_secs(20);

/// Where the worker may put things: plain data, handed over on its command line.
#[derive(Clone, Debug)]
pub struct Place {
    /// A tmpfs of its own, like the `/run` where runtimes keep their state.
    pub scratch: PathBuf,
    /// The benchmark's cgroup, as `cgroupsPath` names it: `/NAME`.
    pub cgroups_path: String,
}

impl Place {
    pub fn new(scratch: PathBuf, cgroups_path: String) -> Place {
        Place { scratch, cgroups_path }
    }

    /// The words that make an equal `Place` in the worker.
    pub fn words(&self) -> [String; 2] {
        [self.scratch.display().to_string(), self.cgroups_path.clone()]
    }

    /// The benchmark's cgroup as a directory.
    pub fn cgroup(&self) -> PathBuf {
        Path::new(CGROUP2).join(&self.cgroups_path[1..])
    }
}

/// Owns everything outside the worker; dropping it ends all processes and removes all files and cgroups.
pub struct World {
    place: Place,
    controllers_before: String,
}

impl World {
    /// Moves this process into a mount namespace of its own and makes scratch directory and cgroup there.
    ///
    /// Needs CAP_SYS_ADMIN (mount_namespaces(7)) and a kernel with cgroup2.
    pub fn make() -> Result<World> {
        unshare(CloneFlags::CLONE_NEWNS).context("cannot make a private mount namespace")?;
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&str>, "/", None::<&str>, private, None::<&str>).context("cannot make / private")?;
        mount_cgroup2()?;
        let template = std::env::temp_dir().join("crate-run-bench.XXXXXX");
        let scratch = nix::unistd::mkdtemp(&template).context("cannot make a scratch directory")?;
        let cgroups_path = format!("/crate-run-bench-{}", std::process::id());
        // From here on there is something to remove, and `drop` does it.
        let world = World {
            place: Place::new(scratch, cgroups_path),
            controllers_before: fs::read_to_string(subtree_control()).unwrap_or_default(),
        };
        let options = Some("mode=755");
        mount(Some("bench"), &world.place.scratch, Some("tmpfs"), MsFlags::empty(), options)
            .context("cannot mount a tmpfs as scratch directory")?;
        fs::create_dir(world.place.cgroup()).context("cannot make the benchmark's cgroup")?;
        // A host without the controller refuses, and the report then has no memory of whole cgroups.
        for control in [subtree_control(), world.place.cgroup().join("cgroup.subtree_control")] {
            fs::write(control, "+memory").ok();
        }
        Ok(world)
    }

    pub fn place(&self) -> &Place {
        &self.place
    }
}

impl Drop for World {
    fn drop(&mut self) {
        end_members(&self.place.cgroup());
        processes::end_descendants();
        if let Err(problem) = remove_tree(&self.place.cgroup()) {
            eprintln!("crate-run-bench: cannot remove {}: {problem}", self.place.cgroup().display());
        }
        restore_controllers(&self.controllers_before);
        // Fails when the tmpfs was never mounted; the directory is then empty as well.
        umount2(&self.place.scratch, MntFlags::MNT_DETACH).ok();
        if let Err(problem) = fs::remove_dir(&self.place.scratch) {
            eprintln!("crate-run-bench: cannot remove {}: {problem}", self.place.scratch.display());
        }
    }
}

fn subtree_control() -> PathBuf {
    Path::new(CGROUP2).join("cgroup.subtree_control")
}

/// A host that is unified already keeps its mount; on any other a new one covers the version 1 hierarchies.
fn mount_cgroup2() -> Result<()> {
    let found = statfs(CGROUP2).with_context(|| format!("{CGROUP2} is not there; is sysfs mounted?"))?;
    if found.filesystem_type() == CGROUP2_SUPER_MAGIC {
        return Ok(());
    }
    match umount2(CGROUP2, MntFlags::MNT_DETACH) {
        Ok(()) | Err(Errno::EINVAL) => {} // EINVAL: nothing was mounted here
        Err(problem) => return Err(problem).context("cannot detach the version 1 cgroups in this namespace"),
    }
    mount(Some("cgroup2"), CGROUP2, Some("cgroup2"), MsFlags::empty(), None::<&str>)
        .context("cannot mount cgroup2; does the kernel have it?")
}

/// Kills every process in the cgroup and below. `cgroup.kill` is there since Linux 5.14 (cgroups(7)).
pub fn end_members(cgroup: &Path) {
    // Without the cgroup there is nobody to end.
    fs::write(cgroup.join("cgroup.kill"), "1").ok();
    processes::reap();
}

/// Removes a cgroup with all below it, waiting for processes that are on their way out.
pub fn remove_tree(cgroup: &Path) -> std::io::Result<()> {
    let deadline = Instant::now() + REMOVAL_LIMIT;
    loop {
        match remove_once(cgroup) {
            Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(problem) if Instant::now() > deadline => return Err(problem),
            Err(_) => sleep(Duration::from_millis(5)),
            Ok(()) => return Ok(()),
        }
        processes::reap();
    }
}

fn remove_once(cgroup: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(cgroup)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_once(&entry.path())?;
        }
    }
    fs::remove_dir(cgroup)
}

/// Runtimes enable controllers in the root of the hierarchy; what was off before is switched off again.
fn restore_controllers(before: &str) {
    let now = fs::read_to_string(subtree_control()).unwrap_or_default();
    let kept: Vec<&str> = before.split_whitespace().collect();
    for controller in now.split_whitespace().filter(|name| !kept.contains(name)) {
        if let Err(problem) = fs::write(subtree_control(), format!("-{controller}")) {
            eprintln!("crate-run-bench: cannot switch the {controller} controller off again: {problem}");
        }
    }
}
