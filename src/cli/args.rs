//! The command line: what can be asked of crate-run, and in which words.
//!
//! The words are runc's, because container engines use them; see `argv` for the liberties that callers take.
//! A new verb is a struct, a variant of [`Verb`] and a line of `VERBS`.

use std::ffi::{OsStr, OsString};

use clap::{Args, Command, FromArgMatches, Subcommand};

use super::argv;
use super::usage::Reply;

mod checkpoint;
mod duration;
mod end;
mod events;
mod exec;
mod explain;
mod global;
mod list;
mod making;
mod mounts;
mod ps;
mod spec;
mod update;
mod validate;
mod wait;

pub use checkpoint::{Checkpoint, Restore};
pub use end::{Delete, Kill, Stop};
pub use events::Events;
pub use exec::{Exec, User};
pub use explain::{Explain, ExplainFormat};
pub use global::{Global, Rootless};
pub use list::{List, ListFormat};
pub use making::{Create, Making, Run};
pub use mounts::{Mounts, MountsAction};
pub use ps::{Ps, PsFormat};
pub use spec::Spec;
pub use update::Update;
pub use validate::{Validate, ValidateFormat};
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

/// Print what this host offers to containers, and what it lacks
#[derive(Args, Debug)]
pub struct Doctor {}

/// Print what this build of crate-run supports, as JSON
#[derive(Args, Debug)]
pub struct Features {}
