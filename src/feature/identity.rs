//! # Identity: who the process is, inside and outside
//!
//! A user namespace maps ids: user 0 inside may be user 100000 outside (user_namespaces(7)). The parent
//! writes the maps to /proc/PID/uid_map and gid_map; until then the newborn is nobody and must not execve,
//! for that would cost it all capabilities. The ids of the program itself are set at the very end, when
//! nothing is left to do that needs root.
//!
//! OCI: config-linux.md, User namespace mappings; config.md, process.user.
//!
//! Order:
//! - Maps before anything the child does: it waits for them before it becomes the sealed program.
//! - setgroups, then setresgid, then setresuid: each takes away the right to do the one before it.
//!
//! Uid 4294967295 is -1, which setresuid(2) takes for "keep what you have": root. It is refused.

use crate_run_plan::Operation;
use crate_run_sys::namespaces::flag;
use oci_spec::runtime::{LinuxIdMapping, Spec};

use crate::bundle::finding::{Finding, Pointer};
use crate::feature::namespaces::Namespaces;
use crate::feature::seccomp::Filter;
use crate::plan::{HostAction, Plan};

const FEATURE: &str = "identity";

/// The umask of a program whose configuration names none, as runc and crun have it.
const DEFAULT_UMASK: u32 = 0o022;

/// Who the process is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The id maps of a new user namespace.
    pub maps: Option<Maps>,
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
    pub umask: u32,
}

/// Lines of uid_map and gid_map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Maps {
    pub uids: Vec<Line>,
    pub gids: Vec<Line>,
}

/// `size` ids that begin at `inside` in the container and at `outside` on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    pub inside: u32,
    pub outside: u32,
    pub size: u32,
}

impl Line {
    /// The id outside that `inside` stands for.
    pub fn outside_of(&self, inside: u32) -> Option<u32> {
        let offset = inside.checked_sub(self.inside)?;
        (offset < self.size).then(|| self.outside.wrapping_add(offset))
    }
}

/// The mappings of a user namespace or of a mount.
pub fn lines(mappings: &Option<Vec<LinuxIdMapping>>) -> Vec<Line> {
    let line = |m: &LinuxIdMapping| Line { inside: m.container_id(), outside: m.host_id(), size: m.size() };
    mappings.as_deref().unwrap_or_default().iter().map(line).collect()
}

/// The lines of a uid_map or gid_map as the kernel shows it.
pub fn read_lines(text: &str) -> Vec<Line> {
    let line = |line: &str| {
        let mut numbers = line.split_whitespace().map(str::parse);
        let mut next = || numbers.next()?.ok();
        Some(Line { inside: next()?, outside: next()?, size: next()? })
    };
    text.lines().filter_map(line).collect()
}

/// As the kernel reads uid_map: inside, outside, size, one line each.
pub fn text(lines: &[Line]) -> String {
    lines.iter().map(|line| format!("{} {} {}\n", line.inside, line.outside, line.size)).collect()
}

pub fn resolve(spec: &Spec, namespaces: &Namespaces) -> Identity {
    let mut identity = Identity { umask: DEFAULT_UMASK, ..Identity::default() };
    if let Some(process) = spec.process() {
        let user = process.user();
        (identity.uid, identity.gid) = (user.uid(), user.gid());
        identity.groups = user.additional_gids().clone().unwrap_or_default();
        identity.umask = user.umask().unwrap_or(DEFAULT_UMASK);
    }
    if let (true, Some(linux)) = (namespaces.makes(flag::USER), spec.linux()) {
        let (uids, gids) = (lines(linux.uid_mappings()), lines(linux.gid_mappings()));
        identity.maps = Some(Maps { uids, gids });
    }
    identity
}

