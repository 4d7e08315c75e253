//! The `blkio` controller of version 1, which version 2 calls `io`.
//!
//! Kernel: `blkio.throttle.*_device` take one line "MAJOR:MINOR rate" for each device, and a rate of 0 lifts
//! the limit. A weight (10 to 1000) needs the BFQ scheduler, whose files are `blkio.bfq.weight` and
//! `blkio.bfq.weight_device`; kernels with patches of their own have them without `bfq`. `leafWeight` went
//! with the CFQ scheduler in Linux 5.0, and is an error as on version 2.
//!
//! Kernel: admin-guide/cgroup-v1/blkio-controller.rst, block/bfq-iosched.rst. Man page: cgroups(7), "blkio".

use oci_spec::runtime::LinuxBlockIo;

use crate::bundle::finding::Pointer;
use crate::cgroup::io;
use crate::cgroup::limits::Setting;

/// The writes: one for each device.
pub(super) fn settings(block_io: &LinuxBlockIo, at: &Pointer) -> Vec<Setting> {
    let mut list = Vec::new();
    if let Some(weight) = block_io.weight().filter(|weight| *weight != 0) {
        let why = format!("weight {weight} of 10 to 1000 on every device");
        let setting = Setting::new("blkio.bfq.weight", weight, why, at.key("weight"));
        list.push(setting.or_else("blkio.weight", weight));
    }
    for (index, device) in io::weight_devices(block_io).iter().enumerate() {
        if let Some(weight) = device.weight().filter(|weight| *weight != 0) {
            let value = format!("{}:{} {weight}", device.major(), device.minor());
            let why =
                format!("weight {weight} of 10 to 1000 on device {}:{}", device.major(), device.minor());
            let at = at.key("weightDevice").index(index).key("weight");
            let setting = Setting::new("blkio.bfq.weight_device", &value, why, at);
            list.push(setting.or_else("blkio.weight_device", &value));
        }
    }
    for ((field, key, unit), devices) in io::throttles(block_io) {
        for (index, device) in devices.iter().enumerate() {
            let name = format!("{}:{}", device.major(), device.minor());
            let why = match device.rate() {
                0 => format!("any number of {unit} on device {name}"),
                rate => format!("at most {rate} {unit} on device {name}"),
            };
            let at = at.key(field).index(index).key("rate");
            list.push(Setting::new(file_of(key), format!("{name} {}", device.rate()), why, at));
        }
    }
    list
}

/// The file for a key of `io.max`.
fn file_of(key: &str) -> &'static str {
    match key {
        "rbps" => "blkio.throttle.read_bps_device",
        "wbps" => "blkio.throttle.write_bps_device",
        "riops" => "blkio.throttle.read_iops_device",
        _ => "blkio.throttle.write_iops_device",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::limits::Optional;

    #[test]
    fn weights_and_rates_have_a_line_for_each_device() {
        let block_io = serde_json::from_str(
            r#"{"weight": 100, "weightDevice": [{"major": 8, "minor": 0, "weight": 500}],
                "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1}],
                "throttleWriteBpsDevice": [{"major": 8, "minor": 0, "rate": 2}],
                "throttleReadIOPSDevice": [{"major": 8, "minor": 0, "rate": 3}],
                "throttleWriteIOPSDevice": [{"major": 8, "minor": 16, "rate": 0}]}"#,
        );
        let list = settings(&block_io.expect("a LinuxBlockIo object"), &Pointer::root());
        let written: Vec<String> = list.iter().map(|one| format!("{}={}", one.file, one.value)).collect();
        assert_eq!(
            written,
            [
                "blkio.bfq.weight=100",
                "blkio.bfq.weight_device=8:0 500",
                "blkio.throttle.read_bps_device=8:0 1",
                "blkio.throttle.write_bps_device=8:0 2",
                "blkio.throttle.read_iops_device=8:0 3",
                "blkio.throttle.write_iops_device=8:16 0",
            ]
        );
        let other = Optional::OrElse { file: "blkio.weight_device".to_owned(), value: "8:0 500".to_owned() };
        assert_eq!(list[1].optional, other);
        assert_eq!(list[5].at.as_str(), "/throttleWriteIOPSDevice/0/rate");
    }
}
