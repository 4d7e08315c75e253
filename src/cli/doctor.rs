//! `crate-run doctor`: what this host offers.

use std::fmt::Write;
use std::path::Path;

use crate_run_sys::{birth, host as sys, process};

use crate::cgroup::systemd::{Manager, Systemd};
use crate::cgroup::{CgroupPath, Hierarchy};
use crate::feature::identity::writer;
use crate::feature::{capabilities, cgroup};
use crate::host::Host;

const SIGKILL: u32 = 9;

/// A text of one line for each fact.
struct Lines(String);

impl Lines {
    fn add(&mut self, name: &str, value: impl AsRef<str>) {
        let _ = writeln!(self.0, "{name:<14}{}", value.as_ref());
    }
}

/// Answers the text for standard output.
pub fn doctor() -> String {
    let host = Host::probe();
    let mut lines = Lines(String::new());
    let (major, minor) = host.kernel;
    lines.add("kernel", host.refusal().unwrap_or_else(|| format!("Linux {major}.{minor}: good")));
    lines.add("user", user(&host));
    match Hierarchy::find() {
        Ok(hierarchy) => {
            let controllers = hierarchy.controllers().unwrap_or_default().join(" ");
            lines.add("cgroup v2", format!("{} ({:?})", hierarchy.place().display(), hierarchy.kind()));
            lines.add("controllers", if controllers.is_empty() { "none" } else { &controllers });
        }
        Err(error) => lines.add("cgroup v2", error.to_string()),
    }
    if Hierarchy::is_divided(Path::new("/sys/fs/cgroup")) {
        lines.add("cgroup v1", version_1(&host));
    }
    lines.add("systemd", systemd(&host));
    let all = (1u64 << 41) - 1;
    let missing = capabilities::names(all & !host.capabilities());
    lines.add(
        "capabilities",
        match missing.as_slice() {
            [] => "all can be granted".to_owned(),
            missing => format!("cannot be granted: {}", missing.join(" ")),
        },
    );
    let modules: Vec<&str> =
        ["apparmor", "selinux"].into_iter().filter(|module| host.has_security_module(module)).collect();
    let words = if modules.is_empty() { "no AppArmor, no SELinux".to_owned() } else { modules.join(" ") };
    lines.add("security", words);
    if host.nested || !host.powers.administers {
        without_root(&host, &mut lines);
    }
    lines.0
}

/// Can `--systemd-cgroup` be used?
fn systemd(host: &Host) -> String {
    let manager = cgroup::manager(host);
    match (host.has_systemd(), Systemd::open(manager), manager) {
        (false, ..) => "not running: no --systemd-cgroup".to_owned(),
        (true, Ok(_), Manager::System) => "answers: --systemd-cgroup can be used".to_owned(),
        (true, Ok(_), Manager::User) => "the user's own answers: --systemd-cgroup can be used".to_owned(),
        (true, Err(error), _) => format!("no --systemd-cgroup: {error}"),
    }
}

/// The controllers that are bound to cgroup v1, on a host that has some.
fn version_1(host: &Host) -> String {
    if !cfg!(feature = "cgroup-v1") {
        return "its controllers cannot limit: this crate-run was built without cgroup-v1".to_owned();
    }
    let names = host.bound().iter().flat_map(|bound| &bound.controllers);
    names.map(String::as_str).collect::<Vec<_>>().join(" ")
}

fn user(host: &Host) -> String {
    match (host.powers.administers, host.nested) {
        (true, false) => "root".to_owned(),
        (true, true) => "root of a user namespace".to_owned(),
        (false, _) => format!("{}: not root; containers need a user namespace (spec --rootless)", host.euid),
    }
}

/// What a user has of his own, and what only root could give.
fn without_root(host: &Host, lines: &mut Lines) {
    lines.add("namespaces", user_namespaces());
    if !host.powers.administers {
        for (word, ids) in writer::mappable(host) {
            lines.add(&format!("{word}s"), ids);
        }
    }
    if !host.powers.clones_mounts {
        lines.add("mounts", "no tmpcopyup, no idmap: the mounts here are not this user's");
    }
    lines.add("limits", limits());
    lines.add("device rules", "cannot hold: a filter takes root; no container makes a device node");
}

/// Nothing but the attempt tells: sysctls, security modules and filters may all forbid it.
fn user_namespaces() -> String {
    match birth::user_namespace() {
        Ok(holder) => {
            let holder = sys::owned(holder);
            let _ = process::send_signal(sys::borrowed(&holder), SIGKILL);
            let _ = process::wait(sys::borrowed(&holder));
            "a user may make them".to_owned()
        }
        Err(errno) => format!(
            "a user may not make them ({errno}): see user.max_user_namespaces, \
             kernel.unprivileged_userns_clone"
        ),
    }
}

fn limits() -> String {
    let place = || {
        let own = Hierarchy::own_cgroup().ok()?;
        let path = CgroupPath::resolve("", "container", &own).ok()?;
        Hierarchy::find().ok()?.may_make(&path, &own).then_some(path)
    };
    match place() {
        Some(path) => format!(
            "hold: a cgroup can be made in {}",
            path.parent().map_or("/".to_owned(), |p| p.to_string())
        ),
        None => {
            "none: no cgroup can be made here (systemd-run --user --scope --property Delegate=yes gives one)"
                .to_owned()
        }
    }
}
