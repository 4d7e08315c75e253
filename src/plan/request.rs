//! What a plan depends on beside the bundle: the command and its flags.

use std::path::PathBuf;

use crate::bundle::path::OutsidePath;
use crate::feature::keyring::Keyring;
use crate::feature::terminal::Master;
use crate::state::{ContainerId, Record, Wanted};

/// What the command wants, beside what the bundle says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub id: ContainerId,
    pub gate: Gate,
    pub master: Master,
    /// How many descriptors from 3 on the program gets.
    pub preserved: u32,
    pub keyring: Keyring,
    /// Where the number of the first process is written.
    pub pid_file: Option<OutsidePath>,
    /// A socket that gets a pidfd of the first process.
    pub pidfd_socket: Option<OutsidePath>,
}

impl Request {
    /// The request with which a container was made.
    pub fn of_record(id: &ContainerId, record: &Record) -> Self {
        let wanted = &record.wanted;
        let outside = |path: &PathBuf| OutsidePath::new("/".as_ref(), path);
        Self {
            id: id.clone(),
            gate: if wanted.parked { Gate::Closed } else { Gate::Open },
            master: match wanted.console_socket.as_ref().and_then(outside) {
                Some(socket) => Master::Socket(socket),
                None if wanted.foreground => Master::Foreground,
                None => Master::None,
            },
            preserved: wanted.preserved,
            keyring: if wanted.inherits_keyring { Keyring::Inherited } else { Keyring::Own },
            pid_file: wanted.pid_file.as_ref().and_then(outside),
            pidfd_socket: wanted.pidfd_socket.as_ref().and_then(outside),
        }
    }

    /// As it is kept in the container's record.
    pub fn to_record(&self) -> Wanted {
        let path = |path: &OutsidePath| path.as_path().to_owned();
        Wanted {
            console_socket: match &self.master {
                Master::Socket(socket) => Some(path(socket)),
                Master::Foreground | Master::None => None,
            },
            foreground: self.master == Master::Foreground,
            parked: self.gate == Gate::Closed,
            preserved: self.preserved,
            inherits_keyring: self.keyring == Keyring::Inherited,
            pid_file: self.pid_file.as_ref().map(path),
            pidfd_socket: self.pidfd_socket.as_ref().map(path),
        }
    }
}

/// Does the container wait for `start`?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// `create`: it waits.
    Closed,
    /// `run`: it goes straight on.
    Open,
}
