//! The `cpu` controller: which share of processor time, and at most how much.
//!
//! Kernel: `cpu.weight` (1 to 10000, 100 by default) divides the time among siblings that compete. `cpu.max`
//! holds "quota period": at most quota microseconds in every period. `cpu.max.burst` (5.14) lets unused quota
//! be spent later. `cpu.idle` (5.15) gives the cgroup only what nobody else wants.
//!
//! OCI (config-linux.md, "CPU") has `shares` of v1, 2 to 262144 with 1024 by default. Runtimes convert with a
//! curve through (2, 1), (1024, 100) and (262144, 10000), the three points that ought to agree:
//!
//! ```text
//! weight = ceil(10 ^ ((L^2 + 125 L) / 612 - 7 / 34)),  L = log2(shares)
//! ```
//!
//! (runc 1.3.2, crun 1.23; before, a straight line made 39 of the default 1024.)
//! `realtimeRuntime` and `realtimePeriod` have no file on v2.
//!
//! Order: while `cpu.idle` is 1 the kernel refuses every weight, and a burst may never exceed the quota, not
//! even between two writes. So an idle cgroup gets no weight, and a burst is first set to 0, then the quota
//! is set, then the burst: the same three writes are right for a new cgroup and for one with older limits.
//!
//! Man page: cgroups(7), "cpu". Kernel: cgroup-v2.rst, "CPU"; sched-bwc.rst.

use oci_spec::runtime::LinuxCpu;

use super::limits::Setting;
use crate::bundle::finding::{Finding, Pointer};

/// The kernel's period when none is given, in microseconds.
const DEFAULT_PERIOD: u64 = 100_000;
/// The kernel refuses a quota or period of less than a millisecond (kernel/sched/core.c).
const SHORTEST: u64 = 1_000;
/// The kernel refuses a period of more than a second.
const LONGEST_PERIOD: u64 = 1_000_000;

/// The writes to `cpu.idle`, `cpu.weight`, `cpu.max` and `cpu.max.burst`.
pub fn settings(cpu: &LinuxCpu, at: &Pointer) -> Vec<Setting> {
    let mut list = Vec::new();
    match cpu.idle() {
        Some(0) => {
            let why = "an ordinary cgroup, not one that gets idle time only";
            list.push(Setting::new("cpu.idle", 0, why, at.key("idle")).if_present());
        }
        Some(idle) => {
            let why = "runs only when no other cgroup wants the processor";
            list.push(Setting::new("cpu.idle", idle, why, at.key("idle")));
        }
        None => {}
    }
    let weight = weight_from_shares(cpu.shares().unwrap_or(0));
    if let Some(weight) = weight.filter(|_| !is_idle(cpu)) {
        let shares = cpu.shares().unwrap_or(0);
        let why = format!("{shares} of 2 to 262144 shares become the weight {weight} of 1 to 10000");
        list.push(Setting::new("cpu.weight", weight, why, at.key("shares")));
    }
    list.extend(bandwidth(cpu, at));
    list
}

fn is_idle(cpu: &LinuxCpu) -> bool {
    cpu.idle().is_some_and(|idle| idle != 0)
}

/// Quota, period and burst, in microseconds.
fn bandwidth(cpu: &LinuxCpu, at: &Pointer) -> Vec<Setting> {
    let quota = cpu.quota().filter(|quota| *quota != 0);
    let period = cpu.period().filter(|period| *period != 0);
    let burst = cpu.burst();
    let mut list = Vec::new();
    if quota.is_some() || period.is_some() {
        if burst.is_some() {
            let why = "no burst until the new quota stands: a burst above the quota is refused";
            list.push(Setting::new("cpu.max.burst", 0, why, at.key("burst")));
        }
        let every = period.unwrap_or(DEFAULT_PERIOD);
        let (most, why) = match quota {
            Some(most @ 1..) => {
                (most.to_string(), format!("at most {most} us of CPU time in every {every} us"))
            }
            _ => ("max".to_owned(), format!("any amount of CPU time, counted in periods of {every} us")),
        };
        let asked_at = if quota.is_some() { "quota" } else { "period" };
        list.push(Setting::new("cpu.max", format!("{most} {every}"), why, at.key(asked_at)));
    }
    if let Some(burst) = burst {
        let why = format!("up to {burst} us of unused quota may be spent in a later period");
        list.push(Setting::new("cpu.max.burst", burst, why, at.key("burst")));
    }
    list
}

