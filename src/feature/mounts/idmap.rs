//! idmap and ridmap: a mount shows other ids than its filesystem has (mount_setattr(2), MOUNT_ATTR_IDMAP).
//!
//! The maps are those of the mount (`uidMappings`, `gidMappings`), or of its option word as crun has it, or
//! else those of the container's user namespace, new or joined. `containerID` is the id on the filesystem,
//! `hostID` the one that the host sees on the mount: as in a user namespace with these maps.
//!
//! OCI: config.md, Linux mount options and POSIX-platform Mounts.

use crate_run_sys::mounts::Depth;
use crate_run_sys::namespaces::flag;
use oci_spec::runtime::Mount as MountEntry;

use crate::bundle::finding::{Finding, Pointer};
use crate::feature::identity::{self, Identity, Line};
use crate::feature::mounts::Kind;
use crate::feature::mounts::options::{self, Options};
use crate::feature::namespaces::Namespaces;
use crate::plan::Ids;

/// Filesystems that can show other ids, and since which Linux (mount_setattr(2), notes).
const SINCE: [(&str, (u32, u32)); 11] = [
    ("btrfs", (5, 15)),
    ("ceph", (6, 7)),
    ("erofs", (5, 19)),
    ("ext4", (5, 12)),
    ("f2fs", (5, 18)),
    ("fuse", (6, 12)),
    ("ntfs3", (5, 15)),
    ("squashfs", (6, 2)),
    ("tmpfs", (6, 3)),
    ("vfat", (5, 12)),
    ("xfs", (5, 12)),
];

/// Filesystems of the kernel's own that never can.
const NEVER: [&str; 5] = ["proc", "sysfs", "cgroup2", "devpts", "mqueue"];

/// The ids that a mount is to show, and how deep that goes; or what is wrong with them.
pub fn resolve(
    entry: &MountEntry,
    options: &Options,
    identity: &Identity,
    namespaces: &Namespaces,
    at: &Pointer,
) -> Result<Option<(Ids, Depth)>, Vec<Finding>> {
    let (uids, gids) = (identity::lines(entry.uid_mappings()), identity::lines(entry.gid_mappings()));
    let depth = options.ids.as_ref().map_or(Depth::One, |word| word.depth);
    let ids = match (uids.is_empty(), gids.is_empty(), &options.ids) {
        (true, true, None) => return Ok(None),
        (false, false, _) => maps(&uids, &gids, at)?,
        (true, true, Some(word)) if !word.text.is_empty() => {
            let at = at.key("options").index(word.index);
            let (uids, gids) = parse(&word.text, identity).map_err(|message| {
                let cure = "write idmap=uids=0-100000-65536;gids=0-100000-65536, with @ before a triplet \
                            that counts from the container's ids";
                vec![Finding::error(at.clone(), message).cure(cure)]
            })?;
            maps(&uids, &gids, &at)?
        }
        (true, true, Some(word)) => of_container(word, identity, namespaces, at)?,
        (no_uids, ..) => {
            let (there, missing) =
                if no_uids { ("gidMappings", "uidMappings") } else { ("uidMappings", "gidMappings") };
            let message = format!("the {there} of a mount come together with {missing}, which are missing");
            return Err(vec![Finding::error(at.key(there), message).cure(format!("add {missing:?}"))]);
        }
    };
    Ok(Some((ids, depth)))
}

fn maps(uids: &[Line], gids: &[Line], at: &Pointer) -> Result<Ids, Vec<Finding>> {
    let mut found = Vec::new();
    let mut map = |name: &str, word: &str, lines: &[Line]| {
        // In the option both have the same place.
        let place = if at.as_str().contains("/options/") { at.clone() } else { at.key(name) };
        let text = identity::text(lines);
        let wrong = identity::line_findings(&place, word, lines);
        found.extend(wrong);
        text
    };
    let ids = Ids::Maps { uids: map("uidMappings", "uid", uids), gids: map("gidMappings", "gid", gids) };
    if found.is_empty() { Ok(ids) } else { Err(found) }
}

fn of_container(
    word: &options::Ids,
    identity: &Identity,
    namespaces: &Namespaces,
    at: &Pointer,
) -> Result<Ids, Vec<Finding>> {
    if let Some(maps) = &identity.maps {
        return Ok(Ids::Maps { uids: identity::text(&maps.uids), gids: identity::text(&maps.gids) });
    }
    if let Some(joined) = namespaces.joined.iter().find(|joined| joined.kind == flag::USER) {
        return Ok(Ids::Of(joined.path.clone()));
    }
    let message = "an id-mapped mount needs mappings: it has none, and the container no user namespace";
    let at = at.key("options").index(word.index);
    Err(vec![Finding::error(at, message).cure("add uidMappings and gidMappings to the mount")])
}

/// `uids=A-B-C#...;gids=...`: on the filesystem, on the host, how many. With `@` the second number is one of
/// the container's ids.
fn parse(text: &str, identity: &Identity) -> Result<(Vec<Line>, Vec<Line>), String> {
    let (mut uids, mut gids) = (Vec::new(), Vec::new());
    for part in text.split(';').filter(|part| !part.is_empty()) {
        let container = identity.maps.as_ref();
        let (list, triplets, container) = match part.split_once('=') {
            Some(("uids", triplets)) => (&mut uids, triplets, container.map(|maps| &maps.uids)),
            Some(("gids", triplets)) => (&mut gids, triplets, container.map(|maps| &maps.gids)),
            _ => return Err(format!("{part:?} in the option idmap is neither uids= nor gids=")),
        };
        for triplet in triplets.split('#') {
            list.push(line(triplet, container.map_or(&[], Vec::as_slice))?);
        }
    }
    match (uids.is_empty(), gids.is_empty()) {
        (false, false) => Ok((uids, gids)),
        _ => Err("the option idmap needs both uids= and gids=".to_owned()),
    }
}

