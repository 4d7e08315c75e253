//! Which devices a container may use: the rules of `linux.resources.devices`.
//!
//! Kernel: cgroup v1 had a `devices` controller with lists. v2 has a hook instead: an eBPF program of type
//! `BPF_PROG_TYPE_CGROUP_DEVICE` is asked at every mknod(2) and every open of a device node, and answers 1 or
//! 0. Programs of all cgroups above must agree, so a container can never widen what it got.
//!
//! OCI (config-linux.md, "Allowed Device list"): rules are applied in order. An unset type means all devices,
//! an unset major or minor number means every number. We read the list so: *each of read, write and mknod is
//! decided by the last rule that covers the device and names that access; what no rule decides is denied*.
//! A first rule that denies everything is therefore the same as none, and a list that forgets it stays closed
//! (runc before 1.0-rc91 opened everything: GHSA-g54h-m393-cpwq). A rule for all devices overrides everything
//! before it, which is the reset that `a` meant on v1.
//!
//! The built-in rules come last and so always win: mknod of anything (harmless without read or write), and
//! the nodes that every container has.
//!
//! `simplify` drops rules that cannot matter, `program` compiles the rest. Loading and attaching is bpf(2).
//! Man pages: bpf(2), cgroups(7). Kernel: cgroup-v2.rst, "Device controller".

pub mod attached;
pub mod insn;
pub mod program;
pub mod simplify;
pub mod systemd;

use std::fmt;

use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType};

use crate::bundle::finding::{Finding, Pointer};

/// A set of accesses: the bits `MKNOD`, `READ` and `WRITE`, as linux/bpf.h numbers them (`BPF_DEVCG_ACC_*`).
pub type Access = u8;
pub const MKNOD: Access = 1;
pub const READ: Access = 2;
pub const WRITE: Access = 4;
pub const EVERY_ACCESS: Access = MKNOD | READ | WRITE;

/// The kind of a device node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Block,
    Char,
}

/// The devices that a rule covers; `None` covers all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern {
    pub kind: Option<Kind>,
    pub major: Option<u32>,
    pub minor: Option<u32>,
}

/// Whether a rule opens or closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    Deny,
    Allow,
}

/// One rule of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rule {
    pub verdict: Verdict,
    pub pattern: Pattern,
    pub access: Access,
}

/// What the kernel asks: may this device be accessed so?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    pub kind: Kind,
    pub major: u32,
    pub minor: u32,
    /// At least one bit.
    pub access: Access,
}

/// The rules that every container gets, after its own.
///
/// `/dev/net/tun` stays for compatibility: runc and crun dropped it once and took it back.
pub const BUILT_IN: [Rule; 10] = [
    allow(None, None, None, MKNOD),
    allow(Some(Kind::Char), Some(1), Some(3), EVERY_ACCESS), // null
    allow(Some(Kind::Char), Some(1), Some(5), EVERY_ACCESS), // zero
    allow(Some(Kind::Char), Some(1), Some(7), EVERY_ACCESS), // full
    allow(Some(Kind::Char), Some(1), Some(8), EVERY_ACCESS), // random
    allow(Some(Kind::Char), Some(1), Some(9), EVERY_ACCESS), // urandom
    allow(Some(Kind::Char), Some(5), Some(0), EVERY_ACCESS), // tty
    allow(Some(Kind::Char), Some(5), Some(2), EVERY_ACCESS), // ptmx
    allow(Some(Kind::Char), Some(136), None, EVERY_ACCESS),  // pts/*
    allow(Some(Kind::Char), Some(10), Some(200), EVERY_ACCESS), // net/tun
];

const fn allow(kind: Option<Kind>, major: Option<u32>, minor: Option<u32>, access: Access) -> Rule {
    Rule { verdict: Verdict::Allow, pattern: Pattern { kind, major, minor }, access }
}

impl Pattern {
    /// Every device.
    pub const ALL: Self = Self { kind: None, major: None, minor: None };

    /// Whether every device of `other` is also one of this pattern.
    pub fn covers(&self, other: &Self) -> bool {
        covers(self.kind, other.kind) && covers(self.major, other.major) && covers(self.minor, other.minor)
    }

    /// Whether some device belongs to both patterns.
    pub fn meets(&self, other: &Self) -> bool {
        meets(self.kind, other.kind) && meets(self.major, other.major) && meets(self.minor, other.minor)
    }
}

fn covers<T: PartialEq>(wide: Option<T>, narrow: Option<T>) -> bool {
    wide.is_none() || wide == narrow
}

fn meets<T: PartialEq>(one: Option<T>, other: Option<T>) -> bool {
    one.is_none() || other.is_none() || one == other
}

