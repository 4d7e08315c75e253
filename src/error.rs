//! What can go wrong, by the kind of reaction it calls for.
//!
//! An error is returned once and told once, at the top: as one sentence (`Display`), and for a terminal with
//! the place in config.json and the usual cure below it ([`Error::details`]).

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::bundle::excerpt::{excerpt, visible};
use crate::bundle::finding::{Finding, Pointer};
use crate::bundle::located::{Located, in_order};
use crate::bundle::span::{Span, locate};
use crate::cgroup::CgroupError;
use crate::cgroup::systemd::SystemdError;
use crate::resctrl::ResctrlError;
use crate_run_sys::Errno;

/// How many faults of a configuration one sentence has room for.
const MOST_SAID: usize = 128;

/// So many findings are shown with the text around them; a person mends these first.
const MOST_SHOWN: usize = 20;

/// Phrases that callers look for in an error; do not change one without looking up its reader.
pub mod phrase {
    /// containerd's shim and podman take it for "gone already" (delete, kill, state).
    pub const DOES_NOT_EXIST: &str = "container does not exist";
    /// containerd's shim takes it for "has ended already" (kill).
    pub const NOT_RUNNING: &str = "container not running";
    /// Docker and podman show it; runc's text.
    pub const EXISTS: &str = "container with given ID already exists";
    /// podman turns it into exit status 127; Docker too.
    pub const NOT_FOUND: &str = "executable file not found in $PATH";
}

/// What mends most refusals for somebody who is not root.
pub const NOT_ROOT: &str = "crate-run was not started as root: `crate-run doctor` tells what works without";

