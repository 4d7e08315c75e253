//! # Memory policy: on which nodes memory is taken
//!
//! On a machine whose memory is near to some processors and far from others, a process says from which nodes
//! it wants its pages (set_mempolicy(2), numa(7)). The policy is handed down, and survives execve(2).
//!
//! OCI: config-linux.md, Memory policy.
//!
//! Order: in the tail, before the filter, for profiles forbid set_mempolicy(2).

use crate_run_plan::Operation;
use crate_run_sys::Errno;
use serde::Deserialize;

use crate::bundle::finding::{Finding, Pointer};
use crate::bundle::{given, numbers, one_of};
use crate::plan::Plan;

const FEATURE: &str = "memory_policy";
const PLACE: &str = "/linux/memoryPolicy";

/// How many nodes a mode takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nodes {
    None,
    Any,
    Some,
}

/// The modes with their numbers in linux/mempolicy.h.
const MODES: [(&str, u32, Nodes); 7] = [
    ("MPOL_DEFAULT", 0, Nodes::None),
    ("MPOL_PREFERRED", 1, Nodes::Any),
    ("MPOL_BIND", 2, Nodes::Some),
    ("MPOL_INTERLEAVE", 3, Nodes::Some),
    ("MPOL_LOCAL", 4, Nodes::None),
    ("MPOL_PREFERRED_MANY", 5, Nodes::Some),
    ("MPOL_WEIGHTED_INTERLEAVE", 6, Nodes::Some),
];

const STATIC_NODES: &str = "MPOL_F_STATIC_NODES";
const RELATIVE_NODES: &str = "MPOL_F_RELATIVE_NODES";
const NUMA_BALANCING: &str = "MPOL_F_NUMA_BALANCING";

/// The flags with their bits in linux/mempolicy.h; they go into the mode.
const FLAGS: [(&str, u32); 3] =
    [(STATIC_NODES, 1 << 15), (RELATIVE_NODES, 1 << 14), (NUMA_BALANCING, 1 << 13)];

/// `linux.memoryPolicy`.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Given {
    mode: Option<String>,
    nodes: Option<String>,
    flags: Option<Vec<String>>,
}

/// What set_mempolicy(2) is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryPolicy {
    /// MPOL_* with its MPOL_F_*.
    pub mode: u32,
    /// One bit a node.
    pub nodes: Vec<u64>,
}

/// The words for modes, as `features` lists them.
pub fn modes() -> [&'static str; 7] {
    MODES.map(|(name, _, _)| name)
}

/// The words for flags, as `features` lists them.
pub fn flags() -> [&'static str; 3] {
    FLAGS.map(|(name, _)| name)
}

/// The name of a mode by its number, flags aside.
pub fn mode_name(mode: u32) -> &'static str {
    let number = mode & !FLAGS.iter().fold(0, |all, (_, bit)| all | bit);
    MODES.iter().find(|(_, known, _)| *known == number).map_or("MPOL_?", |(name, _, _)| name)
}

fn mode(word: &str) -> Option<(u32, Nodes)> {
    MODES.iter().find(|(known, ..)| *known == word).map(|(_, number, nodes)| (*number, *nodes))
}

fn flag(word: &str) -> Option<u32> {
    FLAGS.iter().find(|(known, _)| *known == word).map(|(_, bit)| *bit)
}

pub fn resolve(given: &given::Given) -> Option<MemoryPolicy> {
    let given = given.memory_policy.as_ref()?;
    let (mode, _) = given.mode.as_deref().and_then(mode)?;
    let flags = given.flags.iter().flatten().filter_map(|word| flag(word));
    let nodes = numbers::ranges(given.nodes.as_deref().unwrap_or_default()).unwrap_or_default();
    Some(MemoryPolicy { mode: flags.fold(mode, |all, flag| all | flag), nodes: numbers::bitmap(&nodes) })
}

pub fn findings(given: &given::Given) -> Vec<Finding> {
    let Some(given) = &given.memory_policy else { return Vec::new() };
    let at = Pointer::from(PLACE);
    let mut found = Vec::new();
    let nodes = numbers::ranges(given.nodes.as_deref().unwrap_or_default());
    if let Err(wrong) = &nodes {
        let message = format!("this is not a list of memory nodes: {wrong}");
        found.push(Finding::error(at.key("nodes"), message).cure("write it like 0-3,7"));
    }
    for (index, word) in given.flags.iter().flatten().enumerate().filter(|(_, word)| flag(word).is_none()) {
        let message = format!("unknown flag {word:?} of a memory policy");
        found.push(Finding::error(at.key("flags").index(index), message).cure(one_of(&flags(), word)));
    }
    let Some(word) = &given.mode else {
        let cure = "add \"mode\": \"MPOL_DEFAULT\", or another";
        found.push(Finding::error(at, "the memory policy has no mode").cure(cure));
        return found;
    };
    let Some((_, wanted)) = mode(word) else {
        let message = format!("unknown memory policy {word:?}");
        found.push(Finding::error(at.key("mode"), message).cure(one_of(&modes(), word)));
        return found;
    };
    match (wanted, nodes.map(|nodes| nodes.is_empty())) {
        (Nodes::None, Ok(false)) => {
            let message = format!("{word} takes no nodes");
            found.push(Finding::error(at.key("nodes"), message).cure("leave them out, or choose MPOL_BIND"));
        }
        (Nodes::Some, Ok(true)) => {
            let message = format!("{word} takes at least one node");
            found.push(Finding::error(at.key("nodes"), message).cure("name them, such as \"0\""));
        }
        (_, Ok(no_nodes)) => found.extend(flag_findings(given, word, no_nodes, &at)),
        (_, Err(_)) => {}
    }
    found
}

