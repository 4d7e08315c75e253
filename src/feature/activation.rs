//! # Sockets of a service manager
//!
//! A service manager that listens for a service hands it the sockets when it starts: descriptors from 3 on,
//! and three variables that say so. When they are meant for the runtime (LISTEN_PID is its number), they are
//! meant for the container's program: it gets the same descriptors, before those of `--preserve-fds`, with
//! their names, and the number that it has itself, 1.
//!
//! `exec` hands nothing on, as in runc: what a service manager gives is for the service, not for what is
//! started beside it.
//!
//! Source: sd_listen_fds(3).

use std::os::unix::ffi::OsStrExt;

use crate::bundle::finding::Finding;
use crate::error::Error;
use crate::feature::namespaces::Namespaces;
use crate_run_sys::namespaces::flag;

/// The variables by which it says so.
pub const VARIABLES: [&str; 3] = ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"];

/// What the caller hands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activation {
    /// How many descriptors, from 3 on.
    pub descriptors: u32,
    /// Their names, with colons between them.
    names: Option<String>,
}

impl Activation {
    /// What the runtime's own environment says. `None` when it says nothing, or says it to somebody else.
    ///
    /// Errors: LISTEN_FDS is no number.
    pub fn of_caller() -> Result<Option<Self>, Error> {
        let number = |name: &str| std::env::var(name).ok();
        let (Some(pid), Some(count)) = (number("LISTEN_PID"), number("LISTEN_FDS")) else { return Ok(None) };
        if pid != std::process::id().to_string() {
            return Ok(None);
        }
        let descriptors = count.parse().map_err(|_| {
            Error::Usage(format!("LISTEN_FDS of the environment must be a number from 0 on, not {count:?}"))
        })?;
        let names = std::env::var_os("LISTEN_FDNAMES");
        let names = names.filter(|names| !names.as_bytes().is_empty()).and_then(|it| it.into_string().ok());
        Ok((descriptors > 0).then_some(Self { descriptors, names }))
    }

    /// The variables of the program.
    pub fn variables(&self) -> Vec<String> {
        let names = self.names.as_ref().map(|names| format!("LISTEN_FDNAMES={names}"));
        [format!("LISTEN_FDS={}", self.descriptors), "LISTEN_PID=1".to_owned()]
            .into_iter()
            .chain(names)
            .collect()
    }
}

/// A program that is not the first of a pid namespace takes no notice.
pub fn findings(activation: &Option<Activation>, namespaces: &Namespaces) -> Option<Finding> {
    if activation.is_none() || namespaces.makes(flag::PID) {
        return None;
    }
    let message =
        "the sockets of LISTEN_FDS are for process 1, which a program is only in a pid namespace of its own";
    Some(Finding::warning("/linux/namespaces", message).cure("add {\"type\": \"pid\"} to linux.namespaces"))
}

#[cfg(test)]
mod tests {
    use super::Activation;

    #[test]
    fn the_program_is_told_what_the_runtime_was_told() {
        let sockets = Activation { descriptors: 2, names: Some("http:admin".to_owned()) };
        assert_eq!(sockets.variables(), ["LISTEN_FDS=2", "LISTEN_PID=1", "LISTEN_FDNAMES=http:admin"]);
        let one = Activation { descriptors: 1, names: None };
        assert_eq!(one.variables(), ["LISTEN_FDS=1", "LISTEN_PID=1"]);
    }
}
