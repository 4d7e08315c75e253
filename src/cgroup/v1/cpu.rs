//! The `cpu` controller of version 1.
//!
//! Kernel: `cpu.shares` takes the shares of the specification as they are. The quota stands in a file of its
//! own and so does the period, and a new pair may be refused while one of the old ones stands (a group may
//! not get more than the one above). So the quota is lifted before the period changes. A burst may never
//! exceed the quota. `cpu.rt_runtime_us` may not exceed `cpu.rt_period_us`, and exists with
//! CONFIG_RT_GROUP_SCHED only.
//!
//! Kernel: scheduler/sched-bwc.rst, sched-rt-group.rst. Man page: cgroups(7), "cpu".

use oci_spec::runtime::LinuxCpu;

use crate::bundle::finding::{Finding, Pointer};
use crate::cgroup::limits::Setting;

/// The writes; times in microseconds.
pub(super) fn settings(cpu: &LinuxCpu, at: &Pointer) -> Vec<Setting> {
    let mut list = Vec::new();
    if let Some(idle) = cpu.idle() {
        let why = match idle {
            0 => "an ordinary group, not one that gets idle time only",
            _ => "runs only when no other group wants the processor",
        };
        let setting = Setting::new("cpu.idle", idle, why, at.key("idle"));
        list.push(if idle == 0 { setting.if_present() } else { setting });
    }
    let is_idle = cpu.idle().is_some_and(|idle| idle != 0);
    if let Some(shares) = cpu.shares().filter(|shares| *shares != 0 && !is_idle) {
        let why = format!("{shares} shares of the time for which groups compete, 1024 being the usual");
        list.push(Setting::new("cpu.shares", shares, why, at.key("shares")));
    }
    list.extend(bandwidth(cpu, at));
    list.extend(real_time(cpu, at));
    list
}

fn bandwidth(cpu: &LinuxCpu, at: &Pointer) -> Vec<Setting> {
    let quota = cpu.quota().filter(|quota| *quota != 0);
    let period = cpu.period().filter(|period| *period != 0);
    let burst = cpu.burst();
    let mut list = Vec::new();
    if burst.is_some() && (quota.is_some() || period.is_some()) {
        let why = "no burst until the new quota stands: a burst above the quota is refused";
        list.push(Setting::new("cpu.cfs_burst_us", 0, why, at.key("burst")));
    }
    if quota.is_some() && period.is_some() {
        let why = "no quota until the new period stands: the old one may be too much for it";
        list.push(Setting::new("cpu.cfs_quota_us", -1, why, at.key("quota")));
    }
    if let Some(every) = period {
        let why = format!("CPU time is counted in periods of {every} us");
        list.push(Setting::new("cpu.cfs_period_us", every, why, at.key("period")));
    }
    match quota {
        Some(most @ 1..) => {
            let why = format!("at most {most} us of CPU time in every period");
            list.push(Setting::new("cpu.cfs_quota_us", most, why, at.key("quota")));
        }
        // Lifted already.
        Some(_) if period.is_some() => {}
        Some(_) => list.push(Setting::new("cpu.cfs_quota_us", -1, "any amount of CPU time", at.key("quota"))),
        None => {}
    }
    if let Some(burst) = burst {
        let why = format!("up to {burst} us of unused quota may be spent in a later period");
        list.push(Setting::new("cpu.cfs_burst_us", burst, why, at.key("burst")));
    }
    list
}

fn real_time(cpu: &LinuxCpu, at: &Pointer) -> Vec<Setting> {
    let mut list = Vec::new();
    if let Some(every) = cpu.realtime_period().filter(|period| *period != 0) {
        let why = format!("real-time CPU time is counted in periods of {every} us");
        list.push(Setting::new("cpu.rt_period_us", every, why, at.key("realtimePeriod")));
    }
    if let Some(most) = cpu.realtime_runtime().filter(|runtime| *runtime != 0) {
        let why = format!("at most {most} us of real-time CPU time in every period");
        list.push(Setting::new("cpu.rt_runtime_us", most, why, at.key("realtimeRuntime")));
    }
    list
}

/// A real-time share that is more than the whole.
pub(super) fn findings(cpu: &LinuxCpu, at: &Pointer) -> Vec<Finding> {
    let (Some(most), Some(every)) = (cpu.realtime_runtime(), cpu.realtime_period()) else {
        return Vec::new();
    };
    if every == 0 || u64::try_from(most).is_ok_and(|most| most <= every) || most < 0 {
        return Vec::new();
    }
    let message = format!("a realtimeRuntime of {most} us is more than its period of {every} us");
    vec![Finding::error(at.key("realtimeRuntime"), message).cure("give it a part of realtimePeriod")]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpu(json: &str) -> LinuxCpu {
        serde_json::from_str(json).expect("a LinuxCpu object")
    }

    fn written(json: &str) -> Vec<String> {
        let list = settings(&cpu(json), &Pointer::root());
        list.iter().map(|setting| format!("{}={}", setting.file, setting.value)).collect()
    }

    #[test]
    fn no_pair_of_values_stands_that_the_kernel_refuses() {
        assert_eq!(written(r#"{"shares": 512}"#), ["cpu.shares=512"]);
        assert_eq!(written(r#"{"shares": 512, "idle": 1}"#), ["cpu.idle=1"]);
        assert_eq!(written(r#"{"quota": 5000}"#), ["cpu.cfs_quota_us=5000"]);
        assert_eq!(written(r#"{"quota": -1}"#), ["cpu.cfs_quota_us=-1"]);
        assert_eq!(
            written(r#"{"quota": 5000, "period": 10000, "burst": 100}"#),
            [
                "cpu.cfs_burst_us=0",
                "cpu.cfs_quota_us=-1",
                "cpu.cfs_period_us=10000",
                "cpu.cfs_quota_us=5000",
                "cpu.cfs_burst_us=100",
            ]
        );
        let lifted = ["cpu.cfs_quota_us=-1", "cpu.cfs_period_us=10000"];
        assert_eq!(written(r#"{"quota": -1, "period": 10000}"#), lifted);
        let real_time = ["cpu.rt_period_us=1000", "cpu.rt_runtime_us=500"];
        assert_eq!(written(r#"{"realtimePeriod": 1000, "realtimeRuntime": 500}"#), real_time);
    }

    #[test]
    fn a_part_is_not_more_than_the_whole() {
        let count = |json: &str| findings(&cpu(json), &Pointer::root()).len();
        assert_eq!(count(r#"{"realtimePeriod": 1000, "realtimeRuntime": 1001}"#), 1);
        assert_eq!(count(r#"{"realtimePeriod": 1000, "realtimeRuntime": 1000}"#), 0);
        assert_eq!(count(r#"{"realtimePeriod": 1000, "realtimeRuntime": -1}"#), 0);
        assert_eq!(count(r#"{"realtimeRuntime": 1000}"#), 0);
    }
}
