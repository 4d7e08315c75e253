//! Being there: a process for tests to look at.

use super::signals::say;
use super::{Done, argument};
use crate::errno;
use crate::topics::signals;
use nix::sys::signal::SigSet;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

/// Fractions of a second are allowed.
pub fn sleep(words: &[String]) -> Done {
    let seconds = argument::<f64>(words, 0, "a number of seconds")?;
    let time = Duration::try_from_secs_f64(seconds).map_err(|error| format!("{seconds} seconds: {error}"))?;
    thread::sleep(time);
    Ok(ExitCode::SUCCESS)
}

/// The signals are blocked for ever, which looks from outside as if they were ignored.
pub fn ignoring(words: &[String]) -> Done {
    let mut set = SigSet::empty();
    for word in words {
        set.add(signals::parse(word)?);
    }
    set.thread_block().map_err(|error| format!("blocking signals: {}", errno::name(error as i32)))?;
    say("ready")?;
    loop {
        thread::sleep(Duration::from_secs(3600));
    }
}
