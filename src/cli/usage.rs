//! What the caller gets when a command line is not carried out: the help, the version, or one clear error.

use std::error::Error as _;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use clap::Error;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::args;
use super::log::{Format, Level, Log};
use super::version;

/// What `checkpoint` and `restore` answer to whatever they are given.
pub const NO_CHECKPOINT: &str =
    "checkpoint and restore are not supported: crate-run does not save containers";

/// The answer to a command line that asks for no verb, or for one in the wrong way.
#[derive(Debug)]
pub enum Reply {
    /// What was asked for: to be printed on standard output, with exit status 0.
    Text(String),
    /// What is wrong, as one sentence: to be logged, with exit status 1 (as in runc; clap's would be 2).
    Wrong { message: String, log: Log },
}

impl Reply {
    /// Puts clap's answer to the normalised `words` into crate-run's words.
    pub(super) fn new(error: &Error, words: &[OsString]) -> Self {
        match error.kind() {
            ErrorKind::DisplayVersion => Self::Text(version::text()),
            ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                Self::Text(error.render().to_string())
            }
            _ => Self::Wrong { message: sentence(error, words), log: log(words) },
        }
    }
}

/// The log for a line that has not been understood, so that an engine learns why. [`super::argv::normalise`]
/// has brought the flags into the form `--log=FILE`.
fn log(words: &[OsString]) -> Log {
    let global = || words.iter().skip(1).take_while(|word| word.as_bytes().starts_with(b"--"));
    let last = |flag: &[u8]| global().filter_map(|word| word.as_bytes().strip_prefix(flag)).last();
    let path = last(b"--log=").map(|path| PathBuf::from(OsString::from_vec(path.to_vec())));
    let format = last(b"--log-format=").and_then(|format| std::str::from_utf8(format).ok()?.parse().ok());
    Log::new(path.as_deref(), format.unwrap_or(Format::Text), Level::Error)
}

/// One sentence, with the place to look for more.
///
/// Podman recognises `flag needs an argument`; runc's callers know `invalid log-format: X`.
fn sentence(error: &Error, words: &[OsString]) -> String {
    let of = |kind| error.get(kind).map(ContextValue::to_string).unwrap_or_default();
    let argument = of(ContextKind::InvalidArg);
    let flag = argument.split_whitespace().next().unwrap_or_default();
    let value = of(ContextKind::InvalidValue);
    let problem = match error.kind() {
        // The parsers of our values say a whole sentence.
        ErrorKind::ValueValidation => {
            let said = error.source().map(ToString::to_string).unwrap_or_default();
            // Ours name what is wrong; those of clap and of numbers do not.
            return match flag.strip_prefix("--") {
                Some(name) if !said.contains(name) => format!("{flag}: {said}"),
                _ => said,
            };
        }
        ErrorKind::InvalidSubcommand => format!("unknown command {:?}", of(ContextKind::InvalidSubcommand)),
        ErrorKind::UnknownArgument if argument.starts_with('-') => format!("unknown flag {argument}"),
        ErrorKind::UnknownArgument => format!("one argument too many: {argument:?}"),
        ErrorKind::MissingRequiredArgument => format!("missing argument: {argument}"),
        ErrorKind::MissingSubcommand => "missing argument: a command".to_owned(),
        ErrorKind::InvalidValue if value.is_empty() => format!("flag needs an argument: {flag}"),
        ErrorKind::InvalidValue => {
            format!("{flag} must be one of {}, not {value:?}", of(ContextKind::ValidValue))
        }
        ErrorKind::TooManyValues => format!("{flag} takes no argument, but got {value:?}"),
        ErrorKind::ArgumentConflict => {
            format!("{argument} and {} exclude each other", of(ContextKind::PriorArg))
        }
        ErrorKind::InvalidUtf8 => "an argument is not UTF-8 text".to_owned(),
        // The definitions give no reason for any other kind; its name is better than nothing.
        other => other.to_string(),
    };
    let meant =
        [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg].map(of).concat().replace(", ", " or ");
    let suggestion = if meant.is_empty() { meant } else { format!(" (did you mean {meant}?)") };
    format!("{problem}{suggestion}; see crate-run{} --help", verb(words, flag))
}

