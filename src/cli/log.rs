//! What crate-run tells about itself: errors, warnings and, when asked, details.
//!
//! Who reads it, and what they need:
//! - containerd reads the file of `--log` after a failure as a stream of JSON objects, and reports the last
//!   one whose level is `error`; an entry whose time it cannot parse loses the message.
//! - Podman decodes the whole file as *one* object. So a command that fails writes one line, its error; this
//!   asks of the verbs to warn only when the container has come into being, and to tell all else aside.
//! - journald and syslog get each message as it is (`log/daemon.rs`).
//! - People, conmon and Docker's log read standard error. It gets the error in any case, as a plain sentence,
//!   and warnings only when there is no `--log`: in `create`, standard error belongs to the container.
//!
//! Standard output carries answers (`state`, `list`) and never a message.
//!
//! The log never fails a command, and never makes it wait: a disk that is full or a FIFO that nobody reads
//! loses the line. It is opened when there is something to say, not before.

mod daemon;
mod descriptor;
mod text;

use std::cell::OnceCell;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::SystemTime;

use crate_run_sys::Errno;
use rustix::fs::{Mode, OFlags};
use thiserror::Error;

use self::daemon::Daemon;
use self::text::{line, readable, sentence};

pub(super) use self::text::push_visible;

/// How grave a message is, from the gravest on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The command failed.
    Error,
    /// The command did what it was asked, with a restriction.
    #[default]
    Warning,
    /// How it went about it.
    Debug,
}

impl Level {
    /// The word by which containerd and Podman know it.
    fn word(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Debug => "debug",
        }
    }
}

/// A value of `--log-level` that names no level.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("invalid log-level: {0}")]
pub struct UnknownLevel(String);

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        let levels = [Level::Error, Level::Warning, Level::Debug];
        levels.into_iter().find(|level| level.word() == text).ok_or_else(|| UnknownLevel(text.to_owned()))
    }
}

/// How the lines of the log look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// `time="2026-02-28T23:59:59.000000001Z" level=error msg="..."`
    #[default]
    Text,
    /// `{"level":"error","msg":"...","time":"2026-02-28T23:59:59.000000001Z"}`
    Json,
}

/// A value of `--log-format` that names no format.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("invalid log-format: {0}")]
pub struct UnknownFormat(String);

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        match text {
            "text" => Ok(Format::Text),
            "json" => Ok(Format::Json),
            _ => Err(UnknownFormat(text.to_owned())),
        }
    }
}

/// Where messages go, as the command line has it.
#[derive(Debug)]
pub struct Log {
    destination: Destination,
    format: Format,
    level: Level,
}

#[derive(Debug)]
enum Destination {
    StandardError,
    File { path: PathBuf, opened: OnceCell<Option<File>> },
    Daemon(Daemon),
}

impl Destination {
    /// As crun has it: `journald:ID`, `syslog:ID`, `file:PATH`; anything else is a path, as in runc.
    fn named(text: &Path) -> Self {
        if let Some(daemon) = Daemon::named(text.as_os_str()) {
            return Destination::Daemon(daemon);
        }
        let bytes = text.as_os_str().as_bytes();
        let path = Path::new(OsStr::from_bytes(bytes.strip_prefix(b"file:").unwrap_or(bytes)));
        // What runc's users write to see the log: a link, and `open` below follows none but this one.
        if let Some(number) = descriptor::named(path) {
            return match descriptor::path_of(number) {
                Some(path) => Destination::File { path, opened: OnceCell::new() },
                None => Destination::StandardError,
            };
        }
        // The runtime leaves its working directory before it knows what there is to say.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Destination::File { path, opened: OnceCell::new() }
    }
}

impl Log {
    /// A log to the `destination` of `--log`, or to standard error, of messages that are as grave as `level`.
    pub fn new(destination: Option<&Path>, format: Format, level: Level) -> Self {
        let destination = destination.map_or(Destination::StandardError, Destination::named);
        Self { destination, format, level }
    }

    /// Tells why the command failed: once in the log, and as a plain sentence on standard error.
    pub fn error(&self, message: &str) {
        self.failure(message, message);
    }

