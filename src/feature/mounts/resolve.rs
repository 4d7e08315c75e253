//! From the entries of config.json to mounts: each by itself, then what the others and the rest of the
//! configuration say to it.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::path::Path;

use crate_run_plan::slot::Slot;
use crate_run_sys::mounts::{Depth, attribute};
use oci_spec::runtime::{Mount as MountEntry, Spec};

use crate::bundle::finding::Pointer;
use crate::bundle::path::{InsidePath, OutsidePath};
use crate::feature::cgroup::ControlGroup;
use crate::feature::identity::{self, Identity};
use crate::feature::mounts::options::Options;
use crate::feature::mounts::{Instead, Kind, Mount, Sealing, copyup, divided, idmap, users};
use crate::feature::namespaces::{self, Namespaces};
use crate::plan::Link;

pub(super) fn entries(spec: &Spec) -> &[MountEntry] {
    spec.mounts().as_deref().unwrap_or_default()
}

/// What an entry is read with.
pub(super) struct Context<'s> {
    bundle: &'s Path,
    pub(super) identity: Identity,
    pub(super) namespaces: Namespaces,
}

impl<'s> Context<'s> {
    pub(super) fn new(spec: &Spec, bundle: &'s Path) -> Self {
        let namespaces = namespaces::resolve(spec);
        Self { bundle, identity: identity::resolve(spec, &namespaces), namespaces }
    }

    /// An entry by itself. `None` when it lacks what every mount needs; `findings` says what.
    pub(super) fn one(&self, entry: &MountEntry, at: Pointer) -> Option<Mount> {
        let options = Options::parse(entry.options().as_deref().unwrap_or_default());
        let target = InsidePath::new(entry.destination().to_str()?)?;
        let typ = entry.typ().as_deref().unwrap_or("");
        let source = entry.source().as_deref().filter(|source| !source.as_os_str().is_empty());
        let bind = options.bind.or((typ == "bind").then_some(Depth::One));
        let kind = if options.remount {
            Kind::Change
        } else if let Some(depth) = bind {
            self.bind(source?, depth, &options)?
        } else {
            let filesystem = if typ == "cgroup" { "cgroup2" } else { typ }.to_owned();
            let source = source.and_then(Path::to_str);
            Kind::New { source: source.unwrap_or(&filesystem).to_owned(), filesystem, instead: None }
        };
        let kind = match kind {
            Kind::New { filesystem, .. } if filesystem == "tmpfs" && options.copy_up => {
                Kind::CopyUp(copyup::CopyUp::new(&options, &self.identity))
            }
            kind => kind,
        };
        let (identity, namespaces) = (&self.identity, &self.namespaces);
        let ids = idmap::resolve(entry, &options, identity, namespaces, &at).unwrap_or_default();
        Some(Mount { target, kind, options, ids, sealing: Sealing::AtOnce, kept: None, at })
    }

    fn bind(&self, source: &Path, depth: Depth, options: &Options) -> Option<Kind> {
        let source = OutsidePath::new(self.bundle, source)?;
        if options.copy_link
            && let Ok(goal) = std::fs::read_link(source.as_path())
        {
            let goal = CString::new(goal.into_os_string().into_encoded_bytes()).ok()?;
            return Some(Kind::CopyLink { goal });
        }
        let link = if options.take_link { Link::Taken } else { Link::Followed };
        Some(Kind::Bind { source, link, depth })
    }
}

/// `group` is that of the container.
pub fn resolve(spec: &Spec, bundle: &Path, group: &ControlGroup) -> Vec<Mount> {
    let context = Context::new(spec, bundle);
    let label = label(spec);
    let at = |index| Pointer::from("/mounts").index(index);
    let mounts = entries(spec).iter().enumerate();
    let mounts = mounts.flat_map(|(index, entry)| {
        divided::entries(entry, &group.groups).into_iter().map(move |entry| (index, entry))
    });
    let mounts = mounts.filter_map(|(index, entry)| context.one(&entry, at(index)));
    let cgroup = &group.shown();
    let mut mounts: Vec<Mount> = mounts.map(|mount| finished(mount, &context, label, cgroup)).collect();
    let mut later = BTreeSet::new();
    for mount in mounts.iter_mut().rev() {
        mount.sealing = sealing(mount, &later);
        later.insert(mount.target.as_str().to_owned());
    }
    keep(&mut mounts);
    mounts
}

