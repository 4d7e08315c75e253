//! The command line: what can be asked of crate-run, and in which words.
//!
//! The words are runc's, because container engines use them; see `argv` for the liberties that callers take.
//! A new verb is a struct, a variant of [`Verb`] and a line of `VERBS`.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{ArgAction, Args, Command, FromArgMatches, Subcommand, ValueEnum};

use crate::cgroup::Driver;
use crate::host::Host;

use super::argv;
use super::log::{Format, Level, Log};
use super::usage::Reply;

mod checkpoint;
mod duration;
mod end;
mod events;
mod exec;
mod mounts;
mod ps;
mod update;
mod wait;

pub use checkpoint::{Checkpoint, Restore};
pub use end::{Delete, Kill, Stop};
pub use events::Events;
pub use exec::{Exec, User};
pub use mounts::{Mounts, MountsAction};
pub use ps::{Ps, PsFormat};
pub use update::Update;
pub use wait::Wait;

/// One command line, understood.
#[derive(Debug)]
pub struct Invocation {
    pub global: Global,
    pub verb: Verb,
}

/// Understands a command line, the program's name included.
///
/// Only the verbs that the line mentions are defined to clap: to define all of them takes longer than `state`
/// as a whole. If there is anything to complain about, it is done again with all of them.
///
/// # Errors
/// The [`Reply`] that the caller gets instead: the help or the version, or what is wrong with the line.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Invocation, Reply> {
    let words: Vec<OsString> = words.into_iter().collect();
    let mentioned = program(|verb| words.iter().any(|word| word == verb));
    let words = argv::normalise(&mentioned, words);
    read(mentioned, &words)
        .or_else(|_| read(program(|_| true), &words))
        .map_err(|error| Reply::new(&error, &words))
}

fn read(program: Command, words: &[OsString]) -> Result<Invocation, clap::Error> {
    let matches = program.try_get_matches_from(words)?;
    Ok(Invocation { global: Global::from_arg_matches(&matches)?, verb: Verb::from_arg_matches(&matches)? })
}

/// The whole command line, for those who make manual pages or completions of it.
pub fn whole() -> Command {
    program(|_| true)
}

/// crate-run with its own flags and those verbs that are `wanted`.
fn program(wanted: impl Fn(&str) -> bool) -> Command {
    let verbs = VERBS.iter().filter(|(verb, _)| wanted(verb));
    Global::augment_args(Command::new("crate-run"))
        .about("Runs containers as config.json of the OCI runtime specification describes them")
        .version(env!("CARGO_PKG_VERSION"))
        .disable_version_flag(true)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .args_override_self(true)
        .subcommands(verbs.map(|(verb, define)| define(Command::new(*verb)).after_help(GLOBAL_HELP)))
}

/// Whether the word is one of crate-run's verbs.
pub(super) fn is_verb(word: &OsStr) -> bool {
    VERBS.iter().any(|(verb, _)| word == *verb)
}

const GLOBAL_HELP: &str =
    "crate-run --help tells the options that all commands share, such as --root and --log.";

/// Adds a verb's flags and operands to its empty definition.
type Define = fn(Command) -> Command;

/// The verbs in the order of the help: the life of a container first, then what helps.
const VERBS: &[(&str, Define)] = &[
    ("run", Run::augment_args),
    ("create", Create::augment_args),
    ("start", Start::augment_args),
    ("state", State::augment_args),
    ("kill", Kill::augment_args),
    ("stop", Stop::augment_args),
    ("wait", Wait::augment_args),
    ("pause", Pause::augment_args),
    ("resume", Resume::augment_args),
    ("delete", Delete::augment_args),
    ("exec", Exec::augment_args),
    ("update", Update::augment_args),
    ("mounts", Mounts::augment_args),
    ("ps", Ps::augment_args),
    ("events", Events::augment_args),
    ("list", List::augment_args),
    ("spec", Spec::augment_args),
    ("explain", Explain::augment_args),
    ("validate", Validate::augment_args),
    ("doctor", Doctor::augment_args),
    ("features", Features::augment_args),
    ("checkpoint", Checkpoint::augment_args),
    ("restore", Restore::augment_args),
];

#[derive(Debug, Subcommand)]
pub enum Verb {
    Run(Run),
    Create(Create),
    Start(Start),
    State(State),
    Kill(Kill),
    Stop(Stop),
    Wait(Wait),
    Pause(Pause),
    Resume(Resume),
    Delete(Delete),
    Exec(Exec),
    Update(Update),
    Mounts(Mounts),
    Ps(Ps),
    Events(Events),
    List(List),
    Spec(Spec),
    Explain(Explain),
    Validate(Validate),
    Doctor(Doctor),
    Features(Features),
    Checkpoint(Checkpoint),
    Restore(Restore),
}

impl Verb {
    /// The exit status of a command that failed: 255 for `exec`, whose program may end with any other (runc).
    pub fn failure(&self) -> u8 {
        if matches!(self, Verb::Exec(_)) { 255 } else { 1 }
    }
}