/// The verdict of `rules` in plain words: the meaning that the compiled program must have.
pub fn decide(rules: &[Rule], request: &Request) -> Verdict {
    let device = Pattern { kind: Some(request.kind), major: Some(request.major), minor: Some(request.minor) };
    let is_allowed = |bit: Access| {
        let last = rules.iter().rev().find(|rule| rule.access & bit != 0 && rule.pattern.covers(&device));
        last.is_some_and(|rule| rule.verdict == Verdict::Allow)
    };
    let mut asked = [MKNOD, READ, WRITE].into_iter().filter(|bit| request.access & bit != 0);
    if asked.all(is_allowed) { Verdict::Allow } else { Verdict::Deny }
}

/// The rules of a container: those of its configuration that can be read, and the built-in ones after them.
///
/// Entries that `findings` calls errors are left out.
pub fn rules(list: &[LinuxDeviceCgroup]) -> Vec<Rule> {
    let own = list.iter().filter_map(|entry| read_rule(entry, &Pointer::root()).ok());
    own.chain(BUILT_IN).collect()
}

/// What is wrong with `linux.resources.devices`; `at` is the place of the list.
pub fn findings(list: &[LinuxDeviceCgroup], at: &Pointer) -> Vec<Finding> {
    let mut found = Vec::new();
    for (index, entry) in list.iter().enumerate() {
        let at = at.index(index);
        match read_rule(entry, &at) {
            Err(errors) => found.extend(errors),
            Ok(rule) => found.extend(narrow_wildcard(entry, &rule, &at)),
        }
    }
    found
}

/// On v1, and in runc, a rule of type `a` covers everything, whatever else it says. Ours means what it says.
fn narrow_wildcard(entry: &LinuxDeviceCgroup, rule: &Rule, at: &Pointer) -> Option<Finding> {
    let says_more = rule.pattern != Pattern::ALL || rule.access != EVERY_ACCESS;
    if rule.pattern.kind.is_some() || !says_more {
        return None;
    }
    let verb = if entry.allow() { "allow" } else { "deny" };
    let message = format!("this rule has no device type, and only covers: {verb} {rule}");
    let cure = "give the type c or b; runc would take the rule for every device and every access";
    Some(Finding::warning(at.clone(), message).cure(cure))
}

fn read_rule(entry: &LinuxDeviceCgroup, at: &Pointer) -> Result<Rule, Vec<Finding>> {
    let mut errors = Vec::new();
    let kind = match entry.typ() {
        None | Some(LinuxDeviceType::A) => None,
        Some(LinuxDeviceType::B) => Some(Kind::Block),
        Some(LinuxDeviceType::C | LinuxDeviceType::U) => Some(Kind::Char),
        Some(LinuxDeviceType::P) => {
            errors.push(Finding::error(at.key("type"), "a FIFO is no device, so no rule can cover it"));
            None
        }
    };
    let mut number = |name: &str, value: Option<i64>| match value {
        // -1 is how runc writes "every number".
        None | Some(-1) => None,
        Some(number) => u32::try_from(number)
            .map_err(|_| {
                let message = format!("{number} is not a device number");
                errors.push(Finding::error(at.key(name), message).cure("leave it out for every number"));
            })
            .ok(),
    };
    let (major, minor) = (number("major", entry.major()), number("minor", entry.minor()));
    let access = read_access(entry.access().as_deref().unwrap_or_default()).unwrap_or_else(|message| {
        let finding = Finding::error(at.key("access"), message);
        errors.push(finding.cure("write the letters r (read), w (write) and m (mknod) that are meant"));
        0
    });
    let verdict = if entry.allow() { Verdict::Allow } else { Verdict::Deny };
    let rule = Rule { verdict, pattern: Pattern { kind, major, minor }, access };
    if errors.is_empty() { Ok(rule) } else { Err(errors) }
}

fn read_access(letters: &str) -> Result<Access, String> {
    if letters.is_empty() {
        return Err("device access cannot be empty".to_owned());
    }
    letters.chars().try_fold(0, |access, letter| match letter {
        'r' => Ok(access | READ),
        'w' => Ok(access | WRITE),
        'm' => Ok(access | MKNOD),
        _ => Err(format!("device access {letters:?} holds {letter:?}")),
    })
}

