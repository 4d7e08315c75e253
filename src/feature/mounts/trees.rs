//! Before the birth: the host's trees that become mounts of the container, cloned and changed while nobody
//! can see them.

use std::ffi::CString;

use crate_run_plan::slot::Slot;
use crate_run_sys::mounts::{Depth, attribute, propagation};

use crate::bundle::path::OutsidePath;
use crate::feature::mounts::{FEATURE, Instead, Kind, Mount, Options, c, copyup, users};
use crate::feature::namespaces::{Cloner, Namespaces};
use crate::feature::rootfs::{Propagation, Rootfs};
use crate::plan::{HostAction, Ids, Link, Plan, TreeChange};

/// The user namespaces that were made for id maps, each once.
#[derive(Default)]
struct Maps {
    known: Vec<(Ids, Slot)>,
}

impl Maps {
    /// The slot of the user namespace that has the ids of this mount.
    fn slot(&mut self, mount: &Mount, plan: &mut Plan) -> Option<(Slot, Depth)> {
        let (ids, depth) = mount.ids.as_ref()?;
        if let Some((_, slot)) = self.known.iter().find(|(known, _)| known == ids) {
            return Some((*slot, *depth));
        }
        let slot = plan.new_slot();
        let why = "the kernel takes the ids that a mount is to show in the form of a user namespace";
        plan.host(FEATURE, HostAction::MapIds { ids: ids.clone(), slot }, why).at(mount.at.clone());
        self.known.push((ids.clone(), slot));
        Some((slot, *depth))
    }
}

/// Answers the slot of each mount's tree.
pub fn prepare(
    mounts: &[Mount],
    rootfs: &Rootfs,
    namespaces: &Namespaces,
    plan: &mut Plan,
) -> Vec<Option<Slot>> {
    if namespaces.cloner == Cloner::Child {
        return vec![None; mounts.len()];
    }
    let mut maps = Maps::default();
    let mut trees = Vec::with_capacity(mounts.len());
    for (index, mount) in mounts.iter().enumerate() {
        let ids = maps.slot(mount, plan);
        let tree = match &mount.kind {
            Kind::Bind { source, link, depth } => {
                let change = TreeChange { ids, ..tree_change(&mount.options, rootfs) };
                let why = "opened before the container exists; its options are set while nobody can see it";
                Some(clone(mount, (source, *link, *depth), change, why, plan))
            }
            Kind::New { filesystem, source, .. } if ids.is_some() => {
                let change = TreeChange { ids, ..mount.options.change(mount.attributes()) };
                Some(made(mount, filesystem, source, change, plan))
            }
            Kind::New { instead: Some(Instead::Ready(source)), .. } => {
                let change = users::change_instead(tree_change(&mount.options, rootfs));
                let why =
                    "kept ready: the kernel may refuse a new one, for what it shows is not the container's";
                Some(clone(mount, (source, Link::Followed, Depth::Tree), change, why, plan))
            }
            Kind::CopyUp(copy) => copyup::prepare(mount, copy, mounts[..index].iter().zip(&trees), plan),
            Kind::New { .. } | Kind::Change | Kind::CopyLink { .. } => None,
        };
        trees.push(tree);
    }
    trees
}

fn clone(
    mount: &Mount,
    (source, link, depth): (&OutsidePath, Link, Depth),
    change: TreeChange,
    why: &'static str,
    plan: &mut Plan,
) -> Slot {
    let slot = plan.new_slot();
    let clone = HostAction::CloneTree { source: source.clone(), link, depth, change, slot };
    plan.host(FEATURE, clone, why).at(mount.at.clone());
    slot
}

fn made(mount: &Mount, filesystem: &str, source: &str, change: TreeChange, plan: &mut Plan) -> Slot {
    let slot = plan.new_slot();
    let (filesystem, source) = (c(filesystem), c(source));
    let options = superblock(&filesystem, &mount.options);
    let make = HostAction::MakeFilesystem { filesystem, source, options, change, slot };
    let why = "who makes a filesystem in a user namespace has no right to let it show other ids";
    plan.host(FEATURE, make, why).at(mount.at.clone());
    slot
}

