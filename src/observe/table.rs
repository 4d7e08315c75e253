//! The host's ps(1), with the lines of a container's processes left.
//!
//! Only ps knows its options and columns. So it is asked for all processes, and its column `PID` says whose a
//! line is. What it prints goes to memory, not through a pipe: it cannot make us wait for each other.

use std::fs::File;
use std::io::{Read, Seek};
use std::process::{Command, ExitStatus, Stdio};

use crate_run_sys::host::borrowed;
use crate_run_sys::process::readable_within;
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::error::Error;

/// How long ps may take, in milliseconds. It reads all of /proc, on a busy host too.
const PATIENCE: u64 = 60_000;

/// Runs ps with these options, `-ef` when there are none, and answers its heading and those lines whose
/// process is among `pids`.
///
/// An option with blanks in it is several, and an empty one is none: go-runc hands on a whole command line as
/// one word.
///
/// Errors: [`Error::WrongState`] with what ps says; [`Error::Deadline`] after a minute.
pub fn table(options: &[String], pids: &[i32]) -> Result<String, Error> {
    let mut words: Vec<&str> = options.iter().flat_map(|option| option.split_whitespace()).collect();
    if words.is_empty() {
        words.push("-ef");
    }
    filter(&run(&words)?, pids)
}

fn run(words: &[&str]) -> Result<String, Error> {
    let failed = |error: std::io::Error| {
        Error::WrongState(format!("cannot run ps of this host: {}", crate::error::plain(&error)))
    };
    let memory = || -> std::io::Result<File> { Ok(memfd_create("ps", MemfdFlags::CLOEXEC)?.into()) };
    let (output, errors) = (memory().map_err(failed)?, memory().map_err(failed)?);
    let mut child = Command::new("ps")
        .args(words)
        .stdin(Stdio::null())
        .stdout(output.try_clone().map_err(failed)?)
        .stderr(errors.try_clone().map_err(failed)?)
        .spawn()
        .map_err(failed)?;
    let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty());
    let in_time = pidfd.is_ok_and(|pidfd| readable_within(borrowed(&pidfd), Some(PATIENCE)) == Ok(true));
    if !in_time {
        let _ = child.kill();
    }
    let status = child.wait().map_err(failed)?;
    if !in_time {
        return Err(Error::Deadline(format!("ps of this host has not ended after {} s", PATIENCE / 1000)));
    }
    verdict(status, content(output).map_err(failed)?, &content(errors).map_err(failed)?)
}

fn verdict(status: ExitStatus, output: String, errors: &str) -> Result<String, Error> {
    match status.success() {
        true => Ok(output),
        false => Err(Error::WrongState(format!("ps of this host: {status}: {}", errors.trim()))),
    }
}

fn content(mut file: File) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The heading, and the lines of these processes. A line without a pid is of no process.
fn filter(output: &str, pids: &[i32]) -> Result<String, Error> {
    let heading = output.lines().next().unwrap_or_default();
    let Some(column) = heading.split_whitespace().position(|title| title == "PID") else {
        let said = "cannot find the column PID in what ps prints: choose options that show it";
        return Err(Error::Usage(said.to_owned()));
    };
    let pid = |line: &str| line.split_whitespace().nth(column)?.parse::<i32>().ok();
    let is_ours = |line: &&str| pid(line).is_some_and(|pid| pids.contains(&pid));
    let lines = std::iter::once(heading).chain(output.lines().skip(1).filter(is_ours));
    Ok(lines.map(|line| format!("{line}\n")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str =
        "UID   PID  PPID CMD\nroot    1     0 init\nroot   12     1 sh -c 7\n\nroot   7 12 x\n";

    #[test]
    fn lines_are_chosen_by_the_column_of_the_heading() {
        assert_eq!(
            filter(OUTPUT, &[7, 12]).unwrap(),
            "UID   PID  PPID CMD\nroot   12     1 sh -c 7\nroot   7 12 x\n"
        );
        assert_eq!(filter(OUTPUT, &[]).unwrap(), "UID   PID  PPID CMD\n");
    }

    #[test]
    fn without_the_column_nothing_can_be_chosen() {
        for output in ["", "  1 init\n", "COMMAND\nPID\n"] {
            let error = filter(output, &[1]).unwrap_err().to_string();
            assert!(error.contains("column PID"), "{error}");
        }
    }

    #[test]
    fn one_word_can_be_many_options() {
        let own = std::process::id() as i32;
        for options in [&["-o pid,args"][..], &["-o", "pid,args"], &[""], &[]] {
            let options: Vec<String> = options.iter().map(|option| option.to_string()).collect();
            let table = table(&options, &[own]).unwrap();
            assert!(table.contains("PID") && table.lines().count() <= 2, "{options:?}: {table}");
        }
    }

    #[test]
    fn what_ps_complains_about_is_told() {
        let error = table(&["--no-such-option".to_owned()], &[1]).unwrap_err().to_string();
        assert!(error.starts_with("ps of this host: exit status: "), "{error}");
    }
}
