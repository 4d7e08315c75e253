//! The `memory` controller: how much memory and swap the cgroup may hold.
//!
//! Kernel: at `memory.max` the kernel first reclaims and then kills. `memory.low` is what reclaim leaves
//! alone while others have more. `memory.swap.max` counts swap only.
//!
//! OCI (config-linux.md, "Memory") speaks of cgroup v1, where `swap` counts memory *and* swap. The
//! conversion:
//!
//! | `limit` | `swap` | `memory.swap.max` |
//! |---|---|---|
//! | any | absent or 0 | untouched; `max` when `limit` is -1 |
//! | any | -1 | `max` |
//! | -1 | n | n |
//! | m | n >= m | n - m, so 0 when both are equal |
//! | absent or 0 | n | an error: there is nothing to subtract |
//!
//! Order: swap before memory. When a running container is given less of both, the memory limit pushes pages
//! out, and by then the new swap limit must hold. A kernel without swap has no `memory.swap.max`, which is
//! all right for `max` and for 0.
//!
//! Man page: cgroups(7), "memory". Kernel: cgroup-v2.rst, "Memory".

use oci_spec::runtime::LinuxMemory;

use super::limits::{Setting, max_or_number};
use crate::bundle::finding::{Finding, Pointer};

/// The writes to `memory.swap.max`, `memory.max` and `memory.low`, in bytes.
pub fn settings(memory: &LinuxMemory, at: &Pointer) -> Vec<Setting> {
    let mut list = Vec::new();
    list.extend(swap_setting(memory, at));
    if let Some(value) = max_or_number(memory.limit()) {
        let why = match value.as_str() {
            "max" => "no limit on memory".to_owned(),
            bytes => format!(
                "at {bytes} bytes of memory the kernel reclaims, then kills a process of the container"
            ),
        };
        list.push(Setting::new("memory.max", value, why, at.key("limit")));
    }
    if let Some(value) = max_or_number(memory.reservation()) {
        let why = format!("reclaim spares the container while it holds less than this ({value})");
        list.push(Setting::new("memory.low", value, why, at.key("reservation")));
    }
    list
}

/// `linux.resources.memory.swap` is memory and swap together; v2 wants the swap alone.
fn swap_setting(memory: &LinuxMemory, at: &Pointer) -> Option<Setting> {
    let limit = memory.limit().unwrap_or(0);
    let (value, why) = match memory.swap().unwrap_or(0) {
        0 if limit == -1 => ("max".to_owned(), "no limit on memory, so none on swap".to_owned()),
        0 => return None,
        -1 => ("max".to_owned(), "no limit on swap".to_owned()),
        swap if limit == -1 => (swap.to_string(), format!("at most {swap} bytes of swap")),
        swap => {
            let bytes = swap.saturating_sub(limit).max(0);
            let why =
                format!("{swap} bytes of memory and swap less {limit} of memory leave {bytes} for swap");
            (bytes.to_string(), why)
        }
    };
    let held_without_the_file = value == "max" || value == "0";
    let asked_at = if memory.swap().unwrap_or(0) == 0 { "limit" } else { "swap" };
    let setting = Setting::new("memory.swap.max", value, why, at.key(asked_at));
    Some(if held_without_the_file { setting.if_present() } else { setting })
}

/// Impossible pairs of limits, and v1 knobs that v2 does not have.
pub fn findings(memory: &LinuxMemory, at: &Pointer) -> Vec<Finding> {
    let mut list = Vec::new();
    let fields = [("limit", memory.limit()), ("reservation", memory.reservation()), ("swap", memory.swap())];
    for (name, value) in fields {
        if let Some(bytes) = value.filter(|bytes| *bytes < -1) {
            let message = format!("a memory {name} of {bytes} bytes is not a size");
            list.push(
                Finding::error(at.key(name), message).cure("write a number of bytes, or -1 for no limit"),
            );
        }
    }
    list.extend(swap_findings(memory, at));
    list.extend(v1_findings(memory, at));
    list
}

/// Memory and swap together cannot be less than memory alone.
fn swap_findings(memory: &LinuxMemory, at: &Pointer) -> Option<Finding> {
    let swap = memory.swap().filter(|swap| *swap > 0)?;
    let limit = memory.limit().unwrap_or(0);
    if limit == 0 {
        let message = "unable to set swap limit without memory limit: cgroup v2 limits swap alone, and swap \
                       alone is this value less memory.limit";
        return Some(Finding::error(at.key("swap"), message).cure("set memory.limit too"));
    }
    if limit > swap {
        let message =
            format!("memory and swap together ({swap} bytes) are less than the memory limit ({limit} bytes)");
        return Some(Finding::error(at.key("swap"), message).cure("give swap the sum of memory and swap"));
    }
    None
}

