//! # Limits of a single process: rlimits, OOM score
//!
//! What a cgroup limits is shared by all processes in it; these limits belong to one process and are handed
//! down (setrlimit(2), proc(5) oom_score_adj).
//!
//! OCI: config.md, rlimits and oomScoreAdj.
//!
//! Order: late, for a small RLIMIT_NOFILE or RLIMIT_AS would hit our own steps. In a user namespace the child
//! may not raise its hard limits: there the runtime sets them from outside (prlimit(2)). The OOM score is
//! always written from outside, for the files of the sealed child belong to the host's root.

use crate_run_plan::Operation;
use crate_run_sys::Errno;
use crate_run_sys::namespaces::flag;
use oci_spec::runtime::Spec;
use serde::Deserialize;

use crate::bundle::finding::{Finding, Pointer};
use crate::bundle::{given, one_of};
use crate::feature::identity;
use crate::feature::namespaces::Namespaces;
use crate::plan::{HostAction, Plan};

const FEATURE: &str = "limits";

/// One entry of `process.rlimits`.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Given {
    r#type: Option<String>,
    soft: Option<u64>,
    hard: Option<u64>,
}

/// The limits of the process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    pub resources: Vec<Limit>,
    pub oom_score: Option<i32>,
}

/// One resource limit, in the unit of the resource (setrlimit(2)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    pub resource: u32,
    pub soft: u64,
    pub hard: u64,
    pub at: Pointer,
}

/// The resources; the place of each is its number (asm-generic/resource.h).
const RESOURCES: [&str; 16] = [
    "RLIMIT_CPU",
    "RLIMIT_FSIZE",
    "RLIMIT_DATA",
    "RLIMIT_STACK",
    "RLIMIT_CORE",
    "RLIMIT_RSS",
    "RLIMIT_NPROC",
    "RLIMIT_NOFILE",
    "RLIMIT_MEMLOCK",
    "RLIMIT_AS",
    "RLIMIT_LOCKS",
    "RLIMIT_SIGPENDING",
    "RLIMIT_MSGQUEUE",
    "RLIMIT_NICE",
    "RLIMIT_RTPRIO",
    "RLIMIT_RTTIME",
];

fn resource(word: &str) -> Option<u32> {
    RESOURCES.iter().position(|known| *known == word).map(|place| place as u32)
}

/// The name of a resource by its number.
fn resource_name(number: u32) -> &'static str {
    RESOURCES.get(number as usize).unwrap_or(&"RLIMIT_?")
}

/// A limit in words.
pub fn words(resource: u32, soft: u64, hard: u64) -> String {
    let number = |value: u64| if value == u64::MAX { "unlimited".to_owned() } else { value.to_string() };
    format!("{} to {}, hard {}", resource_name(resource), number(soft), number(hard))
}

pub fn resolve(spec: &Spec, given: &given::Given) -> Limits {
    let limit = |(index, limit): (usize, &Given)| {
        let resource = resource(limit.r#type.as_deref()?)?;
        let at = Pointer::from("/process/rlimits").index(index);
        Some(Limit { resource, soft: limit.soft?, hard: limit.hard?, at })
    };
    Limits {
        resources: given.limits.iter().enumerate().filter_map(limit).collect(),
        oom_score: spec.process().as_ref().and_then(|process| process.oom_score_adj()),
    }
}

pub fn findings(spec: &Spec, given: &given::Given) -> Vec<Finding> {
    let limits = resolve(spec, given);
    let mut found: Vec<Finding> = given.limits.iter().enumerate().flat_map(incomplete).collect();
    for (index, limit) in limits.resources.iter().enumerate() {
        let name = resource_name(limit.resource);
        if limit.soft > limit.hard {
            let message =
                format!("the soft limit {} of {name} is above its hard limit {}", limit.soft, limit.hard);
            found.push(Finding::error(limit.at.clone(), message).cure("lower soft, or raise hard"));
        }
        if limits.resources[..index].iter().any(|earlier| earlier.resource == limit.resource) {
            let message = format!("{name} is listed twice");
            found.push(Finding::error(limit.at.clone(), message).cure("keep one entry for each type"));
        }
    }
    if limits.oom_score.is_some_and(|score| !(-1000..=1000).contains(&score)) {
        let message = "oomScoreAdj must lie between -1000 and 1000";
        let cure = "-1000 keeps the process alive, 1000 offers it first";
        found.push(Finding::error("/process/oomScoreAdj", message).cure(cure));
    }
    found
}

/// What an entry lacks, or names that is not there. Each of its members is required.
fn incomplete((index, limit): (usize, &Given)) -> Vec<Finding> {
    let at = Pointer::from("/process/rlimits").index(index);
    let mut found = Vec::new();
    match limit.r#type.as_deref() {
        None => found.push(Finding::error(at.clone(), "this limit has no type").cure("add \"type\"")),
        // The first words are runc's.
        Some(word) if resource(word).is_none() => {
            let message = format!("wrong rlimit value: {word}");
            found.push(Finding::error(at.key("type"), message).cure(one_of(&RESOURCES, word)));
        }
        Some(_) => {}
    }
    for (word, value) in [("soft", limit.soft), ("hard", limit.hard)] {
        if value.is_none() {
            let cure = format!("add \"{word}\"; 18446744073709551615 stands for no limit");
            found.push(Finding::error(at.clone(), format!("this limit has no {word} value")).cure(cure));
        }
    }
    found
}

