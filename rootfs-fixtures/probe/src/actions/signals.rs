//! Signals sent and received: signal(7), signalfd(2).

use super::{Done, argument};
use crate::errno;
use crate::topics::signals;
use nix::sys::signal::{self, SigSet, Signal};
use nix::sys::signalfd::SignalFd;
use nix::unistd::Pid;
use std::io::Write;
use std::process::ExitCode;

/// Pid 1 of a pid namespace survives every signal from inside for which it has no handler.
pub fn signal_self(words: &[String]) -> Done {
    let signal = signals::parse(&argument::<String>(words, 0, "the name of a signal")?)?;
    // Rust's start code ignores SIGPIPE; std has no way to undo that in this process, so say it.
    if signal == Signal::SIGPIPE {
        return Err("SIGPIPE is ignored by every Rust program".to_owned());
    }
    signal::kill(Pid::this(), signal).map_err(|error| format!("kill: {}", errno::name(error as i32)))?;
    println!("survived {}", signal.as_str());
    Ok(ExitCode::SUCCESS)
}

/// All signals are blocked and fetched one by one, so real-time signals are seen too and none is lost to a
/// handler.
pub fn print(_: &[String]) -> Done {
    let failed = |error| format!("receiving signals: {}", errno::name(error as i32));
    let all = SigSet::all();
    all.thread_block().map_err(failed)?;
    let received = SignalFd::new(&all).map_err(failed)?;
    say("ready")?;
    loop {
        let Some(info) = received.read_signal().map_err(failed)? else { continue };
        let number = info.ssi_signo as i32;
        say(&signals::name(number))?;
        if number == Signal::SIGTERM as i32 {
            return Ok(ExitCode::SUCCESS);
        }
    }
}

/// A line that is there at once, also when stdout is a pipe.
pub fn say(line: &str) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    let written = writeln!(out, "{line}").and_then(|()| out.flush());
    written.map_err(|error| format!("writing to stdout: {}", errno::of(&error)))
}