/// Flags that stand before the verb (or after it, as people like it).
#[derive(Args, Debug)]
pub struct Global {
    /// Keep state in DIR [default: crate-run in /run or in $XDG_RUNTIME_DIR]
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,

    /// Append errors and warnings to a file, or send them to journald:ID, syslog:ID [default: standard error]
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,

    /// Write the log as text or as json [default: text]
    #[arg(long, value_name = "FORMAT", default_value = "text", hide_default_value = true)]
    pub log_format: Format,

    /// Tell what is as grave as LEVEL: error, warning or debug [default: warning]
    #[arg(long, value_name = "LEVEL", default_value = "warning", hide_default_value = true)]
    log_level: Level,

    /// Tell every detail: the same as --log-level debug
    #[arg(long)]
    debug: bool,

    /// Let systemd make the cgroup: the same as --cgroup-manager systemd
    #[arg(long)]
    systemd_cgroup: bool,

    /// Who makes the cgroup: cgroupfs, systemd, disabled (nobody) [default: cgroupfs]
    #[arg(long, value_name = "NAME", hide_possible_values = true)]
    cgroup_manager: Option<Driver>,

    /// Tolerate cgroups that may not be written: true, false, auto [default: auto]
    #[arg(long, value_name = "WHEN", value_parser = rootless)]
    #[arg(default_value = "auto", hide_default_value = true)]
    pub rootless: Rootless,

    /// Print the version
    #[arg(long, short, short_alias = 'V', action = ArgAction::Version)]
    version: (),
}

impl Global {
    /// The log that these flags ask for.
    pub fn log(&self) -> Log {
        Log::new(self.log.as_deref(), self.log_format, self.log_level())
    }

    /// How much is told.
    pub fn log_level(&self) -> Level {
        if self.debug { Level::Debug } else { self.log_level }
    }

    /// Who makes the cgroup. Podman names `disabled` beside conmon's `--systemd-cgroup`: the name is the
    /// more exact wish.
    pub fn cgroup_driver(&self) -> Driver {
        let default = if self.systemd_cgroup { Driver::Systemd } else { Driver::Cgroupfs };
        self.cgroup_manager.unwrap_or(default)
    }
}

/// Whether a container must go without limits when its cgroup may not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rootless {
    Yes,
    No,
    Auto,
}

impl Rootless {
    /// Without a word it goes by what the runtime may do: root of the machine has every cgroup.
    pub fn tolerates(self, host: &Host) -> bool {
        match self {
            Self::Yes => true,
            Self::No => false,
            Self::Auto => host.nested || !host.powers.administers,
        }
    }
}

fn rootless(text: &str) -> Result<Rootless, String> {
    match (text, argv::boolean(text)) {
        ("auto", _) => Ok(Rootless::Auto),
        (_, Some(true)) => Ok(Rootless::Yes),
        (_, Some(false)) => Ok(Rootless::No),
        (_, None) => Err(format!("--rootless must be true, false or auto, not {text:?}")),
    }
}

fn count(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("--preserve-fds must be a number from 0 on, not {text:?}"))
}

/// What `run` and `create` have in common.
#[derive(Args, Debug)]
pub struct Making {
    /// The directory with config.json and the root filesystem [default: .]
    #[arg(long, short, value_name = "DIR")]
    bundle: Option<PathBuf>,

    /// Read the configuration from FILE instead of the bundle's config.json
    #[arg(long, short = 'f', value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Send the master of the container's terminal to this Unix socket
    #[arg(long, value_name = "SOCKET")]
    pub console_socket: Option<PathBuf>,

    /// Send a pidfd of the container's first process to this Unix socket
    #[arg(long, value_name = "SOCKET")]
    pub pidfd_socket: Option<PathBuf>,

    /// Write the pid of the container's first process to FILE
    #[arg(long, value_name = "FILE")]
    pub pid_file: Option<PathBuf>,

    /// Move the root mount instead of pivot_root: for a root filesystem on a ramdisk
    #[arg(long)]
    pub no_pivot: bool,

    /// Keep the caller's session keyring instead of making one for the container
    #[arg(long)]
    pub no_new_keyring: bool,

    /// Hand N open descriptors, counted from 3, down to the container
    #[arg(long, value_name = "N", default_value = "0", value_parser = count)]
    pub preserve_fds: u32,

    /// Accepted for runc's callers; changes nothing
    #[arg(long)]
    no_subreaper: bool,
}

/// Make a container and run its program: create and start in one
#[derive(Args, Debug)]
pub struct Run {
    /// A name for the container; or a bundle, with a slash, to run under a generated name
    #[arg(value_name = "ID|BUNDLE/")]
    subject: OsString,

    /// Return as soon as the program runs, instead of waiting for its end
    #[arg(long, short)]
    pub detach: bool,

    /// Keep the container when its program has ended, instead of deleting it
    #[arg(long)]
    pub keep: bool,