/// The notation of cgroup v1: `c 1:3 rwm`.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.pattern.kind.map_or('a', |kind| if kind == Kind::Block { 'b' } else { 'c' });
        let number = |number: Option<u32>| number.map_or_else(|| "*".to_owned(), |n| n.to_string());
        write!(f, "{kind} {}:{} ", number(self.pattern.major), number(self.pattern.minor))?;
        for (bit, letter) in [(READ, 'r'), (WRITE, 'w'), (MKNOD, 'm')] {
            if self.access & bit != 0 {
                write!(f, "{letter}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::bundle::finding::Severity;

    pub(crate) fn parsed(json: &str) -> Vec<LinuxDeviceCgroup> {
        serde_json::from_str(json).expect("a list of LinuxDeviceCgroup objects")
    }

    fn verdict(json: &str, kind: Kind, device: (u32, u32), access: Access) -> Verdict {
        let request = Request { kind, major: device.0, minor: device.1, access };
        decide(&rules(&parsed(json)), &request)
    }

    const DENY_ALL: &str = r#"[{"allow": false, "access": "rwm"}]"#;

    #[test]
    fn without_rules_only_the_built_in_devices_are_open() {
        for list in ["[]", DENY_ALL] {
            assert_eq!(verdict(list, Kind::Char, (1, 3), READ | WRITE), Verdict::Allow);
            assert_eq!(verdict(list, Kind::Char, (136, 77), READ | WRITE), Verdict::Allow);
            assert_eq!(verdict(list, Kind::Block, (1, 3), READ), Verdict::Deny);
            assert_eq!(verdict(list, Kind::Block, (8, 0), READ), Verdict::Deny);
            assert_eq!(verdict(list, Kind::Char, (1, 1), READ), Verdict::Deny, "/dev/mem");
            assert_eq!(verdict(list, Kind::Block, (8, 0), MKNOD), Verdict::Allow);
            assert_eq!(verdict(list, Kind::Block, (8, 0), MKNOD | READ), Verdict::Deny);
        }
    }

    #[test]
    fn a_list_that_forgets_to_deny_stays_closed() {
        let list = r#"[{"allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw"}]"#;
        assert_eq!(verdict(list, Kind::Char, (10, 229), READ | WRITE), Verdict::Allow);
        assert_eq!(verdict(list, Kind::Char, (10, 230), READ), Verdict::Deny);
    }

    #[test]
    fn the_last_rule_wins_for_each_access_alone() {
        let list = r#"[{"allow": true, "type": "b", "major": 8, "access": "rw"},
                       {"allow": false, "type": "b", "major": 8, "minor": 1, "access": "w"}]"#;
        assert_eq!(verdict(list, Kind::Block, (8, 0), READ | WRITE), Verdict::Allow);
        assert_eq!(verdict(list, Kind::Block, (8, 1), READ), Verdict::Allow);
        assert_eq!(verdict(list, Kind::Block, (8, 1), WRITE), Verdict::Deny);
        assert_eq!(verdict(list, Kind::Block, (8, 1), READ | WRITE), Verdict::Deny, "open for both");
    }

    #[test]
    fn a_rule_for_everything_resets_the_list() {
        let list = r#"[{"allow": true, "type": "b", "major": 8, "access": "r"},
                       {"allow": false, "type": "a", "access": "rwm"}]"#;
        assert_eq!(verdict(list, Kind::Block, (8, 0), READ), Verdict::Deny);
        let list = r#"[{"allow": false, "type": "b", "major": 8, "access": "r"},
                       {"allow": true, "type": "a", "access": "rwm"}]"#;
        assert_eq!(verdict(list, Kind::Block, (8, 0), READ), Verdict::Allow);
    }

    #[test]
    fn the_built_in_devices_cannot_be_taken_away() {
        let list = r#"[{"allow": false, "type": "c", "major": 1, "minor": 3, "access": "rwm"}]"#;
        assert_eq!(verdict(list, Kind::Char, (1, 3), READ | WRITE), Verdict::Allow);
    }

    #[test]
    fn entries_that_mean_nothing_are_errors() {
        let cases = [
            (r#"[{"allow": true, "type": "c"}]"#, "/0/access"),
            (r#"[{"allow": true, "type": "c", "access": ""}]"#, "/0/access"),
            (r#"[{"allow": true, "type": "c", "access": "rx"}]"#, "/0/access"),
            (r#"[{"allow": true, "type": "p", "access": "r"}]"#, "/0/type"),
            (r#"[{"allow": true, "type": "c", "major": -2, "access": "r"}]"#, "/0/major"),
            (r#"[{"allow": true, "type": "c", "minor": 4294967296, "access": "r"}]"#, "/0/minor"),
        ];
        for (json, place) in cases {
            let found = findings(&parsed(json), &Pointer::root());
            assert_eq!(found.len(), 1, "{json}");
            assert_eq!((found[0].severity, found[0].at.as_str()), (Severity::Error, place), "{json}");
            assert_eq!(rules(&parsed(json)), BUILT_IN, "a rule with an error opens nothing");
        }
        assert!(findings(&parsed(DENY_ALL), &Pointer::root()).is_empty());
        let u = r#"[{"allow": true, "type": "u", "major": -1, "access": "rrw"}]"#;
        assert_eq!(rules(&parsed(u))[0].to_string(), "c *:* rw");
    }

    #[test]
    fn a_rule_without_a_type_that_says_more_is_mentioned() {
        let list = parsed(r#"[{"allow": true, "major": 10, "minor": 229, "access": "rwm"}]"#);
        let found = findings(&list, &Pointer::from("/linux/resources/devices"));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].severity, Severity::Warning);
        assert_eq!(found[0].at.as_str(), "/linux/resources/devices/0");
        assert_eq!(decide(&rules(&list), &request(10, 229)), Verdict::Allow);
        assert_eq!(decide(&rules(&list), &request(10, 228)), Verdict::Deny);
    }

    fn request(major: u32, minor: u32) -> Request {
        Request { kind: Kind::Char, major, minor, access: READ }
    }
}
