//! What is wrong with the mounts of a configuration.

use std::path::Path;

use crate_run_plan::slot::{CHILD_SLOTS, Slot};
use oci_spec::runtime::{Mount as MountEntry, Spec};

use crate::bundle::finding::{Finding, Pointer};
use crate::feature::mounts::resolve::{Context, entries, label, takes_label};
use crate::feature::mounts::{Kind, Mount, idmap, users};
use crate::host::Host;
use crate::plan::Link;

/// Files of procfs that may be covered by a bind mount, as lxcfs does; the list of runc.
const ON_PROC: [&str; 10] = [
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/uptime",
    "/proc/loadavg",
    "/proc/slabinfo",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/sys/crypto/fips_enabled",
];

/// How many filesystems can get new options.
const MOST_REMOUNTS: usize = CHILD_SLOTS - Slot::FIRST_KEPT.0 as usize;

pub fn findings(spec: &Spec, bundle: &Path, host: &Host) -> Vec<Finding> {
    let mut found = Vec::new();
    let context = Context::new(spec, bundle);
    let mut earlier: Vec<Mount> = Vec::new();
    for (index, entry) in entries(spec).iter().enumerate() {
        let at = Pointer::from("/mounts").index(index);
        let Some(mount) = context.one(entry, at.clone()) else {
            found.push(unusable(entry, at));
            continue;
        };
        found.extend(target_findings(entry, &mount));
        found.extend(source_findings(entry, &mount));
        found.extend(word_findings(entry, &mount));
        found.extend(data_findings(&mount, &earlier));
        if let (Some(maps), Kind::New { .. } | Kind::CopyUp(_)) = (&context.identity.maps, &mount.kind) {
            let words = entry.options().as_deref().unwrap_or_default();
            found.extend(users::findings(words, maps, &at.key("options")));
        }
        if !host.powers.clones_mounts {
            found.extend(power_finding(entry, &mount));
        }
        match idmap::resolve(entry, &mount.options, &context.identity, &context.namespaces, &at) {
            Ok(Some(_)) => found.extend(idmap::findings(&mount.kind, &mount.options, host.kernel, &at)),
            Ok(None) => {}
            Err(wrong) => found.extend(wrong),
        }
        earlier.push(mount);
    }
    found.extend(label_finding(label(spec), &earlier, host));
    found
}

fn unusable(entry: &MountEntry, at: Pointer) -> Finding {
    if entry.source().as_ref().is_none_or(|source| source.as_os_str().is_empty()) {
        return Finding::error(at, "a bind mount needs a source").cure("add \"source\"");
    }
    Finding::error(at, "source and destination must be UTF-8 and free of NUL characters")
}

/// What only the runtime can make beforehand, and only where it has power over its own mount namespace.
fn power_finding(entry: &MountEntry, mount: &Mount) -> Option<Finding> {
    let mut words = entry.options().iter().flatten();
    let option = |index| mount.at.key("options").index(index);
    let (place, what, instead) = if mount.ids.is_some() {
        let place = mount.options.ids.as_ref().map_or(mount.at.clone(), |word| option(word.index));
        (place, "show other ids on a mount", "leave idmap, uidMappings and gidMappings of the mount out")
    } else if matches!(mount.kind, Kind::CopyUp(_)) {
        let place = words.position(|word| word == "tmpcopyup").map_or(mount.at.clone(), option);
        (place, "fill a tmpfs from the image", "leave tmpcopyup out, or mount nothing there")
    } else {
        return None;
    };
    let message = format!("an ordinary user cannot {what}: it takes power over the mounts of the host");
    let cure = format!("{instead}; or start crate-run as root of namespaces of its own (unshare -rm)");
    Some(Finding::error(place, message).cure(cure))
}

fn target_findings(entry: &MountEntry, mount: &Mount) -> Vec<Finding> {
    let mut found = Vec::new();
    let (at, target) = (mount.at.key("destination"), mount.target.as_str());
    if !entry.destination().is_absolute() {
        let message =
            format!("the mount destination {:?} is relative and is taken from /", entry.destination());
        found.push(Finding::warning(at.clone(), message).cure("write it with a leading slash"));
    }
    if target == "/" && mount.kind != Kind::Change {
        let message = "a mount cannot lie on the root of the container";
        found.push(Finding::error(at.clone(), message).cure("use root.path for the root filesystem"));
    }
    let is_proc = matches!(&mount.kind, Kind::New { filesystem, .. } if filesystem == "proc");
    let is_bind = matches!(mount.kind, Kind::Bind { .. });
    let below_proc = mount.target.is_within("/proc") && target != "/proc";
    if below_proc && !ON_PROC.contains(&target) && mount.kind != Kind::Change {
        let message = format!("{target} lies inside /proc, where nothing else may be mounted");
        found.push(Finding::error(at, message).cure("choose another destination"));
    } else if target == "/proc" && !is_proc && !is_bind && mount.kind != Kind::Change {
        let message = "only a proc filesystem may be mounted on /proc";
        found.push(Finding::error(at, message).cure("use \"type\": \"proc\""));
    }
    found
}