/// The rules by which set_mempolicy(2) takes or refuses flags.
fn flag_findings(given: &Given, mode: &str, no_nodes: bool, at: &Pointer) -> Vec<Finding> {
    let place = |flag: &str| {
        let index = given.flags.iter().flatten().position(|given| given == flag)?;
        Some(at.key("flags").index(index))
    };
    let mut found = Vec::new();
    let (fixed, relative) = (place(STATIC_NODES), place(RELATIVE_NODES));
    if let (Some(_), Some(relative)) = (&fixed, &relative) {
        let message = format!("{STATIC_NODES} and {RELATIVE_NODES} exclude each other");
        found.push(Finding::error(relative.clone(), message).cure("keep one of them"));
    }
    if let (Some(at), true) = (fixed.or(relative), no_nodes && mode != "MPOL_DEFAULT") {
        let message = format!("without nodes {mode} has no use for a flag about nodes");
        found.push(Finding::error(at, message).cure("name nodes, or leave the flag out"));
    }
    if let Some(at) = place(NUMA_BALANCING).filter(|_| !matches!(mode, "MPOL_BIND" | "MPOL_PREFERRED_MANY")) {
        let message =
            format!("{NUMA_BALANCING} goes with MPOL_BIND and MPOL_PREFERRED_MANY, not with {mode}");
        found.push(Finding::error(at, message).cure("leave it out, or choose another mode"));
    }
    found
}

/// In the tail.
pub fn steps(policy: &Option<MemoryPolicy>, plan: &mut Plan) {
    let Some(MemoryPolicy { mode, nodes }) = policy else { return };
    let nodes = nodes.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let why = "the program and all its children take their memory by this policy";
    plan.child(FEATURE, Operation::SetMemoryPolicy { mode: *mode, nodes }, why).at(PLACE);
}

/// What usually mends it when set_mempolicy(2) refuses.
pub fn cure(errno: Errno) -> Option<&'static str> {
    (errno == Errno::EINVAL).then_some(
        "does the machine have these nodes (/sys/devices/system/node/online), and does cpuset.mems allow \
         them? MPOL_PREFERRED_MANY needs Linux 5.15, MPOL_WEIGHTED_INTERLEAVE 6.9",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(json: &str) -> given::Given {
        let memory_policy = Some(serde_json::from_str(json).expect("a memory policy"));
        given::Given { memory_policy, ..given::Given::default() }
    }

    #[test]
    fn mode_flags_and_nodes_become_numbers() {
        let json = r#"{"mode": "MPOL_BIND", "nodes": "0,2-3", "flags": ["MPOL_F_STATIC_NODES"]}"#;
        let policy = resolve(&given(json)).expect("a policy");
        assert_eq!(policy, MemoryPolicy { mode: 2 | 1 << 15, nodes: vec![0b1101] });
        assert_eq!(mode_name(policy.mode), "MPOL_BIND");
    }

    #[test]
    fn modes_have_rules_for_nodes_and_flags() {
        for good in [
            r#"{"mode": "MPOL_DEFAULT"}"#,
            r#"{"mode": "MPOL_LOCAL", "nodes": "", "flags": []}"#,
            r#"{"mode": "MPOL_PREFERRED"}"#,
            r#"{"mode": "MPOL_PREFERRED", "nodes": "1", "flags": ["MPOL_F_RELATIVE_NODES"]}"#,
            r#"{"mode": "MPOL_PREFERRED_MANY", "nodes": "0-1", "flags": ["MPOL_F_NUMA_BALANCING"]}"#,
            r#"{"mode": "MPOL_WEIGHTED_INTERLEAVE", "nodes": "0"}"#,
        ] {
            assert_eq!(findings(&given(good)), [], "{good}");
        }
        for (bad, place, message) in [
            (r#"{}"#, "", "has no mode"),
            (r#"{"mode": "BIND"}"#, "/mode", "unknown memory policy"),
            (r#"{"mode": "MPOL_DEFAULT", "nodes": "0"}"#, "/nodes", "takes no nodes"),
            (r#"{"mode": "MPOL_LOCAL", "nodes": "0-1"}"#, "/nodes", "takes no nodes"),
            (r#"{"mode": "MPOL_BIND"}"#, "/nodes", "at least one node"),
            (r#"{"mode": "MPOL_INTERLEAVE", "nodes": " , "}"#, "/nodes", "at least one node"),
            (r#"{"mode": "MPOL_PREFERRED_MANY", "nodes": ""}"#, "/nodes", "at least one node"),
            (r#"{"mode": "MPOL_BIND", "nodes": "1-0"}"#, "/nodes", "ends before it begins"),
            (r#"{"mode": "MPOL_BIND", "nodes": "0", "flags": ["STATIC"]}"#, "/flags/0", "unknown flag"),
            (
                r#"{"mode": "MPOL_BIND", "nodes": "0",
                    "flags": ["MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES"]}"#,
                "/flags/0",
                "exclude each other",
            ),
            (
                r#"{"mode": "MPOL_PREFERRED", "flags": ["MPOL_F_STATIC_NODES"]}"#,
                "/flags/0",
                "no use for a flag",
            ),
            (
                r#"{"mode": "MPOL_INTERLEAVE", "nodes": "0", "flags": ["MPOL_F_NUMA_BALANCING"]}"#,
                "/flags/0",
                "goes with MPOL_BIND",
            ),
        ] {
            let found = findings(&given(bad));
            let [one] = &found[..] else { panic!("{bad}: {found:?}") };
            assert_eq!(one.at.as_str(), format!("{PLACE}{place}"), "{bad}");
            assert!(one.message.contains(message), "{bad}: {}", one.message);
        }
    }
}
