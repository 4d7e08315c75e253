//! What controllers count that are bound to cgroup v1, in the same shape.
//!
//! `pids` and `rdma` have the files of version 2, and `Files` finds them in their group. The others have
//! names and units of their own: time is in nanoseconds already, swap includes memory already, and no limit
//! is the largest multiple of a page.
//!
//! Kernel: admin-guide/cgroup-v1/memory.rst, cpuacct.rst, blkio-controller.rst, hugetlb.rst; cpuset(7).

use super::cpu::{CpuSet, Throttling, Usage, list};
use super::hugetlb::HugePages;
use super::io::{BlockIo, Entry};
use super::memory::{Amount, Memory};
use super::{Files, figure, named};

/// The words for what was done to a disk, in the files of `blkio`.
const OPERATIONS: [&str; 6] = ["Read", "Write", "Sync", "Async", "Discard", "Total"];

/// From `memory.*` and `memory.memsw.*`; the latter are missing where swap is not counted.
pub fn memory(files: &Files) -> Memory {
    let amount = |start: &str| Amount {
        limit: files.figure(&format!("{start}.limit_in_bytes")),
        usage: files.figure(&format!("{start}.usage_in_bytes")),
        max: files.figure(&format!("{start}.max_usage_in_bytes")),
        failcnt: files.figure(&format!("{start}.failcnt")),
    };
    let raw: std::collections::BTreeMap<_, _> = files.figures("memory.stat").into_iter().collect();
    let cache = raw.get("cache").copied().unwrap_or(0);
    Memory { cache, usage: amount("memory"), swap: amount("memory.memsw"), raw, psi: None }
}

/// From `cpuacct.usage` and its parts.
pub fn usage(files: &Files) -> Usage {
    Usage {
        total: files.figure("cpuacct.usage"),
        kernel: files.figure("cpuacct.usage_sys"),
        user: files.figure("cpuacct.usage_user"),
    }
}

/// From `cpu.stat`, whose time is in nanoseconds here.
pub fn throttling(files: &Files) -> Throttling {
    let stat = files.figures("cpu.stat");
    Throttling {
        periods: named(&stat, "nr_periods"),
        throttled_periods: named(&stat, "nr_throttled"),
        throttled_time: named(&stat, "throttled_time"),
    }
}

/// From `cpuset.effective_cpus` and `cpuset.effective_mems`.
pub fn cpuset(files: &Files) -> CpuSet {
    CpuSet {
        cpus: list(&files.text("cpuset.effective_cpus")),
        mems: list(&files.text("cpuset.effective_mems")),
        ..CpuSet::default()
    }
}

/// From `blkio.throttle.*`, which count for every scheduler of a disk.
pub fn disks(files: &Files) -> BlockIo {
    let table = |name: &str| entries(&files.text(&format!("blkio.throttle.{name}_recursive")));
    BlockIo {
        io_service_bytes_recursive: table("io_service_bytes"),
        io_serviced_recursive: table("io_serviced"),
        psi: None,
    }
}

/// Lines such as `8:16 Read 4096`; the sum of all disks in the last one has no disk.
fn entries(text: &str) -> Vec<Entry> {
    let entry = |line: &str| {
        let mut words = line.split_whitespace();
        let (major, minor) = words.next()?.split_once(':')?;
        let word = words.next()?;
        let op = OPERATIONS.into_iter().find(|op| *op == word)?;
        let value = words.next()?.parse().ok()?;
        Some(Entry { major: major.parse().ok()?, minor: minor.parse().ok()?, op, value })
    };
    text.lines().filter_map(entry).collect()
}

/// From `hugetlb.SIZE.*`; what is reserved counts where the kernel knows it (Linux 5.7).
pub fn huge_pages(files: &Files, size: &str) -> Option<HugePages> {
    let text = |end: &str| files.text(&format!("hugetlb.{size}.{end}"));
    let start =
        ["rsvd.", ""].into_iter().find(|start| !text(&format!("{start}usage_in_bytes")).is_empty())?;
    let of = |end: &str| figure(&text(&format!("{start}{end}")));
    Some(HugePages { usage: of("usage_in_bytes"), failcnt: of("failcnt") })
}

#[cfg(test)]
mod tests {
    use super::entries;

    #[test]
    fn a_line_is_an_entry_and_the_sum_is_none() {
        let text = "8:16 Read 4096\n8:16 Write 0\n8:16 Other 7\n253:0 Total 9\nTotal 4096\n";
        let found: Vec<_> = entries(text).iter().map(|e| (e.major, e.minor, e.op, e.value)).collect();
        assert_eq!(found, [(8, 16, "Read", 4096), (8, 16, "Write", 0), (253, 0, "Total", 9)]);
    }
}
