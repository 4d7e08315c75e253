//! # Input and output: priority of the process group
//!
//! Who is served first when several processes read and write the same disk (ioprio_set(2)), if the disk's
//! I/O scheduler heeds it: class RT before BE before IDLE, and in a class 0 before 7.
//!
//! OCI: config.md, Linux process, ioPriority. It is set for the process group, which the session of the
//! container has begun.
//!
//! Order: after setsid(2), or it would hit the group of the runtime; before the ids, for class RT takes
//! CAP_SYS_NICE. In a user namespace that counts for nothing, so there the runtime does it from outside.

use crate_run_plan::Operation;
use crate_run_sys::Errno;
use crate_run_sys::namespaces::flag;
use serde::Deserialize;

use crate::bundle::finding::{Finding, Pointer};
use crate::bundle::{given, one_of};
use crate::feature::namespaces::Namespaces;
use crate::plan::{HostAction, Plan};

const FEATURE: &str = "io_priority";
const PLACE: &str = "/process/ioPriority";

/// The classes with their numbers in linux/ioprio.h.
const CLASSES: [(&str, u32); 3] = [("IOPRIO_CLASS_RT", 1), ("IOPRIO_CLASS_BE", 2), ("IOPRIO_CLASS_IDLE", 3)];
/// Where the class stands in the number that ioprio_set(2) takes.
const CLASS_SHIFT: u32 = 13;

/// `process.ioPriority`.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Given {
    class: Option<String>,
    priority: Option<i64>,
}

fn class(word: &str) -> Option<u32> {
    CLASSES.iter().find(|(known, _)| *known == word).map(|(_, number)| *number)
}

/// Class and priority as ioprio_set(2) takes them, in words.
pub fn words(value: u32) -> String {
    let (number, priority) = (value >> CLASS_SHIFT, value & ((1 << CLASS_SHIFT) - 1));
    let name = CLASSES.iter().find(|(_, known)| *known == number).map_or("IOPRIO_CLASS_?", |(name, _)| name);
    format!("{name}, priority {priority}")
}

/// What ioprio_set(2) is to be told.
pub fn resolve(given: &given::Given) -> Option<u32> {
    let given = given.io_priority.as_ref()?;
    let class = given.class.as_deref().and_then(class)?;
    Some(class << CLASS_SHIFT | given.priority.unwrap_or(0).clamp(0, 7) as u32)
}

pub fn findings(given: &given::Given) -> Vec<Finding> {
    let Some(given) = &given.io_priority else { return Vec::new() };
    let at = Pointer::from(PLACE);
    let mut found = Vec::new();
    match given.class.as_deref() {
        None => {
            let message = "the I/O priority has no class";
            found.push(Finding::error(at.clone(), message).cure("add \"class\": \"IOPRIO_CLASS_BE\""));
        }
        Some(word) if class(word).is_none() => {
            let message = format!("unknown I/O priority class {word:?}");
            let cure = one_of(&CLASSES.map(|(name, _)| name), word);
            found.push(Finding::error(at.key("class"), message).cure(cure));
        }
        Some(_) => {}
    }
    match given.priority {
        None => {
            let message = "the I/O priority has no priority within its class";
            found.push(Finding::error(at, message).cure("add \"priority\": 4, which is the usual one"));
        }
        Some(priority) if !(0..=7).contains(&priority) => {
            let message = format!("the I/O priority {priority} does not lie between 0 and 7");
            found.push(Finding::error(at.key("priority"), message).cure("0 is the highest, 7 the lowest"));
        }
        Some(_) => {}
    }
    found
}

/// At the end of the view, while the host still acts.
pub fn outside(priority: Option<u32>, namespaces: &Namespaces, plan: &mut Plan) {
    if let (Some(priority), true) = (priority, namespaces.has(flag::USER)) {
        let why = "inside a user namespace CAP_SYS_NICE counts for nothing, so the runtime does it";
        plan.host(FEATURE, HostAction::SetIoPriority { priority }, why).at(PLACE);
    }
}

/// In the tail.
pub fn steps(priority: Option<u32>, namespaces: &Namespaces, plan: &mut Plan) {
    if let (Some(priority), false) = (priority, namespaces.has(flag::USER)) {
        let why = "every process of the container comes from this group, and inherits it";
        plan.child(FEATURE, Operation::SetIoPriority { priority }, why).at(PLACE);
    }
}

/// What usually mends it when ioprio_set(2) refuses.
pub fn cure(errno: Errno) -> Option<&'static str> {
    let real_time = "class IOPRIO_CLASS_RT takes CAP_SYS_NICE or CAP_SYS_ADMIN, which crate-run lacks";
    (errno == Errno::EPERM).then_some(real_time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(json: &str) -> given::Given {
        let io_priority = Some(serde_json::from_str(json).expect("an I/O priority"));
        given::Given { io_priority, ..given::Given::default() }
    }

    #[test]
    fn class_and_priority_become_one_number() {
        let given = given(r#"{"class": "IOPRIO_CLASS_BE", "priority": 7}"#);
        assert!(findings(&given).is_empty());
        assert_eq!(resolve(&given), Some(0x4007));
        assert_eq!(words(0x4007), "IOPRIO_CLASS_BE, priority 7");
    }

    #[test]
    fn bad_values_are_found() {
        for (json, places) in [
            (r#"{}"#, &["", ""][..]),
            (r#"{"class": "IOPRIO_CLASS_NONE", "priority": 8}"#, &["/class", "/priority"]),
            (r#"{"class": "IOPRIO_CLASS_RT", "priority": -1}"#, &["/priority"]),
            (r#"{"class": "", "priority": 0}"#, &["/class"]),
        ] {
            let found: Vec<String> = findings(&given(json)).iter().map(|f| f.at.to_string()).collect();
            let expected: Vec<String> = places.iter().map(|place| format!("{PLACE}{place}")).collect();
            assert_eq!(found, expected, "{json}");
        }
    }
}
