//! What a unit is told about itself: its properties, from the limits and from annotations.
//!
//! systemd writes the files of a cgroup itself, and again whenever it sees fit (`daemon-reload`,
//! `set-property`). So every limit that it knows is told to it as a property; else it would one day write its
//! own default over ours. After the unit is there all limits are written to the files as well, as with the
//! other driver: what systemd cannot express (hugetlb, rdma, one device's I/O, burst) stands there alone, and
//! systemd leaves files alone of which it was told nothing.
//!
//! | file | property |
//! |---|---|
//! | `memory.max`, `.high`, `.low`, `.min`, `.swap.max`, `.zswap.max` | `MemoryMax`, … , `MemoryZSwapMax` (253) |
//! | `memory.oom.group` | `OOMPolicy` (253), only when the unit is started |
//! | `cpu.weight`, `cpu.idle` | `CPUWeight`, which is 0 for idle (252) |
//! | `cpu.max` | `CPUQuotaPerSecUSec`, `CPUQuotaPeriodUSec` |
//! | `cpuset.cpus`, `cpuset.mems` | `AllowedCPUs`, `AllowedMemoryNodes` |
//! | `pids.max` | `TasksMax` |
//! | `io.weight` | `IOWeight` |
//!
//! Man pages: systemd.resource-control(5), org.freedesktop.systemd1(5).

use std::collections::BTreeMap;

use super::gvariant;
use super::unit::{Manager, Unit};
use super::value::Value;
use crate::bundle::finding::{Finding, Pointer};
use crate::cgroup::Setting;

/// One property of a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    pub name: String,
    pub value: Value,
    /// The first version of systemd that knows it; 0 for what every systemd of a supported host knows.
    pub since: u32,
}

impl Property {
    fn new(name: impl Into<String>, value: Value) -> Self {
        Self { name: name.into(), value, since: 0 }
    }

    fn since(self, version: u32) -> Self {
        Self { since: version, ..self }
    }

    /// As a method of systemd takes it: `(sv)`.
    pub fn to_value(&self) -> Value {
        let value = Value::Variant(Box::new(self.value.clone()));
        Value::Struct(vec![Value::text(self.name.as_str()), value])
    }
}

/// What every container's scope is told. By the description it is known again as ours.
pub fn basic(unit: &Unit, id: &str) -> Vec<Property> {
    let yes = |name| Property::new(name, Value::Bool(true));
    vec![
        Property::new("Description", Value::text(description(id))),
        Property::new("Slice", Value::text(unit.slice.as_str())),
        yes("Delegate"),
        yes("CPUAccounting"),
        yes("MemoryAccounting"),
        yes("TasksAccounting"),
        yes("IOAccounting"),
        Property::new("DefaultDependencies", Value::Bool(false)),
        // A scope whose processes were killed for want of memory would stay as a failed one.
        Property::new("CollectMode", Value::text("inactive-or-failed")),
    ]
}

/// The description of the unit of container `id`.
pub fn description(id: &str) -> String {
    format!("crate-run container {id}")
}

/// The properties that say what the writes of `settings` say. A later write to the same file wins.
pub fn of_settings(settings: &[Setting]) -> Vec<Property> {
    let mut found: BTreeMap<String, Property> = BTreeMap::new();
    for setting in settings {
        for property in of_file(&setting.file, setting.value.trim()) {
            found.insert(property.name.clone(), property);
        }
    }
    found.into_values().collect()
}

