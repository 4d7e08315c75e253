//! # Scheduler: policy and priority of the process
//!
//! The policy says which of the processes that could run does run (sched(7), sched_setattr(2)): SCHED_OTHER
//! and SCHED_BATCH share by nice values, SCHED_IDLE takes what is left, SCHED_FIFO and SCHED_RR go before all
//! others by a static priority, SCHED_DEADLINE reserves time.
//!
//! OCI: config.md, Linux process, scheduler. SCHED_ISO is a word of the specification that no kernel
//! implements: the kernel refuses it.
//!
//! Order: late, for our own steps should not wait as an idle process does, and a process under SCHED_DEADLINE
//! cannot fork a hook; before the ids, for a real-time policy takes CAP_SYS_NICE. In a user namespace that
//! capability counts for nothing, so there the runtime does it from outside.

use crate_run_plan::Operation;
use crate_run_sys::Errno;
use crate_run_sys::namespaces::flag;
use crate_run_sys::scheduling::Attributes;
use oci_spec::runtime::Spec;
use serde::Deserialize;

use crate::bundle::finding::{Finding, Pointer};
use crate::bundle::{given, one_of};
use crate::feature::namespaces::Namespaces;
use crate::plan::{HostAction, Plan};

const FEATURE: &str = "scheduler";
const PLACE: &str = "/process/scheduler";

const OTHER: u32 = 0;
const FIFO: u32 = 1;
const RR: u32 = 2;
const BATCH: u32 = 3;
const ISO: u32 = 4;
const DEADLINE: u32 = 6;

/// The policies with their numbers in linux/sched.h.
const POLICIES: [(&str, u32); 7] = [
    ("SCHED_OTHER", OTHER),
    ("SCHED_FIFO", FIFO),
    ("SCHED_RR", RR),
    ("SCHED_BATCH", BATCH),
    ("SCHED_ISO", ISO),
    ("SCHED_IDLE", 5),
    ("SCHED_DEADLINE", DEADLINE),
];

const RESET_ON_FORK: u64 = 1;

/// The flags with their bits in linux/sched.h.
const FLAGS: [(&str, u64); 7] = [
    ("SCHED_FLAG_RESET_ON_FORK", RESET_ON_FORK),
    ("SCHED_FLAG_RECLAIM", 0x02),
    ("SCHED_FLAG_DL_OVERRUN", 0x04),
    ("SCHED_FLAG_KEEP_POLICY", 0x08),
    ("SCHED_FLAG_KEEP_PARAMS", 0x10),
    ("SCHED_FLAG_UTIL_CLAMP_MIN", 0x20),
    ("SCHED_FLAG_UTIL_CLAMP_MAX", 0x40),
];

/// `process.scheduler`.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Given {
    policy: Option<String>,
    nice: Option<i64>,
    priority: Option<i64>,
    flags: Option<Vec<String>>,
    runtime: Option<u64>,
    deadline: Option<u64>,
    period: Option<u64>,
}

fn number<T: Copy>(table: &[(&str, T)], word: &str) -> Option<T> {
    table.iter().find(|(known, _)| *known == word).map(|(_, number)| *number)
}

/// The name of a policy by its number.
fn policy_name(number: u32) -> &'static str {
    POLICIES.iter().find(|(_, known)| *known == number).map_or("SCHED_?", |(name, _)| name)
}

/// The policy with all that is not 0, in words.
pub fn words(attributes: &Attributes) -> String {
    let Attributes { policy, nice, priority, runtime, deadline, period, .. } = *attributes;
    let mut words = policy_name(policy).to_owned();
    let values =
        [("priority", priority.into()), ("runtime", runtime), ("deadline", deadline), ("period", period)];
    for (name, value) in values.into_iter().filter(|(_, value)| *value != 0) {
        words.push_str(&format!(", {name} {value}"));
    }
    if nice == 0 { words } else { format!("{words}, nice value {nice}") }
}