fn source_findings(entry: &MountEntry, mount: &Mount) -> Vec<Finding> {
    match &mount.kind {
        Kind::Bind { source, link, .. } => {
            let there = match link {
                Link::Followed => std::fs::metadata(source.as_path()),
                Link::Taken => std::fs::symlink_metadata(source.as_path()),
            };
            let Err(error) = there else { return Vec::new() };
            let reason = match error.kind() {
                std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
                other => other.to_string(),
            };
            let message = format!("the source {source} of the bind mount on {}: {reason}", mount.target);
            let cure = "create it first, or correct the path; a relative source starts at the bundle";
            vec![Finding::error(mount.at.key("source"), message).cure(cure)]
        }
        Kind::New { filesystem, .. } if filesystem.is_empty() => {
            let at = if entry.typ().is_some() { mount.at.key("type") } else { mount.at.clone() };
            let message = "a mount without a type must be a bind mount";
            vec![Finding::error(at, message).cure("add \"type\", or the option \"bind\"")]
        }
        Kind::New { filesystem, source, .. } if filesystem.contains('\0') || source.contains('\0') => {
            vec![Finding::error(mount.at.clone(), "type and source must be free of NUL characters")]
        }
        _ => Vec::new(),
    }
}

/// Words that do not go together, or not with this mount.
fn word_findings(entry: &MountEntry, mount: &Mount) -> Vec<Finding> {
    let (options, mut found) = (&mount.options, Vec::new());
    let words = entry.options().as_deref().unwrap_or_default();
    let at = |word: &str| {
        let place = words.iter().position(|other| other == word);
        place.map_or(mount.at.clone(), |index| mount.at.key("options").index(index))
    };
    if words.iter().any(|word| word.contains('\0')) {
        found.push(Finding::error(mount.at.key("options"), "mount options must be free of NUL characters"));
    }
    if options.copy_up && !matches!(mount.kind, Kind::CopyUp(_)) {
        let message = "tmpcopyup is for a new tmpfs: nothing else begins empty";
        found.push(Finding::error(at("tmpcopyup"), message).cure("leave it out, or use \"type\": \"tmpfs\""));
    }
    if options.copy_link && (options.take_link || options.cover_link) {
        let message = "copy-symlink makes a link, so src-nofollow and dest-nofollow have nothing to mount";
        found.push(Finding::error(at("copy-symlink"), message).cure("leave one of them out"));
    }
    let binds = matches!(mount.kind, Kind::Bind { .. } | Kind::CopyLink { .. });
    for (word, is_there) in [("copy-symlink", options.copy_link), ("src-nofollow", options.take_link)] {
        if is_there && !binds {
            let message = format!("{word} is about the source of a bind mount, and this is none");
            found.push(Finding::warning(at(word), message).cure("leave it out"));
        }
    }
    found
}

/// Data needs a filesystem of the container's own.
fn data_findings(mount: &Mount, earlier: &[Mount]) -> Vec<Finding> {
    let (options, at) = (&mount.options, mount.at.key("options"));
    if options.changes_superblock() {
        return remount_findings(mount, earlier);
    }
    if mount.owns_superblock() {
        return Vec::new();
    }
    // Every filesystem that knows ACLs has them on its source already.
    let data = options.data.iter().find(|word| !matches!(word.as_str(), "acl" | "noacl"));
    let Some(word) = data else { return Vec::new() };
    let message = format!(
        "bind mounts cannot have any filesystem-specific options applied, and {word:?} is not a mount option"
    );
    vec![Finding::error(at, message).cure("leave it out, or correct the spelling")]
}

fn remount_findings(mount: &Mount, earlier: &[Mount]) -> Vec<Finding> {
    let at = mount.at.key("options");
    let there = earlier.iter().rfind(|other| other.target == mount.target && other.is_a_mount());
    if !there.is_some_and(Mount::owns_superblock) {
        let word = mount.options.of_remount().next().unwrap_or_default().to_owned();
        let message = format!(
            "{word:?} would change a filesystem of the host: no earlier mount makes a new one at {}",
            mount.target
        );
        return vec![Finding::error(at, message).cure("leave it out, or add \"bind\"")];
    }
    let kept = |mount: &&Mount| mount.options.changes_superblock();
    if earlier.iter().filter(kept).count() >= MOST_REMOUNTS {
        let message = format!("more than {MOST_REMOUNTS} filesystems would get new options");
        return vec![Finding::error(at, message).cure("give each its options when it is mounted")];
    }
    Vec::new()
}

fn label_finding(label: &str, mounts: &[Mount], host: &Host) -> Option<Finding> {
    let at = Pointer::from("/linux/mountLabel");
    if label.contains('\0') {
        return Some(Finding::error(at, "the mount label must be free of NUL characters"));
    }
    let is_wanted = !label.is_empty() && mounts.iter().any(|mount| takes_label(&mount.kind));
    (is_wanted && !host.has_security_module("selinux")).then(|| {
        let message =
            format!("the mount label {label:?} cannot be applied: this kernel runs without selinux");
        Finding::error(at, message).cure("leave it out, or boot with the module enabled")
    })
}
