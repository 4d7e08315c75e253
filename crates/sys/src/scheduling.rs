//! When and where a process runs, and where its memory lies: sched(7), ioprio_set(2), set_mempolicy(2).

use crate::{Answer, arch, call, pointer};

/// What `struct sched_attr` of sched_setattr(2) says about a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// SCHED_*.
    pub policy: u32,
    /// SCHED_FLAG_*.
    pub flags: u64,
    /// For SCHED_OTHER and SCHED_BATCH: -20 to 19.
    pub nice: i32,
    /// For SCHED_FIFO and SCHED_RR: 1 to 99.
    pub priority: u32,
    /// For SCHED_DEADLINE, in nanoseconds.
    pub runtime: u64,
    /// For SCHED_DEADLINE, in nanoseconds.
    pub deadline: u64,
    /// For SCHED_DEADLINE, in nanoseconds; 0 stands for the deadline.
    pub period: u64,
}

/// `struct sched_attr` as Linux 5.3 has it.
#[repr(C)]
struct Raw {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    times: [u64; 3],
    utilization: [u32; 2],
}

/// sched_setattr(2) on the process `pid`; 0 for the calling one. EPERM: the policy takes CAP_SYS_NICE, or
/// SCHED_DEADLINE was asked for by a process that may not run everywhere.
pub fn set_scheduler(pid: i32, attributes: &Attributes) -> Answer<()> {
    let Attributes { policy, flags, nice, priority, runtime, deadline, period } = *attributes;
    let (size, times) = (size_of::<Raw>() as u32, [runtime, deadline, period]);
    let raw = Raw { size, policy, flags, nice, priority, times, utilization: [0; 2] };
    call(arch::SCHED_SETATTR, [pid as usize, pointer(&raw), 0, 0, 0, 0]).map(drop)
}

/// sched_setaffinity(2): the calling process may run on every processor that its cpuset allows.
pub fn run_anywhere() -> Answer<()> {
    // Room for 8192 processors, the most that Linux can be built for; the kernel takes what it has.
    run_on(&[u8::MAX; 1024])
}

/// sched_setaffinity(2): the calling process may run on these processors, one bit each, the first in the
/// lowest bit of the first byte. EINVAL: there is none of them, or its cpuset allows none.
pub fn run_on(processors: &[u8]) -> Answer<()> {
    call(arch::SCHED_SETAFFINITY, [0, processors.len(), processors.as_ptr() as usize, 0, 0, 0]).map(drop)
}

/// ioprio_set(2) on the process group `group`; 0 for that of the calling process. The class stands in bits 13
/// to 15 of `priority`.
pub fn set_io_priority(group: i32, priority: u32) -> Answer<()> {
    const IOPRIO_WHO_PGRP: usize = 2;
    call(arch::IOPRIO_SET, [IOPRIO_WHO_PGRP, group as usize, priority as usize, 0, 0, 0]).map(drop)
}

/// set_mempolicy(2) of the calling process. `nodes` is a bitmap of whole 64-bit words in native order.
pub fn set_memory_policy(mode: u32, nodes: &[u8]) -> Answer<()> {
    // The kernel reads one bit less than it is told.
    let (address, bits) = if nodes.is_empty() { (0, 0) } else { (pointer(nodes), nodes.len() * 8 + 1) };
    call(arch::SET_MEMPOLICY, [mode as usize, address, bits, 0, 0, 0]).map(drop)
}
