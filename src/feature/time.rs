//! # Time namespace: other offsets for the monotonic and the boot clock
//!
//! A container that was moved here from another machine should not see its clocks jump (time_namespaces(7),
//! Linux 5.6). The namespace is made with unshare(2), which moves nobody into it; then the offsets are
//! written, once; then the process enters.
//!
//! OCI: config-linux.md, Offset for Time Namespace.
//!
//! Order: unshare, offsets, enter. The offsets are written from outside, for the files of the sealed child
//! belong to the host's root; the way in leads through the private procfs.

use std::collections::BTreeMap;

use crate_run_plan::Operation;
use crate_run_sys::Errno;
use crate_run_sys::namespaces::flag;
use oci_spec::runtime::Spec;

use crate::bundle::finding::{Finding, Pointer};
use crate::feature::identity;
use crate::feature::namespaces::Namespaces;
use crate::plan::{HostAction, Plan};

const FEATURE: &str = "time";

/// The clocks that have offsets, by their names in timens_offsets.
const CLOCKS: [&str; 2] = ["monotonic", "boottime"];

/// How far the kernel lets a clock be moved: half of what it counts in 64 bits of nanoseconds
/// (kernel/time/namespace.c).
const MOST_SECONDS: u64 = (i64::MAX / 1_000_000_000 / 2) as u64;

/// The time namespace, when a new one is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Time {
    /// Lines for timens_offsets; empty when no clock is moved. `None` without a new namespace.
    pub offsets: Option<String>,
}

pub fn resolve(spec: &Spec, namespaces: &Namespaces) -> Time {
    if !namespaces.makes(flag::TIME) {
        return Time::default();
    }
    let given = spec.linux().as_ref().and_then(|linux| linux.time_offsets().as_ref());
    let line = |clock: &&str| {
        let offset = given?.get(*clock)?;
        Some(format!("{clock} {} {}\n", offset.secs().unwrap_or(0), offset.nanosecs().unwrap_or(0)))
    };
    Time { offsets: Some(CLOCKS.iter().filter_map(line).collect()) }
}

pub fn findings(spec: &Spec, namespaces: &Namespaces) -> Vec<Finding> {
    let at = Pointer::from("/linux/timeOffsets");
    let Some(given) = spec.linux().as_ref().and_then(|linux| linux.time_offsets().as_ref()) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    if !given.is_empty() && namespaces.has(flag::TIME) && !namespaces.makes(flag::TIME) {
        let message = "the offsets of a time namespace that is joined cannot be changed";
        found.push(
            Finding::error(at.clone(), message).cure("leave them out, or leave the namespace's path out"),
        );
    } else if !given.is_empty() && !namespaces.makes(flag::TIME) {
        let message = "time offsets need a new time namespace";
        found.push(Finding::error(at.clone(), message).cure("add {\"type\": \"time\"} to linux.namespaces"));
    }
    for (clock, offset) in given.iter().collect::<BTreeMap<_, _>>() {
        if !CLOCKS.contains(&clock.as_str()) {
            let message = format!("there is no clock {clock:?} with an offset");
            found.push(Finding::error(at.key(clock), message).cure("the clocks are monotonic and boottime"));
        }
        if offset.nanosecs().is_some_and(|nanoseconds| nanoseconds > 999_999_999) {
            let message = "nanosecs must be less than 1000000000";
            found.push(Finding::error(at.key(clock).key("nanosecs"), message).cure("add the rest to secs"));
        }
        if let Some(seconds) = offset.secs().filter(|seconds| seconds.unsigned_abs() > MOST_SECONDS) {
            let message =
                format!("an offset of {seconds} s is more than the 146 years that the kernel takes");
            found.push(
                Finding::error(at.key(clock).key("secs"), message).cure("secs are seconds, not nanoseconds"),
            );
        }
    }
    found
}

/// Does a step need the private procfs?
pub fn needs_proc(time: &Time) -> bool {
    time.offsets.is_some()
}

pub fn steps(time: &Time, plan: &mut Plan) {
    let Some(offsets) = &time.offsets else { return };
    let leave = Operation::LeaveNamespaces { kinds: flag::TIME };
    plan.child(FEATURE, leave, "the namespace is made, and nobody is in it yet").at("/linux/namespaces");
    if !offsets.is_empty() {
        let write = HostAction::WriteTimeOffsets { offsets: offsets.clone() };
        let why = "offsets can be set only before the first process enters";
        plan.host(FEATURE, write, why).at("/linux/timeOffsets");
    }
    plan.child(FEATURE, Operation::EnterTime {}, "clocks are now those of the container")
        .at("/linux/namespaces");
}

/// What usually mends it when the kernel does not take the offsets.
pub fn cure(errno: Errno) -> Option<&'static str> {
    Some(match errno {
        Errno::ERANGE => {
            "no clock of a container may be negative: an offset of -N seconds takes N seconds of uptime"
        }
        Errno::EACCES => identity::ROOT_MUST_BE_SELF,
        _ => return None,
    })
}
