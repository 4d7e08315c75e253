//! The `cpuset` controller: on which processors, and on which memory nodes.
//!
//! Kernel: `cpuset.cpus` and `cpuset.mems` take lists such as `0-3,7`. A list that is not within the parent's
//! `cpuset.cpus.effective` is accepted and cut down without a word; `cpuset.cpus.effective` shows the
//! outcome. `CLONE_INTO_CGROUP` puts even the first instruction of the child on the right processor.
//!
//! OCI (config-linux.md, "CPU"): `cpus` and `mems` are passed on as they stand; empty means unset.
//!
//! Man pages: cpuset(7), "Formats"; cgroups(7), "cpuset". Kernel: cgroup-v2.rst, "Cpuset".

use oci_spec::runtime::LinuxCpu;

use super::limits::Setting;
use crate::bundle::finding::{Finding, Pointer};

/// The writes to `cpuset.cpus` and `cpuset.mems`.
pub fn settings(cpu: &LinuxCpu, at: &Pointer) -> Vec<Setting> {
    let mut list = Vec::new();
    if let Some(cpus) = cpu.cpus().as_deref().filter(|cpus| !cpus.is_empty()) {
        let why = format!("run on processors {cpus} only");
        list.push(Setting::new("cpuset.cpus", cpus, why, at.key("cpus")));
    }
    if let Some(mems) = cpu.mems().as_deref().filter(|mems| !mems.is_empty()) {
        let why = format!("take memory from nodes {mems} only");
        list.push(Setting::new("cpuset.mems", mems, why, at.key("mems")));
    }
    list
}

/// Lists that the kernel would not read. Whether the processors exist is the kernel's to say.
pub fn findings(cpu: &LinuxCpu, at: &Pointer) -> Vec<Finding> {
    let mut list = Vec::new();
    for (name, value) in [("cpus", cpu.cpus()), ("mems", cpu.mems())] {
        let Some(text) = value else { continue };
        // Digits and the signs of the list format (lib/bitmap.c: ranges, and strides such as 0-9:1/2).
        if !text.chars().all(|sign| sign.is_ascii_digit() || ",-:/".contains(sign)) {
            let message = format!("{text:?} is not a list of numbers and ranges");
            list.push(Finding::error(at.key(name), message).cure("write it like 0-3,7"));
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpu(json: &str) -> LinuxCpu {
        serde_json::from_str(json).expect("a LinuxCpu object")
    }

    #[test]
    fn lists_are_passed_on_and_empty_ones_are_unset() {
        let list = settings(&cpu(r#"{"cpus": "0-2,4", "mems": "0"}"#), &Pointer::root());
        assert_eq!((list[0].file.as_str(), list[0].value.as_str()), ("cpuset.cpus", "0-2,4"));
        assert_eq!((list[1].file.as_str(), list[1].value.as_str()), ("cpuset.mems", "0"));
        assert!(settings(&cpu(r#"{"cpus": "", "mems": ""}"#), &Pointer::root()).is_empty());
    }

    #[test]
    fn what_is_no_list_is_an_error() {
        for (json, place) in [
            (r#"{"cpus": "0;1"}"#, "/cpus"),
            (r#"{"cpus": "0\n1"}"#, "/cpus"),
            (r#"{"mems": "zero"}"#, "/mems"),
        ] {
            let list = findings(&cpu(json), &Pointer::root());
            assert_eq!(list[0].at.as_str(), place, "{json}");
        }
        assert!(findings(&cpu(r#"{"cpus": "0-3,7,8-15:1/2", "mems": ""}"#), &Pointer::root()).is_empty());
    }
}