/// The verb of the normalised line with a blank before it; nothing if there is none, or if the wrong flag
/// stands before it and so is not the verb's.
fn verb(words: &[OsString], flag: &str) -> String {
    let words = words.get(1..).unwrap_or_default();
    let end = words.iter().position(|word| !word.as_bytes().starts_with(b"-")).unwrap_or(words.len());
    let (global, own) = words.split_at(end);
    let is_flag =
        |word: &OsString| word.as_bytes().split(|byte| *byte == b'=').next() == Some(flag.as_bytes());
    match own.first() {
        Some(verb) if args::is_verb(verb) && !global.iter().any(is_flag) => format!(" {}", verb.display()),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::parse;

    /// The answer to the words of a line that is wrong.
    fn complaint(line: &[&str]) -> String {
        let words = std::iter::once(&"crate-run").chain(line).map(OsString::from);
        match parse(words).expect_err("the line is wrong") {
            Reply::Wrong { message, .. } => message,
            Reply::Text(text) => panic!("not taken as wrong: {text}"),
        }
    }

    #[test]
    fn each_mistake_gets_one_sentence() {
        for (line, expected) in [
            (&["frob"][..], "unknown command \"frob\"; see crate-run --help"),
            (
                &["delte", "x"],
                "unknown command \"delte\" (did you mean create or update or delete?); see crate-run --help",
            ),
            (&["--debug"], "missing argument: a command; see crate-run --help"),
            (&["--frob", "state", "x"], "unknown flag --frob; see crate-run --help"),
            (&["state"], "missing argument: <ID>; see crate-run state --help"),
            (&["state", "a", "b"], "one argument too many: \"b\"; see crate-run state --help"),
            (
                &["run", "--bundel", "b", "x"],
                "unknown flag --bundel (did you mean --bundle?); see crate-run run --help",
            ),
            (&["state", "x", "--root"], "flag needs an argument: --root; see crate-run --help"),
            (&["run", "x", "--pid-file"], "flag needs an argument: --pid-file; see crate-run run --help"),
            (&["--root=", "run", "x"], "flag needs an argument: --root; see crate-run --help"),
            (
                &["run", "--keep=maybe", "x"],
                "--keep takes no argument, but got \"maybe\"; see crate-run run --help",
            ),
            (&["--log-format", "xml", "state", "x"], "invalid log-format: xml"),
            (&["--log-level=loud", "state", "x"], "invalid log-level: loud"),
            (&["--rootless", "state", "x"], "--rootless must be true, false or auto, not \"state\""),
            (
                &["--cgroup-manager", "v3", "list"],
                "--cgroup-manager must be one of cgroupfs, systemd, disabled, \
                 not \"v3\"; see crate-run --help",
            ),
            (
                &["kill", "x", "NOPE"],
                "unknown signal \"NOPE\" (a name such as TERM or RTMIN+3, or a number from 0 to 64)",
            ),
            (
                &["create", "--preserve-fds", "-1", "x"],
                "--preserve-fds must be a number from 0 on, not \"-1\"",
            ),
            (&["update", "--cpu-period", "abc", "x"], "--cpu-period: invalid digit found in string"),
            (
                &["list", "-f", "yaml"],
                "--format must be one of table, json, not \"yaml\"; see crate-run list --help",
            ),
        ] {
            assert_eq!(complaint(line), expected, "{line:?}");
        }
    }

    #[test]
    fn help_and_version_are_answers() {
        for (line, expected) in [
            (&["crate-run"][..], "Commands:"),
            (&["crate-run", "--help"], "explain"),
            (&["crate-run", "help", "run"], "--detach"),
            (&["crate-run", "run", "-h"], "Usage: crate-run run [OPTIONS] <ID|BUNDLE/>"),
            (&["crate-run", "-help", "run"], "features"),
            (&["crate-run", "-?"], "Commands:"),
            (&["crate-run", "state", "--usage"], "Usage: crate-run state"),
            (&["crate-run", "-v"], "crate-run version "),
            (&["crate-run", "-V"], "crate-run version "),
            (&["crate-run", "--version", "state"], "commit: "),
        ] {
            match parse(line.iter().map(OsString::from)) {
                Err(Reply::Text(text)) => assert!(text.contains(expected), "{line:?}: {text}"),
                other => panic!("{line:?} gives {other:?}"),
            }
        }
    }

    #[test]
    fn what_is_wrong_goes_to_the_log_that_was_asked_for() {
        let file = std::env::temp_dir().join(format!("crate-run-usage-{}.json", std::process::id()));
        let line =
            ["crate-run", "--log", "/none", "--log", file.to_str().unwrap(), "-log-format", "json", "start"];
        match parse(line.map(OsString::from)).expect_err("no id") {
            Reply::Wrong { message, log } => log.error(&message),
            Reply::Text(text) => panic!("{text}"),
        }
        let entry: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert_eq!(entry["msg"], "missing argument: <ID>; see crate-run start --help");
    }
}
