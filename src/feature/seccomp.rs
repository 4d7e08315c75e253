//! # Seccomp: a filter for system calls
//!
//! A classic BPF program looks at the number and the arguments of each system call and says
//! what becomes of it (seccomp(2)). The compiler is a crate of its own, `crates/seccomp`;
//! here is when the filter is installed.
//!
//! OCI: config-linux.md, Seccomp.
//!
//! Order: with no_new_privs the filter comes last, directly before execve, so that it need not allow what our
//! own steps do. Without no_new_privs the kernel wants CAP_SYS_ADMIN for it: then it must come before the
//! capabilities are dropped, and the profile must allow the few calls that follow.

use crate_run_plan::Operation;
use crate_run_seccomp::{Arch, Program};
use oci_spec::runtime::Spec;

use crate::bundle::finding::{Finding, Pointer};
use crate::plan::Plan;

const FEATURE: &str = "seccomp";

/// The compiled filter, as the kernel wants it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// SECCOMP_FILTER_FLAG_*.
    pub flags: u32,
    /// `struct sock_filter`s.
    pub program: Vec<u8>,
}

fn compiled(spec: &Spec) -> Option<Result<Program, Vec<crate_run_seccomp::Problem>>> {
    let profile = spec.linux().as_ref()?.seccomp().as_ref()?;
    Some(crate_run_seccomp::compile(profile, Arch::NATIVE))
}

/// Compiles once: the filter, and what is to be said about it.
pub fn resolve(spec: &Spec) -> (Option<Filter>, Vec<Finding>) {
    let at = Pointer::from("/linux/seccomp");
    let place = |relative: &str| Pointer::from(format!("{at}{relative}").as_str());
    match compiled(spec) {
        None => (None, Vec::new()),
        Some(Err(problems)) => {
            let finding = |problem: crate_run_seccomp::Problem| {
                Finding::error(place(&problem.at), problem.message).cure(problem.cure)
            };
            (None, problems.into_iter().map(finding).collect())
        }
        Some(Ok(program)) if program.notifies => {
            let message = "the action SCMP_ACT_NOTIFY is not supported yet";
            (None, vec![Finding::error(at, message).cure("use SCMP_ACT_ERRNO")])
        }
        Some(Ok(program)) => (Some(Filter { flags: program.flags, program: program.bytes() }), Vec::new()),
    }
}

pub fn steps(filter: &Option<Filter>, why: &'static str, plan: &mut Plan) {
    if let Some(Filter { flags, program }) = filter {
        let install = Operation::InstallFilter { flags: *flags, program: program.clone() };
        plan.child(FEATURE, install, why).at("/linux/seccomp");
    }
}

/// The mode of a process: 0 without, 2 with a filter (/proc/PID/status).
pub fn observe(pid: i32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("Seccomp:"))?.trim().parse().ok()
}
