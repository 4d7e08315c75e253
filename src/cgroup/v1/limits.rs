//! `linux.resources` where controllers are bound to version 1.
//!
//! What such a controller is asked for becomes writes to the files of version 1. The rest is as on every
//! host: `pids`, `cpuset` and `rdma` have the same files in both, and a controller that nobody has bound is
//! that of version 2. So the request is divided, and the second part goes the usual way.
//!
//! `unified` names files of version 2, and is an error here (behaviour of runc and crun).

use oci_spec::runtime::{LinuxCpu, LinuxHugepageLimit, LinuxResources};

use super::{blkio, cpu, memory, network};
use crate::bundle::finding::{Finding, Pointer};
use crate::cgroup::limits::{self, Setting};
use crate::cgroup::{cpu as cpu2, hugetlb, io};

/// The writes, in the order of version 2.
pub(super) fn settings(resources: &LinuxResources, at: &Pointer, bound: &[&str]) -> Vec<Setting> {
    let mut list = Vec::new();
    if let Some(wanted) = resources.memory().as_ref().filter(|_| bound.contains(&"memory")) {
        list.extend(memory::settings(wanted, &at.key("memory")));
    }
    if let Some(wanted) = resources.block_io().as_ref().filter(|_| bound.contains(&"blkio")) {
        list.extend(blkio::settings(wanted, &at.key("blockIO")));
    }
    if let Some(wanted) = resources.cpu().as_ref().filter(|_| bound.contains(&"cpu")) {
        list.extend(cpu::settings(wanted, &at.key("cpu")));
    }
    if let Some(wanted) = resources.hugepage_limits().as_ref().filter(|_| bound.contains(&"hugetlb")) {
        list.extend(hugetlb_settings(wanted, &at.key("hugepageLimits")));
    }
    if let Some(wanted) = resources.network() {
        list.extend(network::settings(wanted, &at.key("network"), bound));
    }
    list.extend(limits::settings(&of_version_2(resources, bound), at));
    list
}

/// Everything that is wrong, of both parts.
pub(super) fn findings(resources: &LinuxResources, at: &Pointer, bound: &[&str]) -> Vec<Finding> {
    let mut list = Vec::new();
    if let Some(wanted) = resources.memory().as_ref().filter(|_| bound.contains(&"memory")) {
        list.extend(memory::findings(wanted, &at.key("memory")));
    }
    if let Some(wanted) = resources.block_io().as_ref().filter(|_| bound.contains(&"blkio")) {
        list.extend(io::findings(wanted, &at.key("blockIO")));
    }
    if let Some(wanted) = resources.cpu().as_ref().filter(|_| bound.contains(&"cpu")) {
        // The ranges are those of version 2, and real-time scheduling, which that lacks, is here.
        let mut common = wanted.clone();
        common.set_cpus(None).set_mems(None).set_realtime_runtime(None).set_realtime_period(None);
        list.extend(cpu2::findings(&common, &at.key("cpu")));
        list.extend(cpu::findings(wanted, &at.key("cpu")));
    }
    if let Some(wanted) = resources.hugepage_limits().as_ref().filter(|_| bound.contains(&"hugetlb")) {
        list.extend(hugetlb::findings(wanted, &at.key("hugepageLimits")));
    }
    if resources.unified().as_ref().is_some_and(|files| !files.is_empty()) {
        let message =
            "these files are those of cgroup v2, and this host has bound its controllers to cgroup v1";
        let cure = "use the limits that both have, or boot with systemd.unified_cgroup_hierarchy=1";
        list.push(Finding::error(at.key("unified"), message).cure(cure));
    }
    list.extend(limits::findings(&of_version_2(resources, bound), at));
    list
}

/// The request without what version 1 takes.
fn of_version_2(resources: &LinuxResources, bound: &[&str]) -> LinuxResources {
    let mut rest = resources.clone();
    rest.set_unified(None);
    if bound.contains(&"memory") {
        rest.set_memory(None);
    }
    if bound.contains(&"blkio") {
        rest.set_block_io(None);
    }
    if bound.contains(&"hugetlb") {
        rest.set_hugepage_limits(None);
    }
    if bound.contains(&"cpu") {
        let sets = rest.cpu().as_ref().map(|cpu| {
            let mut sets = LinuxCpu::default();
            sets.set_cpus(cpu.cpus().clone()).set_mems(cpu.mems().clone());
            sets
        });
        rest.set_cpu(sets);
    }
    if let Some(wanted) = rest.network() {
        rest.set_network(network::left_over(wanted, bound));
    }
    rest
}

