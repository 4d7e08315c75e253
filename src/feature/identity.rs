//! # Identity: who the process is, inside and outside
//!
//! A user namespace maps ids: user 0 inside may be user 100000 outside (user_namespaces(7)). The parent
//! writes the maps to /proc/PID/uid_map and gid_map; until then the newborn is nobody and must not execve,
//! for that would cost it all capabilities. The ids of the program itself are set at the very end, when
//! nothing is left to do that needs root.
//!
//! OCI: config-linux.md, User namespace mappings; config.md, process.user.
//!
//! Order:
//! - Maps before anything the child does: it waits for them before it becomes the sealed program.
//! - setgroups, then setresgid, then setresuid: each takes away the right to do the one before it.
//!
//! An ordinary user may map his own ids, and more of them with the help of newuidmap(1): see `writer`. Where
//! setgroups(2) is denied, as it must be before he maps his own group, the supplementary groups of the caller
//! stay: they can be neither dropped nor given, which is told when some are asked for.
//!
//! A user namespace that is joined has maps already. They are read, to see whether the ids of the program
//! exist there.
//!
//! Uid 4294967295 is -1, which setresuid(2) takes for "keep what you have": root. It is refused.

mod check;
mod joined;
pub mod writer;

use crate_run_plan::Operation;
use crate_run_sys::Errno;
use crate_run_sys::namespaces::flag;
use oci_spec::runtime::{LinuxIdMapping, Spec};

use crate::feature::namespaces::Namespaces;
use crate::feature::seccomp::Filter;
use crate::host::Host;
use crate::plan::{HostAction, Plan};

pub use check::{findings, line_findings};
pub use joined::maps_of_joined;
pub use writer::{Writer, Writers};

const FEATURE: &str = "identity";

/// The umask of a program whose configuration names none, as runc and crun have it.
const DEFAULT_UMASK: u32 = 0o022;

/// What mends it when the runtime of an ordinary user may not write a file of the newborn in /proc.
pub const ROOT_MUST_BE_SELF: &str = "an ordinary user can do this only where root of the container is himself: map containerID 0 \
     to the own id";

/// Who the process is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The id maps of a new user namespace.
    pub maps: Option<Maps>,
    /// Who writes them.
    pub writers: Writers,
    pub uid: u32,
    pub gid: u32,
    /// The supplementary groups that are asked for.
    pub groups: Vec<u32>,
    /// setgroups(2) is denied: the groups of the caller stay.
    pub keeps_groups: bool,
    pub umask: u32,
}

impl Identity {
    /// The same on this machine; `real` are the maps of a user namespace that is joined.
    pub fn on(mut self, host: &Host, real: Option<&Maps>) -> Self {
        if let Some(maps) = &self.maps {
            self.writers = writer::of(maps, host);
        }
        let denied = self.writers.gids == Writer::OwnId || real.is_some_and(|real| real.keeps_groups);
        self.keeps_groups = denied || host.keeps_groups;
        self
    }
}

/// Lines of uid_map and gid_map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Maps {
    pub uids: Vec<Line>,
    pub gids: Vec<Line>,
    /// In a user namespace that exists: is setgroups(2) denied there?
    pub keeps_groups: bool,
}

/// `size` ids that begin at `inside` in the container and at `outside` on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    pub inside: u32,
    pub outside: u32,
    pub size: u32,
}

impl Line {
    /// The id outside that `inside` stands for.
    pub fn outside_of(&self, inside: u32) -> Option<u32> {
        let offset = inside.checked_sub(self.inside)?;
        (offset < self.size).then(|| self.outside.wrapping_add(offset))
    }
}

/// The mappings of a user namespace or of a mount.
pub fn lines(mappings: &Option<Vec<LinuxIdMapping>>) -> Vec<Line> {
    let line = |m: &LinuxIdMapping| Line { inside: m.container_id(), outside: m.host_id(), size: m.size() };
    mappings.as_deref().unwrap_or_default().iter().map(line).collect()
}

/// The lines of a uid_map or gid_map as the kernel shows it.
pub fn read_lines(text: &str) -> Vec<Line> {
    let line = |line: &str| {
        let mut numbers = line.split_whitespace().map(str::parse);
        let mut next = || numbers.next()?.ok();
        Some(Line { inside: next()?, outside: next()?, size: next()? })
    };
    text.lines().filter_map(line).collect()
}

/// As the kernel reads uid_map: inside, outside, size, one line each.
pub fn text(lines: &[Line]) -> String {
    lines.iter().map(|line| format!("{} {} {}\n", line.inside, line.outside, line.size)).collect()
}