fn of_file(file: &str, value: &str) -> Vec<Property> {
    let number = |name: &str| amount(value).map(|number| Property::new(name, Value::Uint64(number)));
    let one = match file {
        "memory.max" => number("MemoryMax"),
        "memory.high" => number("MemoryHigh"),
        "memory.low" => number("MemoryLow"),
        "memory.min" => number("MemoryMin"),
        "memory.swap.max" => number("MemorySwapMax"),
        "memory.zswap.max" => number("MemoryZSwapMax").map(|property| property.since(253)),
        "memory.oom.group" => {
            let policy = if value == "1" { "kill" } else { "continue" };
            Some(Property::new("OOMPolicy", Value::text(policy)).since(253))
        }
        // No task at all is no value of systemd's.
        "pids.max" => amount(value).map(|most| Property::new("TasksMax", Value::Uint64(most.max(1)))),
        "cpu.weight" => number("CPUWeight"),
        "cpu.idle" if value == "1" => Some(Property::new("CPUWeight", Value::Uint64(0)).since(252)),
        "io.weight" => {
            let weight = value.strip_prefix("default").unwrap_or(value).trim().parse().ok();
            weight.map(|weight| Property::new("IOWeight", Value::Uint64(weight)))
        }
        "cpuset.cpus" => bitmap(value).map(|bits| Property::new("AllowedCPUs", Value::bytes(&bits))),
        "cpuset.mems" => bitmap(value).map(|bits| Property::new("AllowedMemoryNodes", Value::bytes(&bits))),
        "cpu.max" => return bandwidth(value).into_iter().flatten().collect(),
        _ => None,
    };
    one.into_iter().collect()
}

/// A number of the kernel's: `max` is no limit, and a letter behind it counts in powers of 1024.
fn amount(value: &str) -> Option<u64> {
    if value == "max" {
        return Some(u64::MAX);
    }
    let digits = value.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let factor: u64 = match &value[digits.len()..] {
        "" => 1,
        "k" | "K" => 1 << 10,
        "m" | "M" => 1 << 20,
        "g" | "G" => 1 << 30,
        "t" | "T" => 1 << 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

/// Microseconds in a second.
const SECOND: u64 = 1_000_000;
/// systemd keeps a quota as whole percent of a second.
const PERCENT: u64 = SECOND / 100;
/// The kernel's period when `cpu.max` names none, in microseconds.
const DEFAULT_PERIOD: u64 = 100_000;

/// Quota (`None` for no limit) and period of a value of `cpu.max`, in microseconds.
fn quota_and_period(value: &str) -> Option<(Option<u64>, u64)> {
    let mut words = value.split_whitespace();
    let quota = match words.next()? {
        "max" => None,
        number => Some(number.parse().ok()?),
    };
    let period = words.next().map_or(Ok(DEFAULT_PERIOD), str::parse).ok()?;
    (period != 0).then_some((quota, period))
}

/// CPU time for each second, rounded up to what systemd can keep.
fn per_second(quota: u64, period: u64) -> Option<u64> {
    quota.checked_mul(SECOND)?.div_ceil(period).checked_next_multiple_of(PERCENT)
}

fn bandwidth(value: &str) -> Option<[Property; 2]> {
    let (quota, period) = quota_and_period(value)?;
    let each_second = quota.map_or(Some(u64::MAX), |quota| per_second(quota, period))?;
    Some([
        Property::new("CPUQuotaPerSecUSec", Value::Uint64(each_second)),
        Property::new("CPUQuotaPeriodUSec", Value::Uint64(period)),
    ])
}

/// The same settings with each quota of CPU time as systemd keeps it: whole percent of a second. With another
/// one in the file the limit would change at the next `daemon-reload`.
pub fn rounded(settings: Vec<Setting>) -> Vec<Setting> {
    let round = |setting: Setting| {
        let Some((Some(quota), period)) =
            quota_and_period(&setting.value).filter(|_| setting.file == "cpu.max")
        else {
            return setting;
        };
        let exact = per_second(quota, period).map(|each| u128::from(each) * u128::from(period) / 1_000_000);
        match exact {
            Some(most) if most != u128::from(quota) => Setting {
                value: format!("{most} {period}"),
                why: format!("{}, rounded up to a whole percent, as systemd keeps it", setting.why),
                ..setting
            },
            _ => setting,
        }
    };
    settings.into_iter().map(round).collect()
}

/// A list such as `0-3,5` as one bit for each number, the lowest in the first byte. None means all to
/// systemd, as an empty file does to the kernel.
fn bitmap(list: &str) -> Option<Vec<u8>> {
    /// More than any kernel counts.
    const MOST: usize = 8192;
    let mut bits = Vec::new();
    for part in list.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        if last >= MOST {
            return None;
        }
        for number in first..=last {
            let byte = number / 8;
            bits.resize(bits.len().max(byte + 1), 0);
            bits[byte] |= 1 << (number % 8);
        }
    }
    Some(bits)
}

/// What the annotations begin with that name a property.
pub const PREFIX: &str = "org.systemd.property.";

/// Properties that are the runtime's own to set.
const OWN: [&str; 4] = ["PIDs", "Slice", "Delegate", "Description"];

/// The properties that annotations ask for, in the order of their names, and what is wrong with them.
pub fn of_annotations<'a>(
    annotations: impl Iterator<Item = (&'a String, &'a String)>,
) -> (Vec<Property>, Vec<Finding>) {
    let ours: BTreeMap<&str, &str> =
        annotations.filter_map(|(key, value)| Some((key.strip_prefix(PREFIX)?, value.as_str()))).collect();
    let (mut list, mut found) = (Vec::new(), Vec::new());
    for (name, text) in ours {
        let at = Pointer::from("/annotations").key(&format!("{PREFIX}{name}"));
        match of_annotation(name, text) {
            Ok(property) => list.push(property),
            Err(fault) => found.push(
                Finding::error(at, format!("the property {name} cannot be {text:?}: {fault}"))
                    .cure("write the value as GVariant text, such as uint64 5000000 or 'kill'"),
            ),
        }
    }
    (list, found)
}

