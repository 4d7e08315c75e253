//! # Hostname and domain name
//!
//! The uts namespace holds the two names that uname(2) tells (uts_namespaces(7)). Without one of its own the
//! container would rename the host, so that is an error.
//!
//! OCI: config.md, Hostname and Domainname.

use crate_run_plan::Operation;
use crate_run_sys::Errno;
use crate_run_sys::namespaces::flag;
use oci_spec::runtime::Spec;

use crate::bundle::finding::Finding;
use crate::bundle::text::c_text;
use crate::feature::namespaces::Namespaces;
use crate::plan::Plan;

const FEATURE: &str = "uts";

/// The longest name that the kernel takes, in bytes (__NEW_UTS_LEN).
pub const LONGEST: usize = 64;

/// The names that are to be set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    pub hostname: Option<String>,
    pub domainname: Option<String>,
}

pub fn resolve(spec: &Spec) -> Names {
    let given = |name: &Option<String>| name.clone().filter(|name| !name.is_empty());
    Names { hostname: given(spec.hostname()), domainname: given(spec.domainname()) }
}

pub fn findings(spec: &Spec, namespaces: &Namespaces) -> Vec<Finding> {
    let names = resolve(spec);
    let mut found = Vec::new();
    for (place, word, name) in
        [("/hostname", "hostname", names.hostname), ("/domainname", "domainname", names.domainname)]
    {
        let Some(name) = name else { continue };
        if !namespaces.has(flag::UTS) {
            let message = format!("unable to set {word} without a private UTS namespace");
            found.push(Finding::error(place, message).cure("add {\"type\": \"uts\"} to linux.namespaces"));
        }
        if name.len() > LONGEST || name.contains('\0') {
            let message = format!("the {word} must be at most {LONGEST} bytes without NUL characters");
            found.push(Finding::error(place, message));
        }
    }
    found
}

pub fn steps(names: &Names, plan: &mut Plan) {
    if let Some(name) = &names.hostname {
        let set = Operation::SetHostname { name: c_text(name) };
        plan.child(FEATURE, set, "the name of the container in its own uts namespace").at("/hostname");
    }
    if let Some(name) = &names.domainname {
        let set = Operation::SetDomainname { name: c_text(name) };
        plan.child(FEATURE, set, "the NIS domain name of its own uts namespace").at("/domainname");
    }
}

/// What usually mends it when the kernel refuses a name.
pub fn cure(errno: Errno) -> Option<&'static str> {
    (errno == Errno::EPERM)
        .then_some("the uts namespace that is joined does not belong to the user namespace of the container")
}
