//! # Processors: where the process may run
//!
//! A process inherits the set of processors on which it may run (sched_setaffinity(2)). A runtime that is
//! pinned to one processor must not pin its containers: their first process gets all processors back. What
//! limits it is the cpuset of its cgroup, which the kernel applies on top.
//!
//! A process that is added later is put where `execCPUAffinity` says: the runtime runs on the initial
//! processors when it gives birth into the container's cgroup, and the process on the final ones from there
//! on. Without these the kernel decides.
//!
//! OCI: config.md, execCPUAffinity; not for the first process. It is checked with everything else, so that it
//! does not fail later.
//!
//! Order: before the scheduler's policy, for SCHED_DEADLINE is given only to a process that may run
//! everywhere.

use crate_run_plan::Operation;
use serde::Deserialize;

use crate::bundle::finding::{Finding, Pointer};
use crate::bundle::given;
use crate::bundle::numbers;
use crate::plan::{HostAction, Plan};

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

/// The processors of a process that is added, one bit each; none where nothing is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Affinity {
    pub initial: Vec<u8>,
    pub last: Vec<u8>,
}

pub fn resolve(given: &given::Given) -> Affinity {
    let given = given.affinity.clone().unwrap_or_default();
    let bits = |list: Option<String>| {
        let ranges = numbers::ranges(&list.unwrap_or_default()).unwrap_or_default();
        numbers::bitmap(&ranges).into_iter().flat_map(u64::to_ne_bytes).collect()
    };
    Affinity { initial: bits(given.initial), last: bits(given.r#final) }
}

/// The list that a map of bits stands for.
pub fn list(processors: &[u8]) -> String {
    let has = |number: &usize| processors[number / 8] >> (number % 8) & 1 == 1;
    let numbers = (0..processors.len() * 8).filter(has);
    numbers.map(|number| number.to_string()).collect::<Vec<_>>().join(",")
}

/// An exec, before the birth.
pub fn before_exec(affinity: &Affinity, plan: &mut Plan) {
    if !affinity.initial.is_empty() {
        let run = HostAction::RunOn { processors: affinity.initial.clone() };
        let why = "what is done before the process is in the container's cgroup disturbs no other processor";
        plan.host(FEATURE, run, why).at("/process/execCPUAffinity/initial");
    }
}

/// An exec, in the container's cgroup.
pub fn within_exec(affinity: &Affinity, plan: &mut Plan) {
    if !affinity.last.is_empty() {
        let run = Operation::RunOn { processors: affinity.last.clone() };
        let why = "where the process runs from here on; without it the kernel decides";
        plan.child(FEATURE, run, why).at("/process/execCPUAffinity/final");
    } else if affinity.initial.is_empty() {
        steps(plan);
    }
}

pub fn steps(plan: &mut Plan) {
    let why = "a runtime that is pinned to a processor does not pin its containers; a cpuset does";
    plan.child(FEATURE, Operation::RunAnywhere {}, why);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_become_bits_and_bits_lists() {
        let json = r#"{"initial": "0-3,7", "final": "64"}"#;
        let affinity = Some(serde_json::from_str(json).expect("an affinity"));
        let affinity = resolve(&given::Given { affinity, ..given::Given::default() });
        assert_eq!((affinity.initial[0], list(&affinity.initial)), (0b1000_1111, "0,1,2,3,7".to_owned()));
        assert_eq!((affinity.last[8], list(&affinity.last)), (1, "64".to_owned()));
        assert_eq!(resolve(&given::Given::default()), Affinity::default());
    }

    #[test]
    fn an_exec_is_moved_before_its_birth_and_after() {
        let affinity = Affinity { initial: vec![1], last: vec![2] };
        let mut plan = Plan::new();
        plan.phase(crate::plan::Phase::Birth);
        before_exec(&affinity, &mut plan);
        within_exec(&affinity, &mut plan);
        within_exec(&Affinity::default(), &mut plan);
        let places: Vec<String> = plan.steps.iter().map(|step| format!("{:?}", step.action)).collect();
        let anywhere = "Child(RunAnywhere)";
        assert_eq!(places, ["Host(RunOn { processors: [1] })", "Child(RunOn { processors: [2] })", anywhere]);
    }
}
