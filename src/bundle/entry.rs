//! The configuration of a program that enters a container: the container's own, as it was when the container
//! was made, with the process of that program.

use std::path::{Path, PathBuf};

use crate_run_sys::namespaces::flag;
use oci_spec::runtime::{
    LinuxIdMapping, LinuxIdMappingBuilder, LinuxNamespace, LinuxNamespaceBuilder, LinuxNamespaceType,
    Process, RootBuilder, Spec,
};
use serde_json::Value;

use crate::bundle::Source;
use crate::error::Error;
use crate::feature::namespaces::kind_of;
use crate::plan::enter::Door;

/// A process as JSON text, and where it comes from.
pub enum ProcessText {
    /// A file of the caller: errors show the place in it.
    File { file: PathBuf, text: Vec<u8> },
    /// The container's own, with what the command line says of it.
    CommandLine { text: Vec<u8> },
}

impl ProcessText {
    fn parts(&self) -> (&Path, &[u8]) {
        match self {
            Self::File { file, text } => (file, text),
            Self::CommandLine { text } => (Path::new("exec"), text),
        }
    }

    /// What the places of errors refer to.
    fn shown(&self) -> Vec<u8> {
        match self {
            Self::File { text, .. } => wrapped(text, b"}"),
            Self::CommandLine { .. } => Vec::new(),
        }
    }
}

/// The process as a member of an object. On the first line, so that the numbers of the lines stay the same.
fn wrapped(process: &[u8], rest: &[u8]) -> Vec<u8> {
    [b"{\"process\":", process, rest].concat()
}

/// The source of the program's plan.
///
/// Errors: what is wrong with the process, with its place in the text.
pub fn source(container: &Source, process: &ProcessText, door: &Door) -> Result<Source, Error> {
    let (file, text) = process.parts();
    let text = wrapped(&complete(text), b",\"ociVersion\":\"1.0.0\"}");
    let entrant = Source::parse(container.directory.clone(), file.to_owned(), text)?;
    let given = entrant.spec.process().clone().unwrap_or_default();
    let mut spec = for_another(&container.spec, door);
    spec.set_process(Some(inherit(given, container.spec.process().as_ref())));
    Ok(entrant.within(container, spec, process.shown()))
}

/// The source of a plan that adds the mounts of the list `text` to a container.
///
/// Errors: what is wrong with the types of the list.
pub fn with_mounts(container: &Source, file: &Path, text: &[u8], door: &Door) -> Result<Source, Error> {
    let (begin, end) = (b"{\"mounts\":".as_slice(), b",\"ociVersion\":\"1.0.0\"}".as_slice());
    let whole = [begin, text, end].concat();
    let entrant = Source::parse(container.directory.clone(), file.to_owned(), whole)?;
    let mut spec = for_another(&container.spec, door);
    spec.set_mounts(entrant.spec.mounts().clone());
    Ok(entrant.within(container, spec, [begin, text, b"}"].concat()))
}

/// The user is root unless another is named, as in runc.
fn complete(text: &[u8]) -> Vec<u8> {
    let mut text = text.to_vec();
    let lacks_user = serde_json::from_slice::<Value>(&text)
        .is_ok_and(|value| value.as_object().is_some_and(|process| !process.contains_key("user")));
    if lacks_user && let Some(end) = text.iter().rposition(|byte| *byte == b'}') {
        let comma = if text[..end].iter().rfind(|byte| !byte.is_ascii_whitespace()) == Some(&b'{') {
            ""
        } else {
            ","
        };
        text.splice(end..end, format!("{comma}\"user\":{{\"uid\":0,\"gid\":0}}").into_bytes());
    }
    text
}

/// What the container is confined by confines its other programs too, unless they bring their own.
fn inherit(mut process: Process, first: Option<&Process>) -> Process {
    let Some(first) = first else { return process };
    if process.no_new_privileges().is_none() {
        process.set_no_new_privileges(first.no_new_privileges());
    }
    if process.apparmor_profile().is_none() {
        process.set_apparmor_profile(first.apparmor_profile().clone());
    }
    if process.selinux_label().is_none() {
        process.set_selinux_label(first.selinux_label().clone());
    }
    process
}

/// Without everything that has been done when the container was made.
fn for_another(container: &Spec, door: &Door) -> Spec {
    let mut spec = container.clone();
    spec.set_mounts(None).set_hooks(None).set_hostname(None).set_domainname(None);
    let inside = PathBuf::from(format!("/proc/{}/root", door.process.pid));
    spec.set_root(RootBuilder::default().path(inside).readonly(false).build().ok());
    if let Some(linux) = spec.linux_mut() {
        linux.set_devices(None).set_masked_paths(None).set_readonly_paths(None).set_sysctl(None);
        linux.set_resources(None).set_rootfs_propagation(None).set_net_devices(None);
        linux.set_time_offsets(None).set_intel_rdt(None);
        let (users, groups) = match door.kinds & flag::USER {
            0 => (None, None),
            _ => (maps_of(door, "uid_map"), maps_of(door, "gid_map")),
        };
        linux.set_uid_mappings(users).set_gid_mappings(groups);
        linux.set_namespaces(Some(entered(door)));
    }
    spec
}

/// An entry for each namespace that is entered. As far as the tail is concerned they are the container's own.
fn entered(door: &Door) -> Vec<LinuxNamespace> {
    use LinuxNamespaceType::{Cgroup, Ipc, Mount, Network, Pid, Time, User, Uts};
    [Pid, Network, Mount, Ipc, Uts, User, Cgroup, Time]
        .into_iter()
        .filter(|typ| door.kinds & kind_of(*typ) != 0 || *typ == Mount)
        .filter_map(|typ| LinuxNamespaceBuilder::default().typ(typ).build().ok())
        .collect()
}

/// The id map as the kernel has it: the configuration has none for a user namespace that was joined.
fn maps_of(door: &Door, file: &str) -> Option<Vec<LinuxIdMapping>> {
    let text = std::fs::read_to_string(format!("/proc/{}/{file}", door.process.pid)).ok()?;
    let line = |line: &str| {
        let numbers: Vec<u32> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let [inside, outside, size] = numbers[..] else { return None };
        LinuxIdMappingBuilder::default().container_id(inside).host_id(outside).size(size).build().ok()
    };
    Some(text.lines().filter_map(line).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_without_a_user_is_that_of_root() {
        let completed = |text: &str| -> Value { serde_json::from_slice(&complete(text.as_bytes())).unwrap() };
        assert_eq!(completed("{}")["user"]["uid"], 0);
        assert_eq!(completed("{\"cwd\":\"/\"\n}\n")["user"]["gid"], 0);
        assert_eq!(completed("{\"user\":{\"uid\":7}}")["user"]["uid"], 7);
        assert_eq!(complete(b"[}"), b"[}");
    }
}
