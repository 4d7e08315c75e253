//! How many processes and threads there are, and how many there may be.
//!
//! Kernel: cgroup-v2.rst, "PID Interface Files". Without the controller the lines of `cgroup.threads` count
//! the threads of the cgroup itself.

use serde::Serialize;

use super::{Files, is_nothing};

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Pids {
    #[serde(skip_serializing_if = "is_nothing")]
    pub current: u64,
    /// No limit is 0, as in runc.
    #[serde(skip_serializing_if = "is_nothing")]
    pub limit: u64,
}

impl Pids {
    /// From `pids.current` and `pids.max`.
    pub fn read(files: &Files) -> Self {
        let current = match files.text("pids.current").as_str() {
            "" => files.text("cgroup.threads").lines().count() as u64,
            text => super::figure(text),
        };
        let limit = files.figure("pids.max");
        Self { current, limit: if limit == u64::MAX { 0 } else { limit } }
    }
}
