//! What can go wrong between the runtime and systemd, in one sentence each, with what usually mends it.

use std::io;

use super::unit::Manager;
use crate::error::plain;

/// A failure of the systemd driver.
#[derive(Debug, thiserror::Error)]
pub enum SystemdError {
    /// There is nobody to talk to.
    #[error("cannot connect to systemd over {place}: {}", plain(source))]
    NoBus { manager: Manager, place: String, source: io::Error },

    /// Neither a variable nor a directory says where the bus of the user is.
    #[error("the bus of the user's systemd cannot be found: no DBUS_SESSION_BUS_ADDRESS, no XDG_RUNTIME_DIR")]
    NoAddress,

    /// The bus does not take us for the user that we are.
    #[error("{place} does not let this user in: {answer}")]
    Refused { place: String, answer: String },

    /// The connection is there and ends, or sending fails.
    #[error("the connection to systemd broke while {doing}: {}", plain(source))]
    Broken { doing: String, source: io::Error },

    /// What comes is no D-Bus.
    #[error("what {place} answered is no D-Bus message")]
    Malformed { place: String },

    /// Nothing has come in time.
    #[error("systemd has not answered within {seconds} s ({awaited})")]
    Deadline { awaited: String, seconds: u64 },

    /// A method answered with an error.
    #[error("systemd refuses {method} for {unit}: {text} ({name})")]
    Call { method: String, unit: String, name: String, text: String },

    /// A job ended otherwise than `done`.
    #[error("the job of systemd for {unit} ended as {result:?}")]
    Job { unit: String, result: String },

    /// The unit is there and the process is not in it.
    #[error("systemd has started {unit}, and the process is in cgroup {found:?}")]
    Elsewhere { unit: String, found: String },
}

impl SystemdError {
    /// Is it the answer to a call, and an error of this name?
    pub(super) fn is_named(&self, wanted: &str) -> bool {
        matches!(self, Self::Call { name, .. } if name == wanted)
    }

    /// Is it a refusal, after which nothing has changed? An error that the bus gives instead of an answer is
    /// none: systemd may have heard the call (the names are those of libdbus).
    pub fn is_refusal(&self) -> bool {
        const UNKNOWN: [&str; 4] = ["NoReply", "Timeout", "TimedOut", "Disconnected"];
        let unknown = |name: &str| {
            name.strip_prefix("org.freedesktop.DBus.Error.").is_some_and(|name| UNKNOWN.contains(&name))
        };
        matches!(self, Self::Call { name, .. } if !unknown(name))
    }

    /// What usually mends it, as a sentence without a full stop.
    pub fn cure(&self) -> Option<&'static str> {
        match self {
            Self::NoBus { manager: Manager::System, .. } => {
                Some("is dbus.service running? Or leave --systemd-cgroup out")
            }
            Self::NoBus { manager: Manager::User, .. } | Self::NoAddress => Some(
                "install dbus-user-session and log in through PAM (ssh, login, machinectl shell), or set \
                 XDG_RUNTIME_DIR=/run/user/UID after loginctl enable-linger",
            ),
            Self::Call { name, .. } if name.ends_with(".UnitExists") => {
                Some("delete the container that uses it, or name another unit in linux.cgroupsPath")
            }
            Self::Call { name, .. } if name.ends_with(".AccessDenied") => {
                Some("only root may ask the machine's systemd; others have their own (systemctl --user)")
            }
            Self::Elsewhere { .. } => {
                Some("systemd must manage cgroup v2 alone: boot with systemd.unified_cgroup_hierarchy=1")
            }
            Self::Deadline { .. } => Some("look at systemctl list-jobs, and at the load of the machine"),
            _ => None,
        }
    }
}