pub fn findings(spec: &Spec, namespaces: &Namespaces) -> Vec<Finding> {
    let mut found = Vec::new();
    let identity = resolve(spec, namespaces);
    let linux = spec.linux().as_ref();
    let maps = |which: fn(&oci_spec::runtime::Linux) -> &Option<Vec<LinuxIdMapping>>| {
        linux.map(|linux| lines(which(linux))).unwrap_or_default()
    };
    let (uids, gids) = (maps(|linux| linux.uid_mappings()), maps(|linux| linux.gid_mappings()));
    if namespaces.makes(flag::USER) {
        found.extend(map_findings("/linux/uidMappings", "uid", &uids));
        found.extend(map_findings("/linux/gidMappings", "gid", &gids));
    } else if !namespaces.has(flag::USER) && (!uids.is_empty() || !gids.is_empty()) {
        let at = if uids.is_empty() { "/linux/gidMappings" } else { "/linux/uidMappings" };
        let message = "id mappings need a user namespace of the container's own";
        found.push(Finding::error(at, message).cure("add {\"type\": \"user\"} to linux.namespaces"));
    }
    found.extend(user_findings(spec, &identity));
    found
}

fn map_findings(place: &str, word: &str, lines: &[Line]) -> Vec<Finding> {
    let at = Pointer::from(place);
    if lines.is_empty() {
        let message = format!("a new user namespace needs at least one {word} mapping");
        let cure = "add {\"containerID\": 0, \"hostID\": 100000, \"size\": 65536}";
        return vec![Finding::error(at, message).cure(cure)];
    }
    let mut found = line_findings(&at, word, lines);
    if !lines.iter().any(|line| line.outside_of(0).is_some()) {
        let message = format!("no mapping covers {word} 0 of the container, which sets the container up");
        found.push(Finding::error(at, message).cure("map containerID 0"));
    }
    found
}

/// What is wrong with the lines of a map, wherever it is used.
pub fn line_findings(at: &Pointer, word: &str, lines: &[Line]) -> Vec<Finding> {
    let mut found = Vec::new();
    if lines.len() > 340 {
        let message = format!("{} {word} mappings are more than the 340 that the kernel takes", lines.len());
        return vec![Finding::error(at.clone(), message)];
    }
    for (index, line) in lines.iter().enumerate() {
        let at = at.index(index);
        let overflows =
            |start: u32| start.checked_add(line.size.saturating_sub(1)).is_none_or(|end| end == u32::MAX);
        if line.size == 0 {
            found.push(Finding::error(at.key("size"), format!("a {word} mapping of size 0 maps nothing")));
        } else if overflows(line.inside) || overflows(line.outside) {
            found.push(Finding::error(
                at,
                format!("this {word} mapping runs past the largest id, 4294967294"),
            ));
        } else if lines[..index].iter().any(|earlier| overlap(earlier, line)) {
            found.push(Finding::error(at, format!("this {word} mapping overlaps an earlier one")));
        }
    }
    found
}

fn overlap(a: &Line, b: &Line) -> bool {
    let meet = |x: u32, y: u32| {
        u64::from(x) < u64::from(y) + u64::from(b.size) && u64::from(y) < u64::from(x) + u64::from(a.size)
    };
    meet(a.inside, b.inside) || meet(a.outside, b.outside)
}

fn user_findings(spec: &Spec, identity: &Identity) -> Vec<Finding> {
    let mut found = Vec::new();
    if spec.process().is_none() {
        return found;
    }
    let at = Pointer::from("/process/user");
    let mapped = |lines: fn(&Maps) -> &Vec<Line>, id: u32| match &identity.maps {
        None => true,
        Some(maps) => lines(maps).iter().any(|line| line.outside_of(id).is_some()),
    };
    let mut check = |place: Pointer, word: &str, id: u32, known: bool| {
        if id == u32::MAX {
            let message = format!("{word} 4294967295 means \"keep the current one\" to the kernel");
            found.push(Finding::error(place, message).cure("choose an id of at most 4294967294"));
        } else if !known {
            let verb = if word == "uid" { "setuid" } else { "setgid" };
            let message = format!("cannot {verb} to unmapped {word} {id} in user namespace");
            found.push(Finding::error(place, message).cure("add a mapping that covers it"));
        }
    };
    check(at.key("uid"), "uid", identity.uid, mapped(|maps| &maps.uids, identity.uid));
    check(at.key("gid"), "gid", identity.gid, mapped(|maps| &maps.gids, identity.gid));
    for (index, group) in identity.groups.iter().enumerate() {
        let place = at.key("additionalGids").index(index);
        check(place, "gid", *group, mapped(|maps| &maps.gids, *group));
    }
    if identity.groups.len() > 65536 {
        let message =
            format!("{} additional groups are more than the 65536 of the kernel", identity.groups.len());
        found.push(Finding::error(at.key("additionalGids"), message));
    }
    if identity.umask > 0o777 {
        let message = format!("the umask {} is larger than 511 (octal 777)", identity.umask);
        found.push(Finding::error(at.key("umask"), message));
    }
    found
}

