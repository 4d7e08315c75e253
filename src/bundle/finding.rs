//! What a check has to say about one place of `config.json`.
//!
//! Checks return *all* that they find, so that one look at the output is enough to mend a configuration.
//! A finding names its place by a JSON pointer (RFC 6901); `span` turns the pointer into line and column,
//! and does so only when something is to be printed.

use std::fmt;

/// A place in `config.json`: an RFC 6901 pointer such as `/linux/resources/memory/limit`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pointer(String);

impl Pointer {
    /// The whole document.
    pub fn root() -> Self {
        Self::default()
    }

    /// The member `name` of the object at this place; `~` and `/` are escaped as RFC 6901 section 3 asks.
    pub fn key(&self, name: &str) -> Self {
        Self(format!("{}/{}", self.0, name.replace('~', "~0").replace('/', "~1")))
    }

    /// The element `index` (from 0) of the array at this place.
    pub fn index(&self, index: usize) -> Self {
        Self(format!("{}/{index}", self.0))
    }

    /// The object or array that has this place; `None` for the whole document.
    pub fn parent(&self) -> Option<Self> {
        self.0.rfind('/').map(|slash| Self(self.0[..slash].to_owned()))
    }

    /// Is `other` a member or an element of the value at this place?
    pub fn has_child(&self, other: &Self) -> bool {
        other.parent().as_ref() == Some(self)
    }

    /// The member of the whole document in which this place lies: `process`. Empty for the document itself.
    pub fn section(&self) -> &str {
        self.0.split('/').nth(1).unwrap_or_default()
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A pointer written out in the source: `Pointer::from("/process/cwd")`.
impl From<&str> for Pointer {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The container is made all the same; the caller is told.
    Warning,
    /// The container is not made.
    Error,
}

/// One thing that is wrong or risky in a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub severity: Severity,
    pub at: Pointer,
    /// One sentence without a full stop: what is wrong.
    pub message: String,
    /// One sentence without a full stop: what usually mends it. Empty when there is nothing to add.
    pub cure: String,
}

impl Finding {
    /// Something that keeps the container from being made.
    pub fn error(at: impl Into<Pointer>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, at: at.into(), message: message.into(), cure: String::new() }
    }

    /// Something that the specification, or prudence, wants said.
    pub fn warning(at: impl Into<Pointer>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(at, message) }
    }

    /// Adds what usually mends it.
    pub fn cure(mut self, cure: impl Into<String>) -> Self {
        self.cure = cure.into();
        self
    }
}
