//! Seccomp filters (seccomp(2)), and the listener of one that asks a supervisor (seccomp_unotify(2)).

use crate_run_plan::operation::Filters;
use crate_run_plan::report::{Call, Kind};
use crate_run_plan::slot::Slot;
use crate_run_sys::{Fd, credentials, files};

use crate::failure::{Named, Outcome};
use crate::runner::Runner;

/// Carries out one operation of this chapter.
pub fn run(runner: &mut Runner, operation: Filters) -> Outcome {
    use Filters as Op;
    match operation {
        Op::InstallFilter { flags, program } => install(runner, flags, program),
        Op::InstallListener { flags, program } => install_listener(runner, flags, program),
        Op::CloseListener {} => close_listener(runner),
    }
}

/// seccomp(2).
fn install(runner: &mut Runner, flags: u32, program: &[u8]) -> Outcome {
    credentials::install_filter(flags, program).named(Call::Seccomp)?;
    runner.filters += 1;
    Ok(())
}

/// seccomp(2) with SECCOMP_FILTER_FLAG_NEW_LISTENER. The runtime takes the listener by its number
/// (pidfd_getfd(2)): to send it would take a call that the filter may hand to the supervisor, who has no
/// listener yet. Only write(2) is needed to tell the number, and no profile with a listener may ask about it.
fn install_listener(runner: &mut Runner, flags: u32, program: &[u8]) -> Outcome {
    let listener = credentials::install_filter(flags, program).named(Call::Seccomp)?;
    runner.filters += 1;
    runner.fill(Slot::LISTENER, Fd(listener as i32));
    runner.tell_number(Kind::Listener, listener as u64)
}

/// A listener hangs up when its last holder is gone (seccomp_unotify(2)). If this process kept it, a call
/// would wait for ever for a supervisor that has died, instead of failing with ENOSYS.
fn close_listener(runner: &Runner) -> Outcome {
    files::close(runner.slot(Slot::LISTENER)?);
    Ok(())
}