/// `hugetlb.SIZE.limit_in_bytes` and, where the kernel can limit reservations, `rsvd.limit_in_bytes`.
fn hugetlb_settings(wanted: &[LinuxHugepageLimit], at: &Pointer) -> Vec<Setting> {
    let renamed =
        |setting: Setting| Setting { file: setting.file.replace(".max", ".limit_in_bytes"), ..setting };
    hugetlb::settings(wanted, at).into_iter().map(renamed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::finding::Severity;

    const BOUND: [&str; 7] = ["blkio", "cpu", "cpuacct", "hugetlb", "memory", "net_cls", "net_prio"];

    fn resources(json: &str) -> LinuxResources {
        serde_json::from_str(json).expect("a LinuxResources object")
    }

    fn written(json: &str, bound: &[&str]) -> Vec<String> {
        let list = settings(&resources(json), &Pointer::root(), bound);
        list.iter().map(|setting| format!("{}={}", setting.file, setting.value)).collect()
    }

    const EVERYTHING: &str = r#"{
        "rdma": {"mlx5_1": {"hcaHandles": 3}},
        "hugepageLimits": [{"pageSize": "2MB", "limit": 2097152}],
        "network": {"classID": 1048577, "priorities": [{"name": "eth0", "priority": 5}]},
        "cpu": {"shares": 1024, "cpus": "0-1"},
        "blockIO": {"throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 600}]},
        "memory": {"limit": 1048576},
        "pids": {"limit": 32}
    }"#;

    #[test]
    fn each_limit_goes_where_its_controller_is() {
        let expected = [
            "memory.limit_in_bytes=1048576",
            "blkio.throttle.read_bps_device=8:0 600",
            "cpu.shares=1024",
            "hugetlb.2MB.limit_in_bytes=2097152",
            "hugetlb.2MB.rsvd.limit_in_bytes=2097152",
            "net_cls.classid=1048577",
            "net_prio.ifpriomap=eth0 5",
            "pids.max=32",
            "cpuset.cpus=0-1",
            "rdma.max=mlx5_1 hca_handle=3",
        ];
        assert_eq!(written(EVERYTHING, &BOUND), expected);
        let mixed = written(r#"{"cpu": {"shares": 1024}, "memory": {"limit": 1048576}}"#, &["memory"]);
        assert_eq!(mixed, ["memory.limit_in_bytes=1048576", "cpu.weight=100"]);
    }

    #[test]
    fn a_good_request_has_no_findings_and_bad_values_have_theirs() {
        assert_eq!(findings(&resources(EVERYTHING), &Pointer::root(), &BOUND), []);
        let bad = resources(
            r#"{"pids": {"limit": -5}, "memory": {"limit": -5}, "cpu": {"idle": 7, "cpus": "x"},
                "blockIO": {"weight": 5, "leafWeight": 100}, "hugepageLimits": [{"pageSize": "2", "limit": 1}],
                "rdma": {"a b": {"hcaHandles": 1}}, "unified": {"memory.high": "5"}}"#,
        );
        let found = findings(&bad, &Pointer::root(), &BOUND);
        let mut places: Vec<&str> = found.iter().map(|finding| finding.at.as_str()).collect();
        places.sort_unstable();
        let expected = [
            "/blockIO/leafWeight",
            "/blockIO/weight",
            "/cpu/cpus",
            "/cpu/idle",
            "/hugepageLimits/0/pageSize",
            "/memory/limit",
            "/pids/limit",
            "/rdma/a b",
            "/unified",
        ];
        assert_eq!(places, expected);
    }

    #[test]
    fn network_marks_need_a_controller_that_is_mounted() {
        let marks =
            resources(r#"{"network": {"classID": 1, "priorities": [{"name": "lo", "priority": 1}]}}"#);
        let found = findings(&marks, &Pointer::root(), &["memory", "net_cls"]);
        let errors: Vec<&str> = found
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .map(|finding| finding.at.as_str())
            .collect();
        assert_eq!(errors, ["/network/priorities"]);
    }
}