    /// The same with a shorter `headline` for the person at standard error, who gets the
    /// [`details`](Log::details) below it.
    pub fn failure(&self, message: &str, headline: &str) {
        let elsewhere = self.is_elsewhere();
        if elsewhere || self.format == Format::Json {
            self.record(Level::Error, message);
        }
        if elsewhere || self.format == Format::Text {
            say(&sentence(headline));
        }
    }

    /// Shows what helps a person to mend the error that was told last: the place in config.json, the cure. It
    /// goes to standard error only, and not into a stream of JSON.
    pub fn details(&self, text: &str) {
        let plain = self.is_elsewhere() || self.format == Format::Text;
        if plain && !text.is_empty() {
            say(&format!("{}\n", readable(text.trim_end())));
        }
    }

    /// Tells something that the caller should know, although the container exists; not to be called before
    /// that is certain (see the head of this file).
    pub fn warning(&self, message: &str) {
        self.record(Level::Warning, message);
    }

    /// One line for each.
    pub fn warnings(&self, messages: &[String]) {
        messages.iter().for_each(|message| self.warning(message));
    }

    /// What there is to tell beside an error: on standard error, for the log of a command that fails is one
    /// line.
    pub fn asides(&self, messages: &[String]) {
        if !self.is_elsewhere() {
            return self.warnings(messages);
        }
        let wanted = messages.iter().filter(|_| self.level >= Level::Warning);
        wanted.for_each(|message| say(&sentence(&format!("{}: {message}", Level::Warning.word()))));
    }

    /// Tells a detail, which nobody sees without `--debug`.
    pub fn debug(&self, message: impl FnOnce() -> String) {
        if self.level >= Level::Debug {
            self.record(Level::Debug, &message());
        }
    }

    /// Is standard error left to people?
    fn is_elsewhere(&self) -> bool {
        !matches!(self.destination, Destination::StandardError)
    }

    fn record(&self, level: Level, message: &str) {
        if level > self.level {
            return;
        }
        match &self.destination {
            Destination::File { path, opened } => {
                let text = line(self.format, level, message, SystemTime::now());
                if let Some(mut file) = opened.get_or_init(|| open(path)).as_ref() {
                    // One write, so that the lines of two commands do not mix.
                    let _ = file.write(text.as_bytes());
                }
            }
            Destination::Daemon(daemon) => {
                if let Err(error) = daemon.send(level, message) {
                    lost(daemon.name(), error.raw_os_error());
                }
            }
            Destination::StandardError => match (self.format, level) {
                (Format::Json, _) => say(&line(Format::Json, level, message, SystemTime::now())),
                (Format::Text, Level::Error) => say(&sentence(message)),
                (Format::Text, _) => say(&sentence(&format!("{}: {message}", level.word()))),
            },
        }
    }
}

/// Opens the log for appending (open(2)); says on standard error when that fails, and that is all.
///
/// A symbolic link as the last component is refused: in a directory that others can write to, it could lead
/// anywhere. That of a descriptor of our own leads to what the caller has opened. `O_NONBLOCK` keeps a FIFO
/// without a reader (ENXIO) and one with a lazy reader (EAGAIN) from holding up the command; regular files do
/// not know it.
fn open(path: &Path) -> Option<File> {
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::CLOEXEC;
    let nofollow = if descriptor::named(path).is_some() { OFlags::empty() } else { OFlags::NOFOLLOW };
    let careful = nofollow | OFlags::NONBLOCK | OFlags::NOCTTY;
    match rustix::fs::open(path, flags | careful, Mode::from_raw_mode(0o644)) {
        Ok(descriptor) => Some(File::from(descriptor)),
        Err(error) => {
            lost(&path.display().to_string(), Some(error.raw_os_error()));
            None
        }
    }
}

/// Says that the log cannot be written. The reason by its name only: engines search standard error for
/// "permission denied" and the like, and would take the log's trouble for the container's.
fn lost(log: &str, errno: Option<i32>) {
    let errno = Errno(errno.and_then(|number| u16::try_from(number).ok()).unwrap_or(0)).name();
    say(&sentence(&format!("warning: cannot open the log {log} ({errno})")));
}

