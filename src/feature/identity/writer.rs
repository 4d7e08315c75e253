//! Who writes the id maps of a new user namespace (user_namespaces(7), "Defining user and group ID
//! mappings").
//!
//! Whoever has CAP_SETUID and CAP_SETGID writes any map. Everybody may map his own user and group, each to
//! one id; for the group, setgroups(2) must be denied first, or the map would be a way out of a group that is
//! denied access. Any other map of an ordinary user takes newuidmap(1) and newgidmap(1), which look into
//! /etc/subuid and /etc/subgid for what the administrator has given him. They are looked for in PATH, as
//! other runtimes do: they gain their power from the file they are, never from us.

use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::bundle::finding::{Finding, Pointer};
use crate::bundle::path::OutsidePath;
use crate::host::Host;

use super::{Line, Maps};

/// How one of the two maps is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Writer {
    /// By the runtime, which may map any id.
    Runtime,
    /// By the runtime, which maps nothing but the id that it has itself.
    OwnId,
    /// By this helper.
    Helper(OutsidePath),
}

/// How both are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writers {
    pub uids: Writer,
    pub gids: Writer,
}

impl Default for Writers {
    fn default() -> Self {
        Self { uids: Writer::Runtime, gids: Writer::Runtime }
    }
}

impl fmt::Display for Writers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = |writer: &Writer| match writer {
            Writer::Helper(path) => Some(path.to_string()),
            Writer::Runtime | Writer::OwnId => None,
        };
        match (words(&self.uids), words(&self.gids)) {
            (None, None) => Ok(()),
            (Some(uids), Some(gids)) => write!(f, " by {uids} and {gids}"),
            (Some(one), None) | (None, Some(one)) => write!(f, " by {one}"),
        }
    }
}

/// One of the two kinds of ids.
struct Kind {
    word: &'static str,
    list: &'static str,
    helper: &'static str,
    file: &'static str,
}

const USERS: Kind =
    Kind { word: "uid", list: "/linux/uidMappings", helper: "newuidmap", file: "/etc/subuid" };
const GROUPS: Kind =
    Kind { word: "gid", list: "/linux/gidMappings", helper: "newgidmap", file: "/etc/subgid" };

/// Who writes these maps on this host.
pub fn of(maps: &Maps, host: &Host) -> Writers {
    let writer = |lines: &[Line], own: u32, kind: &Kind| match lines {
        _ if host.powers.maps_ids => Writer::Runtime,
        [Line { outside, size: 1, .. }] if *outside == own => Writer::OwnId,
        _ => {
            let found = if host.can_be_asked() { in_path(kind.helper) } else { None };
            let path = found.unwrap_or_else(|| Path::new("/usr/bin").join(kind.helper));
            OutsidePath::new(Path::new("/"), &path).map_or(Writer::Runtime, Writer::Helper)
        }
    };
    Writers { uids: writer(&maps.uids, host.euid, &USERS), gids: writer(&maps.gids, host.egid, &GROUPS) }
}

/// What keeps these maps from being written.
pub fn findings(maps: &Maps, writers: &Writers, host: &Host) -> Vec<Finding> {
    if !host.can_be_asked() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (kind, lines, writer, own) in
        [(&USERS, &maps.uids, &writers.uids, host.euid), (&GROUPS, &maps.gids, &writers.gids, host.egid)]
    {
        match writer {
            Writer::Helper(_) => {
                found.extend(helper_finding(kind, own));
                found.extend(range_findings(kind, lines, own, host.euid));
            }
            Writer::Runtime if host.nested => found.extend(nested_findings(kind, lines)),
            Writer::Runtime | Writer::OwnId => {}
        }
    }
    found
}

/// Which users and which groups a container of an ordinary user can have, in words.
pub fn mappable(host: &Host) -> [(&'static str, String); 2] {
    [(&USERS, host.euid), (&GROUPS, host.egid)].map(|(kind, own)| {
        let ranges = || Some(ranges_of(&subordinate(kind.file)?, &name_of(host.euid)?, host.euid));
        let words = match (helper_finding(kind, own), ranges()) {
            (Some(finding), _) => format!("{own} alone: {}", finding.message),
            (None, None) => format!("{own}, and what {} allows", kind.helper),
            (None, Some(ranges)) if ranges.is_empty() => format!("{own} alone: {} has no others", kind.file),
            (None, Some(ranges)) => format!("{own}; {} by {}", listed(&ranges), kind.helper),
        };
        (kind.word, words)
    })
}

fn listed(ranges: &[(u32, u32)]) -> String {
    let words: Vec<String> =
        ranges.iter().map(|(first, count)| format!("{first} and {} more", count - 1)).collect();
    words.join(", ")
}

/// The first program of this name in PATH.
pub fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let places = std::env::split_paths(&path).filter(|place| place.is_absolute());
    places.map(|place| place.join(name)).find(|file| {
        std::fs::metadata(file)
            .is_ok_and(|status| status.is_file() && status.permissions().mode() & 0o111 != 0)
    })
}