/// Knobs of cgroup v1 that v2 does not have (config-linux.md, "Unified": what cannot be converted is an
/// error).
fn v1_findings(memory: &LinuxMemory, at: &Pointer) -> Vec<Finding> {
    let mut list = Vec::new();
    // On v2 kernel memory counts as memory, so a limit on it at or above the one on memory is kept anyway.
    let kept = |bytes: i64| memory.limit().is_some_and(|limit| limit > 0 && limit <= bytes);
    for (name, value) in [("kernel", memory.kernel()), ("kernelTCP", memory.kernel_tcp())] {
        if let Some(bytes) = value.filter(|bytes| *bytes > 0 && !kept(*bytes)) {
            let message =
                format!("memory.{name} {bytes} cannot be set: cgroup v2 has no limit of its own for it");
            let cure = "leave it out: memory.limit holds kernel memory too";
            list.push(Finding::error(at.key(name), message).cure(cure));
        }
    }
    if let Some(swappiness) = memory.swappiness() {
        let message =
            format!("swappiness {swappiness} cannot be set: cgroup v2 has no swappiness of its own");
        list.push(Finding::error(at.key("swappiness"), message).cure("leave it out, or limit swap instead"));
    }
    if memory.disable_oom_killer() == Some(true) {
        let message = "the OOM killer cannot be switched off on cgroup v2";
        list.push(Finding::error(at.key("disableOOMKiller"), message).cure("leave it out"));
    }
    if memory.use_hierarchy() == Some(false) {
        let message = "accounting without hierarchy does not exist on cgroup v2";
        list.push(Finding::error(at.key("useHierarchy"), message).cure("leave it out"));
    }
    list
}

/// Limits that must not lie below what the cgroup holds already, in bytes.
///
/// OCI, "Memory": with `checkBeforeUpdate` a new limit that is lower than the use must be rejected. v1 did
/// so; v2 reclaims and then kills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryCheck {
    /// Of memory.
    pub limit: Option<u64>,
    /// Of memory and swap together, as the configuration has it.
    pub swap: Option<u64>,
}

impl MemoryCheck {
    /// What is to be compared; `None` unless the configuration asks for that, and for a limit.
    pub fn of(memory: &LinuxMemory) -> Option<Self> {
        let bytes = |limit: Option<i64>| u64::try_from(limit?).ok().filter(|limit| *limit > 0);
        let check = Self { limit: bytes(memory.limit()), swap: bytes(memory.swap()) };
        let has_limit = check.limit.is_some() || check.swap.is_some();
        (memory.check_before_update() == Some(true) && has_limit).then_some(check)
    }