/// Writes to standard error; when nobody can read that, nobody wants it.
fn say(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};

    use super::text::LONGEST_MESSAGE;
    use super::*;

    /// A directory of its own for one test, gone when the test is.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(test: &str) -> Self {
            let path = std::env::temp_dir().join(format!("crate-run-log-{test}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn file(&self) -> PathBuf {
            self.0.join("log.json")
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn json_log(path: &Path, level: Level) -> Log {
        Log::new(Some(path), Format::Json, level)
    }

    #[test]
    fn a_failed_command_writes_one_object() {
        let scratch = Scratch::new("one-object");
        let log = json_log(&scratch.file(), Level::default());
        log.debug(|| unreachable!("nobody asked for details"));
        log.error("no such thing");
        let whole: serde_json::Value = serde_json::from_slice(&fs::read(scratch.file()).unwrap()).unwrap();
        assert_eq!((&whole["level"], &whole["msg"]), (&"error".into(), &"no such thing".into()));
        assert_eq!(fs::metadata(scratch.file()).unwrap().permissions().mode() & 0o7133, 0);
    }

    #[test]
    fn lines_are_added_to_what_is_there() {
        let scratch = Scratch::new("append");
        fs::write(scratch.file(), "before\n").unwrap();
        json_log(&scratch.file(), Level::Warning).warning("first");
        json_log(&scratch.file(), Level::Error).warning("not asked for");
        let log = json_log(&scratch.file(), Level::Debug);
        log.debug(|| "second".to_owned());
        log.error("third");
        let text = fs::read_to_string(scratch.file()).unwrap();
        let levels = text.lines().skip(1).map(|line| {
            let entry: serde_json::Value = serde_json::from_str(line).unwrap();
            format!("{} {}", entry["level"].as_str().unwrap(), entry["msg"].as_str().unwrap())
        });
        assert!(text.starts_with("before\n"));
        assert_eq!(levels.collect::<Vec<_>>(), ["warning first", "debug second", "error third"]);
    }

    #[test]
    fn silence_makes_no_file() {
        let scratch = Scratch::new("silence");
        json_log(&scratch.file(), Level::Error).warning("not asked for");
        assert!(!scratch.file().exists());
    }

    #[test]
    fn a_fifo_without_a_reader_does_not_hold_up_the_command() {
        let scratch = Scratch::new("fifo");
        let mode = Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, scratch.file(), rustix::fs::FileType::Fifo, mode, 0).unwrap();
        json_log(&scratch.file(), Level::Error).error("nobody listens");
        assert!(fs::symlink_metadata(scratch.file()).unwrap().file_type().is_fifo());
    }

    #[test]
    fn a_fifo_whose_reader_sleeps_loses_lines_instead_of_time() {
        let scratch = Scratch::new("full-fifo");
        let mode = Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, scratch.file(), rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let reader = OFlags::RDONLY | OFlags::NONBLOCK;
        let _reader = rustix::fs::open(scratch.file(), reader, Mode::empty()).unwrap();
        let log = json_log(&scratch.file(), Level::Warning);
        for _ in 0..10 {
            log.warning(&"x".repeat(LONGEST_MESSAGE));
        }
    }

    #[test]
    fn links_directories_and_full_disks_are_survived() {
        let scratch = Scratch::new("odd");
        let canary = scratch.0.join("canary");
        fs::write(&canary, "").unwrap();
        std::os::unix::fs::symlink(&canary, scratch.file()).unwrap();
        for path in [&scratch.file(), &scratch.0, &scratch.0.join("none/log"), Path::new("/dev/full")] {
            json_log(path, Level::Error).error("lost");
        }
        assert_eq!(fs::read(&canary).unwrap(), b"");
    }

    #[test]
    fn a_path_may_say_that_it_is_one() {
        let scratch = Scratch::new("prefix");
        let prefixed = PathBuf::from(format!("file:{}", scratch.file().display()));
        json_log(&prefixed, Level::Error).error("here");
        assert!(fs::read_to_string(scratch.file()).unwrap().contains("here"));
        let Destination::File { path, .. } = Destination::named(Path::new("a:b.log")) else { panic!() };
        assert_eq!(path, std::env::current_dir().unwrap().join("a:b.log"));
    }

    #[test]
    fn the_words_of_the_command_line() {
        assert_eq!("json".parse(), Ok(Format::Json));
        assert_eq!("warning".parse(), Ok(Level::Warning));
        assert_eq!("xml".parse::<Format>().unwrap_err().to_string(), "invalid log-format: xml");
        assert_eq!("loud".parse::<Level>().unwrap_err().to_string(), "invalid log-level: loud");
    }
}
