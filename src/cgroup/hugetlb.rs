//! The `hugetlb` controller: how much memory in huge pages, for each page size.
//!
//! Kernel: `hugetlb.SIZE.max` is checked when a page is touched, so the process dies of SIGBUS.
//! `hugetlb.SIZE.rsvd.max` (5.7) is checked when the pages are reserved, so mmap(2) fails with ENOMEM.
//!
//! OCI (config-linux.md, "Huge page limits"): `pageSize` is a number with KB, MB or GB and must belong to a
//! file of this machine; the limit is on reservations where the kernel can do that. Both files are written.
//!
//! Man page: mmap(2) under `MAP_HUGETLB`. Kernel: cgroup-v2.rst, "HugeTLB".

use oci_spec::runtime::LinuxHugepageLimit;

use super::limits::Setting;
use crate::bundle::finding::{Finding, Pointer};

/// The writes to `hugetlb.SIZE.max` and `hugetlb.SIZE.rsvd.max`, in bytes.
pub fn settings(limits: &[LinuxHugepageLimit], at: &Pointer) -> Vec<Setting> {
    let mut list = Vec::new();
    for (index, limit) in limits.iter().enumerate() {
        let (size, bytes) = (limit.page_size(), limit.limit());
        let at = at.index(index).key("limit");
        let touched = format!("at most {bytes} bytes in use in pages of {size}");
        list.push(Setting::new(format!("hugetlb.{size}.max"), bytes, touched, at.clone()));
        let reserved = format!("at most {bytes} bytes reserved in pages of {size}");
        list.push(Setting::new(format!("hugetlb.{size}.rsvd.max"), bytes, reserved, at).if_present());
    }
    list
}

/// Page sizes that name no file, and limits that are no size.
pub fn findings(limits: &[LinuxHugepageLimit], at: &Pointer) -> Vec<Finding> {
    let mut list = Vec::new();
    for (index, limit) in limits.iter().enumerate() {
        let at = at.index(index);
        if !is_page_size(limit.page_size()) {
            let message = format!("{:?} is not the size of a huge page", limit.page_size());
            list.push(Finding::error(at.key("pageSize"), message).cure("write it like 64KB, 2MB or 1GB"));
        }
        if limit.limit() < 0 {
            let message = format!("a limit of {} bytes is not a size", limit.limit());
            list.push(Finding::error(at.key("limit"), message).cure("leave the entry out for no limit"));
        }
    }
    list
}

/// Digits without a leading zero, then KB, MB or GB: the form that the kernel uses in its file names.
fn is_page_size(text: &str) -> bool {
    let number = ["KB", "MB", "GB"].iter().find_map(|unit| text.strip_suffix(unit)).unwrap_or_default();
    !number.is_empty() && !number.starts_with('0') && number.bytes().all(|digit| digit.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::limits::Optional;

    fn limits(json: &str) -> Vec<LinuxHugepageLimit> {
        serde_json::from_str(json).expect("a list of LinuxHugepageLimit objects")
    }

    #[test]
    fn both_ways_of_accounting_are_limited() {
        let list = settings(&limits(r#"[{"pageSize": "1GB", "limit": 0}]"#), &Pointer::root());
        assert_eq!((list[0].file.as_str(), list[0].value.as_str()), ("hugetlb.1GB.max", "0"));
        assert_eq!(list[0].optional, Optional::Required);
        assert_eq!((list[1].file.as_str(), list[1].value.as_str()), ("hugetlb.1GB.rsvd.max", "0"));
        assert_eq!(list[1].optional, Optional::IfPresent);
        assert_eq!(list[1].controller, "hugetlb");
    }

    #[test]
    fn a_page_size_is_a_number_and_a_unit() {
        for good in ["64KB", "2MB", "1GB", "512MB"] {
            assert!(is_page_size(good), "{good}");
        }
        for bad in ["", "MB", "2", "2mb", "2MiB", "02MB", "-2MB", "2 MB", "2MB/..", "../2MB", "2MBMB"] {
            assert!(!is_page_size(bad), "{bad}");
        }
    }

    #[test]
    fn bad_entries_are_found_where_they_stand() {
        let bad = limits(r#"[{"pageSize": "2MB", "limit": 1}, {"pageSize": "2/MB", "limit": -1}]"#);
        let found = findings(&bad, &Pointer::root());
        let places: Vec<&str> = found.iter().map(|finding| finding.at.as_str()).collect();
        assert_eq!(places, ["/1/pageSize", "/1/limit"]);
    }
}
