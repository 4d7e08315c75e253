//! What can be wrong with id maps, and with the ids of the program.

use crate_run_sys::namespaces::flag;
use oci_spec::runtime::Spec;

use crate::bundle::Source;
use crate::bundle::finding::{Finding, Pointer};
use crate::feature::namespaces::Namespaces;
use crate::host::Host;

use super::{Identity, Line, Maps, Writer, lines, resolve, text, writer};

/// How many lines a map may have (user_namespaces(7), Linux 4.15).
const MOST: usize = 340;

/// `real`: the maps of the user namespace that is joined, if they can be read.
pub fn findings(source: &Source, namespaces: &Namespaces, real: Option<&Maps>, host: &Host) -> Vec<Finding> {
    let spec = &source.spec;
    let identity = resolve(spec, namespaces).on(host, real);
    let linux = spec.linux().as_ref();
    let given = Maps {
        uids: linux.map(|linux| lines(linux.uid_mappings())).unwrap_or_default(),
        gids: linux.map(|linux| lines(linux.gid_mappings())).unwrap_or_default(),
        keeps_groups: false,
    };
    let mut found = missing_members(source, &given);
    if namespaces.makes(flag::USER) {
        found.extend(map_findings("/linux/uidMappings", "uid", &given.uids));
        found.extend(map_findings("/linux/gidMappings", "gid", &given.gids));
        if found.is_empty() && !source.is_of_entrant() {
            found.extend(writer::findings(&given, &identity.writers, host));
        }
    } else if let Some(joined) = namespaces.joined.iter().find(|joined| joined.kind == flag::USER) {
        found.extend(joined_findings(&given, real, &joined.at));
    } else if given != Maps::default() {
        let message = "id mappings need a user namespace of the container's own";
        let cure = "add {\"type\": \"user\"} to linux.namespaces";
        found.push(Finding::error(place_of(&given), message).cure(cure));
    }
    found.extend(user_findings(spec, &identity, identity.maps.as_ref().or(real)));
    found.extend(group_finding(&identity));
    found
}

/// Groups that nobody can give. Who maps his own group alone has it in his hands; for a user namespace that
/// was there before it is a warning, as engines name groups without looking.
fn group_finding(identity: &Identity) -> Option<Finding> {
    if !identity.keeps_groups || identity.groups.is_empty() {
        return None;
    }
    let at = "/process/user/additionalGids";
    let message = "cannot set any additional groups: the user namespace denies setgroups(2)";
    Some(match identity.writers.gids {
        Writer::OwnId => {
            let cure = "leave them out, or map more gids than your own, for which newgidmap(1) is asked";
            Finding::error(at, message).cure(cure)
        }
        _ => Finding::warning(at, message).cure("leave them out"),
    })
}

fn place_of(given: &Maps) -> &'static str {
    if given.uids.is_empty() { "/linux/gidMappings" } else { "/linux/uidMappings" }
}

/// Each of the three members of a mapping is required; one that is missing reads as 0.
fn missing_members(source: &Source, given: &Maps) -> Vec<Finding> {
    let mut wanted = Vec::new();
    for (list, lines) in [("/linux/uidMappings", &given.uids), ("/linux/gidMappings", &given.gids)] {
        for (index, line) in lines.iter().take(MOST).enumerate() {
            let at = Pointer::from(list).index(index);
            let members = [("containerID", line.inside), ("hostID", line.outside), ("size", line.size)];
            wanted.extend(members.iter().filter(|(_, value)| *value == 0).map(|(name, _)| at.key(name)));
        }
    }
    let missing = |at: Pointer| {
        let name = at.as_str().rsplit('/').next().unwrap_or_default();
        let message = format!("a mapping needs {name:?}");
        Finding::error(at, message).cure("a mapping has containerID, hostID and size")
    };
    source.missing(&wanted).into_iter().map(missing).collect()
}

/// The maps of a namespace that exists are as they are: others cannot be given to it.
fn joined_findings(given: &Maps, real: Option<&Maps>, at: &Pointer) -> Vec<Finding> {
    let mut found = Vec::new();
    let Some(real) = real else { return found };
    for (word, lines) in [("user", &real.uids), ("group", &real.gids)] {
        if !lines.iter().any(|line| line.outside_of(0).is_some()) {
            let message = format!("this user namespace has no {word} 0, which sets the container up");
            found.push(Finding::error(at.clone(), message).cure("join one that maps user 0 and group 0"));
        }
    }
    if *given == Maps::default() {
        return found;
    }
    let sorted = |lines: &[Line]| {
        let mut lines = lines.to_vec();
        lines.sort();
        lines
    };
    let same = |given: &[Line], real: &[Line]| given.is_empty() || sorted(given) == sorted(real);
    // Engines repeat the mappings for each container of a pod: that is no matter for a warning.
    if !(same(&given.uids, &real.uids) && same(&given.gids, &real.gids)) {
        let message = "the user namespace that is joined has other id mappings";
        let cure = "leave them out, for those of an existing namespace stay as they are";
        found.push(Finding::error(place_of(given), message).cure(cure));
    }
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
    // What the kernel takes as one map is less than a page (user_namespaces(7)).
    let longest = rustix::param::page_size() - 1;
    let message = if lines.len() > MOST {
        format!("{} {word} mappings are more than the {MOST} that the kernel takes", lines.len())
    } else if text(lines).len() > longest {
        format!("these {word} mappings are longer than the {longest} bytes that the kernel takes")
    } else {
        String::new()
    };
    if !message.is_empty() {
        return vec![Finding::error(at.clone(), message).cure("join neighbouring ranges into one mapping")];
    }
    for (index, line) in lines.iter().enumerate() {
        let at = at.index(index);
        let overflows =
            |start: u32| start.checked_add(line.size.saturating_sub(1)).is_none_or(|end| end == u32::MAX);
        if line.size == 0 {
            found.push(Finding::error(at.key("size"), format!("a {word} mapping of size 0 maps nothing")));
        } else if overflows(line.inside) || overflows(line.outside) {
            let message = format!("this {word} mapping runs past the largest id, 4294967294");
            found.push(Finding::error(at, message));
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

fn user_findings(spec: &Spec, identity: &Identity, maps: Option<&Maps>) -> Vec<Finding> {
    let mut found = Vec::new();
    if spec.process().is_none() {
        return found;
    }
    let at = Pointer::from("/process/user");
    let mapped = |lines: fn(&Maps) -> &Vec<Line>, id: u32| match maps {
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

#[cfg(test)]
mod tests {
    use super::*;

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