    /// Why these limits are refused while so much is in use (`memory.current`, `memory.swap.current`).
    pub fn refusal(&self, memory_in_use: u64, swap_in_use: u64) -> Option<String> {
        let asked = [
            ("memory", self.limit, memory_in_use),
            ("memory and swap", self.swap, memory_in_use.saturating_add(swap_in_use)),
        ];
        asked.into_iter().find_map(|(what, limit, used)| {
            let limit = limit.filter(|limit| *limit < used)?;
            Some(format!("the limit of {limit} bytes of {what} is below the {used} bytes in use"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::finding::Severity;
    use crate::cgroup::limits::Optional;

    fn memory(json: &str) -> LinuxMemory {
        serde_json::from_str(json).expect("a LinuxMemory object")
    }

    fn written(json: &str) -> Vec<String> {
        let list = settings(&memory(json), &Pointer::root());
        list.iter().map(|setting| format!("{}={}", setting.file, setting.value)).collect()
    }

    fn found(json: &str) -> Vec<(Severity, String)> {
        let list = findings(&memory(json), &Pointer::root());
        list.into_iter().map(|finding| (finding.severity, finding.at.as_str().to_owned())).collect()
    }

    #[test]
    fn limits_are_bytes_or_max_and_zero_is_unset() {
        assert_eq!(written(r#"{"limit": 4096}"#), ["memory.max=4096"]);
        assert_eq!(written(r#"{"limit": 0, "reservation": 0}"#), [""; 0]);
        assert_eq!(written(r#"{"reservation": 2048}"#), ["memory.low=2048"]);
        assert_eq!(written(r#"{"reservation": -1}"#), ["memory.low=max"]);
    }

    #[test]
    fn swap_is_what_exceeds_the_memory_limit() {
        assert_eq!(written(r#"{"limit": 100, "swap": 300}"#), ["memory.swap.max=200", "memory.max=100"]);
        assert_eq!(written(r#"{"limit": 100, "swap": 100}"#), ["memory.swap.max=0", "memory.max=100"]);
        assert_eq!(written(r#"{"limit": 100, "swap": -1}"#), ["memory.swap.max=max", "memory.max=100"]);
        assert_eq!(written(r#"{"limit": -1, "swap": 300}"#), ["memory.swap.max=300", "memory.max=max"]);
        assert_eq!(written(r#"{"limit": 100, "swap": 0}"#), ["memory.max=100"]);
        assert_eq!(written(r#"{"swap": -1}"#), ["memory.swap.max=max"]);
    }

    #[test]
    fn unlimited_memory_alone_also_frees_swap() {
        let list = settings(&memory(r#"{"limit": -1}"#), &Pointer::root());
        assert_eq!(list[0].file, "memory.swap.max");
        assert_eq!(list[0].value, "max");
        assert_eq!(list[0].at.as_str(), "/limit");
    }

    #[test]
    fn only_max_and_zero_may_lack_the_swap_file() {
        let optional = |json| settings(&memory(json), &Pointer::root())[0].optional.clone();
        assert_eq!(optional(r#"{"limit": 100, "swap": 100}"#), Optional::IfPresent);
        assert_eq!(optional(r#"{"limit": 100, "swap": -1}"#), Optional::IfPresent);
        assert_eq!(optional(r#"{"limit": 100, "swap": 101}"#), Optional::Required);
    }

    #[test]
    fn impossible_swap_is_an_error() {
        let error = |place: &str| vec![(Severity::Error, place.to_owned())];
        assert_eq!(found(r#"{"limit": 200, "swap": 100}"#), error("/swap"));
        assert_eq!(found(r#"{"swap": 100}"#), error("/swap"));
        assert_eq!(found(r#"{"limit": 0, "swap": 100}"#), error("/swap"));
        assert_eq!(found(r#"{"limit": -2}"#), error("/limit"));
        assert_eq!(found(r#"{"limit": 100, "swap": -7}"#), error("/swap"));
        assert_eq!(found(r#"{"reservation": -2}"#), error("/reservation"));
        assert_eq!(found(r#"{"limit": 100, "swap": 100, "reservation": 50}"#), []);
        assert_eq!(found(r#"{"limit": -1, "swap": 5}"#), []);
    }

    #[test]
    fn knobs_of_v1_are_errors_only_when_they_ask_for_something() {
        assert_eq!(found(r#"{"swappiness": 0}"#), [(Severity::Error, "/swappiness".to_owned())]);
        assert_eq!(
            found(r#"{"disableOOMKiller": true}"#),
            [(Severity::Error, "/disableOOMKiller".to_owned())]
        );
        assert_eq!(found(r#"{"useHierarchy": false}"#), [(Severity::Error, "/useHierarchy".to_owned())]);
        assert_eq!(found(r#"{"kernel": 5}"#), [(Severity::Error, "/kernel".to_owned())]);
        assert_eq!(found(r#"{"kernelTCP": 5}"#), [(Severity::Error, "/kernelTCP".to_owned())]);
        assert_eq!(found(r#"{"limit": 6, "kernel": 5}"#), [(Severity::Error, "/kernel".to_owned())]);
        assert_eq!(found(r#"{"limit": 5, "kernel": 5, "kernelTCP": 6}"#), []);
        assert_eq!(
            found(r#"{"disableOOMKiller": false, "useHierarchy": true, "kernel": -1, "kernelTCP": 0}"#),
            []
        );
    }

    #[test]
    fn a_limit_below_the_use_is_refused_when_asked_to_check() {
        let refused = |json, used, swap| MemoryCheck::of(&memory(json)).and_then(|c| c.refusal(used, swap));
        let words = "the limit of 99 bytes of memory is below the 100 bytes in use";
        assert_eq!(refused(r#"{"limit": 99, "checkBeforeUpdate": true}"#, 100, 0).as_deref(), Some(words));
        assert_eq!(refused(r#"{"limit": 100, "checkBeforeUpdate": true}"#, 100, 0), None);
        let both = r#"{"limit": 150, "swap": 179, "checkBeforeUpdate": true}"#;
        assert!(refused(both, 100, 80).is_some_and(|said| said.contains("memory and swap")));
        assert_eq!(refused(both, 100, 79), None);
    }

    #[test]
    fn nothing_is_checked_unless_asked_for() {
        for json in [
            r#"{"limit": 1, "checkBeforeUpdate": false}"#,
            r#"{"limit": 1}"#,
            r#"{"limit": -1, "swap": 0, "checkBeforeUpdate": true}"#,
        ] {
            assert_eq!(MemoryCheck::of(&memory(json)), None, "{json}");
        }
    }
}
