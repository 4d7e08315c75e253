//! The eight kinds of namespaces: their flags, their names, and how one is told from its file.

use std::fs::File;
use std::path::Path;

use crate_run_sys::namespaces::flag;
use oci_spec::runtime::LinuxNamespaceType;

/// Every kind, in the order of `config-linux.md`.
pub const KINDS: [u64; 8] =
    [flag::PID, flag::NETWORK, flag::MOUNT, flag::IPC, flag::UTS, flag::USER, flag::CGROUP, flag::TIME];

/// The CLONE_NEW* flag of a type.
pub fn kind_of(typ: LinuxNamespaceType) -> u64 {
    match typ {
        LinuxNamespaceType::Mount => flag::MOUNT,
        LinuxNamespaceType::Cgroup => flag::CGROUP,
        LinuxNamespaceType::Uts => flag::UTS,
        LinuxNamespaceType::Ipc => flag::IPC,
        LinuxNamespaceType::User => flag::USER,
        LinuxNamespaceType::Pid => flag::PID,
        LinuxNamespaceType::Network => flag::NETWORK,
        LinuxNamespaceType::Time => flag::TIME,
    }
}

/// The word of config.json for a CLONE_NEW* flag.
pub fn name_of(kind: u64) -> &'static str {
    match kind {
        flag::MOUNT => "mount",
        flag::CGROUP => "cgroup",
        flag::UTS => "uts",
        flag::IPC => "ipc",
        flag::USER => "user",
        flag::PID => "pid",
        flag::NETWORK => "network",
        flag::TIME => "time",
        _ => "unknown",
    }
}

/// The words for several of them.
pub fn names_of(kinds: u64) -> String {
    let names: Vec<&str> =
        KINDS.iter().filter(|kind| kinds & **kind != 0).map(|kind| name_of(*kind)).collect();
    if names.is_empty() { "no".to_owned() } else { names.join(", ") }
}

/// The name of the file in /proc/PID/ns for a CLONE_NEW* flag.
pub fn file_of(kind: u64) -> &'static str {
    match kind {
        flag::MOUNT => "mnt",
        flag::NETWORK => "net",
        other => name_of(other),
    }
}

/// The type of the namespace behind a path; `None` when it is something else. That is not opened, for opening
/// a device can set it off.
pub(super) fn kind_behind(path: &Path) -> std::io::Result<Option<u64>> {
    const NSFS: u64 = 0x6e73_6673;
    if rustix::fs::statfs(path)?.f_type as u64 != NSFS {
        return Ok(None);
    }
    let file = File::open(path)?;
    Ok(crate_run_sys::namespaces::kind_of(crate_run_sys::host::borrowed(&file)).ok())
}

/// Opens a namespace of this kind; nothing else is opened, for a FIFO would wait and a device may be set off.
pub fn open_of_kind(path: &Path, kind: u64) -> Option<File> {
    (kind_behind(path).ok()? == Some(kind)).then(|| File::open(path).ok())?
}
