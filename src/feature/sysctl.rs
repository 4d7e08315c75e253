//! # Kernel parameters of the container's namespaces
//!
//! Most of /proc/sys is the machine's; some parameters belong to a namespace and may be set
//! for a container (proc_sys(5)). A parameter that is not in a namespace of the container's
//! own would change the host: an error.
//!
//! OCI: config-linux.md, Sysctl.
//!
//! Order: after the namespaces, through a private procfs that nothing can be mounted over (CVE-2025-52881).

use std::collections::{BTreeMap, BTreeSet};

use crate_run_plan::Operation;
use crate_run_sys::Errno;
use crate_run_sys::namespaces::flag;
use oci_spec::runtime::Spec;

use crate::bundle::finding::{Finding, Pointer};
use crate::bundle::text::c_text;
use crate::feature::namespaces::Namespaces;
use crate::feature::uts;
use crate::plan::Plan;

const FEATURE: &str = "sysctl";

/// The parameters, by their path below /proc/sys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters(pub Vec<Parameter>);

/// One parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Components below /proc/sys, joined by slashes.
    pub path: String,
    pub value: String,
    pub at: Pointer,
}

/// The parameters of System V ipc that belong to the ipc namespace (ipc_namespaces(7)).
const IPC: [&str; 8] = [
    "kernel/msgmax",
    "kernel/msgmnb",
    "kernel/msgmni",
    "kernel/sem",
    "kernel/shmall",
    "kernel/shmmax",
    "kernel/shmmni",
    "kernel/shm_rmid_forced",
];

/// sysctl.d(5): a key whose first separator is a slash is a path already, and its dots are part of names.
fn path_of(key: &str) -> String {
    match key.find(['.', '/']) {
        Some(at) if key.as_bytes()[at] == b'/' => key.to_owned(),
        _ => key
            .chars()
            .map(|c| match c {
                '.' => '/',
                '/' => '.',
                other => other,
            })
            .collect(),
    }
}

fn given(spec: &Spec) -> BTreeMap<&String, &String> {
    let linux = spec.linux().as_ref();
    linux.and_then(|linux| linux.sysctl().as_ref()).map(|map| map.iter().collect()).unwrap_or_default()
}

pub fn resolve(spec: &Spec) -> Parameters {
    let parameter = |(key, value): (&String, &String)| Parameter {
        path: path_of(key),
        value: value.clone(),
        at: Pointer::from("/linux/sysctl").key(key),
    };
    Parameters(given(spec).into_iter().map(parameter).collect())
}

pub fn findings(spec: &Spec, namespaces: &Namespaces) -> Vec<Finding> {
    let mut found = Vec::new();
    let parameters = resolve(spec).0;
    let mut seen = BTreeSet::new();
    for parameter in &parameters {
        let path = parameter.path.as_str();
        let plain = path.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
        if !plain || path.contains('\0') {
            let message = format!("{path:?} is not the name of a kernel parameter");
            found.push(
                Finding::error(parameter.at.clone(), message).cure("write it like net.ipv4.ip_forward"),
            );
            continue;
        }
        if !seen.insert(path) {
            let message = format!("the kernel parameter {} is listed twice", path.replace('/', "."));
            found.push(Finding::error(parameter.at.clone(), message).cure("keep one of its two spellings"));
        }
        found.extend(value_finding(parameter, spec.domainname().as_deref().unwrap_or_default()));
        found.extend(namespace_finding(parameter, namespaces));
    }
    found
}

/// What a value must not be, whatever the parameter. The kernel cuts a domain name off where it is too long.
fn value_finding(parameter: &Parameter, domainname: &str) -> Option<Finding> {
    let value = parameter.value.as_str();
    let is_domainname = parameter.path == "kernel/domainname";
    let (message, cure) = if value.is_empty() {
        ("an empty value sets nothing", "give a value, or leave the parameter out")
    } else if value.contains(['\0', '\n']) {
        ("the value of a kernel parameter is one line", "several numbers are separated by spaces")
    } else if is_domainname && value.len() > uts::LONGEST {
        ("the domain name must be at most 64 bytes long", "shorten it")
    } else if is_domainname && !domainname.is_empty() && domainname != value {
        ("\"domainname\" says something else", "keep \"domainname\"")
    } else {
        return None;
    };
    Some(Finding::error(parameter.at.clone(), message).cure(cure))
}

