//! Everything that is counted for a container, at one moment.

use std::collections::BTreeMap;

use serde::Serialize;

use super::cpu::{Cpu, CpuSet};
use super::hugetlb::{self, HugePages};
use super::io::BlockIo;
use super::memory::Memory;
use super::network::{self, Interface};
use super::pids::Pids;
use super::rdma::Rdma;
use super::rdt::Rdt;
use super::{Files, is_nothing};
use crate::cgroup::Cgroup;
use crate::feature::rdt::Class;
use crate::state::ProcessId;

/// The `data` of an event of type `stats`, as runc has it, and `rdma`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Stats {
    pub cpu: Cpu,
    pub cpuset: CpuSet,
    pub memory: Memory,
    pub pids: Pids,
    pub blkio: BlockIo,
    pub hugetlb: BTreeMap<String, HugePages>,
    #[serde(skip_serializing_if = "is_nothing")]
    pub rdma: Rdma,
    pub intel_rdt: Rdt,
    /// `None`, which is `null` as in runc, when they are the host's.
    pub network_interfaces: Option<Vec<Interface>>,
}

/// Where the figures of a container are found.
pub struct Sources<'a> {
    /// `None`: nobody counts.
    pub cgroup: Option<&'a Cgroup>,
    pub process: Option<ProcessId>,
    pub class: Option<&'a Class>,
}

impl Stats {
    /// What the kernel says now.
    pub fn read(sources: &Sources) -> Self {
        let counted = sources.cgroup.map(|cgroup| Self::of_cgroup(&Files::of(cgroup))).unwrap_or_default();
        Self {
            intel_rdt: Rdt::read(sources.class),
            network_interfaces: sources.process.as_ref().and_then(network::read),
            ..counted
        }
    }

    fn of_cgroup(files: &Files) -> Self {
        Self {
            cpu: Cpu::read(files),
            cpuset: CpuSet::read(files),
            memory: Memory::read(files),
            pids: Pids::read(files),
            blkio: BlockIo::read(files),
            hugetlb: hugetlb::read(files),
            rdma: Rdma::read(files),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_counts_nothing_has_the_shape_all_the_same() {
        let sources = Sources { cgroup: None, process: None, class: None };
        let text = serde_json::to_value(Stats::read(&sources)).unwrap();
        let keys: Vec<&str> = text.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(
            keys,
            ["blkio", "cpu", "cpuset", "hugetlb", "intel_rdt", "memory", "network_interfaces", "pids"]
        );
        assert!(text["network_interfaces"].is_null());
        assert_eq!(text["cpuset"]["sched_relax_domain_level"], 0);
    }
}