/// Finds for each remount that is about a superblock the mount that has made it.
fn keep(mounts: &mut [Mount]) {
    let mut next = Slot::FIRST_KEPT;
    for index in 0..mounts.len() {
        let (earlier, mount) = mounts.split_at_mut(index);
        let mount = &mut mount[0];
        if !mount.options.changes_superblock() {
            continue;
        }
        let made = earlier.iter_mut().rfind(|other| other.target == mount.target && other.is_a_mount());
        let Some(made) = made.filter(|made| made.owns_superblock()) else { continue };
        mount.kept = Some(*made.kept.get_or_insert_with(|| {
            next.0 += 1;
            Slot(next.0 - 1)
        }));
    }
}

/// The same mount with what the rest of the configuration says to it.
fn finished(mut mount: Mount, context: &Context, label: &str, cgroup: &str) -> Mount {
    if takes_label(&mount.kind) && !label.is_empty() {
        mount.options.data.push(format!("context={label}"));
        if let Kind::CopyUp(copy) = &mut mount.kind {
            *copy = copyup::CopyUp::new(&mount.options, &context.identity);
        }
    }
    if let Kind::New { filesystem, instead, .. } = &mut mount.kind {
        *instead = users::instead(filesystem, &context.namespaces, cgroup);
        if filesystem == "cgroup2"
            && let Some(Instead::Ready(source)) = instead.take_if(|tree| matches!(tree, Instead::Ready(_)))
        {
            // A new cgroup2 would set the mount options of the host's, such as nsdelegate (cgroup-v2.rst,
            // "Mounting": they are system wide), so in the host's cgroup namespace its tree is taken at once.
            mount.kind = Kind::Bind { source, link: Link::Followed, depth: Depth::Tree };
        }
    }
    mount
}

pub(super) fn label(spec: &Spec) -> &str {
    spec.linux().as_ref().and_then(|linux| linux.mount_label().as_deref()).unwrap_or("")
}

/// Can linux.mountLabel be the SELinux label of every file in it? Some filesystems have labels of their own
/// kind, and a bind mount those of its source.
pub(super) fn takes_label(kind: &Kind) -> bool {
    match kind {
        Kind::New { filesystem, .. } => {
            !matches!(filesystem.as_str(), "proc" | "sysfs" | "mqueue" | "cgroup2")
        }
        Kind::CopyUp(_) => true,
        Kind::Bind { .. } | Kind::Change | Kind::CopyLink { .. } => false,
    }
}

