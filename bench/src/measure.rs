//! Measuring one command: its time from spawn to wait, what it used, how many system calls it made.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::processes;

/// No command measured here has anything to do that takes this long.
const HANGS_AFTER: Duration = Duration::from_secs(20);

/// Runs commands and keeps what they say on stderr until the next one.
pub struct Runner {
    words: File,
}

impl Runner {
    /// `words` is the file that stderr goes to.
    pub fn new(words: &Path) -> std::io::Result<Runner> {
        let words = File::options().create(true).append(true).read(true).open(words)?;
        Ok(Runner { words })
    }

    /// Milliseconds from before the spawn to after the wait. A failing or hanging command has no time, but a
    /// reason.
    pub fn time(&self, command: &mut Command) -> Result<f64, String> {
        let prepared = self.words.set_len(0).and_then(|()| self.words.try_clone());
        let words = prepared.map_err(|problem| format!("no file for stderr: {problem}"))?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(words);
        let begin = Instant::now();
        let mut child = command.spawn().map_err(|problem| format!("cannot be started: {problem}"))?;
        let in_time = processes::ended_within(child.id() as i32, HANGS_AFTER);
        if !in_time {
            return Err(self.give_up(&mut child));
        }
        let status = child.wait().map_err(|problem| format!("cannot be waited for: {problem}"))?;
        let took = begin.elapsed();
        match status.success() {
            true => Ok(took.as_secs_f64() * 1e3),
            false => Err(format!("{status}: {}", self.last_words())),
        }
    }

    fn give_up(&self, child: &mut Child) -> String {
        // Both fail only when it has just ended by itself.
        child.kill().ok();
        child.wait().ok();
        format!("hung for {} s and was killed", HANGS_AFTER.as_secs())
    }

    /// The last line on stderr.
    fn last_words(&self) -> String {
        let mut text = Vec::new();
        let mut words = &self.words;
        let read = words.seek(SeekFrom::Start(0)).and_then(|_| words.read_to_end(&mut text));
        let text = String::from_utf8_lossy(&text);
        match read.ok().and_then(|_| text.lines().rfind(|line| !line.trim().is_empty())) {
            Some(line) => line.trim().to_owned(),
            None => "without a word".to_owned(),
        }
    }
}

/// What a command and the processes it waited for used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    /// Resident set of the largest of them, KiB.
    pub peak_kib: f64,
    pub page_faults: f64,
    pub cpu_ms: f64,
}

/// Runs other commands under the `usage` program or under strace.
pub struct Gauge {
    pub usage: PathBuf,
    pub file: PathBuf,
}

impl Gauge {
    /// What `command` uses (wait4(2)).
    pub fn usage(&self, runner: &Runner, command: &Command) -> Result<Usage, String> {
        let mut wrapped = Command::new(&self.usage);
        wrapped.arg(&self.file);
        runner.time(&mut wrap(wrapped, command))?;
        let text = fs::read_to_string(&self.file).map_err(|problem| problem.to_string())?;
        usage_in(&text).ok_or_else(|| format!("the usage program wrote `{}`", text.trim()))
    }

    /// How many system calls `command` makes, with everything it starts and until all of that has ended.
    pub fn system_calls(&self, runner: &Runner, command: &Command) -> Result<u64, String> {
        let mut wrapped = Command::new("strace");
        wrapped.args(["-f", "-q", "-c", "-o"]).arg(&self.file);
        runner.time(&mut wrap(wrapped, command))?;
        let text = fs::read_to_string(&self.file).map_err(|problem| problem.to_string())?;
        total_calls(&text).ok_or_else(|| "strace printed no total".to_owned())
    }
}

/// `outer` with the words of `inner` behind it, in the environment of `inner`.
fn wrap(mut outer: Command, inner: &Command) -> Command {
    outer.env_clear();
    outer.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    outer.arg(inner.get_program()).args(inner.get_args());
    outer
}

fn usage_in(text: &str) -> Option<Usage> {
    let mut numbers = text.split_whitespace().map(str::parse::<f64>);
    let mut next = || numbers.next()?.ok();
    Some(Usage { peak_kib: next()?, page_faults: next()?, cpu_ms: next()? / 1e3 })
}

/// The calls in the last line of `strace -c`: share, seconds, microseconds per call, calls, perhaps errors,
/// `total`.
fn total_calls(text: &str) -> Option<u64> {
    let line = text.lines().rfind(|line| line.ends_with(" total"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usage_line_is_read_in_order() {
        let expected = Usage { peak_kib: 1044.0, page_faults: 54.0, cpu_ms: 0.652 };
        assert_eq!(usage_in("1044 54 652 0\n"), Some(expected));
        assert_eq!(usage_in("1044 54"), None);
    }

    #[test]
    fn the_total_of_strace_is_found_with_and_without_errors() {
        let head = "% time     seconds  usecs/call     calls    errors syscall\n";
        let with = format!("{head}100.00    0.003000           4       761        47 total\n");
        let without = format!("{head}100.00    0.000000           0        12           total\n");
        assert_eq!(total_calls(&with), Some(761));
        assert_eq!(total_calls(&without), Some(12));
        assert_eq!(total_calls(head), None);
    }
}
