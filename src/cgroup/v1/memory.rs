//! The `memory` controller of version 1.
//!
//! Kernel: `memory.limit_in_bytes` holds memory, `memory.memsw.limit_in_bytes` memory and swap together,
//! which is how the specification counts. The second must never lie below the first, not even between two
//! writes. So it is lifted, then the first is written, then the second: the same writes are right for a new
//! group and for one with other limits. A kernel without swap accounting (CONFIG_SWAP, swapaccount=) lacks
//! that file.
//!
//! `memory.soft_limit_in_bytes` is what reclaim leaves alone while others have more, `memory.swappiness` how
//! willingly it swaps (0 to 100), `memory.oom_control` switches the OOM killer off: a process that wants more
//! then waits. Kernel memory counts as memory; its own limit went with Linux 5.16 and is passed over (OCI
//! config-linux.md, "Memory", says that it is deprecated), that of TCP buffers is written.
//!
//! Kernel: admin-guide/cgroup-v1/memory.rst. Man page: cgroups(7), "memory".

use oci_spec::runtime::LinuxMemory;

use crate::bundle::finding::{Finding, Pointer};
use crate::cgroup::limits::Setting;

const LIMIT: &str = "memory.limit_in_bytes";
const WITH_SWAP: &str = "memory.memsw.limit_in_bytes";

/// The writes, in bytes; -1 means no limit in the files as in the specification, and 0 that nothing was
/// asked.
pub(super) fn settings(memory: &LinuxMemory, at: &Pointer) -> Vec<Setting> {
    let asked = |value: Option<i64>| value.filter(|value| *value != 0);
    let limit = asked(memory.limit());
    let swap = asked(memory.swap()).or(limit.filter(|limit| *limit == -1));
    let mut list = Vec::new();
    let swap_at = if asked(memory.swap()).is_some() { "swap" } else { "limit" };
    if limit.is_some() && swap.is_some() {
        let why = "no limit on both until that on memory stands: it may never be the higher one";
        list.push(Setting::new(WITH_SWAP, -1, why, at.key(swap_at)).if_present());
    }
    if let Some(bytes) = limit {
        let why = match bytes {
            -1 => "no limit on memory".to_owned(),
            _ => format!(
                "at {bytes} bytes of memory the kernel reclaims, then kills a process of the container"
            ),
        };
        list.push(Setting::new(LIMIT, bytes, why, at.key("limit")));
    }
    match swap {
        // Lifted already.
        Some(-1) if limit.is_some() => {}
        Some(-1) => {
            let why = "no limit on memory and swap together";
            list.push(Setting::new(WITH_SWAP, -1, why, at.key(swap_at)).if_present());
        }
        Some(bytes) => {
            let why = format!("at most {bytes} bytes of memory and swap together");
            list.push(Setting::new(WITH_SWAP, bytes, why, at.key(swap_at)));
        }
        None => {}
    }
    list.extend(others(memory, at));
    list
}

fn others(memory: &LinuxMemory, at: &Pointer) -> Vec<Setting> {
    let mut list = Vec::new();
    if let Some(bytes) = memory.reservation().filter(|bytes| *bytes != 0) {
        let why = format!("reclaim spares the container while it holds less than this ({bytes})");
        list.push(Setting::new("memory.soft_limit_in_bytes", bytes, why, at.key("reservation")));
    }
    if let Some(bytes) = memory.kernel_tcp().filter(|bytes| *bytes != 0) {
        let why = format!("at most {bytes} bytes in buffers of TCP");
        list.push(Setting::new("memory.kmem.tcp.limit_in_bytes", bytes, why, at.key("kernelTCP")));
    }
    if let Some(swappiness) = memory.swappiness() {
        let why = format!("swaps as willingly as {swappiness} of 0 to 100 says");
        list.push(Setting::new("memory.swappiness", swappiness, why, at.key("swappiness")));
    }
    if let Some(disabled) = memory.disable_oom_killer() {
        let why = match disabled {
            true => "who wants more memory than there is waits, and is not killed",
            false => "who wants more memory than there is may be killed",
        };
        let setting = Setting::new("memory.oom_control", u8::from(disabled), why, at.key("disableOOMKiller"));
        list.push(setting);
    }
    list
}

