//! The machine and the moment: without them no figure means anything.

use std::fs;
use std::process::Command;

use nix::sys::utsname::uname;

use crate::contestant::first_line;

/// What the report says about the machine.
pub struct Machine {
    pub date: String,
    /// Release as in uname(2), e.g. `6.1.0-18-amd64`.
    pub kernel: String,
    /// `x86_64`, `aarch64`, …
    pub architecture: String,
    pub processor: String,
    pub cores: usize,
    pub memory_mib: u64,
    /// Load averages over 1, 5 and 15 minutes at the beginning.
    pub load: String,
    pub distribution: String,
    pub scheduling: &'static str,
    /// cgroup2 controllers that containers could use.
    pub controllers: String,
}

impl Machine {
    /// Looks at /proc and asks uname(2). What cannot be found out is called unknown.
    pub fn look() -> Machine {
        let name = uname().ok();
        let text = |of: fn(&nix::sys::utsname::UtsName) -> &std::ffi::OsStr| {
            name.as_ref().map_or("unknown".to_owned(), |name| of(name).to_string_lossy().into_owned())
        };
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let controllers = fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
        Machine {
            date: first_line(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"])),
            kernel: text(|name| name.release()),
            architecture: text(|name| name.machine()),
            processor: value_of("/proc/cpuinfo", "model name").unwrap_or("unknown processor".to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_mib: kib("MemTotal") / 1024,
            load: load.split_whitespace().take(3).collect::<Vec<_>>().join(" "),
            distribution: distribution(),
            scheduling: scheduling(),
            controllers: match controllers.trim() {
                "" => "none".to_owned(),
                names => names.to_owned(),
            },
        }
    }
}

/// Memory that programs can still get, KiB (proc_meminfo(5)).
pub fn available_kib() -> u64 {
    kib("MemAvailable")
}

fn kib(key: &str) -> u64 {
    let value = value_of("/proc/meminfo", key).unwrap_or_default();
    value.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// What follows `key` and a colon in a file of such lines.
fn value_of(path: &str, key: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let mut pairs = text.lines().filter_map(|line| line.split_once(':'));
    pairs.find(|(name, _)| name.trim() == key).map(|(_, value)| value.trim().to_owned())
}

fn distribution() -> String {
    let text = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.map_or("unknown distribution".to_owned(), |name| name.trim_matches('"').to_owned())
}

/// The scheduling policy of this process and its children: field 41 of proc_pid_stat(5), 1 is SCHED_FIFO.
fn scheduling() -> &'static str {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rfind(')').map_or("", |end| &stat[end + 1..]);
    match after_name.split_whitespace().nth(38) {
        Some("1") => "SCHED_FIFO priority 1",
        _ => "normal priority, because SCHED_FIFO is not permitted here: expect noise",
    }
}
