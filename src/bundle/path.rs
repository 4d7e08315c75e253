//! Two kinds of paths that must never be mixed.
//!
//! A path of the host and a path of the container look alike, and where one is taken for the other,
//! containers leak. So each has its own type: an [`OutsidePath`] is resolved by the runtime from the host's
//! root, an [`InsidePath`] only ever by the child, inside the container's root.

use std::ffi::CString;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A path of the host: absolute, as the caller gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutsidePath(PathBuf);

impl OutsidePath {
    /// `path`, relative to `base` unless it is absolute. `None` when it holds a NUL.
    pub fn new(base: &Path, path: &Path) -> Option<Self> {
        let whole = base.join(path);
        (!whole.as_os_str().as_bytes().contains(&0)).then_some(Self(whole))
    }

    /// For the runtime's own look-ups.
    pub fn as_path(&self) -> &Path {
        &self.0
    }

    /// As the kernel wants it.
    pub fn text(&self) -> CString {
        CString::new(self.0.as_os_str().as_bytes()).expect("checked in new")
    }
}

impl fmt::Display for OutsidePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.display())
    }
}

/// A path of the container: absolute, without `.`, `..` and doubled slashes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InsidePath(String);

impl InsidePath {
    /// Cleans a path lexically; `..` above the root stays at the root, a relative path starts there. `None`
    /// when it holds a NUL.
    pub fn new(path: &str) -> Option<Self> {
        if path.contains('\0') {
            return None;
        }
        let mut parts: Vec<&str> = Vec::new();
        for part in path.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()),
                name => parts.push(name),
            }
        }
        Some(Self(format!("/{}", parts.join("/"))))
    }

    /// Clean: one leading slash, no `.`, `..` or double slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Is this `other` or something below it?
    pub fn is_within(&self, other: &str) -> bool {
        let rest = self.0.strip_prefix(other.trim_end_matches('/'));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// As the kernel wants it.
    pub fn text(&self) -> CString {
        CString::new(self.0.as_str()).expect("checked in new")
    }
}

impl fmt::Display for InsidePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inside_paths_are_cleaned() {
        for (given, clean) in
            [("/", "/"), ("", "/"), ("/a//b/./c/", "/a/b/c"), ("/../../etc", "/etc"), ("a/../b", "/b")]
        {
            assert_eq!(InsidePath::new(given).unwrap().as_str(), clean, "{given}");
        }
        assert_eq!(InsidePath::new("/a\0b"), None);
    }

    #[test]
    fn within_means_whole_components() {
        let proc = InsidePath::new("/proc/sys").unwrap();
        assert!(proc.is_within("/proc") && proc.is_within("/") && proc.is_within("/proc/sys"));
        assert!(!InsidePath::new("/process").unwrap().is_within("/proc"));
    }
}
