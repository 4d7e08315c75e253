//! # Security modules: AppArmor profile and SELinux label
//!
//! A process writes the profile or label that it wants to have after its next execve into /proc/self/attr
//! (apparmor(7), selinux(8)). It does so through a private procfs: a write that lands in a file which the
//! image has put in the way leaves the container unconfined (CVE-2019-16884).
//!
//! OCI: config.md, apparmorProfile and selinuxLabel. A label that the kernel cannot apply is an error.
//!
//! Order: directly before the powers are dropped; the label takes effect with execve.

use std::ffi::CString;

use crate_run_plan::Operation;
use oci_spec::runtime::Spec;

use crate::bundle::finding::Finding;
use crate::host::Host;
use crate::plan::Plan;

const FEATURE: &str = "lsm";

/// What is to be written, and where below the private procfs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    pub apparmor: Option<String>,
    pub selinux: Option<String>,
}

pub fn resolve(spec: &Spec) -> Labels {
    let Some(process) = spec.process() else { return Labels::default() };
    let given = |label: &Option<String>| label.clone().filter(|label| !label.is_empty());
    let unconfined = |label: &String| label == "unconfined";
    Labels {
        apparmor: given(process.apparmor_profile()).filter(|label| !unconfined(label)),
        selinux: given(process.selinux_label()),
    }
}

pub fn findings(spec: &Spec, host: &Host) -> Vec<Finding> {
    let labels = resolve(spec);
    let mut found = Vec::new();
    for (place, word, label, module) in [
        ("/process/apparmorProfile", "AppArmor profile", labels.apparmor, "apparmor"),
        ("/process/selinuxLabel", "SELinux label", labels.selinux, "selinux"),
    ] {
        let Some(label) = label else { continue };
        if !host.has_security_module(module) {
            let message =
                format!("the {word} {label:?} cannot be applied: this kernel runs without {module}");
            found.push(Finding::error(place, message).cure("leave it out, or boot with the module enabled"));
        }
        if label.contains('\0') {
            found.push(Finding::error(place, format!("the {word} must be free of NUL characters")));
        }
    }
    found
}

/// Does a step need the private procfs?
pub fn needs_proc(labels: &Labels) -> bool {
    labels.apparmor.is_some() || labels.selinux.is_some()
}

pub fn steps(labels: &Labels, plan: &mut Plan) {
    let mut write = |path: &str, label: String, at: &'static str| {
        let path = CString::new(path).expect("no NUL");
        let set = Operation::SetLabel { path, label: label.into_bytes() };
        plan.child(FEATURE, set, "it takes effect with the next execve").at(at);
    };
    if let Some(profile) = &labels.apparmor {
        write("self/attr/apparmor/exec", format!("exec {profile}"), "/process/apparmorProfile");
    }
    if let Some(label) = &labels.selinux {
        write("self/attr/exec", label.clone(), "/process/selinuxLabel");
    }
}