/// Names that end in `Sec` give seconds; systemd has them as `USec`, in microseconds.
fn of_annotation(name: &str, text: &str) -> Result<Property, String> {
    if name.len() < 3 || !name.chars().all(|letter| letter.is_ascii_alphabetic()) {
        return Err("the name of a property is at least three letters".to_owned());
    }
    if OWN.contains(&name) {
        return Err("crate-run sets this property itself".to_owned());
    }
    let value = gvariant::parse(text)?;
    match name.strip_suffix("Sec") {
        Some(stem) if stem.ends_with(|letter: char| letter.is_ascii_lowercase()) => {
            Ok(Property::new(format!("{stem}USec"), Value::Uint64(microseconds(&value)?)))
        }
        _ => Ok(Property::new(name, value)),
    }
}

fn microseconds(seconds: &Value) -> Result<u64, String> {
    let whole = match seconds {
        Value::Byte(number) => Some(u64::from(*number)),
        Value::Uint16(number) => Some(u64::from(*number)),
        Value::Uint32(number) => Some(u64::from(*number)),
        Value::Uint64(number) => Some(*number),
        Value::Int16(number) => u64::try_from(*number).ok(),
        Value::Int32(number) => u64::try_from(*number).ok(),
        Value::Int64(number) => u64::try_from(*number).ok(),
        Value::Double(bits) => {
            let seconds = f64::from_bits(*bits);
            return match (0.0..1e12).contains(&seconds) {
                true => Ok((seconds * SECOND as f64) as u64),
                false => Err("it is no length of time".to_owned()),
            };
        }
        _ => None,
    };
    whole
        .and_then(|seconds| seconds.checked_mul(SECOND))
        .ok_or_else(|| "it is no number of seconds".to_owned())
}