/// Which namespace does the parameter belong to, and does the container have it?
fn namespace_finding(parameter: &Parameter, namespaces: &Namespaces) -> Option<Finding> {
    let path = parameter.path.as_str();
    let shown = path.replace('/', ".");
    let (kind, word) = if IPC.contains(&path) || path.starts_with("fs/mqueue/") {
        (flag::IPC, "ipc")
    } else if path.starts_with("net/") {
        (flag::NETWORK, "network")
    } else if path == "kernel/domainname" {
        (flag::UTS, "uts")
    } else if path.starts_with("user/") {
        (flag::USER, "user")
    } else if path == "kernel/hostname" {
        let message = "the hostname is not set through kernel.hostname";
        return Some(Finding::error(parameter.at.clone(), message).cure("use \"hostname\""));
    } else {
        let message = format!("sysctl {shown:?} is not in a separate kernel namespace");
        return Some(Finding::error(parameter.at.clone(), message).cure("set it on the host with sysctl(8)"));
    };
    if namespaces.has(kind) {
        return None;
    }
    let message =
        format!("sysctl {shown:?} would change the host: it needs a {word} namespace of the container's own");
    let cure = format!("add {{\"type\": \"{word}\"}} to linux.namespaces");
    Some(Finding::error(parameter.at.clone(), message).cure(cure))
}

/// Does a step need the private procfs?
pub fn needs_proc(parameters: &Parameters) -> bool {
    !parameters.0.is_empty()
}

pub fn steps(parameters: &Parameters, plan: &mut Plan) {
    for parameter in &parameters.0 {
        let set = Operation::SetParameter {
            path: c_text(&format!("sys/{}", parameter.path)),
            value: parameter.value.clone().into_bytes(),
        };
        plan.child(FEATURE, set, "it belongs to a namespace of the container's own").at(parameter.at.clone());
    }
}

/// What usually mends it when a parameter cannot be written.
pub fn cure(errno: Errno) -> Option<&'static str> {
    Some(match errno {
        Errno::ENOENT => "this kernel has no such parameter",
        Errno::EINVAL | Errno::ERANGE => "the kernel does not take this value for the parameter",
        Errno::EACCES | Errno::EPERM | Errno::EROFS => {
            "does the namespace of the parameter belong to the user namespace of the container?"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_name_the_same_file() {
        assert_eq!(path_of("net.ipv4.ip_forward"), "net/ipv4/ip_forward");
        assert_eq!(path_of("net/ipv4/conf/eno2.100/rp_filter"), "net/ipv4/conf/eno2.100/rp_filter");
        assert_eq!(path_of("net.ipv4.conf.eno2/100.rp_filter"), "net/ipv4/conf/eno2.100/rp_filter");
    }

    #[test]
    fn values_are_one_line_that_says_something() {
        let finding = |path: &str, value: &str, domainname: &str| {
            let parameter = Parameter { path: path.into(), value: value.into(), at: Pointer::root() };
            value_finding(&parameter, domainname).map(|finding| finding.message)
        };
        assert_eq!(finding("net/ipv4/ping_group_range", "0 2147483647", ""), None);
        assert!(finding("kernel/msgmax", "", "").unwrap().contains("empty"));
        assert!(finding("kernel/msgmax", "1\n2", "").unwrap().contains("one line"));
        assert!(finding("kernel/domainname", &"x".repeat(65), "").unwrap().contains("64 bytes"));
        assert_eq!(finding("kernel/domainname", &"x".repeat(64), ""), None);
        assert_eq!(finding("kernel/domainname", "same", "same"), None);
        assert!(finding("kernel/domainname", "a", "b").unwrap().contains("something else"));
    }

    #[test]
    fn parameters_of_the_machine_are_refused() {
        let one = |path: &str, namespaces: &Namespaces| {
            let parameter = Parameter { path: path.into(), value: "1".into(), at: Pointer::root() };
            namespace_finding(&parameter, namespaces).map(|finding| finding.message)
        };
        let none = Namespaces::default();
        let network = Namespaces { new: flag::NETWORK, ..Namespaces::default() };
        assert_eq!(one("net/core/somaxconn", &network), None);
        assert!(one("net/core/somaxconn", &none).unwrap().contains("would change the host"));
        assert!(one("vm/swappiness", &network).unwrap().contains("not in a separate kernel namespace"));
        assert!(one("kernel/hostname", &network).unwrap().contains("hostname"));
    }
}
