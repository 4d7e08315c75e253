//! # Capabilities: the powers of root, one by one
//!
//! Linux splits what root may do into about forty capabilities, and a process has them in five sets
//! (capabilities(7)): effective is what the kernel checks, permitted what may become effective, inheritable
//! and ambient what survives execve, bounding what can ever be gained.
//!
//! OCI: config.md, Linux process. A capability that is unknown or cannot be granted is a warning, not an
//! error.
//!
//! Order: the bounding set first, while CAP_SETPCAP is still there; then the ids; then capset(2), which ends
//! the powers of root; ambient last, for it needs permitted and inheritable. Inheritable is what the
//! configuration says and nothing more (CVE-2022-29162).

use std::str::FromStr;

use caps::Capability as Known;
use crate_run_plan::Operation;
use serde::Deserialize;

use crate::bundle::finding::{Finding, Pointer};
use crate::bundle::{given, one_of};
use crate::feature::seccomp::Filter;
use crate::host::Host;
use crate::plan::Plan;

const FEATURE: &str = "capabilities";

type Names = Option<Vec<String>>;

/// `process.capabilities`: five lists of names.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Given {
    bounding: Names,
    effective: Names,
    permitted: Names,
    inheritable: Names,
    ambient: Names,
}

impl Given {
    fn sets(&self) -> [(&'static str, &Names); 5] {
        [
            ("bounding", &self.bounding),
            ("effective", &self.effective),
            ("permitted", &self.permitted),
            ("inheritable", &self.inheritable),
            ("ambient", &self.ambient),
        ]
    }
}

/// The five sets, one bit a capability. `None` leaves the sets as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    pub bounding: u64,
    pub effective: u64,
    pub permitted: u64,
    pub inheritable: u64,
    pub ambient: u64,
}

/// The bit of a capability by its name, with or without CAP_.
pub fn bit(name: &str) -> Option<u64> {
    let name = name.to_ascii_uppercase();
    let full = if name.starts_with("CAP_") { name } else { format!("CAP_{name}") };
    Known::from_str(&full).ok().map(|capability| 1 << capability.index())
}

/// The names of the bits in a set, in the order of their numbers.
pub fn names(set: u64) -> Vec<String> {
    let mut known: Vec<Known> = caps::all().into_iter().filter(|known| set & known.bitmask() != 0).collect();
    known.sort_by_key(|known| known.index());
    known.iter().map(ToString::to_string).collect()
}

/// What the kernel can grant of what is asked for.
pub fn resolve(given: &given::Given, host: &Host) -> Option<Capabilities> {
    let [bounding, effective, permitted, inheritable, ambient] =
        given.capabilities.as_ref()?.sets().map(|(_, names)| mask(names) & host.capabilities());
    // capset(2) refuses to make inheritable what is outside the bounding set, and effective what is not
    // permitted; PR_CAP_AMBIENT_RAISE wants both.
    let inheritable = inheritable & bounding;
    let (effective, ambient) = (effective & permitted, ambient & permitted & inheritable);
    Some(Capabilities { bounding, effective, permitted, inheritable, ambient })
}

fn mask(names: &Names) -> u64 {
    names.iter().flatten().filter_map(|name| bit(name)).fold(0, |mask, bit| mask | bit)
}

pub fn findings(given: &given::Given, host: &Host) -> Vec<Finding> {
    let (Some(asked), Some(granted)) = (&given.capabilities, resolve(given, host)) else { return Vec::new() };
    let at = Pointer::from("/process/capabilities");
    let Capabilities { bounding, effective, permitted, inheritable, ambient } = granted;
    let granted = [bounding, effective, permitted, inheritable, ambient];
    let known = names(u64::MAX);
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let mut found = Vec::new();
    for ((word, asked), granted) in asked.sets().into_iter().zip(granted) {
        let unknown = asked.iter().flatten().enumerate().filter(|(_, name)| bit(name).is_none());
        for (index, name) in unknown {
            let message = format!("unknown capability {name:?} is ignored");
            let warning = Finding::warning(at.key(word).index(index), message);
            found.push(warning.cure(one_of(&known, name)));
        }
        let missing = mask(asked) & !granted;
        let reasons = [
            (missing & !host.capabilities(), "crate-run does not have them to give"),
            (missing & host.capabilities(), refusal(word)),
        ];
        for (missing, reason) in reasons.into_iter().filter(|(missing, _)| *missing != 0) {
            let message = format!("the {word} set cannot have {}: {reason}", names(missing).join(", "));
            found.push(Finding::warning(at.key(word), message));
        }
    }
    found
}

