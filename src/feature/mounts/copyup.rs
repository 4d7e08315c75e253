//! tmpcopyup: a tmpfs that begins with a copy of what lies at its place in the image.
//!
//! The runtime fills it before the birth, while it is attached nowhere. So the child needs no code for it,
//! and the copy cannot be led astray by a mount. Files keep the owners that they have in the image: in a user
//! namespace these are ids of the host, and inside they look as they do in the image.

use std::ffi::CString;

use crate_run_plan::slot::Slot;

use crate::bundle::path::InsidePath;
use crate::feature::identity::{Identity, Maps};
use crate::feature::mounts::{Kind, Mount, Options};
use crate::plan::{HostAction, Plan};

const FEATURE: &str = "mounts";

/// What the tmpfs is made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyUp {
    /// Its data, with ids of the host.
    options: Vec<CString>,
    /// The container's root as the host knows it: user and group.
    root: (u32, u32),
}

impl CopyUp {
    pub fn new(options: &Options, identity: &Identity) -> Self {
        let words = options.of_superblock();
        // A word with a NUL is found elsewhere.
        let outside = |word: &str| CString::new(on_host(word, identity.maps.as_ref())).unwrap_or_default();
        let root_of = |lines: fn(&Maps) -> &Vec<crate::feature::identity::Line>| match &identity.maps {
            None => 0,
            Some(maps) => lines(maps).iter().find_map(|line| line.outside_of(0)).unwrap_or(0),
        };
        Self {
            options: words.map(outside).collect(),
            root: (root_of(|maps| &maps.uids), root_of(|maps| &maps.gids)),
        }
    }
}

/// The runtime makes this tmpfs, so uid= and gid= are read in the host's user namespace.
fn on_host(word: &str, maps: Option<&Maps>) -> String {
    let Some(maps) = maps else { return word.to_owned() };
    for (option, lines) in [("uid=", &maps.uids), ("gid=", &maps.gids)] {
        let id = word.strip_prefix(option).and_then(|id| id.parse().ok());
        if let Some(id) = id.and_then(|id| lines.iter().find_map(|line| line.outside_of(id))) {
            return format!("{option}{id}");
        }
    }
    word.to_owned()
}

/// The step that fills it; `None` when an earlier mount of the list covers its place and is empty.
pub fn prepare<'m>(
    mount: &Mount,
    copy: &CopyUp,
    earlier: impl DoubleEndedIterator<Item = (&'m Mount, &'m Option<Slot>)>,
    plan: &mut Plan,
) -> Option<Slot> {
    let cover =
        earlier.rev().find(|(cover, _)| cover.is_a_mount() && mount.target.is_within(cover.target.as_str()));
    let (tree, path) = match cover {
        None => (Slot::ROOT_TREE, mount.target.clone()),
        Some((Mount { kind: Kind::New { .. }, .. }, _) | (_, None)) => {
            return None;
        }
        Some((cover, Some(tree))) => {
            (*tree, InsidePath::new(mount.target.as_str().strip_prefix(cover.target.as_str())?)?)
        }
    };
    let change = mount.options.change(mount.attributes());
    let slot = plan.new_slot();
    let (uid, gid) = copy.root;
    let fill = HostAction::FillTmpfs { tree, path, options: copy.options.clone(), uid, gid, change, slot };
    let why = "tmpcopyup: the image's files are in it before anybody can see it, and before it is read-only";
    plan.host(FEATURE, fill, why).at(mount.at.clone());
    Some(slot)
}
