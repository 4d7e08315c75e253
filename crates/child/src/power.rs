//! The irreversible tail: ids, capabilities, no_new_privs, label (credentials(7), capabilities(7)).

use core::ffi::CStr;

use crate_run_plan::operation::Powers;
use crate_run_plan::report::Call;
use crate_run_sys::credentials::{self, Sets};
use crate_run_sys::files::{self, flag};
use crate_run_sys::{Errno, process};

use crate::failure::{Failure, Named, Outcome};
use crate::namespace::proc_file;
use crate::runner::Runner;

/// Carries out one operation of this chapter.
pub fn run(runner: &mut Runner, operation: Powers) -> Outcome {
    use Powers as Op;
    match operation {
        Op::NewKeyring { name } => new_keyring(runner, name),
        Op::SetUmask { mask } => {
            files::set_umask(mask);
            Ok(())
        }
        Op::SetLimit { resource, soft, hard } => {
            process::set_limit(resource, soft, hard).named(Call::Prlimit)
        }
        Op::LimitBounding { keep } => limit_bounding(keep),
        Op::SetGroups { groups } => set_groups(groups),
        Op::SetIds { uid, gid } => set_ids(uid, gid),
        Op::SetCapabilities { effective, permitted, inheritable } => {
            set_capabilities(sets(effective, permitted, inheritable))
        }
        Op::SetAmbient { capabilities } => set_ambient(runner, capabilities),
        Op::NoNewPrivileges {} => no_new_privileges(),
        Op::SetLabel { path, label } => set_label(runner, path, label),
    }
}

/// The three sets that capset(2) takes.
pub fn sets(effective: u64, permitted: u64, inheritable: u64) -> Sets {
    Sets { effective, permitted, inheritable }
}

/// A session keyring of its own, so that the container does not see the caller's keys. Kernels without keys
/// (ENOSYS) have nothing to see; a full quota (EDQUOT) is told and tolerated, as every runtime does.
fn new_keyring(runner: &Runner, name: &CStr) -> Outcome {
    match process::join_session_keyring(name) {
        Ok(()) | Err(Errno::ENOSYS) => Ok(()),
        Err(errno @ (Errno::EDQUOT | Errno::EPERM)) => {
            runner.warn(&Failure::of(Call::Keyctl, errno));
            Ok(())
        }
        Err(errno) => Err(Failure::of(Call::Keyctl, errno)),
    }
}

/// Drops every capability that is not to be kept; the kernel's last one shows itself by EINVAL.
fn limit_bounding(keep: u64) -> Outcome {
    for capability in 0..64 {
        if keep & (1 << capability) != 0 {
            continue;
        }
        match credentials::drop_bounding(capability) {
            Ok(()) => {}
            Err(Errno::EINVAL) => break,
            Err(errno) => return Err(Failure::of(Call::Prctl, errno).value(u64::from(capability))),
        }
    }
    Ok(())
}

/// setgroups(2).
fn set_groups(groups: &[u8]) -> Outcome {
    credentials::set_groups_from(groups).named(Call::Setgroups)
}

/// Group before user, for only root may change groups; the permitted set is kept until capset.
fn set_ids(uid: u32, gid: u32) -> Outcome {
    credentials::keep_capabilities().named(Call::Prctl)?;
    credentials::set_group(gid).named(Call::Setresgid)?;
    credentials::set_user(uid).named(Call::Setresuid)
}

/// capset(2).
fn set_capabilities(sets: Sets) -> Outcome {
    credentials::set_capabilities(&sets).named(Call::Capset)
}

/// Ambient capabilities one by one; one that cannot be raised is told, not fatal (config.md, Linux process).
fn set_ambient(runner: &mut Runner, capabilities: u64) -> Outcome {
    for capability in 0..64 {
        if capabilities & (1 << capability) == 0 {
            continue;
        }
        if let Err(errno) = credentials::raise_ambient(capability) {
            runner.refused_ambient |= 1 << capability;
            runner.warn(&Failure::of(Call::Prctl, errno).value(u64::from(capability)));
        }
    }
    Ok(())
}

/// prctl(PR_SET_NO_NEW_PRIVS).
fn no_new_privileges() -> Outcome {
    credentials::set_no_new_privileges().named(Call::Prctl)
}

/// The label that the next execve takes on, written through the private procfs: a write that lands
/// in another file leaves the process unconfined (CVE-2019-16884, CVE-2025-52881). The kernel
/// refuses a label that it does not know.
fn set_label(runner: &Runner, path: &CStr, label: &[u8]) -> Outcome {
    let file = proc_file(runner, path, flag::O_RDWR)?;
    files::write_once(file, label).named(Call::Write)?;
    files::close(file);
    Ok(())
}
