//! What a plan depends on beside the bundle: the command and its flags.

use std::path::PathBuf;

use oci_spec::runtime::Spec;

use crate::bundle::path::OutsidePath;
use crate::cgroup::Driver;
use crate::feature::activation::Activation;
use crate::feature::keyring::Keyring;
use crate::feature::rootfs::Exit;
use crate::feature::terminal::{self, Master, Terminal};
use crate::state::{ContainerId, Record, Wanted};

/// What the command wants, beside what the bundle says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub id: ContainerId,
    pub gate: Gate,
    pub master: Master,
    /// Who makes the cgroup.
    pub cgroup_driver: Driver,
    /// How many descriptors from 3 on the program gets.
    pub preserved: u32,
    pub keyring: Keyring,
    /// Where the number of the first process is written.
    pub pid_file: Option<OutsidePath>,
    /// A socket that gets a pidfd of the first process.
    pub pidfd_socket: Option<OutsidePath>,
    /// What a service manager hands on; its descriptors are among those that are `preserved`.
    pub activation: Option<Activation>,
    /// The directory of the socket at which the program says that it is ready.
    pub notify: Option<OutsidePath>,
    /// How the container leaves the host's tree.
    pub exit: Exit,
}

impl Request {
    /// A request for this and nothing more.
    pub fn new(id: ContainerId, gate: Gate, master: Master) -> Self {
        Self {
            id,
            gate,
            master,
            cgroup_driver: Driver::default(),
            preserved: 0,
            keyring: Keyring::Own,
            pid_file: None,
            pidfd_socket: None,
            activation: None,
            notify: None,
            exit: Exit::Pivot,
        }
    }

    /// The request of a command that makes nothing, and only looks at a configuration.
    pub fn example(spec: &Spec, cgroup_driver: Driver) -> Self {
        let id = ContainerId::new("example").expect("a plain name");
        let master = match terminal::resolve(spec) {
            Terminal::None => Master::None,
            Terminal::Pty { .. } => Master::Foreground,
        };
        Self { cgroup_driver, ..Self::new(id, Gate::Closed, master) }
    }

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
            cgroup_driver: wanted.cgroup_driver,
            preserved: wanted.preserved,
            keyring: if wanted.inherits_keyring { Keyring::Inherited } else { Keyring::Own },
            pid_file: wanted.pid_file.as_ref().and_then(outside),
            pidfd_socket: wanted.pidfd_socket.as_ref().and_then(outside),
            activation: None,
            notify: wanted.notify.as_ref().and_then(outside),
            exit: match &wanted.hidden {
                Some(hidden) => Exit::Move { hidden: hidden.iter().filter_map(outside).collect() },
                None => Exit::Pivot,
            },
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
            cgroup_driver: self.cgroup_driver,
            preserved: self.preserved,
            inherits_keyring: self.keyring == Keyring::Inherited,
            pid_file: self.pid_file.as_ref().map(path),
            pidfd_socket: self.pidfd_socket.as_ref().map(path),
            notify: self.notify.as_ref().map(path),
            hidden: match &self.exit {
                Exit::Move { hidden } => Some(hidden.iter().map(path).collect()),
                Exit::Pivot => None,
            },
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
