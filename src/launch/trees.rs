//! Detached trees of mounts: made, filled and changed while nobody can see them (open_tree(2), fsmount(2)).

use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;
use std::path::Path;

use crate_run_plan::slot::Slot;
use crate_run_sys::mounts::{Attributes, Depth, clone_tree, clone_unfollowed, set_attributes};
use crate_run_sys::{Fd, host};
use rustix::fs::{Mode, OFlags, open};

use crate::bundle::path::{InsidePath, OutsidePath};
use crate::launch::cause::{Cause, Done};
use crate::launch::{Launch, copyup, filesystem, idmap};
use crate::plan::{Ids, Link, TreeChange};

impl Launch<'_> {
    /// The working directory is how the child finds the place in its own mount namespace:
    /// `mount::attach_root`.
    pub(super) fn open_root(&mut self, path: &Path, clone: Option<&TreeChange>) -> Done {
        let root = open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        rustix::process::fchdir(&root)?;
        let Some(change) = clone else { return Ok(()) };
        let tree = clone_tree(host::borrowed(&root), c"", Depth::Tree)
            .map_err(|errno| Cause::Call("open_tree(2)", errno))?;
        self.keep(host::owned(tree), change, &|| "unknown".to_owned(), Slot::ROOT_TREE)
    }

    pub(super) fn map_ids(&mut self, ids: &Ids, slot: Slot) -> Done {
        self.ids.insert(slot, idmap::user_namespace(ids)?);
        Ok(())
    }

    pub(super) fn clone_tree(
        &mut self,
        source: &OutsidePath,
        link: Link,
        depth: Depth,
        change: &TreeChange,
        slot: Slot,
    ) -> Done {
        let tree = cloned(source, link, depth)?;
        self.keep(tree, change, &|| idmap::filesystem_of(source), slot)
    }

    pub(super) fn make_filesystem(
        &mut self,
        filesystem: &CStr,
        source: &CStr,
        options: &[CString],
        change: &TreeChange,
        slot: Slot,
    ) -> Done {
        let mount = filesystem::detached(filesystem, source, options)?;
        self.keep(mount, change, &|| filesystem.to_string_lossy().into_owned(), slot)
    }

    pub(super) fn fill_tmpfs(
        &mut self,
        tree: Slot,
        path: &InsidePath,
        options: &[CString],
        owner: (u32, u32),
        change: &TreeChange,
        slot: Slot,
    ) -> Done {
        let Some(tree) = self.slots.get(&tree) else { return Ok(()) };
        let filled = copyup::filled_tmpfs(tree, path, options, owner)?;
        self.keep(filled, change, &|| "tmpfs".to_owned(), slot)
    }

    fn keep(&mut self, tree: OwnedFd, change: &TreeChange, named: &dyn Fn() -> String, slot: Slot) -> Done {
        let tree = self.changed(tree, change, named)?;
        self.slots.insert(slot, tree);
        Ok(())
    }

    /// Changes a detached tree, which nobody can see yet (mount_setattr(2)). `named` tells its filesystem,
    /// for the error when that cannot show other ids.
    fn changed(
        &self,
        tree: OwnedFd,
        change: &TreeChange,
        named: &dyn Fn() -> String,
    ) -> Result<OwnedFd, Cause> {
        let fd = host::borrowed(&tree);
        let set = |depth, attributes: Attributes| match attributes == Attributes::default() {
            true => Ok(()),
            false => {
                set_attributes(fd, depth, &attributes).map_err(|errno| Cause::Call("mount_setattr(2)", errno))
            }
        };
        let attributes = |set, clear, propagation| Attributes { set, clear, propagation, user_namespace: 0 };
        set(Depth::Tree, attributes(change.tree_set, change.tree_clear, change.tree_propagation))?;
        set(Depth::One, attributes(change.set, change.clear, change.propagation))?;
        for (kind, depth) in &change.further {
            set(*depth, attributes(0, 0, *kind))?;
        }
        if let Some((slot, depth)) = &change.ids
            && let Some(users) = self.ids.get(slot)
        {
            idmap::apply(fd, *depth, users, named)?;
        }
        Ok(tree)
    }
}

/// A clone of what lies at `source` (open_tree(2)).
fn cloned(source: &OutsidePath, link: Link, depth: Depth) -> Result<OwnedFd, Cause> {
    let tree = match link {
        Link::Followed => clone_tree(Fd::CWD, &source.text(), depth),
        Link::Taken => clone_unfollowed(Fd::CWD, &source.text(), depth),
    };
    tree.map(host::owned).map_err(|errno| Cause::Call("open_tree(2)", errno))
}
