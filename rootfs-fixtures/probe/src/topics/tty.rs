//! The terminal: tty(4), credentials(7) on sessions.

use super::Answer;
use crate::{errno, procfs};
use nix::unistd;
use rustix::fd::AsFd;
use rustix::termios::{self, LocalModes, OutputModes};
use serde_json::{Value, json};
use std::fs::File;
use std::io;

pub fn answer() -> Answer {
    let terminal = File::open("/dev/tty");
    let foreground = terminal.as_ref().ok().and_then(|terminal| termios::tcgetpgrp(terminal).ok());
    Ok(json!({
        "stdin": describe(io::stdin()),
        "stdout": describe(io::stdout()),
        "stderr": describe(io::stderr()),
        "controlling": controlling()?,
        "open_dev_tty": errno::verdict(terminal),
        "session": unistd::getsid(None).ok().map(unistd::Pid::as_raw),
        "process_group": unistd::getpgrp().as_raw(),
        "foreground_group": foreground.map(|pid| pid.as_raw_nonzero()),
    }))
}

fn describe(fd: impl AsFd) -> Value {
    if !termios::isatty(&fd) {
        return json!({ "isatty": false });
    }
    let name = termios::ttyname(&fd, Vec::new());
    let size = termios::tcgetwinsize(&fd).ok();
    let modes = termios::tcgetattr(&fd).ok();
    json!({
        "isatty": true,
        "name": name.map_or_else(|error| errno::name(error.raw_os_error()), |it| it.to_string_lossy().into_owned()),
        "rows": size.map(|size| size.ws_row),
        "columns": size.map(|size| size.ws_col),
        "echo": modes.as_ref().map(|it| it.local_modes.contains(LocalModes::ECHO)),
        "canonical": modes.as_ref().map(|it| it.local_modes.contains(LocalModes::ICANON)),
        "signals": modes.as_ref().map(|it| it.local_modes.contains(LocalModes::ISIG)),
        "newline_to_crlf": modes.as_ref().map(|it| it.output_modes.contains(OutputModes::ONLCR)),
    })
}

/// `MAJOR:MINOR` of the controlling terminal, field 7 of proc_pid_stat(5), or null.
fn controlling() -> Answer {
    let number = procfs::own_stat(7)?;
    let device: u64 = number.parse().map_err(|error| format!("tty_nr {number}: {error}"))?;
    let (major, minor) = (device >> 8 & 0xfff, device & 0xff | device >> 12 & 0xfff00);
    Ok(if device == 0 { Value::Null } else { json!(format!("{major}:{minor}")) })
}
