//! The record of a container: one small JSON file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cgroup::systemd::Unit;
use crate::cgroup::{Driver, v1};
use crate::state::{ContainerId, ProcessId};

/// The version of the OCI runtime specification that states are written for.
pub const OCI_VERSION: &str = "1.3.0";

/// How far the making of a container has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Written before the first effect.
    Creating,
    /// The process is there, and so is everything that belongs to it.
    Created,
}

/// A status as the specification names it (runtime.md, State).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Creating,
    Created,
    Running,
    /// Frozen; not a status of the specification, which allows more of them.
    Paused,
    Stopped,
}

impl Status {
    /// The word for it (runtime.md, State).
    pub fn word(self) -> &'static str {
        match self {
            Status::Creating => "creating",
            Status::Created => "created",
            Status::Running => "running",
            Status::Paused => "paused",
            Status::Stopped => "stopped",
        }
    }
}

/// Everything that later commands must know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub id: String,
    pub stage: Stage,
    /// Absolute path of the bundle.
    pub bundle: PathBuf,
    pub rootfs: PathBuf,
    /// When it was made, RFC 3339.
    pub created: String,
    /// Who makes it: while this process lives, a record that says `creating` is nobody else's business.
    pub creator: ProcessId,
    /// The container's first process.
    pub process: Option<ProcessId>,
    /// The cgroup, as a path below the mount of the hierarchy; written before it is made.
    pub cgroup: Option<String>,
    /// The scope, where systemd makes the cgroup; written before it is asked for. `cgroup` follows when the
    /// scope is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
    /// Those levels of the path that did not exist before.
    #[serde(default)]
    pub cgroups_made: Vec<String>,
    /// Its groups in hierarchies of cgroup v1, each with the levels that did not exist before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cgroup_v1: Vec<v1::Group>,
    /// The groups of resctrl that go with the container, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resctrl_made: Vec<String>,
    /// What `mounts add` has mounted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mounts_added: Vec<AddedMount>,
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// Numeric user who made it.
    pub owner: u32,
    /// Has the container a pid namespace of its own? Its end is then the end of all processes in it.
    #[serde(default)]
    pub own_pids: bool,
    /// Has the configuration no process? Then there is nothing to start.
    #[serde(default)]
    pub no_program: bool,
    /// Are there hooks to run later? Then the copy of the configuration must be read.
    #[serde(default)]
    pub hooks_later: bool,
    /// The exit status, 128 + N after signal N, where the runtime itself has seen the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_status: Option<i32>,
    /// What the command line added to the configuration.
    #[serde(default)]
    pub wanted: Wanted,
}

/// A mount that came when the container ran already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddedMount {
    /// Where it was asked for. A link on the way may have led it to another place.
    pub destination: String,
    /// By what it is known again (statx(2), STATX_MNT_ID_UNIQUE).
    pub identity: u64,
}

impl Record {
    /// Does the other record speak of the same container, at another time? A name can go to a successor.
    pub fn is_of_same(&self, other: &Record) -> bool {
        self.creator == other.creator
    }

    /// The mounts that may go when the one at `destination` is to go: those that were added there. Where none
    /// was, a link may have led one there.
    pub fn mounts_added_at(&self, destination: &str) -> Vec<u64> {
        let all = self.mounts_added.iter();
        let there = all.clone().filter(|mount| mount.destination == destination);
        let there: Vec<u64> = there.map(|mount| mount.identity).collect();
        if there.is_empty() { all.map(|mount| mount.identity).collect() } else { there }
    }
}

/// The part of the command line that shaped the plan; with it the plan can be computed again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    pub console_socket: Option<PathBuf>,
    pub foreground: bool,
    pub parked: bool,
    /// Who has made the cgroup.
    #[serde(default)]
    pub cgroup_driver: Driver,
    pub preserved: u32,
    pub inherits_keyring: bool,
    pub pid_file: Option<PathBuf>,
    pub pidfd_socket: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<PathBuf>,
    /// With `--no-pivot`: the mounts of the host that are taken out of sight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden: Option<Vec<PathBuf>>,
}

impl Record {
    /// The pid as `state` tells it: 0 unless there is a process.
    pub fn pid(&self, status: Status) -> i32 {
        match (status, self.process) {
            (Status::Stopped | Status::Creating, _) | (_, None) => 0,
            (_, Some(process)) => process.pid,
        }
    }
}

/// The users of the host, read once for all rows of a list (passwd(5)).
pub struct Users(String);

impl Users {
    /// Reads /etc/passwd; where there is none, nobody has a name.
    pub fn read() -> Self {
        Self(std::fs::read_to_string("/etc/passwd").unwrap_or_default())
    }

    /// The name of a user, or `#uid`.
    pub fn name(&self, uid: u32) -> String {
        let name = |line: &str| {
            let mut fields = line.split(':');
            let (name, number) = (fields.next()?, fields.nth(1)?);
            (number.parse() == Ok(uid)).then(|| name.to_owned())
        };
        self.0.lines().find_map(name).unwrap_or_else(|| format!("#{uid}"))
    }
}

/// The state that hooks read while the container is made, when there is no record with a process yet.
#[derive(Clone, Debug)]
pub struct HookState {
    pub id: ContainerId,
    pub bundle: PathBuf,
    pub annotations: BTreeMap<String, String>,
}

impl HookState {
    /// The state as JSON text, for a process of this number.
    pub fn json(&self, status: &str, pid: i32) -> String {
        self.value(status, pid).to_string()
    }

    /// The state as a JSON value.
    pub fn value(&self, status: &str, pid: i32) -> Value {
        json!({
            "ociVersion": OCI_VERSION,
            "id": self.id.as_str(),
            "status": status,
            "pid": pid,
            "bundle": self.bundle,
            "annotations": self.annotations,
        })
    }

    /// The state cut open at the pid, which only the process itself knows in its own namespace.
    pub fn around_pid(&self, status: &str) -> (Vec<u8>, Vec<u8>) {
        const MARK: i32 = i32::MIN;
        let whole = self.json(status, MARK);
        let mark = format!("\"pid\":{MARK}");
        let at = whole.find(&mark).expect("the state has a pid") + "\"pid\":".len();
        (whole.as_bytes()[..at].to_vec(), whole.as_bytes()[at + MARK.to_string().len()..].to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_cut_at_its_pid_whatever_the_strings_say() {
        let annotations = BTreeMap::from([("a".to_owned(), "\"pid\":-2147483648".to_owned())]);
        let id = ContainerId::new("x").unwrap();
        let state = HookState { id, bundle: "/b".into(), annotations };
        let (before, after) = state.around_pid("created");
        let whole = [before, b"7".to_vec(), after].concat();
        let value: serde_json::Value = serde_json::from_slice(&whole).unwrap();
        assert_eq!(value["pid"], 7);
        assert_eq!(value["annotations"]["a"], "\"pid\":-2147483648");
    }
}
