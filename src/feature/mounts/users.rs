//! Mounts where the container's users or namespaces are not those of the host.

use std::path::Path;

use crate_run_sys::namespaces::flag;

use crate::bundle::finding::{Finding, Pointer};
use crate::bundle::path::OutsidePath;
use crate::feature::identity::Maps;
use crate::feature::mounts::Instead;
use crate::feature::namespaces::Namespaces;
use crate::plan::TreeChange;

/// The tree of the host that takes the place of a new filesystem. A sysfs shows a network namespace, a proc a
/// pid namespace, an mqueue an ipc namespace and a cgroup2 a cgroup namespace; who has no power over that
/// namespace may not mount it (sysfs(5), cgroup_namespaces(7)), as happens in a user namespace. The host's
/// tree shows just the same.
///
/// A cgroup namespace may also be one that was joined and belongs to others, or cgroup v1 may be in the way:
/// then the directory of the container's own cgroup shows what its namespace would.
pub fn instead(filesystem: &str, namespaces: &Namespaces, cgroup: &str) -> Option<Instead> {
    let outside = |path: &str| OutsidePath::new(Path::new("/"), Path::new(path));
    let joined_in_users = namespaces.has(flag::USER) && !namespaces.makes(flag::NETWORK);
    match filesystem {
        "sysfs" if namespaces.has(flag::NETWORK) && !joined_in_users => None,
        "sysfs" => outside("/sys").map(Instead::Ready),
        "proc" if namespaces.has(flag::USER) && !namespaces.has(flag::PID) => {
            outside("/proc").map(Instead::Late)
        }
        "mqueue" if namespaces.has(flag::USER) && !namespaces.has(flag::IPC) => {
            outside("/dev/mqueue").map(Instead::Late)
        }
        "cgroup2" if namespaces.has(flag::CGROUP) => {
            outside(&format!("/sys/fs/cgroup{cgroup}")).map(Instead::Late)
        }
        "cgroup2" => outside("/sys/fs/cgroup").map(Instead::Ready),
        _ => None,
    }
}

/// What is asked of the new filesystem is asked of the whole tree that takes its place.
pub fn change_instead(change: TreeChange) -> TreeChange {
    TreeChange {
        set: 0,
        clear: 0,
        tree_set: change.tree_set & !change.clear | change.set,
        tree_clear: change.tree_clear | change.clear,
        ..change
    }
}

/// Ids in the data of a new filesystem must be mapped; the kernel would only say EINVAL.
pub fn findings(words: &[String], maps: &Maps, at: &Pointer) -> Vec<Finding> {
    let mut found = Vec::new();
    for (index, word) in words.iter().enumerate() {
        for (option, name, lines) in [("uid=", "uid", &maps.uids), ("gid=", "gid", &maps.gids)] {
            let id = word.strip_prefix(option).and_then(|id| id.parse().ok());
            if id.is_some_and(|id| !lines.iter().any(|line| line.outside_of(id).is_some())) {
                let message =
                    format!("the mount option {word} names a {name} that the user namespace does not map");
                let cure = "map it, or leave the option out";
                found.push(Finding::error(at.index(index), message).cure(cure));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feature::identity::Line;

    #[test]
    fn unmapped_ids_are_found_at_their_words() {
        let lines = vec![Line { inside: 0, outside: 1000, size: 1 }];
        let maps = Maps { uids: lines.clone(), gids: lines, keeps_groups: false };
        let words = ["newinstance", "uid=0", "gid=5"].map(str::to_owned);
        let found = findings(&words, &maps, &Pointer::from("/mounts/2/options"));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].at.to_string(), "/mounts/2/options/2");
        assert!(found[0].message.contains("gid=5"), "{}", found[0].message);
    }

    #[test]
    fn the_hosts_tree_stands_in_only_for_the_hosts_namespace() {
        let mut namespaces = Namespaces::default();
        let cgroup = "/a/b";
        let outside = |path: &str| OutsidePath::new(Path::new("/"), Path::new(path)).unwrap();
        assert_eq!(instead("sysfs", &namespaces, cgroup), Some(Instead::Ready(outside("/sys"))));
        assert_eq!(instead("proc", &namespaces, cgroup), None);
        let hosts = Some(Instead::Ready(outside("/sys/fs/cgroup")));
        assert_eq!(instead("cgroup2", &namespaces, cgroup), hosts);
        namespaces.new = flag::NETWORK | flag::CGROUP;
        assert_eq!(instead("sysfs", &namespaces, cgroup), None);
        let own = Some(Instead::Late(outside("/sys/fs/cgroup/a/b")));
        assert_eq!(instead("cgroup2", &namespaces, cgroup), own);
    }
}
