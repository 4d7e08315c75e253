//! Memory and swap: what is used, what is the limit, how often it was hit.
//!
//! runc tells swap as cgroup v1 counts it, with the memory in it; v2 counts swap alone. The largest value of
//! the sum is unknown, so it is left out.
//!
//! Kernel: cgroup-v2.rst, "Memory Interface Files". `memory.peak` is there since Linux 5.19.

use std::collections::BTreeMap;

use serde::Serialize;

use super::pressure::Pressure;
use super::{Files, is_nothing, named, v1};

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Memory {
    /// Page cache, in bytes.
    #[serde(skip_serializing_if = "is_nothing")]
    pub cache: u64,
    #[serde(skip_serializing_if = "is_nothing")]
    pub usage: Amount,
    #[serde(skip_serializing_if = "is_nothing")]
    pub swap: Amount,
    /// `memory.stat` as it is.
    #[serde(skip_serializing_if = "is_nothing")]
    pub raw: BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "is_nothing")]
    pub psi: Option<Pressure>,
}

/// In bytes; no limit is the largest number there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Amount {
    pub limit: u64,
    #[serde(skip_serializing_if = "is_nothing")]
    pub usage: u64,
    #[serde(skip_serializing_if = "is_nothing")]
    pub max: u64,
    pub failcnt: u64,
}

impl Memory {
    /// From the files `memory.*`.
    pub fn read(files: &Files) -> Self {
        let psi = Pressure::read(files, "memory.pressure");
        if files.is_bound("memory") {
            return Self { psi, ..v1::memory(files) };
        }
        let raw: BTreeMap<String, u64> = files.figures("memory.stat").into_iter().collect();
        let usage = Amount {
            limit: files.figure("memory.max"),
            usage: files.figure("memory.current"),
            max: files.figure("memory.peak"),
            failcnt: named(&files.figures("memory.events"), "max"),
        };
        Self {
            cache: raw.get("file").copied().unwrap_or(0),
            usage,
            swap: with_memory(usage, &files.text("memory.swap.current"), files.figure("memory.swap.max")),
            raw,
            psi,
        }
    }
}

/// A kernel that does not count swap has no `memory.swap.current`: then memory is all there is.
fn with_memory(memory: Amount, current: &str, limit: u64) -> Amount {
    let swap = super::figure(current);
    let limit = if current.is_empty() { 0 } else { limit };
    Amount {
        limit: limit.saturating_add(memory.limit),
        usage: swap.saturating_add(memory.usage),
        max: 0,
        failcnt: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swap_includes_memory() {
        let memory = Amount { limit: 100, usage: 30, max: 50, failcnt: 2 };
        let sum = |current, limit| {
            let sum = with_memory(memory, current, limit);
            (sum.limit, sum.usage, sum.max, sum.failcnt)
        };
        assert_eq!(sum("7\n", 20), (120, 37, 0, 0));
        assert_eq!(sum("0\n", u64::MAX), (u64::MAX, 30, 0, 0));
        assert_eq!(sum("", 0), (100, 30, 0, 0));
    }

    #[test]
    fn a_host_that_does_not_count_has_an_empty_object() {
        assert_eq!(serde_json::to_string(&Memory::default()).unwrap(), "{}");
    }
}