/// What sched_setattr(2) is to be told.
pub fn resolve(given: &given::Given) -> Option<Attributes> {
    let given = given.scheduler.as_ref()?;
    let flags = given.flags.iter().flatten().filter_map(|flag| number(&FLAGS, flag));
    Some(Attributes {
        policy: given.policy.as_deref().and_then(|policy| number(&POLICIES, policy)).unwrap_or(OTHER),
        flags: flags.fold(0, |all, flag| all | flag),
        nice: given.nice.unwrap_or(0).clamp(-20, 19) as i32,
        priority: given.priority.unwrap_or(0).clamp(0, 99) as u32,
        runtime: given.runtime.unwrap_or(0),
        deadline: given.deadline.unwrap_or(0),
        period: given.period.unwrap_or(0),
    })
}

pub fn findings(given: &given::Given, spec: &Spec) -> Vec<Finding> {
    let Some(given) = &given.scheduler else { return Vec::new() };
    let at = Pointer::from(PLACE);
    let mut found = unknown_flags(given, &at);
    let Some(policy) = &given.policy else {
        let message = "the scheduler has no policy";
        found.push(Finding::error(at, message).cure("add \"policy\": \"SCHED_OTHER\", or another"));
        return found;
    };
    let Some(number) = number(&POLICIES, policy) else {
        let message = format!("unknown scheduling policy {policy:?}");
        let cure = one_of(&POLICIES.map(|(name, _)| name), policy);
        found.push(Finding::error(at.key("policy"), message).cure(cure));
        return found;
    };
    found.extend(nice_and_priority(given, policy, number, &at));
    found.extend(times(given, policy, number, &at));
    let resets = given.flags.iter().flatten().any(|flag| flag == "SCHED_FLAG_RESET_ON_FORK");
    let hooks = spec.hooks().as_ref().and_then(|hooks| hooks.start_container().as_ref());
    if number == DEADLINE && !resets && hooks.is_some_and(|hooks| !hooks.is_empty()) {
        let message =
            "a process under SCHED_DEADLINE cannot fork, and so cannot run the startContainer hooks";
        found.push(Finding::error(at.key("flags"), message).cure("add \"SCHED_FLAG_RESET_ON_FORK\""));
    }
    found
}

fn unknown_flags(given: &Given, at: &Pointer) -> Vec<Finding> {
    let unknown = |(index, flag): (usize, &String)| {
        let message = format!("unknown scheduling flag {flag:?}");
        let finding = Finding::error(at.key("flags").index(index), message);
        number(&FLAGS, flag).is_none().then(|| finding.cure(one_of(&FLAGS.map(|(name, _)| name), flag)))
    };
    given.flags.iter().flatten().enumerate().filter_map(unknown).collect()
}

fn nice_and_priority(given: &Given, policy: &str, number: u32, at: &Pointer) -> Vec<Finding> {
    let (nice, priority) = (given.nice.unwrap_or(0), given.priority.unwrap_or(0));
    let mut found = Vec::new();
    if matches!(number, OTHER | BATCH) && !(-20..=19).contains(&nice) {
        let message = format!("the nice value {nice} does not lie between -20 and 19");
        found.push(Finding::error(at.key("nice"), message).cure("-20 is the most favoured, 19 the least"));
    } else if !matches!(number, OTHER | BATCH) && nice != 0 {
        let message = format!("{policy} has no nice value");
        found.push(Finding::error(at.key("nice"), message).cure("SCHED_OTHER and SCHED_BATCH have one"));
    }
    if matches!(number, FIFO | RR) && !(1..=99).contains(&priority) {
        let message = format!("{policy} takes a priority from 1 to 99, not {priority}");
        found.push(Finding::error(at.key("priority"), message).cure("99 goes before all others"));
    } else if !matches!(number, FIFO | RR) && priority != 0 {
        let message = format!("{policy} has no priority");
        found.push(Finding::error(at.key("priority"), message).cure("SCHED_FIFO and SCHED_RR have one"));
    }
    found
}

