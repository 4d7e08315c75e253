//! How an operation fails: which call, what the kernel said, and words if there are any.

use crate_run_plan::report::{Call, Kind, Report, WORDS};
use crate_run_sys::{Answer, Errno};

/// Why an operation did not work.
#[derive(Clone, Copy)]
pub struct Failure {
    /// The call that failed.
    pub call: Call,
    /// The kernel's answer; `None` when the operation itself refuses.
    pub errno: Option<Errno>,
    /// A number that explains: a wait status, an index.
    pub value: u64,
    /// An explanation, padded with zeros.
    pub words: [u8; WORDS],
}

/// What an operation answers.
pub type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// The kernel refused `call`.
    pub fn of(call: Call, errno: Errno) -> Self {
        Self { call, errno: Some(errno), value: 0, words: [0; WORDS] }
    }

    /// The operation itself refuses, in these words.
    pub fn refusal(words: &[u8]) -> Self {
        let silent = Self { call: Call::Check, errno: None, value: 0, words: [0; WORDS] };
        silent.say(words)
    }

    /// Adds an explanation.
    pub fn say(mut self, words: &[u8]) -> Self {
        let length = words.len().min(WORDS);
        self.words[..length].copy_from_slice(&words[..length]);
        self
    }

    /// Adds a number.
    pub fn value(mut self, value: u64) -> Self {
        self.value = value;
        self
    }

    /// Is this the kernel's answer?
    pub fn is(&self, errno: Errno) -> bool {
        self.errno == Some(errno)
    }

    /// Is the other way of the step worth a try? Not when the configuration is at fault: the operation itself
    /// refuses, or a filesystem does not take an option.
    pub fn leaves_another_way(&self) -> bool {
        self.errno.is_some() && self.call != Call::Fsconfig
    }

    /// Does the kernel say that nothing is there? ENOTDIR: a component on the way is no directory
    /// (openat(2)).
    pub fn is_missing(&self) -> bool {
        self.is(Errno::ENOENT) || self.is(Errno::ENOTDIR)
    }

    /// As a message to the runtime.
    pub fn report(&self, kind: Kind, step: u16, branch: u8) -> Report {
        let mut report = Report::new(kind, step);
        report.branch = branch;
        report.call = self.call;
        report.errno = self.errno.map_or(0, |errno| errno.0);
        report.value = self.value;
        report.words = self.words;
        report
    }
}

/// Names the call whose answer this is.
pub trait Named<T> {
    /// The answer, with the name of its call if it is an error.
    fn named(self, call: Call) -> Outcome<T>;
}

impl<T> Named<T> for Answer<T> {
    fn named(self, call: Call) -> Outcome<T> {
        self.map_err(|errno| Failure::of(call, errno))
    }
}
