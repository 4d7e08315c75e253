//! `linux.resources` as a list of writes: (file, value, why, where in config.json).
//!
//! Nothing here touches the machine. `settings` says what will be written and in which order, `findings` says
//! what is wrong with the request; both look at the same values, so a request without an error in `findings`
//! always has a complete list in `settings`.
//!
//! The OCI fields were made for cgroup v1. Version 2 has other files, other ranges and fewer knobs, so each
//! controller's file here is mostly a table of conversions. A field that v2 cannot express is an error as
//! soon as it asks for something (OCI config-linux.md, "Unified"; runc drops such fields silently). A field
//! that asks for what v2 does anyway, such as `disableOOMKiller: false`, is taken without a word: engines
//! send those.
//!
//! Order: pids, memory, io, cpu, cpuset, hugetlb, rdma, and `unified` last, because it overrides the others.
//! It is the order in which runc writes them.

use std::collections::BTreeMap;

use oci_spec::runtime::LinuxResources;

use super::{cpu, cpuset, hugetlb, io, memory, network, pids, rdma, unified};
use crate::bundle::finding::{Finding, Pointer};

/// One write to one file of the container's cgroup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The controller that owns the file; `cgroup` for the files of the core.
    pub controller: String,
    /// The name of the file in the cgroup directory, without a slash.
    pub file: String,
    /// The bytes to write, in one write(2).
    pub value: String,
    /// One sentence without a full stop: what the value means and how it was converted.
    pub why: String,
    /// The place in the configuration that asked for it.
    pub at: Pointer,
    /// What to do on a kernel that does not have the file.
    pub optional: Optional,
}

/// What it means when the file of a setting does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Optional {
    /// The limit cannot be enforced: an error.
    Required,
    /// Without the file the kernel behaves as the setting asks, or another setting has the same effect.
    IfPresent,
    /// Another file takes the request, in its own units.
    OrElse { file: String, value: String },
}

/// When a setting is best written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// Before the first process is born into the cgroup.
    BeforeBirth,
    /// After the container is set up and before the user's program starts: the limit could hit our own setup.
    BeforeStart,
}

impl Setting {
    /// A required setting; the controller is the part of `file` before the first dot.
    pub fn new(file: impl Into<String>, value: impl ToString, why: impl Into<String>, at: Pointer) -> Self {
        let file = file.into();
        let controller = file.split('.').next().unwrap_or_default().to_owned();
        let (value, why) = (value.to_string(), why.into());
        Self { controller, file, value, why, at, optional: Optional::Required }
    }

    /// The same setting, passed over on a kernel without the file.
    pub fn if_present(self) -> Self {
        Self { optional: Optional::IfPresent, ..self }
    }

    /// The same setting, written as `value` to `file` on a kernel without the first file.
    pub fn or_else(self, file: &str, value: impl ToString) -> Self {
        let optional = Optional::OrElse { file: file.to_owned(), value: value.to_string() };
        Self { optional, ..self }
    }

    /// When to write it: early, unless it could hit the birth; in any case before the user's code runs.
    ///
    /// A process limit of 0 makes clone3(2) with `CLONE_INTO_CGROUP` fail with EAGAIN, and a tiny memory
    /// limit lets the kernel kill a container that is half made.
    pub fn moment(&self) -> Moment {
        match self.controller.as_str() {
            "memory" | "pids" => Moment::BeforeStart,
            _ => Moment::BeforeBirth,
        }
    }
}

/// The writes that carry out `resources`, in order. `at` is the place of `resources` in its document.
///
/// Device rules are no files on v2: see `devices`. Values that `findings` calls errors give unusable writes.
pub fn settings(resources: &LinuxResources, at: &Pointer) -> Vec<Setting> {
    let mut list = Vec::new();
    if let Some(pids) = resources.pids() {
        list.extend(pids::settings(pids, &at.key("pids")));
    }
    if let Some(memory) = resources.memory() {
        list.extend(memory::settings(memory, &at.key("memory")));
    }
    if let Some(block_io) = resources.block_io() {
        list.extend(io::settings(block_io, &at.key("blockIO")));
    }
    if let Some(cpu) = resources.cpu() {
        list.extend(cpu::settings(cpu, &at.key("cpu")));
        list.extend(cpuset::settings(cpu, &at.key("cpu")));
    }
    if let Some(pages) = resources.hugepage_limits() {
        list.extend(hugetlb::settings(pages, &at.key("hugepageLimits")));
    }
    if let Some(rdma) = resources.rdma() {
        list.extend(rdma::settings(rdma, &at.key("rdma")));
    }
    if let Some(unified) = resources.unified() {
        list.extend(unified::settings(unified, &at.key("unified")));
    }
    list
}

/// Everything that is wrong with `resources` or cannot be done on cgroup v2, device rules apart.
pub fn findings(resources: &LinuxResources, at: &Pointer) -> Vec<Finding> {
    let mut list = Vec::new();
    if let Some(pids) = resources.pids() {
        list.extend(pids::findings(pids, &at.key("pids")));
    }
    if let Some(memory) = resources.memory() {
        list.extend(memory::findings(memory, &at.key("memory")));
    }
    if let Some(block_io) = resources.block_io() {
        list.extend(io::findings(block_io, &at.key("blockIO")));
    }
    if let Some(cpu) = resources.cpu() {
        list.extend(cpu::findings(cpu, &at.key("cpu")));
        list.extend(cpuset::findings(cpu, &at.key("cpu")));
    }
    if let Some(pages) = resources.hugepage_limits() {
        list.extend(hugetlb::findings(pages, &at.key("hugepageLimits")));
    }
    if let Some(network) = resources.network() {
        list.extend(network::findings(network, &at.key("network")));
    }
    if let Some(rdma) = resources.rdma() {
        list.extend(rdma::findings(rdma, &at.key("rdma")));
    }
    if let Some(unified) = resources.unified() {
        list.extend(unified::findings(unified, &at.key("unified")));
    }
    list
}

