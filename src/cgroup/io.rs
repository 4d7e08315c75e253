//! The `io` controller: which share of a disk, and at most how much of it.
//!
//! Kernel: `io.max` holds one line for each device with `rbps`, `wbps`, `riops` and `wiops`; a write changes
//! only what it names. A share of the disk needs a scheduler that can divide: BFQ takes it in `io.bfq.weight`
//! (1 to 1000), the iocost controller in `io.weight` (1 to 10000, 100 by default). The first exists only
//! where BFQ is built or loaded, so a weight has two homes.
//!
//! OCI (config-linux.md, "Block IO") has weights of 10 to 1000. BFQ takes them as they are; for `io.weight`
//! the range is stretched: 1 + (weight - 10) * 9999 / 990. A rate of 0 lifts a limit, as it did on v1; v2
//! spells that `max`. `leafWeight` went with the CFQ scheduler and cannot be converted.
//!
//! Man page: cgroups(7), "blkio" (v1). Kernel: cgroup-v2.rst, "IO"; block/bfq-iosched.rst.

use oci_spec::runtime::{LinuxBlockIo, LinuxThrottleDevice, LinuxWeightDevice};

use super::limits::Setting;
use crate::bundle::finding::{Finding, Pointer};

/// The four lists of limits: their name in config.json, their key in `io.max`, and their unit.
pub(super) type ThrottleList = (&'static str, &'static str, &'static str);
const THROTTLES: [ThrottleList; 4] = [
    ("throttleReadBpsDevice", "rbps", "bytes read per second"),
    ("throttleWriteBpsDevice", "wbps", "bytes written per second"),
    ("throttleReadIOPSDevice", "riops", "reads per second"),
    ("throttleWriteIOPSDevice", "wiops", "writes per second"),
];

/// The weights that OCI allows; 0 is unset.
const WEIGHTS: std::ops::RangeInclusive<u16> = 10..=1000;

/// The writes to `io.bfq.weight` or `io.weight`, and to `io.max`: one write for each device.
pub fn settings(block_io: &LinuxBlockIo, at: &Pointer) -> Vec<Setting> {
    let mut list = Vec::new();
    if let Some(weight) = block_io.weight().filter(|weight| *weight != 0) {
        list.push(weight_setting("", weight, at.key("weight")));
    }
    for (index, device) in weight_devices(block_io).iter().enumerate() {
        if let Some(weight) = device.weight().filter(|weight| *weight != 0) {
            let name = format!("{}:{} ", device.major(), device.minor());
            list.push(weight_setting(&name, weight, at.key("weightDevice").index(index).key("weight")));
        }
    }
    for ((field, key, unit), devices) in throttles(block_io) {
        for (index, device) in devices.iter().enumerate() {
            let name = format!("{}:{}", device.major(), device.minor());
            let (rate, why) = match device.rate() {
                0 => ("max".to_owned(), format!("any number of {unit} on device {name}")),
                rate => (rate.to_string(), format!("at most {rate} {unit} on device {name}")),
            };
            let value = format!("{name} {key}={rate}");
            list.push(Setting::new("io.max", value, why, at.key(field).index(index).key("rate")));
        }
    }
    list
}

/// A weight in BFQ's own units, or stretched for `io.weight` where there is no BFQ. `device` is `"8:0 "` or
/// empty for all devices.
fn weight_setting(device: &str, weight: u16, at: Pointer) -> Setting {
    let stretched = io_weight(weight);
    let why = format!("weight {weight} of 10 to 1000 for BFQ, or {stretched} of 1 to 10000 without BFQ");
    Setting::new("io.bfq.weight", format!("{device}{weight}"), why, at)
        .or_else("io.weight", format!("{device}{stretched}"))
}

/// `io.weight` for a v1 weight of 10 to 1000.
pub fn io_weight(weight: u16) -> u32 {
    1 + u32::from(weight.saturating_sub(10)) * 9999 / 990
}

pub(super) fn weight_devices(block_io: &LinuxBlockIo) -> &[LinuxWeightDevice] {
    block_io.weight_device().as_deref().unwrap_or_default()
}

pub(super) fn throttles(
    block_io: &LinuxBlockIo,
) -> impl Iterator<Item = (ThrottleList, &[LinuxThrottleDevice])> {
    let lists = [
        block_io.throttle_read_bps_device(),
        block_io.throttle_write_bps_device(),
        block_io.throttle_read_iops_device(),
        block_io.throttle_write_iops_device(),
    ];
    THROTTLES.into_iter().zip(lists.map(|list| list.as_deref().unwrap_or_default()))
}

/// Weights out of range, device numbers that are none, and what went away with v1.
pub fn findings(block_io: &LinuxBlockIo, at: &Pointer) -> Vec<Finding> {
    let mut list = Vec::new();
    list.extend(weight_finding(block_io.weight(), at.key("weight")));
    list.extend(leaf_finding(block_io.leaf_weight(), at.key("leafWeight")));
    for (index, device) in weight_devices(block_io).iter().enumerate() {
        let at = at.key("weightDevice").index(index);
        list.extend(number_findings(device.major(), device.minor(), &at));
        list.extend(weight_finding(device.weight(), at.key("weight")));
        list.extend(leaf_finding(device.leaf_weight(), at.key("leafWeight")));
        if device.weight().is_none() && device.leaf_weight().is_none() {
            list.push(Finding::error(at, "a weightDevice without a weight").cure("add weight, 10 to 1000"));
        }
    }
    for ((field, _, _), devices) in throttles(block_io) {
        for (index, device) in devices.iter().enumerate() {
            list.extend(number_findings(device.major(), device.minor(), &at.key(field).index(index)));
        }
    }
    list
}

fn weight_finding(weight: Option<u16>, at: Pointer) -> Option<Finding> {
    let weight = weight.filter(|weight| *weight != 0 && !WEIGHTS.contains(weight))?;
    Some(Finding::error(at, format!("a weight of {weight} is not between 10 and 1000")))
}

fn leaf_finding(weight: Option<u16>, at: Pointer) -> Option<Finding> {
    let weight = weight.filter(|weight| *weight != 0)?;
    let message = format!("leafWeight {weight} cannot be set: it went with the CFQ scheduler of cgroup v1");
    Some(Finding::error(at, message).cure("leave it out"))
}

fn number_findings(major: i64, minor: i64, at: &Pointer) -> Vec<Finding> {
    [("major", major), ("minor", minor)]
        .into_iter()
        .filter(|(_, number)| u32::try_from(*number).is_err())
        .map(|(name, number)| Finding::error(at.key(name), format!("{number} is not a device number")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::limits::Optional;

    fn block_io(json: &str) -> LinuxBlockIo {
        serde_json::from_str(json).expect("a LinuxBlockIo object")
    }

    fn written(json: &str) -> Vec<String> {
        let list = settings(&block_io(json), &Pointer::root());
        list.iter().map(|setting| format!("{}={}", setting.file, setting.value)).collect()
    }

    fn found(json: &str) -> Vec<String> {
        let list = findings(&block_io(json), &Pointer::root());
        list.iter().map(|finding| finding.at.as_str().to_owned()).collect()
    }

    #[test]
    fn the_weight_range_is_stretched_end_to_end() {
        assert_eq!(io_weight(10), 1);
        assert_eq!(io_weight(100), 910);
        assert_eq!(io_weight(500), 4950);
        assert_eq!(io_weight(1000), 10_000);
        assert_eq!(io_weight(0), 1);
        assert_eq!(io_weight(u16::MAX), 1 + (65_535 - 10) * 9999 / 990);
    }

    #[test]
    fn a_weight_has_two_homes() {
        let list = settings(&block_io(r#"{"weight": 500}"#), &Pointer::root());
        assert_eq!((list[0].file.as_str(), list[0].value.as_str()), ("io.bfq.weight", "500"));
        let other = Optional::OrElse { file: "io.weight".to_owned(), value: "4950".to_owned() };
        assert_eq!(list[0].optional, other);
        assert_eq!(list[0].controller, "io");
    }

    #[test]
    fn a_weight_for_one_device_names_it_in_both_homes() {
        let json = r#"{"weightDevice": [{"major": 8, "minor": 16, "weight": 10}]}"#;
        let list = settings(&block_io(json), &Pointer::root());
        assert_eq!(list[0].value, "8:16 10");
        assert_eq!(
            list[0].optional,
            Optional::OrElse { file: "io.weight".to_owned(), value: "8:16 1".to_owned() }
        );
        assert_eq!(list[0].at.as_str(), "/weightDevice/0/weight");
    }

    #[test]
    fn each_limit_is_one_write_and_zero_lifts_it() {
        let json = r#"{"throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 600}],
                       "throttleWriteBpsDevice": [{"major": 8, "minor": 0, "rate": 0}],
                       "throttleReadIOPSDevice": [{"major": 8, "minor": 0, "rate": 1},
                                                  {"major": 9, "minor": 1, "rate": 2}],
                       "throttleWriteIOPSDevice": [{"major": 8, "minor": 0, "rate": 18446744073709551615}]}"#;
        assert_eq!(
            written(json),
            [
                "io.max=8:0 rbps=600",
                "io.max=8:0 wbps=max",
                "io.max=8:0 riops=1",
                "io.max=9:1 riops=2",
                "io.max=8:0 wiops=18446744073709551615",
            ]
        );
        assert_eq!(found(json), [""; 0]);
    }

    #[test]
    fn bad_weights_and_numbers_are_found() {
        assert_eq!(found(r#"{"weight": 9}"#), ["/weight"]);
        assert_eq!(found(r#"{"weight": 1001}"#), ["/weight"]);
        assert_eq!(found(r#"{"weight": 0}"#), [""; 0]);
        assert_eq!(found(r#"{"leafWeight": 10}"#), ["/leafWeight"]);
        assert_eq!(found(r#"{"weightDevice": [{"major": 8, "minor": 0}]}"#), ["/weightDevice/0"]);
        assert_eq!(
            found(r#"{"weightDevice": [{"major": -8, "minor": 4294967296, "weight": 10}]}"#),
            ["/weightDevice/0/major", "/weightDevice/0/minor"]
        );
        assert_eq!(
            found(r#"{"throttleWriteIOPSDevice": [{"major": 8, "minor": -1, "rate": 5}]}"#),
            ["/throttleWriteIOPSDevice/0/minor"]
        );
    }
}