    /// Stop the container after this time as `stop` does, and exit with status 124: 90, 1m30s
    #[arg(long, value_name = "DURATION", value_parser = duration::positive, conflicts_with = "detach")]
    pub timeout: Option<Duration>,

    #[command(flatten)]
    pub making: Making,
}

impl Run {
    /// The name of the new container; `None` when the argument names a bundle and the name is to be made up.
    pub fn id(&self) -> Option<String> {
        (!self.names_bundle()).then(|| self.subject.to_string_lossy().into_owned())
    }

    /// Where the bundle lies; relative paths start at the working directory.
    pub fn bundle(&self) -> &Path {
        if self.names_bundle() { Path::new(&self.subject) } else { self.making.bundle() }
    }

    /// A name of a container cannot contain a slash. With `--bundle` the argument can be nothing but a name.
    fn names_bundle(&self) -> bool {
        self.making.bundle.is_none() && self.subject.as_encoded_bytes().contains(&b'/')
    }
}

impl Making {
    fn bundle(&self) -> &Path {
        self.bundle.as_deref().unwrap_or(Path::new("."))
    }
}

/// Make a container that is ready to run its program: start runs it
#[derive(Args, Debug)]
pub struct Create {
    /// The new container's name
    #[arg(value_name = "ID")]
    pub id: String,

    // go-runc may send it: a created container is detached anyhow.
    #[arg(long, short, hide = true)]
    detach: bool,

    #[command(flatten)]
    pub making: Making,
}

impl Create {
    /// Where the bundle lies; relative paths start at the working directory.
    pub fn bundle(&self) -> &Path {
        self.making.bundle()
    }
}

/// Run the program of a created container
#[derive(Args, Debug)]
pub struct Start {
    /// The container's name
    #[arg(value_name = "ID")]
    pub id: String,
}

/// Print the state of a container as JSON
#[derive(Args, Debug)]
pub struct State {
    /// The container's name
    #[arg(value_name = "ID")]
    pub id: String,
}

/// Stop all processes of a container where they stand
#[derive(Args, Debug)]
pub struct Pause {
    /// The container's name
    #[arg(value_name = "ID")]
    pub id: String,
}

/// Let the processes of a paused container go on
#[derive(Args, Debug)]
pub struct Resume {
    /// The container's name
    #[arg(value_name = "ID")]
    pub id: String,
}

/// List the containers
#[derive(Args, Debug)]
pub struct List {
    /// As a table or as json
    #[arg(long, short, value_name = "FORMAT", default_value = "table", hide_possible_values = true)]
    pub format: ListFormat,

    /// Print nothing but their names
    #[arg(long, short)]
    pub quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    Table,
    Json,
}

/// Write a config.json to start from
#[derive(Args, Debug)]
pub struct Spec {
    /// The directory to write it to [default: .]
    #[arg(long, short, value_name = "DIR")]
    pub bundle: Option<PathBuf>,

    /// The name of the file in it [default: config.json]
    #[arg(long, short, value_name = "FILE")]
    file: Option<PathBuf>,

    /// Write it for a user who is not root: with a user namespace, without limits
    #[arg(long)]
    pub rootless: bool,
}

impl Spec {
    /// The file to write.
    pub fn file(&self) -> &Path {
        self.file.as_deref().unwrap_or(Path::new("config.json"))
    }
}

/// Print, step by step, what crate-run would do to run a bundle
#[derive(Args, Debug)]
pub struct Explain {
    /// The directory with config.json and the root filesystem
    #[arg(value_name = "BUNDLE", default_value = ".")]
    pub bundle: PathBuf,

    /// As text, as json, or as a mermaid diagram of host and child
    #[arg(long, value_name = "FORMAT", default_value = "text", hide_possible_values = true)]
    pub format: ExplainFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExplainFormat {
    Text,
    Json,
    Mermaid,
}

/// Check a bundle without making anything, and print all that is wrong or risky in it
#[derive(Args, Debug)]
pub struct Validate {
    /// The directory with config.json and the root filesystem [default: .]
    #[arg(value_name = "BUNDLE")]
    operand: Option<PathBuf>,

    /// The same as BUNDLE
    #[arg(long = "bundle", short = 'b', value_name = "DIR", conflicts_with = "operand")]
    flag: Option<PathBuf>,

    /// Read the configuration from FILE, or from standard input for -, instead of the bundle's config.json
    #[arg(long, short = 'f', value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// As text or as json
    #[arg(long, value_name = "FORMAT", default_value = "text", hide_possible_values = true)]
    pub format: ValidateFormat,
}

impl Validate {
    /// Where the bundle lies; relative paths start at the working directory.
    pub fn bundle(&self) -> &Path {
        self.operand.as_deref().or(self.flag.as_deref()).unwrap_or(Path::new("."))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ValidateFormat {
    Text,
    Json,
}

/// Print what this host offers to containers, and what it lacks
#[derive(Args, Debug)]
pub struct Doctor {}

/// Print what this build of crate-run supports, as JSON
#[derive(Args, Debug)]
pub struct Features {}
