//! Hooks that run inside the container: createContainer and startContainer (config.md, POSIX-platform hooks).

use core::ffi::CStr;

use crate_run_plan::report::Call;
use crate_run_plan::wire::Texts;
use crate_run_sys::files;
use crate_run_sys::process::{self, Ended, Table};
use crate_run_sys::{Fd, birth};

use crate::execute::table;
use crate::failure::{Failure, Named, Outcome};

/// A hook and the state that it reads.
pub struct Hook<'p> {
    /// The program.
    pub path: &'p CStr,
    /// argv, from its zeroth entry.
    pub arguments: Texts<'p>,
    /// The environment, exactly.
    pub environment: Texts<'p>,
    /// Seconds, 0 for no limit.
    pub timeout: u32,
    /// The state as JSON up to the pid.
    pub before: &'p [u8],
    /// The state as JSON after the pid.
    pub after: &'p [u8],
}

const SIGKILL: u32 = 9;

/// Runs the hook as a child of this process, and waits for its end.
pub fn run(hook: &Hook) -> Outcome {
    let state = state(hook)?;
    let (arguments, environment) = (table(hook.arguments)?, table(hook.environment)?);
    let Some(pidfd) = birth::fork().named(Call::Clone)? else {
        become_hook(hook, state, &arguments, &environment);
    };
    files::close(state);
    let limit = (hook.timeout != 0).then(|| u64::from(hook.timeout) * 1000);
    let in_time = process::readable_within(pidfd, limit).named(Call::Waitid)?;
    if !in_time {
        process::send_signal(pidfd, SIGKILL).named(Call::Waitid)?;
    }
    let ended = process::wait(pidfd).named(Call::Waitid)?;
    files::close(pidfd);
    match ended {
        _ if !in_time => Err(Failure::refusal(b"it ran past its timeout and was killed")),
        Ended::Exited(0) => Ok(()),
        Ended::Exited(status) => Err(Failure::refusal(b"exit status").value(status as u64)),
        Ended::Signalled(signal) => Err(Failure::refusal(b"signal").value(signal as u64)),
    }
}

/// A memfd rather than a pipe: a state of any size fits, and the hook reads its end without a writer.
fn state(hook: &Hook) -> Outcome<Fd> {
    let file = files::memfd(c"state", 0).named(Call::Memfd)?;
    let mut digits = [0u8; 10];
    files::write_all(file, hook.before).named(Call::Write)?;
    files::write_all(file, decimal(process::id(), &mut digits)).named(Call::Write)?;
    files::write_all(file, hook.after).named(Call::Write)?;
    files::rewind(file).named(Call::Write)?;
    Ok(file)
}

fn decimal(mut number: u32, digits: &mut [u8; 10]) -> &[u8] {
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[start..];
        }
    }
}

fn become_hook(hook: &Hook, state: Fd, arguments: &Table, environment: &Table) -> ! {
    let ready = files::dup_to(state, Fd(0)).and_then(|()| files::close_on_exec_from(3));
    if ready.is_ok() {
        let _ = process::replace(Fd::CWD, hook.path, arguments, environment, 0);
    }
    process::exit(127)
}