/// Directly after the birth: the maps.
pub fn maps(identity: &Identity, plan: &mut Plan) {
    let Some(maps) = &identity.maps else { return };
    let write = HostAction::WriteIdMaps { uids: text(&maps.uids), gids: text(&maps.gids) };
    let why = "without maps the newborn is nobody, and would lose its capabilities at its first execve";
    plan.host(FEATURE, write, why).at("/linux/uidMappings");
}

/// The ids of the program, in the tail.
pub fn steps(identity: &Identity, plan: &mut Plan) {
    let groups = identity.groups.iter().flat_map(|group| group.to_ne_bytes()).collect();
    let why = "supplementary groups first: only root may set them";
    plan.child(FEATURE, Operation::SetGroups { groups }, why).at("/process/user/additionalGids");
    let ids = Operation::SetIds { uid: identity.uid, gid: identity.gid };
    let why = "then the group, then the user; the permitted capabilities are kept for capset";
    plan.child(FEATURE, ids, why).at("/process/user");
}

/// Reads the ids back. `filter` is one that is in place already, and may forbid to ask.
pub fn verify(identity: &Identity, filter: Option<&Filter>, plan: &mut Plan) {
    let why = "nothing starts as somebody else";
    let calls = ["getresuid", "getresgid", "setfsuid", "setfsgid", "getgroups"].map(|name| (name, 0));
    if filter.is_none_or(|filter| filter.allows(&calls)) {
        let mut groups = identity.groups.clone();
        groups.sort_unstable();
        groups.dedup();
        let groups = groups.iter().flat_map(|group| group.to_ne_bytes()).collect();
        let verify = Operation::VerifyIds { uid: identity.uid, gid: identity.gid, groups };
        plan.child(FEATURE, verify, why).at("/process/user");
    }
    let verify = Operation::VerifyUmask { mask: identity.umask };
    let why = "files of the program get the modes that are asked for";
    plan.child(FEATURE, verify, why).at("/process/user/umask");
}

/// The umask, when no more files are made.
pub fn umask(identity: &Identity, plan: &mut Plan) {
    let why = "setup is over: from now on files get the program's default modes";
    plan.child(FEATURE, Operation::SetUmask { mask: identity.umask }, why).at("/process/user/umask");
}

/// Real, effective, saved and filesystem ids of a process: (`Uid`, `Gid`) lines of /proc/PID/status.
pub fn observe(pid: i32) -> Option<(String, String)> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line =
        |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(|l| l.trim().to_owned());
    Some((line("Uid:")?, line("Gid:")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_translates_its_ids_and_no_others() {
        let line = Line { inside: 10, outside: 1000, size: 5 };
        assert_eq!([9, 10, 14, 15].map(|id| line.outside_of(id)), [None, Some(1000), Some(1004), None]);
    }

    #[test]
    fn bad_maps_are_found() {
        let line = |inside, outside, size| Line { inside, outside, size };
        let messages = |lines: &[Line]| -> Vec<String> {
            map_findings("/m", "uid", lines).into_iter().map(|finding| finding.message).collect()
        };
        assert!(messages(&[line(0, 100000, 65536)]).is_empty());
        assert!(messages(&[])[0].contains("at least one"));
        assert!(messages(&[line(0, 5, 0)])[0].contains("size 0"));
        assert!(messages(&[line(0, u32::MAX, 2)])[0].contains("largest id"));
        assert!(messages(&[line(0, 10, 5), line(4, 20, 5)])[0].contains("overlaps"));
        assert!(messages(&[line(0, 10, 5), line(5, 14, 5)])[0].contains("overlaps"));
        assert!(messages(&[line(1, 10, 5)])[0].contains("covers uid 0"));
        assert!(messages(&vec![line(0, 0, 1); 341])[0].contains("340"));
    }
}