/// Any failure of a command.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line makes no sense.
    #[error("{0}")]
    Usage(String),
    /// The machine is no place for containers.
    #[error("{0}")]
    Unsupported(String),
    /// There is no container of this id.
    #[error("{}: {id}", phrase::DOES_NOT_EXIST)]
    NotFound { id: String },
    /// The id is taken.
    #[error("{}: {id}", phrase::EXISTS)]
    Exists { id: String },
    /// The container is in a state in which this cannot be done.
    #[error("{0}")]
    WrongState(String),
    /// The configuration is wrong.
    #[error("{}", config_sentence(.0))]
    Config(Box<ConfigError>),
    /// A step of a plan failed.
    #[error("{}", .0.sentence())]
    Step(Box<StepError>),
    /// Something about the cgroup outside a plan: at kill, at delete.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    /// The same about the scope, of which systemd was asked.
    #[error(transparent)]
    Systemd(#[from] SystemdError),
    /// The same about the groups of resctrl.
    #[error(transparent)]
    Resctrl(#[from] ResctrlError),
    /// A file or directory of our own could not be used.
    #[error("cannot {doing} {}: {}", path.display(), plain(source))]
    File { doing: &'static str, path: PathBuf, source: io::Error },
    /// Something did not happen in time.
    #[error("{0}")]
    Deadline(String),
}

/// All that is wrong with a configuration.
#[derive(Debug)]
pub struct ConfigError {
    pub file: PathBuf,
    pub text: Rc<Vec<u8>>,
    /// In the order of the file. Warnings are among them, at least one is an error.
    pub findings: Vec<Located>,
}

/// A step that failed, with everything that is known about it.
#[derive(Debug, Default)]
pub struct StepError {
    /// "mount tmpfs on /dev".
    pub doing: String,
    /// "mkdirat(2) answered: permission denied (EACCES)".
    pub answer: String,
    /// What usually mends it.
    pub cure: String,
    /// The place that asks for the step, with the text around it.
    pub place: Option<Place>,
    /// What could not be undone.
    pub left: Vec<String>,
    /// A text of its own, for the few failures that callers know by their words.
    pub known: Option<String>,
}

/// A place in a configuration.
#[derive(Debug)]
pub struct Place {
    pub file: PathBuf,
    pub pointer: Pointer,
    pub span: Option<Span>,
    pub excerpt: String,
}

impl Place {
    /// Looks the pointer up in the text.
    pub fn find(file: &Path, text: &[u8], pointer: &Pointer) -> Self {
        let found = locate(text, pointer);
        let span = found.map(|place| match place.missing {
            0 => place.value,
            _ => Span { end: place.value.start + 1, ..place.value },
        });
        Self::at(file, text, pointer, span)
    }

    /// The place of a finding.
    pub fn of(located: &Located, file: &Path, text: &[u8]) -> Self {
        Self::at(file, text, &located.finding.at, located.span.clone())
    }

    fn at(file: &Path, text: &[u8], pointer: &Pointer, span: Option<Span>) -> Self {
        let excerpt = span.as_ref().map(|span| excerpt(text, span)).unwrap_or_default();
        Self { file: file.to_owned(), pointer: pointer.clone(), span, excerpt }
    }

    /// `config.json:12:7`.
    pub fn short(&self) -> String {
        short(&self.file, self.span.as_ref())
    }
}

/// An error of the standard library in the words of all others: "no such file or directory (ENOENT)".
pub fn plain(error: &io::Error) -> String {
    match error.raw_os_error().and_then(|number| u16::try_from(number).ok()) {
        Some(number) => Errno(number).to_string(),
        None => error.to_string(),
    }
}

impl ConfigError {
    fn errors(&self) -> impl Iterator<Item = &Located> {
        self.findings.iter().filter(|located| located.is_error())
    }

    /// `config.json:6:13: args must not be empty (/process/args)`.
    fn line(&self, located: &Located) -> String {
        line(&located.finding, &short(&self.file, located.span.as_ref()))
    }
}

/// `config.json:6:13: args must not be empty (/process/args)`, with `place` in front.
pub fn line(finding: &Finding, place: &str) -> String {
    let pointer = if finding.at.as_str().is_empty() { String::new() } else { format!(" ({})", finding.at) };
    // A message may repeat what the configuration has.
    format!("{place}: {}{}", visible(finding.message.as_bytes()), visible(pointer.as_bytes()))
}

/// `config.json:12:7`.
pub fn short(file: &Path, span: Option<&Span>) -> String {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    match span {
        Some(span) => format!("{name}:{}:{}", span.line, span.column),
        None => name,
    }
}

fn config_sentence(error: &ConfigError) -> String {
    let mut lines: Vec<String> = error.errors().take(MOST_SAID).map(|located| error.line(located)).collect();
    let more = error.errors().count().saturating_sub(MOST_SAID);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines.join("; ")
}

impl StepError {
    fn sentence(&self) -> String {
        let mut sentence = match &self.known {
            Some(known) => known.clone(),
            None => format!("cannot {}: {}", self.doing, self.answer),
        };
        if let Some(place) = &self.place {
            let _ = write!(sentence, ", asked for by {} ({})", place.short(), place.pointer);
        }
        if !self.left.is_empty() {
            let _ = write!(sentence, "; left behind: {}", self.left.join(", "));
        }
        sentence
    }
}

impl Error {
    /// A file of ours could not be used.
    pub fn file(doing: &'static str, path: &Path, source: io::Error) -> Self {
        Self::File { doing, path: path.to_owned(), source }
    }

    /// The configuration is wrong in these places.
    pub fn config(file: PathBuf, text: Rc<Vec<u8>>, findings: Vec<Finding>) -> Self {
        let findings = in_order(&text, findings);
        Self::Config(Box::new(ConfigError { file, text, findings }))
    }

    /// The text is no configuration: in a text that is no JSON a pointer leads nowhere in particular, so the
    /// place comes along.
    pub fn malformed(file: PathBuf, text: Rc<Vec<u8>>, finding: Finding, span: Span) -> Self {
        let findings = vec![Located { finding, span: Some(span) }];
        Self::Config(Box::new(ConfigError { file, text, findings }))
    }

    /// The first line for a person: the sentence, unless there is more than one thing to mend.
    pub fn headline(&self) -> String {
        match self {
            Self::Config(error) if error.errors().count() > 1 => {
                format!("{} has {} faults", error.file.display(), error.errors().count())
            }
            _ => self.to_string(),
        }
    }

    /// What a person wants to see below the headline: the place, and the cure. Empty when there is nothing.
    pub fn details(&self) -> String {
        let mut text = String::new();
        match self {
            Self::Config(error) => {
                let many = error.errors().count();
                for located in error.errors().take(MOST_SHOWN) {
                    if many > 1 {
                        let _ = writeln!(text, "\n{}", error.line(located));
                    }
                    let place = Place::of(located, &error.file, &error.text);
                    detail(&mut text, &place.excerpt, &located.finding.cure);
                }
                if many > MOST_SHOWN {
                    let _ = writeln!(text, "\nand {} more: crate-run validate tells all", many - MOST_SHOWN);
                }
            }
            Self::Step(error) => {
                let excerpt = error.place.as_ref().map_or("", |place| &place.excerpt);
                detail(&mut text, excerpt, &error.cure);
            }
            Self::File { source, .. }
                if source.kind() == io::ErrorKind::PermissionDenied
                    && !rustix::process::geteuid().is_root() =>
            {
                detail(&mut text, "", NOT_ROOT);
            }
            Self::Cgroup(error) => detail(&mut text, "", error.cure().unwrap_or_default()),
            Self::Systemd(error) => detail(&mut text, "", error.cure().unwrap_or_default()),
            _ => {}
        }
        text
    }
}

/// Writes the excerpt without its first line, which the line above it says already, and the cure.
pub fn detail(text: &mut String, excerpt: &str, cure: &str) {
    if let Some((_, source)) = excerpt.split_once('\n') {
        let _ = writeln!(text, "{}", source.trim_end());
    }
    if !cure.is_empty() {
        let _ = writeln!(text, "  help: {cure}");
    }
}
