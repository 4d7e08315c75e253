//! Time on processors, how long it was withheld, and on which processors.
//!
//! Kernel: cgroup-v2.rst, "CPU Interface Files" (`cpu.stat`, which is there without the controller too) and
//! "Cpuset Interface Files".

use serde::Serialize;

use super::pressure::Pressure;
use super::{Files, is_nothing, named, v1};

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Cpu {
    #[serde(skip_serializing_if = "is_nothing")]
    pub usage: Usage,
    #[serde(skip_serializing_if = "is_nothing")]
    pub throttling: Throttling,
    #[serde(skip_serializing_if = "is_nothing")]
    pub psi: Option<Pressure>,
}

/// In nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Usage {
    #[serde(skip_serializing_if = "is_nothing")]
    pub total: u64,
    pub kernel: u64,
    pub user: u64,
}

/// What `cpu.max` withheld; the time in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Throttling {
    #[serde(skip_serializing_if = "is_nothing")]
    pub periods: u64,
    #[serde(skip_serializing_if = "is_nothing")]
    pub throttled_periods: u64,
    #[serde(skip_serializing_if = "is_nothing")]
    pub throttled_time: u64,
}

/// The processors and memory nodes that may be used. The rest is of cgroup v1, and 0 as in runc.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CpuSet {
    #[serde(skip_serializing_if = "is_nothing")]
    pub cpus: Vec<u16>,
    pub cpu_exclusive: u64,
    #[serde(skip_serializing_if = "is_nothing")]
    pub mems: Vec<u16>,
    pub mem_hardwall: u64,
    pub mem_exclusive: u64,
    pub memory_migrate: u64,
    pub memory_spread_page: u64,
    pub memory_spread_slab: u64,
    pub memory_pressure: u64,
    pub sched_load_balance: u64,
    pub sched_relax_domain_level: i64,
}

impl Cpu {
    /// From `cpu.stat` and `cpu.pressure`.
    pub fn read(files: &Files) -> Self {
        let stat = files.figures("cpu.stat");
        // Microseconds there, nanoseconds here.
        let time = |name| named(&stat, name).saturating_mul(1000);
        let usage = match files.is_bound("cpuacct") {
            true => v1::usage(files),
            false => {
                Usage { total: time("usage_usec"), kernel: time("system_usec"), user: time("user_usec") }
            }
        };
        let throttling = match files.is_bound("cpu") {
            true => v1::throttling(files),
            false => Throttling {
                periods: named(&stat, "nr_periods"),
                throttled_periods: named(&stat, "nr_throttled"),
                throttled_time: time("throttled_usec"),
            },
        };
        Self { usage, throttling, psi: Pressure::read(files, "cpu.pressure") }
    }
}

impl CpuSet {
    /// From `cpuset.cpus.effective` and `cpuset.mems.effective`.
    pub fn read(files: &Files) -> Self {
        if files.is_bound("cpuset") {
            return v1::cpuset(files);
        }
        Self {
            cpus: list(&files.text("cpuset.cpus.effective")),
            mems: list(&files.text("cpuset.mems.effective")),
            ..Self::default()
        }
    }
}

/// `0-2,5` is 0, 1, 2, 5 (cpuset(7), "List format").
pub(super) fn list(text: &str) -> Vec<u16> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse::<u16>().ok()?..=last.parse::<u16>().ok()?)
    };
    text.trim().split(',').filter_map(range).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_spelt_out() {
        assert_eq!(list("0-2,5\n"), [0, 1, 2, 5]);
        assert!(list("\n").is_empty());
        assert_eq!(list("7,x,3-1"), [7]);
    }

    #[test]
    fn nothing_is_left_out_and_nothing_is_invented() {
        assert_eq!(serde_json::to_string(&Cpu::default()).unwrap(), "{}");
        let usage = Usage { total: 0, kernel: 3, user: 0 };
        let cpu = Cpu { usage, ..Cpu::default() };
        assert_eq!(serde_json::to_string(&cpu).unwrap(), r#"{"usage":{"kernel":3,"user":0}}"#);
    }
}
