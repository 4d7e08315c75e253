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
use oci_spec::runtime::{Capabilities as Set, Spec};

use crate::bundle::finding::{Finding, Pointer};
use crate::feature::seccomp::Filter;
use crate::host::Host;
use crate::plan::Plan;

const FEATURE: &str = "capabilities";

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

fn mask(set: &Option<Set>) -> u64 {
    set.iter().flatten().filter_map(|capability| bit(&capability.to_string())).fold(0, |mask, bit| mask | bit)
}

/// What the kernel can grant of what is asked for.
pub fn resolve(spec: &Spec, host: &Host) -> Option<Capabilities> {
    let given = spec.process().as_ref()?.capabilities().as_ref()?;
    let grantable = host.capabilities();
    let bounding = mask(given.bounding()) & grantable;
    let permitted = mask(given.permitted()) & grantable;
    let inheritable = mask(given.inheritable()) & grantable;
    Some(Capabilities {
        bounding,
        permitted,
        // The kernel refuses an effective capability that is not permitted.
        effective: mask(given.effective()) & permitted,
        inheritable,
        ambient: mask(given.ambient()) & permitted & inheritable,
    })
}

pub fn findings(spec: &Spec, host: &Host) -> Vec<Finding> {
    let given = spec.process().as_ref().and_then(|process| process.capabilities().as_ref());
    let (Some(given), Some(granted)) = (given, resolve(spec, host)) else { return Vec::new() };
    let at = Pointer::from("/process/capabilities");
    let sets = [
        ("bounding", given.bounding(), granted.bounding),
        ("effective", given.effective(), granted.effective),
        ("permitted", given.permitted(), granted.permitted),
        ("inheritable", given.inheritable(), granted.inheritable),
        ("ambient", given.ambient(), granted.ambient),
    ];
    let mut found = Vec::new();
    for (word, asked, granted) in sets {
        let missing = names(mask(asked) & !granted);
        if !missing.is_empty() {
            let list = missing.join(", ");
            let message = format!("the {word} set cannot have {list}: not granted");
            found.push(Finding::warning(at.key(word), message));
        }
    }
    found
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
}
