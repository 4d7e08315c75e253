//! Huge pages, for each size that the machine has.
//!
//! Kernel: cgroup-v2.rst, "HugeTLB Interface Files". What is reserved counts, as in runc, where the kernel
//! knows it (Linux 5.7).

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Files, is_nothing, named, v1};

/// In bytes; `failcnt` is how often the limit was hit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct HugePages {
    #[serde(skip_serializing_if = "is_nothing")]
    pub usage: u64,
    pub failcnt: u64,
}

/// By size, as the files are named: `2MB`.
pub fn read(files: &Files) -> BTreeMap<String, HugePages> {
    let sizes = std::fs::read_dir("/sys/kernel/mm/hugepages").into_iter().flatten();
    let names = sizes.filter_map(|entry| Some(entry.ok()?.file_name().to_str()?.to_owned()));
    names.filter_map(|name| size(&name)).filter_map(|size| Some((size.clone(), of(files, &size)?))).collect()
}

fn of(files: &Files, size: &str) -> Option<HugePages> {
    if files.is_bound("hugetlb") {
        return v1::huge_pages(files, size);
    }
    let file = |end: &str| files.text(&format!("hugetlb.{size}.{end}"));
    let current = [file("rsvd.current"), file("current")].into_iter().find(|text| !text.is_empty())?;
    Some(HugePages {
        usage: super::figure(&current),
        failcnt: named(&super::figures(&file("events")), "max"),
    })
}

/// `hugepages-2048kB` is `2MB`.
fn size(name: &str) -> Option<String> {
    let kilobytes: u64 = name.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse().ok()?;
    Some(match kilobytes {
        0..1024 => format!("{kilobytes}KB"),
        1024..1_048_576 => format!("{}MB", kilobytes / 1024),
        _ => format!("{}GB", kilobytes / 1_048_576),
    })
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_named_as_the_controller_names_them() {
        let names = ["hugepages-64kB", "hugepages-2048kB", "hugepages-1048576kB"];
        assert_eq!(names.map(|name| size(name).unwrap()), ["64KB", "2MB", "1GB"]);
        assert_eq!(size("hugepages-xkB"), None);
    }
}