/// The properties of one scope: a later one of the same name takes the place of an earlier one. A user's
/// manager filters no devices.
pub fn of_unit(unit: &Unit, parts: [Vec<Property>; 3], devices: Vec<Property>) -> Vec<Property> {
    let devices = if unit.manager == Manager::System { devices } else { Vec::new() };
    let mut list: Vec<Property> = Vec::new();
    for property in parts.into_iter().flatten().chain(devices) {
        list.retain(|earlier| earlier.name != property.name);
        list.push(property);
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(file: &str, value: &str) -> String {
        let shown = of_file(file, value).into_iter().map(|p| format!("{}={}", p.name, p.value));
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn files_become_properties() {
        for (file, value, expected) in [
            ("memory.max", "1048576", "MemoryMax=1048576"),
            ("memory.max", "max", "MemoryMax=infinity"),
            ("memory.high", "2G", "MemoryHigh=2147483648"),
            ("memory.swap.max", "0", "MemorySwapMax=0"),
            ("memory.oom.group", "1", "OOMPolicy=kill"),
            ("memory.oom.group", "0", "OOMPolicy=continue"),
            ("pids.max", "0", "TasksMax=1"),
            ("pids.max", "max", "TasksMax=infinity"),
            ("cpu.weight", "100", "CPUWeight=100"),
            ("cpu.idle", "1", "CPUWeight=0"),
            ("cpu.idle", "0", ""),
            ("cpu.max", "50000 100000", "CPUQuotaPerSecUSec=500000 CPUQuotaPeriodUSec=100000"),
            ("cpu.max", "max 200000", "CPUQuotaPerSecUSec=infinity CPUQuotaPeriodUSec=200000"),
            ("cpu.max", "20000", "CPUQuotaPerSecUSec=200000 CPUQuotaPeriodUSec=100000"),
            ("cpu.max", "1000 0", ""),
            ("cpuset.cpus", "0-2,9", "AllowedCPUs=[7 2]"),
            ("cpuset.mems", "", "AllowedMemoryNodes=[]"),
            ("cpuset.cpus", "0-99999999", ""),
            ("io.weight", "default 250", "IOWeight=250"),
            ("io.weight", "8:0 250", ""),
            ("hugetlb.2MB.max", "0", ""),
            ("memory.max", "many", ""),
        ] {
            assert_eq!(told(file, value), expected, "{file}={value}");
        }
    }

    #[test]
    fn the_last_write_to_a_file_is_what_systemd_is_told() {
        let setting = |value: &str| Setting::new("memory.max", value, "a reason", Pointer::root());
        let list = of_settings(&[setting("1"), setting("2")]);
        assert_eq!(list, [Property::new("MemoryMax", Value::Uint64(2))]);
    }

    #[test]
    fn a_quota_is_rounded_up_to_whole_percent() {
        let cpu = |value: &str| Setting::new("cpu.max", value, "a reason", Pointer::root());
        let rounded = |value: &str| rounded(vec![cpu(value)]).remove(0).value;
        assert_eq!(rounded("50000 100000"), "50000 100000");
        assert_eq!(rounded("12345 100000"), "13000 100000");
        assert_eq!(rounded("1000 1000000"), "10000 1000000");
        assert_eq!(rounded("max 100000"), "max 100000");
        assert_eq!(told("cpu.max", "12345 100000"), "CPUQuotaPerSecUSec=130000 CPUQuotaPeriodUSec=100000");
    }

    #[test]
    fn annotations_name_properties() {
        let one = |name: &str, text: &str| {
            let pair = (format!("{PREFIX}{name}"), text.to_owned());
            let (list, found) = of_annotations([(&pair.0, &pair.1)].into_iter());
            match (list.first(), found.first()) {
                (Some(property), None) => Ok(format!("{}={}", property.name, property.value)),
                (None, Some(finding)) => Err(finding.message.clone()),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(one("KillMode", "'none'"), Ok("KillMode=none".to_owned()));
        assert_eq!(one("TimeoutStopSec", "3"), Ok("TimeoutStopUSec=3000000".to_owned()));
        assert_eq!(one("TimeoutStopUSec", "uint64 1500"), Ok("TimeoutStopUSec=1500".to_owned()));
        assert_eq!(one("RuntimeMaxSec", "1.5"), Ok("RuntimeMaxUSec=1500000".to_owned()));
        assert_eq!(one("After", "['a.service']"), Ok("After=[a.service]".to_owned()));
        for (name, text, part) in [
            ("KillMode", "none", "neither a number nor a known word"),
            ("PIDs", "[uint32 1]", "sets this property itself"),
            ("Kill-Mode", "'none'", "three letters"),
            ("RuntimeMaxSec", "'x'", "no number of seconds"),
            ("RuntimeMaxSec", "-1", "no number of seconds"),
        ] {
            let said = one(name, text).expect_err(name);
            assert!(said.contains(part), "{said}");
        }
        let other = ("org.example".to_owned(), "x".to_owned());
        assert_eq!(of_annotations([(&other.0, &other.1)].into_iter()), (vec![], vec![]));
    }
}
