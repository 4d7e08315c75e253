//! The `pids` controller: how many processes and threads the cgroup may hold.
//!
//! Kernel: `pids.max` counts tasks, so threads too. It is checked by fork and clone only: moving a process
//! into the cgroup is never refused, but being born there with `CLONE_INTO_CGROUP` is (EAGAIN).
//!
//! OCI (config-linux.md, "PIDs"): `limit` -1 means no limit, and 0 is a real limit. runc and youki write 1
//! for 0, crun writes nothing. We write 0, after the birth of the container: its program runs and cannot
//! fork.
//!
//! Man page: cgroups(7), "pids". Kernel: cgroup-v2.rst, "PID".

use oci_spec::runtime::LinuxPids;

use super::limits::Setting;
use crate::bundle::finding::{Finding, Pointer};

/// The one write of this controller. Every negative limit means none, as in runc and crun.
pub fn settings(pids: &LinuxPids, at: &Pointer) -> Vec<Setting> {
    let (value, why) = match pids.limit() {
        ..0 => ("max".to_owned(), "any number of processes and threads".to_owned()),
        0 => ("0".to_owned(), "the first process may not fork and may not start a thread".to_owned()),
        limit => (limit.to_string(), format!("at most {limit} processes and threads at a time")),
    };
    vec![Setting::new("pids.max", value, why, at.key("limit"))]
}

/// A negative number other than -1 has no meaning in the specification.
pub fn findings(pids: &LinuxPids, at: &Pointer) -> Vec<Finding> {
    let limit = pids.limit();
    if limit >= -1 {
        return Vec::new();
    }
    let finding =
        Finding::warning(at.key("limit"), format!("a process limit of {limit} is taken as no limit"))
            .cure("write -1 for no limit");
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(limit: i64) -> String {
        let mut pids = LinuxPids::default();
        pids.set_limit(limit);
        settings(&pids, &Pointer::root())[0].value.clone()
    }

    #[test]
    fn zero_is_a_limit_and_minus_one_is_none() {
        assert_eq!(value(0), "0");
        assert_eq!(value(-1), "max");
        assert_eq!(value(1), "1");
        assert_eq!(value(i64::MAX), "9223372036854775807");
    }

    #[test]
    fn a_strange_negative_number_is_mentioned() {
        let mut pids = LinuxPids::default();
        for (limit, expected) in [(-2, 1), (-1, 0), (0, 0), (7, 0)] {
            pids.set_limit(limit);
            assert_eq!(findings(&pids, &Pointer::root()).len(), expected, "{limit}");
        }
    }
}