fn line(triplet: &str, container: &[Line]) -> Result<Line, String> {
    let numbers = triplet.strip_prefix('@').unwrap_or(triplet);
    let numbers: Option<Vec<u32>> = numbers.split('-').map(|number| number.parse().ok()).collect();
    let Some(&[inside, outside, size]) = numbers.as_deref() else {
        return Err(format!("{triplet:?} in the option idmap is not of the form ID-ID-SIZE"));
    };
    if !triplet.starts_with('@') {
        return Ok(Line { inside, outside, size });
    }
    // One line of the container has to map them all, or they would not stay together.
    let last = outside.checked_add(size.saturating_sub(1));
    let whole = container.iter().find(|line| last.is_some_and(|last| line.outside_of(last).is_some()));
    match whole.and_then(|line| line.outside_of(outside)) {
        Some(outside) => Ok(Line { inside, outside, size }),
        None => Err(format!("no mapping of the container's user namespace covers {triplet:?}")),
    }
}

/// What is wrong with other ids on a mount of this kind.
pub fn findings(kind: &Kind, options: &Options, kernel: (u32, u32), at: &Pointer) -> Vec<Finding> {
    let at = options.ids.as_ref().map_or(at.clone(), |word| at.key("options").index(word.index));
    match kind {
        Kind::New { filesystem, .. } if cannot(filesystem, kernel) => {
            let message = refusal(filesystem, Depth::One, kernel);
            vec![Finding::error(at, message).cure("leave idmap out")]
        }
        Kind::CopyUp(_) => {
            let message = "tmpcopyup keeps the owners of what it copies, and idmap would show others";
            vec![Finding::error(at, message).cure("leave one of them out")]
        }
        Kind::Change => {
            vec![
                Finding::error(at, "a remount cannot change which ids a mount shows").cure("leave idmap out"),
            ]
        }
        _ => Vec::new(),
    }
}

fn cannot(filesystem: &str, kernel: (u32, u32)) -> bool {
    let since = SINCE.iter().find(|(name, _)| *name == filesystem);
    NEVER.contains(&filesystem) || since.is_some_and(|(_, since)| kernel < *since)
}

/// Why a filesystem does not show other ids on this kernel, in words.
pub fn refusal(filesystem: &str, depth: Depth, (major, minor): (u32, u32)) -> String {
    let below = match depth {
        Depth::One => "",
        Depth::Tree => ", or one that is mounted below it,",
    };
    match SINCE.iter().find(|(name, _)| *name == filesystem) {
        Some((_, (since, point))) if (major, minor) < (*since, *point) => format!(
            "a filesystem of the type {filesystem} can be id-mapped since Linux {since}.{point}, and this is \
             {major}.{minor}"
        ),
        _ => format!("a filesystem of the type {filesystem}{below} cannot be id-mapped"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feature::identity::Maps;

    fn line(inside: u32, outside: u32, size: u32) -> Line {
        Line { inside, outside, size }
    }

    fn identity() -> Identity {
        let uids = vec![line(0, 0, 1), line(1, 2, 1000)];
        let maps = Maps { uids, gids: vec![line(0, 5000, 10)], keeps_groups: false };
        Identity { maps: Some(maps), ..Identity::default() }
    }

    #[test]
    fn the_words_of_crun_are_read() {
        let (uids, gids) = parse("uids=0-1-10#10-11-10;gids=0-100-10", &Identity::default()).unwrap();
        assert_eq!((uids, gids), (vec![line(0, 1, 10), line(10, 11, 10)], vec![line(0, 100, 10)]));
    }

    /// The example of crun(1).
    #[test]
    fn relative_ids_are_those_of_the_container() {
        let (uids, gids) = parse("uids=@1-3-10;gids=@0-1-2", &identity()).unwrap();
        assert_eq!((uids, gids), (vec![line(1, 4, 10)], vec![line(0, 5001, 2)]));
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        for (text, words) in [
            ("uids=0-1-10", "both"),
            ("uids=0-1;gids=0-1-1", "ID-ID-SIZE"),
            ("uids=0-1-x;gids=0-1-1", "ID-ID-SIZE"),
            ("users=0-1-1", "neither"),
            ("uids=@0-5-2000;gids=0-1-1", "covers"),
            ("uids=@0-4294967295-2;gids=0-1-1", "covers"),
        ] {
            let message = parse(text, &identity()).unwrap_err();
            assert!(message.contains(words), "{text}: {message}");
        }
        assert!(parse("uids=@0-0-1;gids=@0-0-1", &Identity::default()).is_err());
    }

    #[test]
    fn an_old_kernel_is_named() {
        let words = refusal("tmpfs", Depth::One, (6, 1));
        assert_eq!(words, "a filesystem of the type tmpfs can be id-mapped since Linux 6.3, and this is 6.1");
        assert!(refusal("proc", Depth::Tree, (6, 1)).contains("or one that is mounted below it"));
        assert!(cannot("tmpfs", (6, 1)) && !cannot("tmpfs", (6, 3)) && !cannot("unheard-of", (6, 3)));
    }
}