/// `cpu.weight` for `shares` of cgroup v1; `None` for 0, which means unset.
///
/// Binary floating point is safe here: among all shares from 3 to 262143 only 1024 comes closer than 0.000002
/// to a whole number, and for 1024 every operation below is exact (a test looks at all of them).
pub fn weight_from_shares(shares: u64) -> Option<u64> {
    match shares {
        0 => None,
        1..=2 => Some(1),
        262_144.. => Some(10_000),
        _ => Some(curve(shares).ceil() as u64),
    }
}

/// The curve with its two fractions over one denominator: 7/34 is 126/612.
fn curve(shares: u64) -> f64 {
    let log = (shares as f64).log2();
    10_f64.powf((log * log + 125.0 * log - 126.0) / 612.0)
}

/// Values that the kernel refuses, and requests of v1 that v2 cannot carry out.
pub fn findings(cpu: &LinuxCpu, at: &Pointer) -> Vec<Finding> {
    let mut list = Vec::new();
    if let Some(idle) = cpu.idle().filter(|idle| !(0..=1).contains(idle)) {
        let message = format!("cpu.idle is {idle}, and the kernel knows 0 and 1");
        list.push(Finding::error(at.key("idle"), message));
    }
    if is_idle(cpu) && cpu.shares().is_some_and(|shares| shares != 0) {
        let message = "cpu.shares has no effect while cpu.idle is 1: an idle cgroup has a fixed weight";
        list.push(Finding::warning(at.key("shares"), message));
    }
    list.extend(bandwidth_findings(cpu, at));
    if let Some(runtime) = cpu.realtime_runtime().filter(|runtime| *runtime != 0) {
        let message = format!("realtimeRuntime {runtime} cannot be set: cgroup v2 has no realtime limits");
        list.push(Finding::error(at.key("realtimeRuntime"), message).cure("leave it out"));
    }
    if let Some(period) = cpu.realtime_period().filter(|period| *period != 0) {
        let message = format!("realtimePeriod {period} cannot be set: cgroup v2 has no realtime limits");
        list.push(Finding::error(at.key("realtimePeriod"), message).cure("leave it out"));
    }
    list
}