/// Why the kernel refuses what the host has.
fn refusal(set: &str) -> &'static str {
    match set {
        "effective" => "what is effective must be permitted",
        "inheritable" => "what is inheritable must be in the bounding set",
        _ => "what is ambient must be permitted and inheritable",
    }
}

/// Before the ids: PR_CAPBSET_DROP takes CAP_SETPCAP, which setresuid(2) takes away.
pub fn bounding(capabilities: &Option<Capabilities>, plan: &mut Plan) {
    if let Some(sets) = capabilities {
        let limit = Operation::LimitBounding { keep: sets.bounding };
        let why = "what is dropped here can never come back, not even by a setuid program";
        plan.child(FEATURE, limit, why).at("/process/capabilities/bounding");
    }
}

/// After the ids.
pub fn steps(capabilities: &Option<Capabilities>, plan: &mut Plan) {
    let Some(sets) = capabilities else { return };
    let Capabilities { effective, permitted, inheritable, ambient, .. } = *sets;
    let set = Operation::SetCapabilities { effective, permitted, inheritable };
    plan.child(FEATURE, set, "exactly these sets, and no others").at("/process/capabilities");
    if ambient != 0 {
        let raise = Operation::SetAmbient { capabilities: ambient };
        let why = "ambient capabilities survive execve of a plain program";
        plan.child(FEATURE, raise, why).at("/process/capabilities/ambient");
    }
}

/// Reads the five sets back. `filter` is one that is in place already, and may forbid to ask.
pub fn verify(capabilities: &Option<Capabilities>, filter: Option<&Filter>, plan: &mut Plan) {
    const PR_CAPBSET_READ: u64 = 23;
    const PR_CAP_AMBIENT: u64 = 47;
    let Some(sets) = capabilities else { return };
    let calls = [("capget", 0), ("prctl", PR_CAPBSET_READ), ("prctl", PR_CAP_AMBIENT)];
    if filter.is_none_or(|filter| filter.allows(&calls)) {
        let Capabilities { effective, permitted, inheritable, bounding, ambient } = *sets;
        let verify = Operation::VerifyCapabilities { effective, permitted, inheritable, bounding, ambient };
        let why = "nothing starts with other powers than the plan says";
        plan.child(FEATURE, verify, why).at("/process/capabilities");
    }
}

/// The five sets of a process, from /proc/PID/status.
pub fn observe(pid: i32) -> Option<Capabilities> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let set = |name: &str| {
        let hex = status.lines().find_map(|line| line.strip_prefix(name))?.trim();
        u64::from_str_radix(hex, 16).ok()
    };
    Some(Capabilities {
        bounding: set("CapBnd:")?,
        effective: set("CapEff:")?,
        permitted: set("CapPrm:")?,
        inheritable: set("CapInh:")?,
        ambient: set("CapAmb:")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_bits_are_each_other() {
        assert_eq!(bit("CAP_CHOWN"), Some(1));
        assert_eq!(bit("sys_admin"), Some(1 << 21));
        assert_eq!(bit("CAP_CHECKPOINT_RESTORE"), Some(1 << 40));
        assert_eq!(bit("CAP_UNHEARD_OF"), None);
        assert_eq!(names(1 << 21 | 1), ["CAP_CHOWN", "CAP_SYS_ADMIN"]);
    }

    #[test]
    fn what_cannot_be_granted_is_left_out_and_told() {
        let json = r#"{
            "bounding": ["CAP_CHOWN", "CAP_NEW"], "effective": ["CAP_KILL"], "permitted": ["CAP_CHOWN"],
            "inheritable": ["CAP_CHOWN", "CAP_FOWNER"], "ambient": ["CAP_CHOWN", "CAP_FOWNER"]
        }"#;
        let capabilities = Some(serde_json::from_str(json).expect("capabilities"));
        let given = given::Given { capabilities, ..given::Given::default() };
        let granted = resolve(&given, &Host::for_tests()).expect("some");
        let [chown, none] = [1, 0];
        let Capabilities { bounding, effective, permitted, inheritable, ambient } = granted;
        assert_eq!([bounding, permitted, inheritable, ambient], [chown; 4]);
        assert_eq!(effective, none);
        let found: Vec<String> =
            findings(&given, &Host::for_tests()).into_iter().map(|finding| finding.message).collect();
        assert_eq!(
            found,
            [
                r#"unknown capability "CAP_NEW" is ignored"#,
                "the effective set cannot have CAP_KILL: what is effective must be permitted",
                "the inheritable set cannot have CAP_FOWNER: what is inheritable must be in the bounding set",
                "the ambient set cannot have CAP_FOWNER: what is ambient must be permitted and inheritable",
            ]
        );
    }
}
