//! The name of a container.

use std::fmt;

/// A container id: letters, digits, `_`, `+`, `-`, `.`, as runc and crun have it; not `.`, not `..`, at most
/// 1024 bytes. Such a name is a file name and nothing else: it cannot lead anywhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContainerId(String);

impl ContainerId {
    /// Checks the name; the error is one sentence.
    pub fn new(name: &str) -> Result<Self, String> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_+-.".contains(c);
        if name.is_empty() {
            Err("container id cannot be empty".to_owned())
        } else if name.len() > 1024 {
            Err(format!("container id of {} bytes is too long: at most 1024", name.len()))
        } else if name == "." || name == ".." || !name.chars().all(allowed) {
            Err(format!("invalid container id format: {name:?} may have letters, digits and _+-. only"))
        } else {
            Ok(Self(name.to_owned()))
        }
    }

    /// A name that nobody else has: from the process number and the clock.
    pub fn generate() -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self(format!("run-{:x}{:08x}", std::process::id(), now.as_nanos() as u32))
    }

    /// The name itself, also that of the directory.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for bad in ["", ".", "..", "a/b", "../x", "a\0b", "a\nb", "ü", "a b"] {
            assert!(ContainerId::new(bad).is_err(), "{bad:?}");
        }
        assert!(ContainerId::new(&"x".repeat(1025)).is_err());
        for good in ["a", "web-1.2_3+x", "-f", "...", &"x".repeat(1024)] {
            assert!(ContainerId::new(good).is_ok(), "{good:?}");
        }
    }
}