/// Mount points and devices may have to be made in a new tmpfs. One that a later mount covers could not be
/// found again, and nothing can be made in it.
fn sealing(mount: &Mount, later: &BTreeSet<String>) -> Sealing {
    let is_tmpfs = match &mount.kind {
        Kind::New { filesystem, .. } => filesystem == "tmpfs",
        Kind::CopyUp(_) => true,
        Kind::Bind { .. } | Kind::Change | Kind::CopyLink { .. } => false,
    };
    let path = mount.target.as_str();
    let is_covered = later.contains(path);
    let below = format!("{}/", path.trim_end_matches('/'));
    let has_content =
        path == "/dev" || later.range(below.clone()..).next().is_some_and(|next| next.starts_with(&below));
    let is_read_only = mount.options.attributes() & attribute::RDONLY != 0;
    if is_tmpfs && is_read_only && has_content && !is_covered { Sealing::Later } else { Sealing::AtOnce }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::CgroupPath;
    use crate::feature::cgroup::Place;
    use crate::feature::mounts::steps;
    use crate::plan::{Action, Plan};
    use crate_run_plan::Operation;
    use serde_json::json;

    fn mounts(list: serde_json::Value) -> Vec<Mount> {
        let config = json!({
            "ociVersion": "1.3.0", "root": { "path": "rootfs" }, "mounts": list,
            "linux": { "mountLabel": "user:role:type:s0:c1,c2", "namespaces": [{ "type": "cgroup" }] },
        });
        let spec: Spec = serde_json::from_value(config).unwrap();
        let place = Place::Directory(CgroupPath::absolute("/a").unwrap());
        let group = ControlGroup {
            place,
            groups: vec![],
            settings: vec![],
            properties: vec![],
            memory_check: None,
            filter: None,
        };
        resolve(&spec, Path::new("/bundle"), &group)
    }

    fn entry(target: &str, typ: &str, options: &[&str]) -> serde_json::Value {
        json!({ "destination": target, "type": typ, "source": typ, "options": options })
    }

    /// Which filesystem gets the label, and how: no test machine has SELinux.
    #[test]
    fn a_label_is_an_option_of_the_filesystems_that_take_it() {
        let kinds = ["tmpfs", "devpts", "ext4", "proc", "sysfs", "mqueue", "cgroup", "bind"];
        let all = kinds.iter().map(|typ| entry(&format!("/{typ}"), typ, &["size=1m"])).collect();
        let label = "context=user:role:type:s0:c1,c2".to_owned();
        for mount in mounts(all) {
            let takes = ["/tmpfs", "/devpts", "/ext4"].contains(&mount.target.as_str());
            assert_eq!(mount.options.data.contains(&label), takes, "{}", mount.target);
        }
        let copied = mounts(json!([entry("/tmp", "tmpfs", &["tmpcopyup"])]));
        assert_eq!(
            copied[0].kind,
            Kind::CopyUp(copyup::CopyUp::new(&copied[0].options, &Identity::default()))
        );
        assert_eq!(copied[0].options.data, [label]);
    }

    /// The superblock that is changed is that of the last mount at the target before it.
    #[test]
    fn a_remount_finds_the_mount_that_it_changes() {
        let list = json!([
            entry("/a", "tmpfs", &[]),
            entry("/a", "tmpfs", &[]),
            entry("/b", "tmpfs", &[]),
            entry("/b", "", &["remount", "size=1m"]),
            entry("/a", "", &["remount", "size=2m"]),
            entry("/a", "", &["remount", "sync"]),
            entry("/a", "", &["remount", "ro"]),
        ]);
        let slots: Vec<Option<u16>> =
            mounts(list).iter().map(|mount| mount.kept.map(|slot| slot.0)).collect();
        let (first, second) = (Some(Slot::FIRST_KEPT.0), Some(Slot::FIRST_KEPT.0 + 1));
        assert_eq!(slots, [None, second, first, first, second, second, None]);
    }

    /// A mount(2) with such a label in its data would read the comma as the end of it.
    #[test]
    fn each_option_of_a_filesystem_is_one_text() {
        let list = mounts(json!([entry("/a", "tmpfs", &["size=1m,mode=700", "dirsync", "async"])]));
        let mut plan = Plan::new();
        plan.phase(crate::plan::Phase::View);
        let rootfs = crate::feature::rootfs::Rootfs {
            path: OutsidePath::new(Path::new("/"), Path::new("rootfs")).unwrap(),
            access: crate::feature::rootfs::Access::ReadWrite,
            propagation: crate::feature::rootfs::Propagation::Slave,
            reach: Depth::One,
        };
        steps(&list, &[None], &rootfs, &Namespaces::default(), &mut plan);
        let Action::Child(Operation::MountNew { options, .. }) = &plan.steps[0].action else { panic!() };
        assert_eq!(
            *options,
            [c"dirsync", c"size=1m", c"mode=700", c"context=user:role:type:s0:c1,c2"].map(CString::from)
        );
    }
}
