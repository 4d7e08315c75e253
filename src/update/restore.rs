//! What is written to a file of a cgroup so that it says again what it said before.
//!
//! Most files hold one value, which can be written as it is read. Some hold a line for each device, and a
//! write changes one of them; a device that had no line gets the value that stands for none.
//!
//! Kernel: cgroup-v2.rst, "Format" and "IO Interface Files".

/// The values that undo the write of `written` to `file`, which read `before`.
pub(super) fn value(file: &str, written: &str, before: &str) -> String {
    let key = written.split(' ').next().filter(|key| is_keyed(file, key));
    let line = |start: &str| {
        let is_it = |line: &&str| line.strip_prefix(start).is_some_and(|rest| rest.starts_with(' '));
        before.lines().find(is_it).map(|line| line.trim_end().to_owned())
    };
    match key {
        Some(key) => line(key).unwrap_or_else(|| format!("{key} {}", nothing(file))),
        // The share of all devices that have none of their own.
        None => line("default").unwrap_or_else(|| before.trim().to_owned()),
    }
}

/// Does a value that begins so speak of one device or resource?
fn is_keyed(file: &str, key: &str) -> bool {
    let is_device = key.split_once(':').is_some_and(|(major, minor)| {
        [major, minor].iter().all(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
    });
    is_device || matches!(file, "rdma.max" | "misc.max")
}

/// What says that a device or resource has no limit of its own.
fn nothing(file: &str) -> &'static str {
    match file {
        "io.max" => "rbps=max wbps=max riops=max wiops=max",
        "io.latency" => "target=0",
        "rdma.max" => "hca_handle=max hca_object=max",
        "misc.max" => "max",
        _ => "default",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_one_value_gets_it_back() {
        assert_eq!(value("memory.max", "1048576", "max\n"), "max");
        assert_eq!(value("cpu.max", "50000 100000", "50000 200000\n"), "50000 200000");
        assert_eq!(value("cpu.max", "50000 100000", "max 100000\n"), "max 100000");
        assert_eq!(value("cpuset.cpus", "0-1", "\n"), "");
    }

    #[test]
    fn a_device_gets_its_own_line_back() {
        let before = "8:0 rbps=5 wbps=max riops=max wiops=max\n8:16 rbps=max wbps=7 riops=max wiops=max\n";
        let of = |written| value("io.max", written, before);
        assert_eq!(of("8:16 rbps=1"), "8:16 rbps=max wbps=7 riops=max wiops=max");
        assert_eq!(of("8:1 rbps=1"), "8:1 rbps=max wbps=max riops=max wiops=max");
        assert_eq!(value("rdma.max", "mlx5_1 hca_handle=3", ""), "mlx5_1 hca_handle=max hca_object=max");
    }

    #[test]
    fn a_weight_is_that_of_all_devices_or_of_one() {
        let before = "default 100\n8:0 50\n";
        assert_eq!(value("io.weight", "910", before), "default 100");
        assert_eq!(value("io.weight", "8:0 910", before), "8:0 50");
        assert_eq!(value("io.weight", "8:16 910", before), "8:16 default");
        assert_eq!(value("io.bfq.weight", "500", "100\n"), "100");
    }
}