/// Of the three times the kernel wants runtime <= deadline <= period; it counts in steps of 1024 ns and keeps
/// the highest bit for itself (sched(7), kernel/sched/deadline.c). Its bounds of the period can be changed,
/// so it checks them itself.
fn times(given: &Given, policy: &str, number: u32, at: &Pointer) -> Vec<Finding> {
    let times = [("runtime", given.runtime), ("deadline", given.deadline), ("period", given.period)];
    let [runtime, deadline, period] = times.map(|(_, time)| time.unwrap_or(0));
    let mut found = Vec::new();
    if number != DEADLINE {
        for (word, _) in times.iter().filter(|(_, time)| time.is_some_and(|time| time != 0)) {
            let message = format!("{policy} has no {word}");
            found.push(Finding::error(at.key(word), message).cure("only SCHED_DEADLINE has one"));
        }
    } else if let Some((word, _)) = times.iter().find(|(_, time)| time.is_some_and(|time| time >> 63 != 0)) {
        found.push(Finding::error(at.key(word), format!("the {word} is longer than 292 years")));
    } else if runtime < 1024 {
        let message = format!("a runtime of {runtime} ns is shorter than the 1024 ns of the kernel");
        found.push(Finding::error(at.key("runtime"), message).cure("runtime, deadline and period are in ns"));
    } else if deadline < runtime {
        let message = format!("the deadline ({deadline} ns) is shorter than the runtime ({runtime} ns)");
        found.push(Finding::error(at.key("deadline"), message).cure("runtime <= deadline <= period"));
    } else if period != 0 && period < deadline {
        let message = format!("the period ({period} ns) is shorter than the deadline ({deadline} ns)");
        found.push(Finding::error(at.key("period"), message).cure("runtime <= deadline <= period"));
    }
    found
}

/// At the end of the view, while the host still acts.
pub fn outside(attributes: Option<Attributes>, namespaces: &Namespaces, plan: &mut Plan) {
    if let (Some(attributes), true) = (attributes, namespaces.has(flag::USER)) {
        let why = "inside a user namespace CAP_SYS_NICE counts for nothing, so the runtime does it";
        plan.host(FEATURE, HostAction::SetScheduler { attributes }, why).at(PLACE);
    }
}

/// In the tail.
pub fn steps(attributes: Option<Attributes>, namespaces: &Namespaces, plan: &mut Plan) {
    let (Some(attributes), false) = (attributes, namespaces.has(flag::USER)) else { return };
    let Attributes { policy, flags, nice, priority, runtime, deadline, period } = attributes;
    let nice = nice.cast_unsigned();
    let set = Operation::SetScheduler { policy, flags, nice, priority, runtime, deadline, period };
    plan.child(FEATURE, set, "late, so that our own steps do not wait by its rules").at(PLACE);
}