/// What a new superblock is told. A disk that cannot be written refuses one that could be; the kernel's own
/// filesystems share theirs.
pub fn superblock(filesystem: &CString, options: &Options) -> Vec<CString> {
    let kernels_own = [c"proc", c"sysfs", c"tmpfs", c"devpts", c"mqueue", c"cgroup2"];
    let on_disk = !kernels_own.contains(&filesystem.as_c_str());
    let read_only = on_disk && options.attributes() & attribute::RDONLY != 0;
    read_only.then(|| c("ro")).into_iter().chain(options.of_superblock().map(c)).collect()
}

/// A clone stays in the peer group of its source: unless shared mounts are wanted, it becomes a slave, as a
/// bind made inside the container's own mount namespace would be. Then come the types that are listed.
pub fn tree_change(options: &Options, rootfs: &Rootfs) -> TreeChange {
    let first = match rootfs.propagation {
        Propagation::Shared => None,
        Propagation::Private => Some((propagation::PRIVATE, Depth::Tree)),
        Propagation::Slave | Propagation::Unbindable => Some((propagation::SLAVE, Depth::Tree)),
    };
    let overrules = |(kind, depth): &(u64, Depth)| *depth == Depth::Tree && *kind != propagation::SHARED;
    let first = first.filter(|_| !options.propagation.first().is_some_and(overrules));
    let mut kinds = first.into_iter().chain(options.propagation.iter().copied()).peekable();
    // One call changes attributes and propagation, and that for the tree comes first.
    let mut next = |depth| kinds.next_if(|(_, wanted)| *wanted == depth).map_or(0, |(kind, _)| kind);
    let (tree_propagation, propagation) = (next(Depth::Tree), next(Depth::One));
    TreeChange {
        set: options.set,
        clear: options.clear,
        propagation,
        tree_set: options.tree_set,
        tree_clear: options.tree_clear,
        tree_propagation,
        further: kinds.collect(),
        ids: None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::feature::rootfs::Access;
    use propagation::{PRIVATE, SHARED, SLAVE, UNBINDABLE};

    fn change(words: &str, propagation: Propagation) -> (u64, u64, Vec<(u64, Depth)>) {
        let path = OutsidePath::new(Path::new("/"), Path::new("root")).unwrap();
        let rootfs = Rootfs { path, access: Access::ReadOnly, propagation, reach: Depth::One };
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        let change = tree_change(&Options::parse(&words), &rootfs);
        (change.tree_propagation, change.propagation, change.further)
    }

    #[test]
    fn a_clone_leaves_the_peers_of_its_source() {
        assert_eq!(change("ro", Propagation::Slave), (SLAVE, 0, vec![]));
        assert_eq!(change("rshared", Propagation::Slave), (SLAVE, 0, vec![(SHARED, Depth::Tree)]));
        assert_eq!(change("private", Propagation::Slave), (SLAVE, PRIVATE, vec![]));
        assert_eq!(change("rprivate", Propagation::Slave), (PRIVATE, 0, vec![]));
        assert_eq!(change("", Propagation::Private), (PRIVATE, 0, vec![]));
        assert_eq!(change("", Propagation::Shared), (0, 0, vec![]));
    }

    #[test]
    fn propagation_types_come_as_listed() {
        let further = vec![(SHARED, Depth::One), (UNBINDABLE, Depth::Tree)];
        assert_eq!(
            change("rslave private shared runbindable", Propagation::Slave),
            (SLAVE, PRIVATE, further)
        );
        assert_eq!(change("slave rshared", Propagation::Shared), (0, SLAVE, vec![(SHARED, Depth::Tree)]));
    }
}
