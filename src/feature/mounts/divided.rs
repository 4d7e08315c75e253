//! A mount of type `cgroup` where controllers are bound to cgroup v1: a tmpfs that holds, for each hierarchy,
//! the container's group as its root.
//!
//! There is no filesystem that shows all hierarchies at once, so one entry of config.json becomes several:
//! what a host of version 1 has at /sys/fs/cgroup, with the links from `cpu` to `cpu,cpuacct` and the like.
//! The flags of the entry hold for each of them.
//!
//! Man page: cgroups(7), "Mounting v1 controllers".

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use oci_spec::runtime::Mount as MountEntry;

use crate::cgroup::v1::Group;

/// What takes the place of `entry`: itself, unless it is of type `cgroup` and there are groups.
pub(super) fn entries<'e>(entry: &'e MountEntry, groups: &[Group]) -> Vec<Cow<'e, MountEntry>> {
    if groups.is_empty() || entry.typ().as_deref() != Some("cgroup") {
        return vec![Cow::Borrowed(entry)];
    }
    let mut list = vec![tmpfs(entry)];
    for group in groups {
        let inside = group.place.join(group.path.as_str().trim_start_matches('/'));
        list.extend(bind(entry, inside, &group.place, &["bind"]));
        for link in links(group) {
            list.extend(bind(entry, link.clone(), &link, &["bind", "copy-symlink"]));
        }
    }
    list.into_iter().map(Cow::Owned).collect()
}

fn with_words(entry: &MountEntry, words: &[&str]) -> Option<Vec<String>> {
    let own = entry.options().iter().flatten().cloned();
    Some(own.chain(words.iter().map(ToString::to_string)).collect())
}

fn tmpfs(entry: &MountEntry) -> MountEntry {
    let mut tmpfs = entry.clone();
    let options = with_words(entry, &["mode=755"]);
    tmpfs.set_typ(Some("tmpfs".to_owned())).set_source(Some("tmpfs".into())).set_options(options);
    tmpfs
}

/// `source` under the last name of `named`, within the target of the entry.
fn bind(entry: &MountEntry, source: PathBuf, named: &Path, words: &[&str]) -> Option<MountEntry> {
    let mut bind = entry.clone();
    let (target, options) = (entry.destination().join(named.file_name()?), with_words(entry, words));
    bind.set_typ(Some("bind".to_owned()))
        .set_source(Some(source))
        .set_destination(target)
        .set_options(options);
    Some(bind)
}

/// The links by which the host knows a hierarchy of several controllers.
fn links(group: &Group) -> impl Iterator<Item = PathBuf> {
    let beside = |name: &String| group.place.with_file_name(name);
    let is_link = |path: &PathBuf| path.symlink_metadata().is_ok_and(|status| status.is_symlink());
    group.controllers.iter().map(beside).filter(is_link)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::CgroupPath;

    #[test]
    fn a_mount_of_cgroups_has_a_directory_for_each_hierarchy() {
        let entry: MountEntry = serde_json::from_str(
            r#"{ "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro"] }"#,
        )
        .expect("an entry");
        let group = |name: &str| Group {
            place: format!("/sys/fs/cgroup/{name}").into(),
            controllers: vec![name.to_owned()],
            path: CgroupPath::absolute("/a/web").expect("a path"),
            made: Vec::new(),
        };
        let list = entries(&entry, &[group("memory"), group("pids")]);
        let shown: Vec<String> = list
            .iter()
            .map(|one| {
                let (kind, source) = (one.typ().as_deref(), one.source().as_deref().and_then(Path::to_str));
                let options = one.options().iter().flatten().cloned().collect::<Vec<_>>().join(",");
                let words = [kind.unwrap_or_default(), source.unwrap_or_default(), &options];
                format!("{} {}", one.destination().display(), words.join(" "))
            })
            .collect();
        assert_eq!(
            shown,
            [
                "/sys/fs/cgroup tmpfs tmpfs ro,mode=755",
                "/sys/fs/cgroup/memory bind /sys/fs/cgroup/memory/a/web ro,bind",
                "/sys/fs/cgroup/pids bind /sys/fs/cgroup/pids/a/web ro,bind",
            ]
        );
        assert_eq!(entries(&entry, &[]), [Cow::Borrowed(&entry)]);
    }
}