/// Values that are no sizes, pairs that the kernel refuses, and what it no longer has.
pub(super) fn findings(memory: &LinuxMemory, at: &Pointer) -> Vec<Finding> {
    let mut list = Vec::new();
    let fields = [
        ("limit", memory.limit()),
        ("reservation", memory.reservation()),
        ("swap", memory.swap()),
        ("kernelTCP", memory.kernel_tcp()),
    ];
    for (name, value) in fields {
        if let Some(bytes) = value.filter(|bytes| *bytes < -1) {
            let message = format!("a memory {name} of {bytes} bytes is not a size");
            let cure = "write a number of bytes, or -1 for no limit";
            list.push(Finding::error(at.key(name), message).cure(cure));
        }
    }
    list.extend(swap_finding(memory, at));
    if let Some(bytes) = memory.kernel().filter(|bytes| *bytes > 0) {
        let message = format!("memory.kernel {bytes} is passed over: Linux has no limit of its own for it");
        let cure = "leave it out: memory.limit holds kernel memory too";
        list.push(Finding::warning(at.key("kernel"), message).cure(cure));
    }
    if let Some(swappiness) = memory.swappiness().filter(|swappiness| *swappiness > 100) {
        let message = format!("a swappiness of {swappiness} is not between 0 and 100");
        list.push(Finding::error(at.key("swappiness"), message));
    }
    if memory.use_hierarchy() == Some(false) {
        let message = "accounting without hierarchy is gone from Linux since 5.11";
        list.push(Finding::error(at.key("useHierarchy"), message).cure("leave it out"));
    }
    list
}

/// Memory and swap together cannot be less than memory alone.
fn swap_finding(memory: &LinuxMemory, at: &Pointer) -> Option<Finding> {
    let swap = memory.swap().filter(|swap| *swap > 0)?;
    let message = match memory.limit().unwrap_or(0) {
        0 => {
            "unable to set swap limit without memory limit: it is that of memory and swap together".to_owned()
        }
        -1 => format!("memory and swap together ({swap} bytes) are less than memory without a limit"),
        limit if limit > swap => {
            format!("memory and swap together ({swap} bytes) are less than the memory limit ({limit} bytes)")
        }
        _ => return None,
    };
    Some(Finding::error(at.key("swap"), message).cure("give swap the sum of memory and swap, with a limit"))
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

    #[test]
    fn memory_and_swap_together_never_lie_below_memory() {
        assert_eq!(written(r#"{"limit": 5}"#), ["memory.limit_in_bytes=5"]);
        assert_eq!(written(r#"{"limit": 0, "swap": 0}"#), [""; 0]);
        assert_eq!(
            written(r#"{"limit": 5, "swap": 9}"#),
            ["memory.memsw.limit_in_bytes=-1", "memory.limit_in_bytes=5", "memory.memsw.limit_in_bytes=9"]
        );
        let lifted = ["memory.memsw.limit_in_bytes=-1", "memory.limit_in_bytes=-1"];
        assert_eq!(written(r#"{"limit": -1}"#), lifted);
        assert_eq!(written(r#"{"limit": -1, "swap": -1}"#), lifted);
        let list = settings(&memory(r#"{"limit": 5, "swap": 9}"#), &Pointer::root());
        let optional: Vec<&Optional> = list.iter().map(|setting| &setting.optional).collect();
        assert_eq!(optional, [&Optional::IfPresent, &Optional::Required, &Optional::Required]);
    }

    #[test]
    fn what_version_2_lacks_is_written() {
        assert_eq!(
            written(r#"{"reservation": 3, "kernelTCP": 4, "swappiness": 0, "disableOOMKiller": true}"#),
            [
                "memory.soft_limit_in_bytes=3",
                "memory.kmem.tcp.limit_in_bytes=4",
                "memory.swappiness=0",
                "memory.oom_control=1",
            ]
        );
    }

    #[test]
    fn impossible_values_are_found() {
        let found = |json: &str| -> Vec<(Severity, String)> {
            let found = findings(&memory(json), &Pointer::root());
            found.into_iter().map(|finding| (finding.severity, finding.at.to_string())).collect()
        };
        for (json, place) in [
            (r#"{"limit": -2}"#, "/limit"),
            (r#"{"swap": 5}"#, "/swap"),
            (r#"{"limit": 6, "swap": 5}"#, "/swap"),
            (r#"{"limit": -1, "swap": 5}"#, "/swap"),
            (r#"{"swappiness": 101}"#, "/swappiness"),
            (r#"{"useHierarchy": false}"#, "/useHierarchy"),
        ] {
            assert_eq!(found(json), [(Severity::Error, place.to_owned())], "{json}");
        }
        assert_eq!(found(r#"{"kernel": 5}"#), [(Severity::Warning, "/kernel".to_owned())]);
        assert_eq!(found(r#"{"limit": 5, "swap": -1, "swappiness": 100, "disableOOMKiller": true}"#), []);
    }
}
