//! # Processors: where the process may run
//!
//! A process inherits the set of processors on which it may run (sched_setaffinity(2)). A runtime that is
//! pinned to one processor must not pin its containers: their first process gets all processors back. What
//! limits it is the cpuset of its cgroup, which the kernel applies on top.
//!
//! OCI: config.md, execCPUAffinity. It concerns processes that are added to a running container, and is
//! checked with everything else, so that it does not fail then.
//!
//! Order: before the scheduler's policy, for SCHED_DEADLINE is given only to a process that may run
//! everywhere.

use crate_run_plan::Operation;
use serde::Deserialize;

use crate::bundle::finding::{Finding, Pointer};
use crate::bundle::given;
use crate::bundle::numbers;
use crate::plan::Plan;

const FEATURE: &str = "affinity";

/// `process.execCPUAffinity`: lists of processors.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Given {
    initial: Option<String>,
    r#final: Option<String>,
}

pub fn findings(given: &given::Given) -> Vec<Finding> {
    let Some(given) = &given.affinity else { return Vec::new() };
    let at = Pointer::from("/process/execCPUAffinity");
    let lists = [("initial", &given.initial), ("final", &given.r#final)];
    let wrong = |(word, list): (&str, &Option<String>)| {
        let wrong = numbers::ranges(list.as_deref()?).err()?;
        let message = format!("this is not a list of processors: {wrong}");
        Some(Finding::error(at.key(word), message).cure("write it like 0-3,7"))
    };
    lists.into_iter().filter_map(wrong).collect()
}

pub fn steps(plan: &mut Plan) {
    let why = "a runtime that is pinned to a processor does not pin its containers; a cpuset does";
    plan.child(FEATURE, Operation::RunAnywhere {}, why);
}