/// What usually mends it when sched_setattr(2) refuses this policy (sched(7)).
pub fn cure(policy: u32, errno: Errno) -> Option<&'static str> {
    Some(match (policy, errno) {
        (DEADLINE, Errno::EPERM) => {
            "SCHED_DEADLINE takes CAP_SYS_NICE and every processor of the machine: linux.resources.cpu.cpus, \
             or the cpuset of a cgroup above, allows only some (AllowedCPUs in systemd)"
        }
        (DEADLINE, Errno::EBUSY) => "the machine has not that much time left: lower runtime, or raise period",
        (FIFO | RR, Errno::EPERM) => {
            "a real-time policy takes CAP_SYS_NICE, and with CONFIG_RT_GROUP_SCHED a cgroup that may have one"
        }
        (_, Errno::EPERM) => "a negative nice value, or leaving SCHED_IDLE, takes CAP_SYS_NICE",
        (ISO, Errno::EINVAL) => "no kernel implements SCHED_ISO: choose SCHED_BATCH or SCHED_RR",
        (_, Errno::EINVAL) => {
            "do the flags go with the policy? See sched_setattr(2), and sched(7) for its bounds"
        }
        (_, Errno::EOPNOTSUPP) => "SCHED_FLAG_UTIL_CLAMP_MIN and _MAX take a kernel with CONFIG_UCLAMP_TASK",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(json: &str) -> Vec<String> {
        let scheduler = Some(serde_json::from_str(json).expect("a scheduler"));
        let given = given::Given { scheduler, ..given::Given::default() };
        let tell = |finding: Finding| format!("{}: {}", finding.at, finding.message);
        findings(&given, &Spec::default()).into_iter().map(tell).collect()
    }

    #[test]
    fn each_policy_has_its_own_values() {
        for good in [
            r#"{"policy": "SCHED_OTHER", "nice": -20}"#,
            r#"{"policy": "SCHED_BATCH", "nice": 19, "priority": 0, "runtime": 0}"#,
            r#"{"policy": "SCHED_IDLE", "nice": 0}"#,
            r#"{"policy": "SCHED_ISO"}"#,
            r#"{"policy": "SCHED_FIFO", "priority": 1}"#,
            r#"{"policy": "SCHED_RR", "priority": 99, "flags": null}"#,
            r#"{"policy": "SCHED_DEADLINE", "runtime": 1024, "deadline": 1024}"#,
            r#"{"policy": "SCHED_DEADLINE", "runtime": 2000, "deadline": 3000, "period": 3000}"#,
        ] {
            assert_eq!(found(good), [""; 0], "{good}");
        }
        for (bad, message) in [
            (r#"{}"#, ": the scheduler has no policy"),
            (r#"{"policy": "fifo"}"#, r#"/policy: unknown scheduling policy "fifo""#),
            (r#"{"policy": "SCHED_OTHER", "nice": 20}"#, "/nice: the nice value 20 does not lie between"),
            (r#"{"policy": "SCHED_BATCH", "nice": -21}"#, "/nice: the nice value -21 does not lie between"),
            (r#"{"policy": "SCHED_IDLE", "nice": 1}"#, "/nice: SCHED_IDLE has no nice value"),
            (r#"{"policy": "SCHED_FIFO"}"#, "/priority: SCHED_FIFO takes a priority from 1 to 99, not 0"),
            (r#"{"policy": "SCHED_RR", "priority": 100}"#, "/priority: SCHED_RR takes a priority"),
            (r#"{"policy": "SCHED_OTHER", "priority": -1}"#, "/priority: SCHED_OTHER has no priority"),
            (r#"{"policy": "SCHED_OTHER", "runtime": 1}"#, "/runtime: SCHED_OTHER has no runtime"),
            (r#"{"policy": "SCHED_BATCH", "deadline": 1}"#, "/deadline: SCHED_BATCH has no deadline"),
            (r#"{"policy": "SCHED_IDLE", "period": 1}"#, "/period: SCHED_IDLE has no period"),
            (r#"{"policy": "SCHED_DEADLINE"}"#, "/runtime: a runtime of 0 ns is shorter"),
            (
                r#"{"policy": "SCHED_DEADLINE", "runtime": 2048, "deadline": 2047}"#,
                "/deadline: the deadline (2047 ns) is shorter",
            ),
            (
                r#"{"policy": "SCHED_DEADLINE", "runtime": 2048, "deadline": 4096, "period": 4095}"#,
                "/period: the period (4095 ns) is shorter",
            ),
            (
                r#"{"policy": "SCHED_DEADLINE", "runtime": 9223372036854775808}"#,
                "/runtime: the runtime is longer than 292 years",
            ),
            (
                r#"{"policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_RECLAIM", "SCHED_RESET_ON_FORK"]}"#,
                r#"/flags/1: unknown scheduling flag "SCHED_RESET_ON_FORK""#,
            ),
        ] {
            let said = found(bad);
            let expected = format!("{PLACE}{message}");
            assert!(said.len() == 1 && said[0].starts_with(&expected), "{bad}: {said:?}");
        }
    }

    #[test]
    fn words_become_what_the_kernel_reads() {
        let all = FLAGS.map(|(name, _)| name);
        for (index, (policy, number)) in POLICIES.into_iter().enumerate() {
            let json = serde_json::json!({ "policy": policy, "flags": all[..index] });
            let scheduler = Some(serde_json::from_value(json).expect("a scheduler"));
            let attributes = resolve(&given::Given { scheduler, ..given::Given::default() }).expect("one");
            assert_eq!((attributes.policy, attributes.flags), (number, (1 << index) - 1), "{policy}");
            assert_eq!(policy_name(number), policy);
        }
    }
}
