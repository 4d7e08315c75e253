//! Which limits hold us: cgroups(7). Every control file of the own cgroup is read, so that a test can ask for
//! any.

use super::mounts::{self, Mount};
use super::{Answer, or_error};
use crate::{errno, procfs};
use serde_json::{Map, Value, json};
use std::fs;

/// One line of /proc/self/cgroup: `HIERARCHY:CONTROLLERS:PATH`.
#[derive(Debug, PartialEq)]
struct Membership {
    hierarchy: u32,
    /// Empty for the unified hierarchy of cgroup v2.
    controllers: String,
    path: String,
}

pub fn answer() -> Answer {
    let text = procfs::read("/proc/self/cgroup")?;
    let mounts = mounts::table()?;
    let mut answer = Vec::new();
    for line in text.lines() {
        let own = parse(line).ok_or_else(|| format!("/proc/self/cgroup line not understood: {line}"))?;
        let directory = mounts.iter().rev().find_map(|mount| directory(&own, mount));
        let files = directory.as_deref().map_or(Value::Null, |directory| or_error(control_files(directory)));
        answer.push(json!({
            "hierarchy": own.hierarchy, "controllers": own.controllers, "path": own.path,
            "directory": directory, "files": files,
        }));
    }
    Ok(Value::Array(answer))
}

fn parse(line: &str) -> Option<Membership> {
    let mut parts = line.splitn(3, ':');
    Some(Membership {
        hierarchy: parts.next()?.parse().ok()?,
        controllers: parts.next()?.to_owned(),
        path: parts.next()?.to_owned(),
    })
}

/// Where our cgroup is to be seen if `mount` shows its hierarchy. The root of the mount and our path are both
/// told relative to the root of our cgroup namespace.
fn directory(own: &Membership, mount: &Mount) -> Option<String> {
    let shows = match mount.fstype.as_str() {
        "cgroup2" => own.hierarchy == 0,
        "cgroup" => {
            own.controllers.split(',').all(|name| mount.super_options.iter().any(|option| option == name))
        }
        _ => false,
    };
    if !shows {
        return None;
    }
    let below = own.path.strip_prefix(mount.root.trim_end_matches('/'))?;
    let below = below.trim_end_matches('/');
    (below.is_empty() || below.starts_with('/')).then(|| format!("{}{below}", mount.target))
}

fn control_files(directory: &str) -> Answer {
    let entries =
        fs::read_dir(directory).map_err(|error| format!("listing {directory}: {}", errno::of(&error)))?;
    let mut files = Map::new();
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_file()) {
            let name = entry.file_name().to_string_lossy().into_owned();
            let text = fs::read_to_string(entry.path()).map_err(|error| errno::of(&error));
            files.insert(name, or_error(text.map(|text| text.trim_end().to_owned())));
        }
    }
    Ok(Value::Object(files))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(fstype: &str, root: &str, super_options: &[&str]) -> Mount {
        Mount {
            id: 1,
            parent: 0,
            device: "0:1".to_owned(),
            root: root.to_owned(),
            target: "/sys/fs/cgroup".to_owned(),
            options: vec![],
            propagation: vec![],
            fstype: fstype.to_owned(),
            source: fstype.to_owned(),
            super_options: super_options.iter().map(|&option| option.to_owned()).collect(),
        }
    }

    #[test]
    fn paths_may_contain_colons() {
        let own = parse("0::/a:b").unwrap();
        assert_eq!((own.hierarchy, own.path.as_str()), (0, "/a:b"));
        assert_eq!(parse("no line"), None);
    }

    #[test]
    fn inside_a_cgroup_namespace_the_mount_point_is_the_own_cgroup() {
        let own = parse("0::/").unwrap();
        assert_eq!(directory(&own, &mount("cgroup2", "/", &[])).as_deref(), Some("/sys/fs/cgroup"));
    }

    #[test]
    fn without_one_the_path_is_appended_to_the_mount() {
        let own = parse("0::/user.slice/x").unwrap();
        let whole = directory(&own, &mount("cgroup2", "/", &[]));
        assert_eq!(whole.as_deref(), Some("/sys/fs/cgroup/user.slice/x"));
        let part = directory(&own, &mount("cgroup2", "/user.slice", &[]));
        assert_eq!(part.as_deref(), Some("/sys/fs/cgroup/x"));
        assert_eq!(directory(&own, &mount("cgroup2", "/user", &[])), None);
    }

    #[test]
    fn a_v1_hierarchy_is_found_by_its_controllers() {
        let own = parse("4:cpu,cpuacct:/").unwrap();
        assert!(directory(&own, &mount("cgroup", "/", &["rw", "cpu", "cpuacct"])).is_some());
        assert!(directory(&own, &mount("cgroup", "/", &["rw", "cpu"])).is_none());
        assert!(directory(&own, &mount("tmpfs", "/", &[])).is_none());
    }
}