fn bandwidth_findings(cpu: &LinuxCpu, at: &Pointer) -> Vec<Finding> {
    let mut list = Vec::new();
    let quota = cpu.quota().and_then(|quota| u64::try_from(quota).ok()).filter(|quota| *quota > 0);
    if let Some(quota) = quota.filter(|quota| *quota < SHORTEST) {
        let message = format!("a quota of {quota} us is below the kernel's least, {SHORTEST} us");
        list.push(
            Finding::error(at.key("quota"), message).cure("lengthen quota and period by the same factor"),
        );
    }
    let allowed = SHORTEST..=LONGEST_PERIOD;
    if let Some(period) = cpu.period().filter(|period| *period != 0 && !allowed.contains(period)) {
        let message = format!("a period of {period} us is not between {SHORTEST} and {LONGEST_PERIOD} us");
        list.push(
            Finding::error(at.key("period"), message).cure("scale quota and period by the same factor"),
        );
    }
    if let (Some(burst), Some(quota)) = (cpu.burst(), quota)
        && burst > quota
    {
        let message = format!("a burst of {burst} us is above the quota of {quota} us");
        list.push(Finding::error(at.key("burst"), message).cure("lower the burst or raise the quota"));
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::finding::Severity;
    use crate::cgroup::limits::Optional;

    fn cpu(json: &str) -> LinuxCpu {
        serde_json::from_str(json).expect("a LinuxCpu object")
    }

    fn written(json: &str) -> Vec<String> {
        let list = settings(&cpu(json), &Pointer::root());
        list.iter().map(|setting| format!("{}={}", setting.file, setting.value)).collect()
    }

    fn found(json: &str) -> Vec<String> {
        findings(&cpu(json), &Pointer::root()).iter().map(|finding| finding.at.as_str().to_owned()).collect()
    }

    #[test]
    fn shares_become_weight_by_the_current_curve() {
        let known = [
            (1, 1),
            (2, 1),
            (3, 2),
            (10, 4),
            (100, 17),
            (128, 21),
            (512, 59),
            (1000, 99),
            (1024, 100),
            (1025, 101),
            (2048, 174),
            (10_000, 627),
            (100_000, 4340),
            (262_143, 10_000),
            (262_144, 10_000),
            (u64::MAX, 10_000),
        ];
        for (shares, weight) in known {
            assert_eq!(weight_from_shares(shares), Some(weight), "{shares} shares");
        }
        assert_eq!(weight_from_shares(0), None);
    }

    #[test]
    fn no_share_is_so_near_a_whole_weight_that_rounding_could_tip_it() {
        for shares in (3..262_144).filter(|shares| *shares != 1024) {
            let weight = curve(shares);
            assert!((weight - weight.round()).abs() > 1e-6, "{shares} shares give {weight}");
        }
        assert_eq!(curve(1024), 100.0);
    }

    #[test]
    fn more_shares_never_mean_less_weight() {
        let weights: Vec<_> = (1..=262_144).filter_map(weight_from_shares).collect();
        assert!(weights.is_sorted());
    }

    #[test]
    fn quota_and_period_go_into_one_write() {
        assert_eq!(written(r#"{"quota": 50000}"#), ["cpu.max=50000 100000"]);
        assert_eq!(written(r#"{"quota": 5000, "period": 10000}"#), ["cpu.max=5000 10000"]);
        assert_eq!(written(r#"{"period": 10000}"#), ["cpu.max=max 10000"]);
        assert_eq!(written(r#"{"quota": -1, "period": 10000}"#), ["cpu.max=max 10000"]);
        assert_eq!(written(r#"{"quota": -1}"#), ["cpu.max=max 100000"]);
        assert_eq!(written(r#"{"quota": 0, "period": 0}"#), [""; 0]);
    }

    #[test]
    fn a_burst_is_cleared_before_a_new_quota_and_set_after_it() {
        assert_eq!(
            written(r#"{"quota": 5000, "burst": 2000}"#),
            ["cpu.max.burst=0", "cpu.max=5000 100000", "cpu.max.burst=2000"]
        );
        assert_eq!(written(r#"{"burst": 2000}"#), ["cpu.max.burst=2000"]);
    }

    #[test]
    fn an_idle_cgroup_gets_no_weight() {
        assert_eq!(written(r#"{"idle": 1, "shares": 1024}"#), ["cpu.idle=1"]);
        assert_eq!(written(r#"{"idle": 0, "shares": 1024}"#), ["cpu.idle=0", "cpu.weight=100"]);
        assert_eq!(found(r#"{"idle": 1, "shares": 1024}"#), ["/shares"]);
        let list = settings(&cpu(r#"{"idle": 0}"#), &Pointer::root());
        assert_eq!(list[0].optional, Optional::IfPresent, "a kernel without the file has no idle cgroups");
    }

    #[test]
    fn values_that_the_kernel_refuses_are_found_first() {
        assert_eq!(found(r#"{"quota": 5000, "burst": 5001}"#), ["/burst"]);
        assert_eq!(found(r#"{"quota": 5000, "burst": 5000}"#), [""; 0]);
        assert_eq!(found(r#"{"quota": -1, "burst": 5000}"#), [""; 0]);
        assert_eq!(found(r#"{"quota": 999}"#), ["/quota"]);
        assert_eq!(found(r#"{"period": 999}"#), ["/period"]);
        assert_eq!(found(r#"{"period": 1000001}"#), ["/period"]);
        assert_eq!(found(r#"{"idle": 2}"#), ["/idle"]);
        assert_eq!(found(r#"{"idle": -1}"#), ["/idle"]);
    }

    #[test]
    fn realtime_limits_are_errors_only_when_they_ask_for_something() {
        assert_eq!(found(r#"{"realtimeRuntime": 0, "realtimePeriod": 0}"#), [""; 0]);
        let list = findings(&cpu(r#"{"realtimeRuntime": 5, "realtimePeriod": 6}"#), &Pointer::root());
        assert!(list.iter().all(|finding| finding.severity == Severity::Error));
        assert_eq!(list.len(), 2);
    }
}
