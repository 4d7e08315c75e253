//! `linux.resources.unified`: files of cgroup v2, named and filled as they are.
//!
//! OCI (config-linux.md, "Unified"): each key is the name of a file, each value is its content. What the
//! runtime does not know must still be written; a controller that is missing or cannot be enabled is an
//! error.
//!
//! A name has the form CONTROLLER.PARAMETER, and a slash in it would leave the container's cgroup. Some files
//! take one line at a time (`io.max`, `rdma.max`), so a value with several lines becomes several writes.
//! Written last, these values win over the other fields of `linux.resources`.
//!
//! Four files of the core do not describe the container but act on processes: `cgroup.procs` would move a
//! process of the host into it, `cgroup.freeze` would stop it while it is being made. They are refused.
//!
//! Man page: cgroups(7), "cgroup v2". Kernel: cgroup-v2.rst, "Interface Files".

use std::collections::{BTreeMap, HashMap};

use super::limits::Setting;
use crate::bundle::finding::{Finding, Pointer};

/// Files that act on processes instead of setting a limit.
const REFUSED: [&str; 4] = ["cgroup.procs", "cgroup.threads", "cgroup.kill", "cgroup.freeze"];

/// One write for each line of each value, in the order of the file names.
pub fn settings(files: &HashMap<String, String>, at: &Pointer) -> Vec<Setting> {
    let mut list = Vec::new();
    for (file, value) in files.iter().collect::<BTreeMap<_, _>>() {
        let lines = value.lines().filter(|line| !line.trim().is_empty());
        // An empty value is a request too: it clears a cpuset.
        let lines = if value.trim().is_empty() { vec![""] } else { lines.collect() };
        for line in lines {
            let why = format!("unified asks for {file} = {line:?} as it stands");
            list.push(Setting::new(file, line, why, at.key(file)));
        }
    }
    list
}

/// Names that are not the name of a setting.
pub fn findings(files: &HashMap<String, String>, at: &Pointer) -> Vec<Finding> {
    let mut list = Vec::new();
    for (file, value) in files.iter().collect::<BTreeMap<_, _>>() {
        let at = at.key(file);
        if file.contains('/') {
            let message = format!("unified resource {file:?} must be a file name (no slashes)");
            list.push(Finding::error(at, message));
        } else if !is_setting_name(file) {
            let message = format!("unified resource {file:?} must be in the form CONTROLLER.PARAMETER");
            list.push(Finding::error(at, message).cure("write it like memory.high"));
        } else if REFUSED.contains(&file.as_str()) {
            let message = format!("unified resource {file:?} acts on processes and belongs to the runtime");
            list.push(Finding::error(at, message).cure("use the commands kill, pause and exec"));
        } else if value.contains('\0') {
            list.push(Finding::error(at, format!("the value for {file} holds a zero byte")));
        }
    }
    list
}

/// Dots between non-empty words of letters, digits, `_` and `-`; so neither `..` nor a hidden file.
fn is_setting_name(file: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|sign| sign.is_ascii_alphanumeric() || b"_-".contains(&sign))
    };
    file.contains('.') && file.split('.').all(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(pairs: &[(&str, &str)]) -> HashMap<String, String> {
        pairs.iter().map(|(file, value)| (file.to_string(), value.to_string())).collect()
    }

    #[test]
    fn each_line_is_a_write() {
        let list = settings(
            &files(&[("io.max", "8:0 rbps=1\n\n8:16 wbps=2\n"), ("hugetlb.1GB.max", "0")]),
            &Pointer::root(),
        );
        let written: Vec<_> = list.iter().map(|s| (s.file.as_str(), s.value.as_str())).collect();
        assert_eq!(written, [("hugetlb.1GB.max", "0"), ("io.max", "8:0 rbps=1"), ("io.max", "8:16 wbps=2")]);
        assert_eq!(list[0].controller, "hugetlb");
    }

    #[test]
    fn an_empty_value_is_written_too() {
        let list = settings(&files(&[("cpuset.cpus", ""), ("cpuset.mems", "\n")]), &Pointer::root());
        assert_eq!(list.iter().map(|s| s.value.as_str()).collect::<Vec<_>>(), ["", ""]);
    }

    #[test]
    fn names_that_lead_elsewhere_are_errors() {
        for name in [
            "a/b.c",
            "../memory.max",
            "memory",
            "",
            ".",
            "..",
            "memory..max",
            ".max",
            "memory.",
            "a b.c",
            "x.\n",
        ] {
            assert_eq!(findings(&files(&[(name, "1")]), &Pointer::root()).len(), 1, "{name:?}");
        }
        for name in ["memory.high", "io.bfq.weight", "hugetlb.2MB.rsvd.max", "misc.max", "cgroup.max.depth"] {
            assert_eq!(findings(&files(&[(name, "1")]), &Pointer::root()).len(), 0, "{name:?}");
        }
    }

    #[test]
    fn files_that_act_on_processes_are_refused() {
        for name in REFUSED {
            assert_eq!(findings(&files(&[(name, "1")]), &Pointer::root()).len(), 1, "{name}");
        }
        assert_eq!(findings(&files(&[("memory.high", "1\0")]), &Pointer::root()).len(), 1);
    }
}