/// A helper must be there, and be able to get more power than its caller has.
fn helper_finding(kind: &Kind, own: u32) -> Option<Finding> {
    let Kind { word, helper, .. } = kind;
    let only_own = format!("or map {word} {own} alone, as `crate-run spec --rootless` does");
    let (message, cure) = match in_path(helper) {
        None => {
            let message = format!("to map other {word}s than one's own takes {helper}, which is not in PATH");
            (message, format!("install it (Debian: uidmap, Fedora: shadow-utils), {only_own}"))
        }
        Some(path) if !gains_power(&path) => {
            let message = format!(
                "{} is neither setuid root nor has it file capabilities: it cannot map other {word}s than \
                 one's own",
                path.display()
            );
            (message, format!("let root reinstall its package, {only_own}"))
        }
        Some(path) if crate_run_sys::credentials::no_new_privileges().unwrap_or(false) => {
            let shown = path.display();
            let message = format!("{shown} gains no power here: crate-run was started with no_new_privs");
            (message, format!("start it without (systemd: NoNewPrivileges=no), {only_own}"))
        }
        Some(_) => return None,
    };
    Some(Finding::error(kind.list, message).cure(cure))
}

/// Is the program setuid root, or does it have file capabilities (capabilities(7), "File capabilities")?
fn gains_power(path: &Path) -> bool {
    const SETUID: u32 = 0o4000;
    let setuid = std::fs::metadata(path).is_ok_and(|status| status.permissions().mode() & SETUID != 0);
    setuid || rustix::fs::getxattr(path, c"security.capability", &mut [0u8; 64]).is_ok()
}

/// Ids that the administrator has not given to this user.
fn range_findings(kind: &Kind, lines: &[Line], own: u32, user: u32) -> Vec<Finding> {
    let Some((name, text)) = name_of(user).zip(subordinate(kind.file)) else { return Vec::new() };
    let mine = ranges_of(&text, &name, user);
    let is_own = |line: &&Line| line.size == 1 && line.outside == own;
    let refused = |(index, line): (usize, &Line)| {
        let last = line.outside.saturating_add(line.size.saturating_sub(1));
        let Line { outside: first, size, .. } = line;
        let message = format!("the {}s {first} to {last} of the host are not yours to map", kind.word);
        let cure = match mine.as_slice() {
            [] => format!("let root add a line to {}, such as {name}:{first}:{size}", kind.file),
            mine => format!("map those that {} gives to {name}: {}", kind.file, listed(mine)),
        };
        Finding::error(Pointer::from(kind.list).index(index), message).cure(cure)
    };
    let lines = lines.iter().enumerate().filter(|(_, line)| !is_own(line) && !covers(&mine, line));
    lines.map(refused).collect()
}

/// The file of subordinate ids (subuid(5)); empty when there is none. `None` where the name service knows
/// more than the file (nsswitch.conf(5), subid).
fn subordinate(file: &str) -> Option<String> {
    let services = std::fs::read_to_string("/etc/nsswitch.conf").unwrap_or_default();
    let elsewhere = |line: &str| {
        line.trim_start().strip_prefix("subid:").is_some_and(|services| services.trim() != "files")
    };
    if services.lines().any(elsewhere) {
        return None;
    }
    match std::fs::read(file) {
        Ok(text) => Some(String::from_utf8_lossy(&text).into_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(String::new()),
        Err(_) => None,
    }
}

/// The name in passwd(5); whom only the name service knows, the helper may know.
fn name_of(user: u32) -> Option<String> {
    let text = std::fs::read("/etc/passwd").ok()?;
    let text = String::from_utf8_lossy(&text);
    let mut names = text.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(user)).then(|| name.to_owned())
    });
    names.next()
}

