//! The process itself: pids, names and everything the scheduler and the OOM killer know about it.
//! A parent, session or group of an outer pid namespace is 0: pid_namespaces(7).

use super::{Answer, or_error};
use crate::{errno, procfs};
use nix::sys::{personality, prctl};
use nix::unistd;
use serde_json::{Map, Value, json};
use std::fs;
use std::process::Command;

pub fn answer() -> Answer {
    let cmdline = procfs::read("/proc/self/cmdline");
    let words = |text: String| text.split_terminator('\0').map(str::to_owned).collect::<Vec<_>>();
    Ok(json!({
        "pid": std::process::id(),
        "ppid": unistd::getppid().as_raw(),
        "sid": unistd::getsid(None).ok().map(unistd::Pid::as_raw),
        "pgid": unistd::getpgrp().as_raw(),
        "comm": or_error(procfs::own_status("Name")),
        "exe": or_error(exe()),
        "cmdline": or_error(cmdline.map(words)),
        "dumpable": prctl::get_dumpable().ok(),
        "parent_death_signal": prctl::get_pdeathsig().ok().flatten().map(|signal| signal.as_str()),
        "child_subreaper": prctl::get_child_subreaper().ok(),
        "timer_slack_ns": prctl::get_timerslack().ok(),
        "personality": personality::get().ok().map(|persona| format!("{:#x}", persona.bits())),
        "nice": rustix::process::getpriority_process(None).ok(),
        "oom_score_adj": or_error(number("/proc/self/oom_score_adj")),
        "scheduler": or_error(scheduler()),
        "io_priority": or_error(io_priority()),
        "cpus_allowed": or_error(procfs::own_status("Cpus_allowed_list")),
        "mems_allowed": or_error(procfs::own_status("Mems_allowed_list")),
        "memory_policy": or_error(memory_policy()),
        "threads": or_error(procfs::own_status("Threads")),
    }))
}

fn exe() -> Result<String, String> {
    let link = fs::read_link("/proc/self/exe");
    link.map(|path| path.to_string_lossy().into_owned()).map_err(|error| errno::of(&error))
}

fn number(path: &str) -> Answer {
    let text = procfs::read(path)?;
    text.trim().parse::<i64>().map(Value::from).map_err(|error| format!("{path} says {text}: {error}"))
}

/// Policy and real-time priority are fields 41 and 40 of proc_pid_stat(5). What the deadline policy and the
/// utilisation clamps add stands in /proc/self/sched, when the kernel has it.
fn scheduler() -> Answer {
    let policy = procfs::own_stat(41)?;
    let name = match policy.as_str() {
        "0" => "SCHED_OTHER",
        "1" => "SCHED_FIFO",
        "2" => "SCHED_RR",
        "3" => "SCHED_BATCH",
        "5" => "SCHED_IDLE",
        "6" => "SCHED_DEADLINE",
        "7" => "SCHED_EXT",
        _ => policy.as_str(),
    };
    let mut answer = Map::new();
    answer.insert("policy".to_owned(), json!(name));
    answer.insert("rt_priority".to_owned(), json!(procfs::own_stat(40)?));
    let text = procfs::read("/proc/self/sched").unwrap_or_default();
    for (key, value) in text.lines().filter_map(|line| line.split_once(':')) {
        let key = key.trim();
        if key.starts_with("dl.") || key.starts_with("uclamp.") {
            answer.insert(key.to_owned(), json!(value.trim()));
        }
    }
    Ok(Value::Object(answer))
}

/// No file of /proc shows it and no safe wrapper has ioprio_get(2): busybox asks, as our child it has our
/// priority.
fn io_priority() -> Result<String, String> {
    let output = Command::new("/bin/busybox").arg("ionice").output();
    let output = output.map_err(|error| format!("running /bin/busybox ionice: {}", errno::of(&error)))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// A mapping without a policy of its own shows that of the process: proc_pid_numa_maps(5).
fn memory_policy() -> Result<String, String> {
    let maps = procfs::read("/proc/self/numa_maps")?;
    let policy = maps.lines().next().and_then(|line| line.split(' ').nth(1));
    policy.map(str::to_owned).ok_or_else(|| "/proc/self/numa_maps is empty".to_owned())
}
