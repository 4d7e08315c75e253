//! # Mounts: what lies where in the container's tree
//!
//! A new filesystem (proc, tmpfs, devpts, ...) is made with fsopen, fsconfig and fsmount, and is complete
//! before it is attached with move_mount (Linux 5.2). A bind mount is a clone of a tree of the host: the
//! runtime clones it and sets its attributes before the container exists, the child only attaches it. So
//! source, type, flags and target are each a descriptor, and no moment exists at which a read-only mount is
//! writable.
//!
//! proc, sysfs, mqueue and cgroup2 show the namespaces of the process that makes them: they are made by the
//! child, inside its own. Where the namespace that they show is not the container's, the kernel may refuse;
//! then the host's tree is bound in their place.
//!
//! A tmpfs with the option tmpcopyup begins with what the image has at its place: see `copyup`. A mount with
//! the option idmap shows other ids than its filesystem has: see `idmap`.
//!
//! OCI: config.md, Mounts. Options: mount(8), mount_setattr(2); the words are in `words`. How entries become
//! mounts is in `resolve`, what is wrong with them in `findings`. The host's steps are in `trees`, the
//! child's in `attach`; what mends them when they fail is in `cure`.
//!
//! Order: as listed. The target of proc and sysfs, and /dev, must not be symbolic links of the image
//! (CVE-2019-19921, CVE-2025-54867); nothing but a few known files may be mounted below /proc
//! (CVE-2019-16884).

mod attach;
mod copyup;
mod cure;
mod divided;
mod findings;
pub mod idmap;
mod later;
mod options;
mod resolve;
mod trees;
mod users;
mod words;

use std::ffi::CString;

use crate_run_plan::operation::target;
use crate_run_plan::slot::Slot;
use crate_run_sys::mounts::{Depth, attribute};

use crate::bundle::finding::Pointer;
use crate::bundle::path::{InsidePath, OutsidePath};
use crate::bundle::text::c_text;
use crate::plan::{Ids, Link};

pub use attach::{seal, steps};
pub use cure::{cure, cure_of_source};
pub use findings::findings;
pub use later::{later_findings, later_steps};
pub use options::Options;
pub use resolve::resolve;
pub use trees::prepare;
pub use words::words;

const FEATURE: &str = "mounts";

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    pub target: InsidePath,
    pub kind: Kind,
    pub options: Options,
    /// The ids that it shows, if others than those of its filesystem, and how deep that goes.
    pub ids: Option<(Ids, Depth)>,
    pub sealing: Sealing,
    /// Where it is kept, because its superblock gets new options later; for those options, the same slot.
    pub kept: Option<Slot>,
    pub at: Pointer,
}

/// When does a mount get what the option `ro` asks for?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sealing {
    /// Before anybody sees it.
    AtOnce,
    /// When the devices and mount points that lie in it are made.
    Later,
}

/// Where a mount comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A tree of the host.
    Bind { source: OutsidePath, link: Link, depth: Depth },
    /// A new filesystem, or where it is refused a tree of the host.
    New { filesystem: String, source: String, instead: Option<Instead> },
    /// A tmpfs that is filled before the birth.
    CopyUp(copyup::CopyUp),
    /// New options for what is there already.
    Change,
    /// No mount at all: the symbolic link that the source is, made anew.
    CopyLink { goal: CString },
}

/// A tree of the host in the place of a new filesystem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instead {
    /// Kept ready, for it is likely to be needed.
    Ready(OutsidePath),
    /// Looked up by the child, where the host's tree is still in sight.
    Late(OutsidePath),
}

impl Mount {
    /// The attributes with which it is attached.
    fn attributes(&self) -> u64 {
        match self.sealing {
            Sealing::AtOnce => self.options.attributes(),
            Sealing::Later => self.options.attributes() & !attribute::RDONLY,
        }
    }

    /// The rule by which the child resolves the target.
    fn rule(&self) -> u32 {
        let strict = match &self.kind {
            Kind::New { filesystem, .. } => {
                matches!(filesystem.as_str(), "proc" | "sysfs" | "cgroup2" | "devpts" | "mqueue")
            }
            _ => false,
        };
        let mut rule = 0;
        if strict || self.target.is_within("/dev") {
            rule |= target::NO_LINKS;
        } else if self.options.cover_link {
            rule |= target::NO_FOLLOW;
        }
        if self.target.is_within("/proc") && self.target.as_str() != "/proc" {
            rule |= target::ON_PROC;
        }
        let keeps_mode = matches!(&self.kind, Kind::New { filesystem, .. } if filesystem == "tmpfs");
        if keeps_mode && !self.options.data.iter().any(|option| option.starts_with("mode=")) {
            rule |= target::KEEP_MODE;
        }
        rule
    }

    /// Does it bring a mount of its own?
    fn is_a_mount(&self) -> bool {
        !matches!(self.kind, Kind::Change | Kind::CopyLink { .. })
    }

    /// Is its superblock the container's own, so that new options for it change nothing on the host?
    fn owns_superblock(&self) -> bool {
        matches!(self.kind, Kind::New { .. } | Kind::CopyUp(_))
    }
}

/// Is `path` covered by a bind mount? Then what lies there is the host's business.
pub fn is_bound(mounts: &[Mount], path: &str) -> bool {
    mounts.iter().any(|mount| mount.target.as_str() == path && matches!(mount.kind, Kind::Bind { .. }))
}

/// How many mounts come before the first that shows or uses the network: for all but these filesystems of the
/// kernel's own, it may matter in which network namespace they are mounted.
pub fn before_network(mounts: &[Mount]) -> usize {
    let needs_network = |mount: &Mount| match &mount.kind {
        Kind::New { filesystem, .. } => {
            !matches!(filesystem.as_str(), "proc" | "tmpfs" | "devpts" | "mqueue" | "cgroup2")
        }
        Kind::Bind { .. } | Kind::CopyUp(_) | Kind::Change | Kind::CopyLink { .. } => false,
    };
    mounts.iter().position(needs_network).unwrap_or(mounts.len())
}

/// Every line of /proc/PID/mountinfo.
pub fn observe(pid: i32) -> Vec<String> {
    let mounts = std::fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap_or_default();
    mounts.lines().map(str::to_owned).collect()
}

fn c(text: &str) -> CString {
    c_text(text)
}
