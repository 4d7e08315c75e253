//! # Limits of a single process: rlimits, OOM score, personality
//!
//! What a cgroup limits is shared by all processes in it; these limits belong to one process and are handed
//! down (setrlimit(2), proc(5) oom_score_adj, personality(2)).
//!
//! OCI: config.md, rlimits and oomScoreAdj; config-linux.md, Personality. Scheduler, ioPriority and
//! memoryPolicy are not carried out, and so refused. (execCPUAffinity concerns the verb exec only.)
//!
//! Order: late, for a small RLIMIT_NOFILE or RLIMIT_AS would hit our own steps. In a user namespace the child
//! may not raise its hard limits: there the runtime sets them from outside (prlimit(2)). The OOM score is
//! always written from outside, for the files of the sealed child belong to the host's root.

use crate_run_plan::Operation;
use crate_run_sys::namespaces::flag;
use oci_spec::runtime::{LinuxPersonalityDomain, PosixRlimitType, Spec};

use crate::bundle::finding::{Finding, Pointer};
use crate::feature::namespaces::Namespaces;
use crate::plan::{HostAction, Plan};

const FEATURE: &str = "limits";

/// The limits of the process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    pub resources: Vec<Limit>,
    pub oom_score: Option<i32>,
    /// The domain for personality(2).
    pub personality: Option<u64>,
}

/// One resource limit, in the unit of the resource (setrlimit(2)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    pub resource: u32,
    pub soft: u64,
    pub hard: u64,
    pub at: Pointer,
}

/// The number of a resource (asm-generic/resource.h) and its name.
fn resource(typ: PosixRlimitType) -> (u32, &'static str) {
    match typ {
        PosixRlimitType::RlimitCpu => (0, "RLIMIT_CPU"),
        PosixRlimitType::RlimitFsize => (1, "RLIMIT_FSIZE"),
        PosixRlimitType::RlimitData => (2, "RLIMIT_DATA"),
        PosixRlimitType::RlimitStack => (3, "RLIMIT_STACK"),
        PosixRlimitType::RlimitCore => (4, "RLIMIT_CORE"),
        PosixRlimitType::RlimitRss => (5, "RLIMIT_RSS"),
        PosixRlimitType::RlimitNproc => (6, "RLIMIT_NPROC"),
        PosixRlimitType::RlimitNofile => (7, "RLIMIT_NOFILE"),
        PosixRlimitType::RlimitMemlock => (8, "RLIMIT_MEMLOCK"),
        PosixRlimitType::RlimitAs => (9, "RLIMIT_AS"),
        PosixRlimitType::RlimitLocks => (10, "RLIMIT_LOCKS"),
        PosixRlimitType::RlimitSigpending => (11, "RLIMIT_SIGPENDING"),
        PosixRlimitType::RlimitMsgqueue => (12, "RLIMIT_MSGQUEUE"),
        PosixRlimitType::RlimitNice => (13, "RLIMIT_NICE"),
        PosixRlimitType::RlimitRtprio => (14, "RLIMIT_RTPRIO"),
        PosixRlimitType::RlimitRttime => (15, "RLIMIT_RTTIME"),
    }
}

/// The name of a resource by its number.
pub fn resource_name(number: u32) -> &'static str {
    use PosixRlimitType::*;
    let all = [
        RlimitCpu,
        RlimitFsize,
        RlimitData,
        RlimitStack,
        RlimitCore,
        RlimitRss,
        RlimitNproc,
        RlimitNofile,
        RlimitMemlock,
        RlimitAs,
        RlimitLocks,
        RlimitSigpending,
        RlimitMsgqueue,
        RlimitNice,
        RlimitRtprio,
        RlimitRttime,
    ];
    all.into_iter().map(resource).find(|(known, _)| *known == number).map_or("RLIMIT_?", |(_, name)| name)
}

pub fn resolve(spec: &Spec) -> Limits {
    let mut limits = Limits::default();
    if let Some(process) = spec.process() {
        limits.oom_score = process.oom_score_adj();
        for (index, limit) in process.rlimits().iter().flatten().enumerate() {
            let at = Pointer::from("/process/rlimits").index(index);
            let (resource, _) = resource(limit.typ());
            limits.resources.push(Limit { resource, soft: limit.soft(), hard: limit.hard(), at });
        }
    }
    const PER_LINUX32: u64 = 8;
    let domain = |personality: &oci_spec::runtime::LinuxPersonality| match personality.domain() {
        LinuxPersonalityDomain::PerLinux => 0,
        LinuxPersonalityDomain::PerLinux32 => PER_LINUX32,
    };
    limits.personality = spec.linux().as_ref().and_then(|linux| linux.personality().as_ref()).map(domain);
    limits
}

pub fn findings(spec: &Spec) -> Vec<Finding> {
    let limits = resolve(spec);
    let mut found = Vec::new();
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
        found.push(Finding::error("/process/oomScoreAdj", message));
    }
    let personality = spec.linux().as_ref().and_then(|linux| linux.personality().as_ref());
    if personality.is_some_and(|p| p.flags().as_ref().is_some_and(|flags| !flags.is_empty())) {
        let message = "no flags of a personality are supported; they are ignored";
        found.push(Finding::warning("/linux/personality/flags", message));
    }
    found.extend(not_yet(spec));
    found
}

/// What belongs here and is not carried out: without these the program would run otherwise than it was asked
/// for.
fn not_yet(spec: &Spec) -> Vec<Finding> {
    let (process, linux) = (spec.process().as_ref(), spec.linux().as_ref());
    let asked = [
        ("/process/scheduler", process.is_some_and(|process| process.scheduler().is_some())),
        ("/process/ioPriority", process.is_some_and(|process| process.io_priority().is_some())),
        ("/linux/memoryPolicy", linux.is_some_and(|linux| linux.memory_policy().is_some())),
    ];
    let error = |(at, _): (&str, bool)| {
        let name = at.rsplit('/').next().unwrap_or_default();
        Finding::error(at, format!("{name} is not supported yet")).cure("leave it out")
    };
    asked.into_iter().filter(|(_, is_asked)| *is_asked).map(error).collect()
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
    if let Some(domain) = limits.personality {
        let set = Operation::SetPersonality { domain };
        plan.child(FEATURE, set, "what uname(2) tells about the machine").at("/linux/personality");
    }
    if namespaces.has(flag::USER) {
        return;
    }
    for Limit { resource, soft, hard, at } in &limits.resources {
        let set = Operation::SetLimit { resource: *resource, soft: *soft, hard: *hard };
        plan.child(FEATURE, set, "late, so that it does not limit our own steps").at(at.clone());
    }
}