/// The controllers that `settings` needs, each with the first place in the configuration that asks for it.
pub fn controllers(settings: &[Setting]) -> BTreeMap<&str, &Pointer> {
    let mut needed = BTreeMap::new();
    for setting in settings.iter().filter(|setting| setting.controller != "cgroup") {
        needed.entry(setting.controller.as_str()).or_insert(&setting.at);
    }
    needed
}

/// A limit as v2 writes it: -1 is `max`, 0 means that nothing was asked for.
pub(super) fn max_or_number(limit: Option<i64>) -> Option<String> {
    match limit? {
        0 => None,
        -1 => Some("max".to_owned()),
        number => Some(number.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::finding::Severity;

    fn resources(json: &str) -> LinuxResources {
        serde_json::from_str(json).expect("a LinuxResources object")
    }

    fn written(json: &str) -> Vec<String> {
        let list = settings(&resources(json), &Pointer::from("/linux/resources"));
        list.iter().map(|setting| format!("{}={}", setting.file, setting.value)).collect()
    }

    const EVERYTHING: &str = r#"{
        "unified": {"memory.high": "1000000"},
        "rdma": {"mlx5_1": {"hcaHandles": 3}},
        "hugepageLimits": [{"pageSize": "2MB", "limit": 2097152}],
        "cpu": {"shares": 1024, "cpus": "0-1"},
        "blockIO": {"throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 600}]},
        "memory": {"limit": 1048576},
        "pids": {"limit": 32}
    }"#;

    #[test]
    fn the_order_is_runcs_and_unified_comes_last() {
        assert_eq!(
            written(EVERYTHING),
            [
                "pids.max=32",
                "memory.max=1048576",
                "io.max=8:0 rbps=600",
                "cpu.weight=100",
                "cpuset.cpus=0-1",
                "hugetlb.2MB.max=2097152",
                "hugetlb.2MB.rsvd.max=2097152",
                "rdma.max=mlx5_1 hca_handle=3",
                "memory.high=1000000",
            ]
        );
    }

    #[test]
    fn every_setting_names_its_controller_its_place_and_its_reason() {
        let list = settings(&resources(EVERYTHING), &Pointer::from("/linux/resources"));
        for setting in &list {
            assert!(setting.file.starts_with(&setting.controller), "{setting:?}");
            assert!(setting.at.as_str().starts_with("/linux/resources/"), "{setting:?}");
            assert!(setting.why.len() > 20 && !setting.why.ends_with('.'), "{setting:?}");
        }
        assert_eq!(list[1].at.as_str(), "/linux/resources/memory/limit");
    }

    #[test]
    fn the_needed_controllers_carry_the_first_place_that_asks() {
        let list = settings(&resources(EVERYTHING), &Pointer::root());
        let needed = controllers(&list);
        let names: Vec<&str> = needed.keys().copied().collect();
        assert_eq!(names, ["cpu", "cpuset", "hugetlb", "io", "memory", "pids", "rdma"]);
        assert_eq!(needed["memory"].as_str(), "/memory/limit");
    }

    #[test]
    fn files_of_the_core_need_no_controller() {
        let list = settings(&resources(r#"{"unified": {"cgroup.max.depth": "3"}}"#), &Pointer::root());
        assert_eq!(list[0].controller, "cgroup");
        assert!(controllers(&list).is_empty());
    }

    #[test]
    fn an_empty_request_writes_nothing_and_finds_nothing() {
        let none = resources("{}");
        assert!(settings(&none, &Pointer::root()).is_empty());
        assert!(findings(&none, &Pointer::root()).is_empty());
    }

    #[test]
    fn findings_of_all_controllers_are_collected() {
        let bad = resources(
            r#"{"pids": {"limit": -5}, "memory": {"limit": -5}, "cpu": {"idle": 7, "cpus": "x"},
                "blockIO": {"weight": 5}, "hugepageLimits": [{"pageSize": "2", "limit": 1}],
                "network": {"classID": 1}, "rdma": {"a b": {"hcaHandles": 1}}, "unified": {"a": "b"}}"#,
        );
        let found = findings(&bad, &Pointer::root());
        let mut places: Vec<&str> = found.iter().map(|finding| finding.at.as_str()).collect();
        places.sort_unstable();
        assert_eq!(
            places,
            [
                "/blockIO/weight",
                "/cpu/cpus",
                "/cpu/idle",
                "/hugepageLimits/0/pageSize",
                "/memory/limit",
                "/network/classID",
                "/pids/limit",
                "/rdma/a b",
                "/unified/a",
            ]
        );
        assert_eq!(found.iter().filter(|finding| finding.severity == Severity::Warning).count(), 1);
    }

    #[test]
    fn limits_that_could_hit_the_setup_are_written_before_the_start() {
        let list = settings(&resources(EVERYTHING), &Pointer::root());
        let late: Vec<&str> =
            list.iter().filter(|s| s.moment() == Moment::BeforeStart).map(|s| s.file.as_str()).collect();
        assert_eq!(late, ["pids.max", "memory.max", "memory.high"]);
    }
}