/// Directly after the birth: what is written from outside.
pub fn outside(limits: &Limits, namespaces: &Namespaces, plan: &mut Plan) {
    if let Some(value) = limits.oom_score {
        let why = "how early the kernel kills it when memory runs out";
        plan.host(FEATURE, HostAction::SetOomScore { value }, why).at("/process/oomScoreAdj");
    }
    if !namespaces.has(flag::USER) {
        return;
    }
    for Limit { resource, soft, hard, at } in &limits.resources {
        let set = HostAction::SetLimit { resource: *resource, soft: *soft, hard: *hard };
        let why = "inside a user namespace nobody may raise a hard limit, so the runtime does it";
        plan.host(FEATURE, set, why).at(at.clone());
    }
}

/// In the tail.
pub fn steps(limits: &Limits, namespaces: &Namespaces, plan: &mut Plan) {
    if namespaces.has(flag::USER) {
        return;
    }
    for Limit { resource, soft, hard, at } in &limits.resources {
        let set = Operation::SetLimit { resource: *resource, soft: *soft, hard: *hard };
        plan.child(FEATURE, set, "late, so that it does not limit our own steps").at(at.clone());
    }
}

/// What usually mends it when the runtime may not set a limit.
pub fn cure_outside(errno: Errno) -> Option<&'static str> {
    (errno == Errno::EPERM).then_some("raising a hard limit takes CAP_SYS_RESOURCE")
}

/// The same for the score.
pub fn cure_of_oom_score(errno: Errno) -> Option<&'static str> {
    Some(match errno {
        Errno::EACCES => identity::ROOT_MUST_BE_SELF,
        _ => "lowering oomScoreAdj takes CAP_SYS_RESOURCE",
    })
}

/// What usually mends it when the child may not set a limit.
pub fn cure(errno: Errno) -> Option<&'static str> {
    (errno == Errno::EPERM).then_some("raising a hard limit takes CAP_SYS_RESOURCE, which crate-run lacks")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_complete_known_and_different() {
        let json = r#"[
            {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}, {"type": "RLIMIT_CORE", "soft": 1, "hard": 2},
            {"type": "RLIMIT_NOFILE", "soft": 2, "hard": 1}, {"type": "nofile", "soft": 1, "hard": 1},
            {"type": "RLIMIT_AS", "soft": 1}, {"soft": 1, "hard": 1}
        ]"#;
        let limits = serde_json::from_str(json).expect("limits");
        let given = given::Given { limits, ..given::Given::default() };
        let tell = |finding: &Finding| format!("{}: {}", finding.at, finding.message);
        let found: Vec<String> = findings(&Spec::default(), &given).iter().map(tell).collect();
        let expected = [
            "3/type: wrong rlimit value: nofile",
            "4: this limit has no hard value",
            "5: this limit has no type",
            "1: RLIMIT_CORE is listed twice",
            "2: the soft limit 2 of RLIMIT_NOFILE is above its hard limit 1",
        ];
        assert_eq!(found, expected.map(|rest| format!("/process/rlimits/{rest}")));
    }
}
