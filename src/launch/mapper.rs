//! newuidmap(1) and newgidmap(1): who writes the id maps that an ordinary user may not write.
//!
//! They get their power from the file they are, and check by themselves what this user may map. Nothing of
//! the environment is for them. The newborn waits meanwhile, so they have a deadline.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::launch::hook::{ending, ends_within, memory_file, quote};

/// How long one may take: it reads two small files and writes one.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs the helper for the map of a process that has not been waited for; the error is one phrase.
pub fn run(helper: &Path, pid: i32, map: &str) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", helper.display());
    let _ = crate_run_sys::files::close_on_exec_from(3);
    let errors = memory_file().map_err(failed)?;
    let mut command = Command::new(helper);
    command.env_clear().arg(pid.to_string()).args(map.split_whitespace());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors.try_clone().map_err(failed)?);
    crate_run_sys::host::unblock_signals(&mut command);
    let mut child = command.spawn().map_err(failed)?;
    let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty());
    if !pidfd.is_ok_and(|pidfd| ends_within(&pidfd, Some(PATIENCE))) {
        let _ = child.kill();
        let _ = child.wait();
        return Err(format!("{} has not ended within {} s", helper.display(), PATIENCE.as_secs()));
    }
    let status = child.wait().map_err(failed)?;
    if status.success() {
        return Ok(());
    }
    Err(format!("{} refused: {}, {}", helper.display(), ending(status), quote(errors)))
}
