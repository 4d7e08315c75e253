//! Podman as a user: it makes a user namespace first, and calls the runtime inside it.
//!
//! There the runtime is root without any power over the host: what it mounts, limits and joins must be its
//! own.

use std::error::Error;
use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command};

use serde_json::json;

use crate::Checked;
use crate::container::{Container, binary};
use crate::host::{self, Host};

const CONFIG: &str = include_str!("../../rootfs-fixtures/configs/podman-rootless.json");
const USER: u32 = 1000;
/// The user is root inside; the others are subordinate ids (subuid(5)).
const MAP: &str = "0 1000 1\n1 100000 65536\n";

/// The user's namespaces, held by a process that sleeps, and a part of the cgroup tree that is the user's.
pub struct Rootless {
    holder: Child,
    cgroup: PathBuf,
}

impl Rootless {
    fn new(cgroup: PathBuf) -> Result<Self, Box<dyn Error>> {
        let own = fs::read_link("/proc/self/ns/user")?;
        let mut unshare = Command::new("unshare");
        let holder = unshare.args(["--user", "--mount", "sleep", "1000"]).uid(USER).gid(USER).spawn()?;
        let rootless = Self { holder, cgroup };
        let place = format!("/proc/{}", rootless.pid());
        while fs::read_link(format!("{place}/ns/mnt"))? == fs::read_link("/proc/self/ns/mnt")?
            || fs::read_link(format!("{place}/ns/user"))? == own
        {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        fs::write(format!("{place}/uid_map"), MAP)?;
        fs::write(format!("{place}/gid_map"), MAP)?;
        Ok(rootless)
    }

    pub fn pid(&self) -> u32 {
        self.holder.id()
    }

    /// A command inside: first into the user's part of the cgroup tree, then into the namespaces, as their
    /// root.
    pub fn command(&self, program: &std::path::Path) -> Command {
        let mut shell = Command::new("sh");
        shell.args(["-c", r#"echo $$ >"$0" && exec "$@""#]).arg(self.cgroup.join("podman/cgroup.procs"));
        shell.args(["nsenter", "-t", &self.pid().to_string(), "-U", "-m", "-S", "0", "-G", "0"]);
        shell.arg(program);
        shell
    }
}

impl Drop for Rootless {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
        for below in ["podman", ""] {
            let _ = fs::remove_dir(self.cgroup.join(below));
        }
    }
}

/// Makes a cgroup that belongs to the user, with every controller (cgroups(7), Delegation).
fn delegate(test: &str) -> Result<PathBuf, Box<dyn Error>> {
    let parent = PathBuf::from(host::CGROUPS).join("crate-run-configs");
    let cgroup = parent.join(test);
    fs::create_dir_all(cgroup.join("podman"))?;
    for level in [&parent, &cgroup] {
        for controller in fs::read_to_string(level.join("cgroup.controllers"))?.split_whitespace() {
            fs::write(level.join("cgroup.subtree_control"), format!("+{controller}"))?;
        }
    }
    for level in [cgroup.clone(), cgroup.join("podman")] {
        for file in ["", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"] {
            chown(level.join(file), Some(USER), Some(USER))?;
        }
    }
    Ok(cgroup)
}

#[test]
fn podman_rootless() -> Checked {
    let Some(binary) = binary("podman-rootless") else { return Ok(()) };
    let mut host = Host::new("podman-rootless", &binary, serde_json::from_str(CONFIG)?)?;
    host.supply()?;
    host.without_raised_limits();
    host.config["linux"]["cgroupsPath"] = json!("/crate-run-configs/rootless/container");
    host::run(Command::new("chown").args(["-R", &format!("{USER}:{USER}")]).arg(&host.directory))?;
    host.rootless = Some(Rootless::new(delegate("rootless")?)?);
    let container = Container::new(&host)?;
    container.run_and_compare(&host)?;
    container.live_and_die(&host)?;
    host.nothing_is_left()
}
