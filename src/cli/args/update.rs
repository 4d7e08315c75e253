//! The command line of `update`.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value, json};

/// Change the limits of a container; what is not named stays as it is
#[derive(Args, Debug)]
pub struct Update {
    /// The container's name
    #[arg(value_name = "ID")]
    pub id: String,

    /// Take linux.resources, whole or in part, from FILE or, for -, standard input; no other flag counts then
    #[arg(long, short, value_name = "FILE")]
    pub resources: Option<PathBuf>,

    /// Print what would be written and why, and change nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Share of the disk, 10 to 1000
    #[arg(long, value_name = "WEIGHT")]
    blkio_weight: Option<u16>,

    /// Length of the period in which --cpu-quota counts, in microseconds
    #[arg(long, value_name = "US")]
    cpu_period: Option<u64>,

    /// Processor time in each period, in microseconds; -1 for no limit
    #[arg(long, value_name = "US")]
    cpu_quota: Option<i64>,

    /// Unused quota that may be spent in a later period, in microseconds
    #[arg(long, value_name = "US")]
    cpu_burst: Option<u64>,

    /// Share of the processors, 2 to 262144
    #[arg(long, value_name = "SHARES")]
    cpu_share: Option<u64>,

    /// 1: only what nobody else wants of the processors; 0: as usual
    #[arg(long, value_name = "0|1")]
    cpu_idle: Option<i64>,

    /// Period of realtime tasks, in microseconds (cgroup v1 only)
    #[arg(long, value_name = "US")]
    cpu_rt_period: Option<u64>,

    /// Time of realtime tasks in each period, in microseconds (cgroup v1 only)
    #[arg(long, value_name = "US")]
    cpu_rt_runtime: Option<i64>,

    /// Processors to run on, such as 0-3,7
    #[arg(long, value_name = "LIST")]
    cpuset_cpus: Option<String>,

    /// Memory nodes to use, such as 0-1
    #[arg(long, value_name = "LIST")]
    cpuset_mems: Option<String>,

    /// Limit on memory in bytes, or with a suffix such as 512m; -1 for none
    #[arg(long, value_name = "BYTES", value_parser = size)]
    memory: Option<i64>,

    /// Memory that is left alone while others have more
    #[arg(long, value_name = "BYTES", value_parser = size)]
    memory_reservation: Option<i64>,

    /// Limit on memory and swap together; -1 for no limit on swap
    #[arg(long, value_name = "BYTES", value_parser = size)]
    memory_swap: Option<i64>,

    /// Accepted for runc's callers: kernel memory is part of memory
    #[arg(long, value_name = "BYTES", hide = true)]
    kernel_memory: Option<String>,

    /// Accepted for runc's callers: kernel memory is part of memory
    #[arg(long, value_name = "BYTES", hide = true)]
    kernel_memory_tcp: Option<String>,

    /// Number of processes and threads; -1 for no limit
    #[arg(long, value_name = "COUNT")]
    pids_limit: Option<i64>,

    /// Share of the last-level caches, such as L3:0=7f0;1=1f
    #[arg(long, value_name = "LINE")]
    pub l3_cache_schema: Option<String>,

    /// Share of the memory bandwidth, such as MB:0=20;1=70
    #[arg(long, value_name = "LINE")]
    pub mem_bw_schema: Option<String>,
}

impl Update {
    /// The flags as that part of `linux.resources` that they speak of.
    pub fn resources(&self) -> Value {
        let members = [
            ("blockIO", "weight", json!(self.blkio_weight)),
            ("cpu", "period", json!(self.cpu_period)),
            ("cpu", "quota", json!(self.cpu_quota)),
            ("cpu", "burst", json!(self.cpu_burst)),
            ("cpu", "shares", json!(self.cpu_share)),
            ("cpu", "idle", json!(self.cpu_idle)),
            ("cpu", "realtimePeriod", json!(self.cpu_rt_period)),
            ("cpu", "realtimeRuntime", json!(self.cpu_rt_runtime)),
            ("cpu", "cpus", json!(self.cpuset_cpus)),
            ("cpu", "mems", json!(self.cpuset_mems)),
            ("memory", "limit", json!(self.memory)),
            ("memory", "reservation", json!(self.memory_reservation)),
            ("memory", "swap", json!(self.memory_swap)),
            ("pids", "limit", json!(self.pids_limit)),
        ];
        let mut resources = Value::Object(Map::new());
        for (object, member, value) in members.into_iter().filter(|(_, _, value)| !value.is_null()) {
            resources[object][member] = value;
        }
        resources
    }

    /// The flags that are taken and change nothing.
    pub fn ignored(&self) -> impl Iterator<Item = &'static str> {
        let flags =
            [("--kernel-memory", &self.kernel_memory), ("--kernel-memory-tcp", &self.kernel_memory_tcp)];
        flags.into_iter().filter(|(_, value)| value.is_some()).map(|(flag, _)| flag)
    }
}

/// A number of bytes: -1, or digits with an optional unit of 1024, `k` to `p`, as in `512m`, `1.5GiB`.
fn size(text: &str) -> Result<i64, String> {
    let wrong = || format!("{text:?} is not a size: write bytes, a size such as 512m, or -1 for no limit");
    if text == "-1" {
        return Ok(-1);
    }
    let end = text.bytes().position(|byte| !byte.is_ascii_digit() && byte != b'.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim_start().to_ascii_lowercase();
    let shift = match unit.strip_suffix("ib").or(unit.strip_suffix('b')).unwrap_or(&unit) {
        "" if !unit.starts_with('i') => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        "p" => 50,
        _ => return Err(wrong()),
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    // More digits than nine say less than a byte, or nothing at all.
    if whole.is_empty() || part.len() > 9 || part.contains('.') || number.ends_with('.') {
        return Err(wrong());
    }
    let whole: u128 = whole.parse().map_err(|_| wrong())?;
    let parts: u128 = format!("0{part}").parse().map_err(|_| wrong())?;
    let bytes = whole.checked_mul(1 << shift).ok_or_else(wrong)?;
    let bytes = bytes.checked_add((parts << shift) / 10u128.pow(part.len() as u32)).ok_or_else(wrong)?;
    i64::try_from(bytes).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_have_units_of_1024() {
        for (text, bytes) in [
            ("0", 0),
            ("-1", -1),
            ("4096", 4096),
            ("4096b", 4096),
            ("1k", 1 << 10),
            ("512m", 512 << 20),
            ("512MB", 512 << 20),
            ("512 MiB", 512 << 20),
            ("1.5g", 3 << 29),
            ("2T", 2 << 40),
            ("1p", 1 << 50),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size() {
        for text in [
            "",
            "-2",
            "m",
            "1x",
            "1ib",
            "1.m",
            ".5m",
            "1.2.3",
            "0x10",
            "1 2",
            "+1",
            "9223372036854775808",
            "1e3",
        ] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
