//! # A private procfs
//!
//! Some steps write to files of /proc that act on the container itself: kernel parameters, time offsets,
//! security labels. By the path /proc they could be led astray, for the image decides what lies there. So the
//! child mounts a procfs of its own, detached: no path leads to it, and nothing can be mounted over its files
//! (fsopen(2), Linux 5.2; CVE-2019-16884, CVE-2025-52881).
//!
//! Order: before the first step that needs it, after the pid namespace is entered.

use crate_run_plan::Operation;

use crate::plan::Plan;

const FEATURE: &str = "procfs";

/// Opens it; `plan::compile` asks for it when a later step writes there.
pub fn steps(plan: &mut Plan) {
    let why = "a procfs that nobody can see or cover: what is written there arrives where it should";
    plan.child(FEATURE, Operation::OpenProc {}, why);
}
