//! Running a hook in the runtime's namespaces.
//!
//! Its standard input, output and error are memfds: a hook that does not read, writes without end, or leaves
//! a daemon behind cannot make the runtime wait.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use crate::feature::hooks::Hook;

/// How much of a hook's output goes into an error message.
const QUOTED: u64 = 1024;

/// Runs the hook to its end in the directory `bundle`; the error is one phrase.
pub fn run(hook: &Hook, state: &str, bundle: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", hook.path.display());
    // What the caller has left open is not for hooks; the container has been born, so nothing needs it.
    let _ = crate_run_sys::files::close_on_exec_from(3);
    let mut input = memory_file().map_err(failed)?;
    input.write_all(state.as_bytes()).and_then(|()| input.rewind()).map_err(failed)?;
    let (output, errors) = (memory_file().map_err(failed)?, memory_file().map_err(failed)?);
    let environment = hook.environment.iter().filter_map(|entry| entry.split_once('='));
    let mut command = Command::new(&hook.path);
    command.env_clear().envs(environment).current_dir(bundle).process_group(0);
    if let Some((name, arguments)) = hook.arguments.split_first() {
        command.arg0(name).args(arguments);
    }
    command
        .stdin(input)
        .stdout(output.try_clone().map_err(failed)?)
        .stderr(errors.try_clone().map_err(failed)?);
    crate_run_sys::host::unblock_signals(&mut command);
    let mut child = command.spawn().map_err(failed)?;
    let group = Pid::from_child(&child);
    let in_time = match pidfd_open(group, PidfdFlags::empty()) {
        Ok(pidfd) => ends_within(&pidfd, hook.timeout),
        Err(_) => true,
    };
    if !in_time {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let status = child.wait().map_err(failed)?;
    match (in_time, hook.timeout) {
        (false, Some(limit)) => {
            Err(format!("hook ran past specified timeout of {:.1}s", limit.as_secs_f64()))
        }
        _ if status.success() => Ok(()),
        _ => Err(format!("{}, stdout: {}, stderr: {}", ending(status), quote(output), quote(errors))),
    }
}

pub(super) fn memory_file() -> std::io::Result<File> {
    Ok(memfd_create("hook", MemfdFlags::CLOEXEC)?.into())
}

pub(super) fn ends_within(pidfd: &OwnedFd, limit: Option<Duration>) -> bool {
    let limit = limit.map(|limit| Timespec { tv_sec: limit.as_secs() as i64, tv_nsec: 0 });
    let mut wait = [PollFd::new(pidfd, PollFlags::IN)];
    loop {
        match poll(&mut wait, limit.as_ref()) {
            Err(rustix::io::Errno::INTR) => continue,
            ready => return ready.is_ok_and(|ready| ready > 0),
        }
    }
}

pub(super) fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "unknown end".to_owned(),
    }
}

/// The beginning of what the hook wrote, on one line.
pub(super) fn quote(mut file: File) -> String {
    let mut text = Vec::new();
    let _ = file.rewind().and_then(|()| file.take(QUOTED).read_to_end(&mut text));
    String::from_utf8_lossy(&text).trim().escape_debug().to_string()
}
