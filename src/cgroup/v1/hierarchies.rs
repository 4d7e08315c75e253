//! Which hierarchies of version 1 this host has mounted, as `cgroups-rs` reads them.
//!
//! A line of /proc/self/mountinfo tells where one is mounted, and among its options what is bound to it; a
//! line of /proc/self/cgroup tells in which group of it the runtime stands. A word that stands in both is a
//! controller or the name of a hierarchy; other options (`xattr`, `release_agent=`) are in the first only.
//!
//! Man pages: cgroups(7), "/proc files"; proc_pid_mountinfo(5).

use std::collections::HashMap;
use std::path::Path;

use cgroups_rs::fs::cgroup::get_cgroups_relative_paths;
use cgroups_rs::fs::hierarchies::{Mountinfo, mountinfo_self};

use super::Bound;
use crate::cgroup::Hierarchy;

/// Where controllers are mounted, each in a directory of its own.
const TOP: &str = "/sys/fs/cgroup";

/// The hierarchies of this host, sorted; none where cgroup2 alone is mounted, or nothing can be asked.
pub fn find() -> Vec<Bound> {
    if !Hierarchy::is_divided(Path::new(TOP)) {
        return Vec::new();
    }
    bound(&mountinfo_self(), &get_cgroups_relative_paths().unwrap_or_default())
}

fn bound(mounts: &[Mountinfo], own: &HashMap<String, String>) -> Vec<Bound> {
    let mut found: Vec<Bound> = Vec::new();
    for mount in mounts.iter().filter(|mount| mount.mount_point.starts_with(TOP)) {
        let is_bound = |word: &&String| !word.is_empty() && own.contains_key(*word);
        let mut controllers: Vec<String> = mount.super_opts.iter().filter(is_bound).cloned().collect();
        controllers.sort();
        let is_known = found.iter().any(|other| other.controllers == controllers);
        let Some(path) = controllers.first().and_then(|name| own.get(name)).filter(|_| !is_known) else {
            continue;
        };
        let own = below(path, &mount.mount_root);
        found.push(Bound { place: mount.mount_point.clone(), controllers, own });
    }
    found.sort_by(|a, b| a.controllers.cmp(&b.controllers));
    found
}

/// A group as a path below the mount point, which may show a part of the hierarchy only, as inside a
/// container.
fn below(path: &str, mount_root: &Path) -> String {
    let inside = Path::new(path).strip_prefix(mount_root).ok().and_then(Path::to_str);
    inside.map_or_else(|| path.to_owned(), |inside| format!("/{inside}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(point: &str, root: &str, options: &[&str]) -> Mountinfo {
        Mountinfo {
            mount_root: root.into(),
            mount_point: point.into(),
            fs_type: ("cgroup".to_owned(), None),
            super_opts: options.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn a_hierarchy_is_what_mounts_and_the_runtimes_groups_agree_on() {
        let own =
            [("cpu", "/a"), ("cpuacct", "/a"), ("memory", "/docker/x/y"), ("name=systemd", "/"), ("", "/u")]
                .map(|(name, path)| (name.to_owned(), path.to_owned()));
        let mounts = [
            mount("/sys/fs/cgroup/systemd", "/", &["rw", "xattr", "name=systemd"]),
            mount("/sys/fs/cgroup/cpu,cpuacct", "/", &["rw", "cpuacct", "cpu"]),
            mount("/sys/fs/cgroup/cpu", "/", &["rw", "cpu", "cpuacct"]),
            mount("/sys/fs/cgroup/memory", "/docker/x", &["rw", "memory"]),
            mount("/elsewhere/memory", "/", &["rw", "memory"]),
            mount("/sys/fs/cgroup/pids", "/", &["rw", "pids"]),
        ];
        let found = bound(&mounts, &HashMap::from(own));
        let shown: Vec<(String, &str, &str)> = found
            .iter()
            .map(|one| (one.controllers.join(","), one.place.to_str().unwrap_or_default(), one.own.as_str()))
            .collect();
        let expected = [
            ("cpu,cpuacct", "/sys/fs/cgroup/cpu,cpuacct", "/a"),
            ("memory", "/sys/fs/cgroup/memory", "/y"),
            ("name=systemd", "/sys/fs/cgroup/systemd", "/"),
        ];
        assert_eq!(shown, expected.map(|(names, place, own)| (names.to_owned(), place, own)));
    }
}