/// `name:start:count` or `uid:start:count`, one line each (subuid(5)).
fn ranges_of(text: &str, name: &str, user: u32) -> Vec<(u32, u32)> {
    let range = |line: &str| {
        let mut fields = line.trim().split(':');
        let owner = fields.next()?;
        let number = |field: Option<&str>| field?.parse::<u32>().ok();
        let (start, count) = (number(fields.next())?, number(fields.next())?);
        (owner == name || owner.parse() == Ok(user)).then_some((start, count)).filter(|(_, count)| *count > 0)
    };
    text.lines().filter_map(range).collect()
}

/// Several ranges side by side are as good as one.
fn covers(ranges: &[(u32, u32)], line: &Line) -> bool {
    let end = u64::from(line.outside) + u64::from(line.size);
    let mut reached = u64::from(line.outside);
    while reached < end {
        let ends = ranges.iter().filter_map(|(start, count)| {
            let (start, end) = (u64::from(*start), u64::from(*start) + u64::from(*count));
            (start <= reached && reached < end).then_some(end)
        });
        match ends.max() {
            Some(further) => reached = further,
            None => return false,
        }
    }
    true
}

/// Root of a user namespace maps on what that has (user_namespaces(7)).
fn nested_findings(kind: &Kind, lines: &[Line]) -> Vec<Finding> {
    let Ok(own) = std::fs::read_to_string(format!("/proc/self/{}_map", kind.word)) else { return Vec::new() };
    let own: Vec<(u32, u32)> = super::read_lines(&own).iter().map(|line| (line.inside, line.size)).collect();
    let refused = |(index, line): (usize, &Line)| {
        let last = line.outside.saturating_add(line.size.saturating_sub(1));
        let message = format!(
            "the {}s {} to {last} do not exist in the user namespace of crate-run itself",
            kind.word, line.outside
        );
        let cure = "map ids that `cat /proc/self/uid_map` and gid_map list in their first column";
        Finding::error(Pointer::from(kind.list).index(index), message).cure(cure)
    };
    lines.iter().enumerate().filter(|(_, line)| !covers(&own, line)).map(refused).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(outside: u32, size: u32) -> Line {
        Line { inside: 0, outside, size }
    }

    fn maps(uids: &[Line], gids: &[Line]) -> Maps {
        Maps { uids: uids.to_vec(), gids: gids.to_vec(), ..Maps::default() }
    }

    #[test]
    fn everybody_writes_his_own_id_and_helpers_the_rest() {
        let user = Host::for_user(1000);
        let helper =
            |name: &str| Writer::Helper(OutsidePath::new(Path::new("/usr/bin"), Path::new(name)).unwrap());
        let own = of(&maps(&[line(1000, 1)], &[line(1000, 1)]), &user);
        assert_eq!(own, Writers { uids: Writer::OwnId, gids: Writer::OwnId });
        let others = of(&maps(&[line(100_000, 65536)], &[line(1000, 2)]), &user);
        assert_eq!(others, Writers { uids: helper("newuidmap"), gids: helper("newgidmap") });
        assert_eq!(others.to_string(), " by /usr/bin/newuidmap and /usr/bin/newgidmap");
        let root = of(&maps(&[line(100_000, 65536)], &[line(0, 1)]), &Host::for_tests());
        assert_eq!(root, Writers::default());
    }

    #[test]
    fn ranges_are_those_of_the_user_by_name_or_number() {
        let text = "ann:100000:65536\nbob:1:1\n1000:300000:10\nann:x:1\n# ann\nann:5:0\n";
        assert_eq!(ranges_of(text, "ann", 1000), [(100_000, 65536), (300_000, 10)]);
        assert_eq!(ranges_of(text, "eve", 1001), []);
    }

    #[test]
    fn neighbouring_ranges_are_one() {
        let ranges = [(100, 10), (110, 5), (200, 1)];
        for (line, known) in [(line(100, 15), true), (line(105, 10), true), (line(100, 16), false)] {
            assert_eq!(covers(&ranges, &line), known, "{line:?}");
        }
        assert!(!covers(&ranges, &line(99, 2)) && covers(&ranges, &line(200, 1)));
        assert!(!covers(&[(u32::MAX - 1, 1)], &line(u32::MAX - 1, 2)));
    }

    #[test]
    fn programs_are_found_in_absolute_places_of_path_only() {
        assert!(in_path("sh").is_some_and(|path| path.is_absolute()));
        assert_eq!(in_path("no-such-program-anywhere"), None);
        assert!(!gains_power(&in_path("sh").unwrap()));
    }
}