pub fn resolve(spec: &Spec, namespaces: &Namespaces) -> Identity {
    let mut identity = Identity { umask: DEFAULT_UMASK, ..Identity::default() };
    if let Some(process) = spec.process() {
        let user = process.user();
        (identity.uid, identity.gid) = (user.uid(), user.gid());
        identity.groups = user.additional_gids().clone().unwrap_or_default();
        identity.umask = user.umask().unwrap_or(DEFAULT_UMASK);
    }
    if let (true, Some(linux)) = (namespaces.makes(flag::USER), spec.linux()) {
        let (uids, gids) = (lines(linux.uid_mappings()), lines(linux.gid_mappings()));
        identity.maps = Some(Maps { uids, gids, keeps_groups: false });
    }
    identity
}

/// Directly after the birth: the maps.
pub fn maps(identity: &Identity, plan: &mut Plan) {
    let Some(maps) = &identity.maps else { return };
    let (uids, gids, writers) = (text(&maps.uids), text(&maps.gids), identity.writers.clone());
    let why = match writers.gids {
        Writer::OwnId => {
            "without maps the newborn is nobody; setgroups(2) is denied first, for who maps only his own group \
             must not drop others"
        }
        _ => "without maps the newborn is nobody, and would lose its capabilities at its first execve",
    };
    let write = HostAction::WriteIdMaps { uids, gids, writers };
    plan.host(FEATURE, write, why).at("/linux/uidMappings");
}

/// At the beginning of the tail, while files can be given away.
pub fn lend_streams(identity: &Identity, plan: &mut Plan) {
    if identity.uid != 0 {
        let why = "a user who is not root opens /dev/stdout anew only if the pipe is his";
        let lend = Operation::LendStreams { uid: identity.uid };
        plan.child(FEATURE, lend, why).at("/process/user/uid");
    }
}

/// The ids of the program, in the tail.
pub fn steps(identity: &Identity, plan: &mut Plan) {
    if !identity.keeps_groups {
        let groups = identity.groups.iter().flat_map(|group| group.to_ne_bytes()).collect();
        let why = "supplementary groups first: only root may set them";
        plan.child(FEATURE, Operation::SetGroups { groups }, why).at("/process/user/additionalGids");
    }
    let ids = Operation::SetIds { uid: identity.uid, gid: identity.gid };
    let why = "then the group, then the user; the permitted capabilities are kept for capset";
    plan.child(FEATURE, ids, why).at("/process/user");
}

/// Reads the ids back. `filter` is one that is in place already, and may forbid to ask.
pub fn verify(identity: &Identity, filter: Option<&Filter>, plan: &mut Plan) {
    let why = "nothing starts as somebody else";
    let may = |calls: &[(&str, u64)]| filter.is_none_or(|filter| filter.allows(calls));
    if may(&["getresuid", "getresgid", "setfsuid", "setfsgid"].map(|name| (name, 0))) {
        let verify = Operation::VerifyIds { uid: identity.uid, gid: identity.gid };
        plan.child(FEATURE, verify, why).at("/process/user");
    }
    if !identity.keeps_groups && may(&[("getgroups", 0)]) {
        let mut groups = identity.groups.clone();
        groups.sort_unstable();
        groups.dedup();
        let groups = groups.iter().flat_map(|group| group.to_ne_bytes()).collect();
        let why = "no group of the runtime stays, and none is missing";
        let verify = Operation::VerifyGroups { groups };
        plan.child(FEATURE, verify, why).at("/process/user/additionalGids");
    }
    let verify = Operation::VerifyUmask { mask: identity.umask };
    let why = "files of the program get the modes that are asked for";
    plan.child(FEATURE, verify, why).at("/process/user/umask");
}

/// The umask, when no more files are made.
pub fn umask(identity: &Identity, plan: &mut Plan) {
    let why = "setup is over: from now on files get the program's default modes";
    plan.child(FEATURE, Operation::SetUmask { mask: identity.umask }, why).at("/process/user/umask");
}

/// What usually mends it when the kernel does not take the maps.
pub fn cure_of_maps(errno: Errno) -> Option<&'static str> {
    (errno == Errno::EPERM).then_some("only privileged callers may map ids that are not their own")
}

/// What usually mends it when the process may not become who it is to be.
pub fn cure(operation: &Operation, errno: Errno) -> Option<&'static str> {
    Some(match (operation, errno) {
        (Operation::SetGroups { .. }, Errno::EPERM) => "the user namespace does not allow setgroups(2)",
        (Operation::SetIds { .. }, Errno::EINVAL) => "the id is not mapped in the user namespace",
        _ => return None,
    })
}

/// Real, effective, saved and filesystem ids of a process: (`Uid`, `Gid`) lines of /proc/PID/status.
pub fn observe(pid: i32) -> Option<(String, String)> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line =
        |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(|l| l.trim().to_owned());
    Some((line("Uid:")?, line("Gid:")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_translates_its_ids_and_no_others() {
        let line = Line { inside: 10, outside: 1000, size: 5 };
        assert_eq!([9, 10, 14, 15].map(|id| line.outside_of(id)), [None, Some(1000), Some(1004), None]);
    }
}
