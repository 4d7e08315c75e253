//! # Security modules: AppArmor profile and SELinux label
//!
//! A process writes the profile or label that it wants to have after its next execve into /proc/self/attr
//! (apparmor(7), selinux(8)). It does so through a private procfs: a write that lands in a file which the
//! image has put in the way leaves the container unconfined (CVE-2019-16884).
//!
//! OCI: config.md, apparmorProfile and selinuxLabel. A label that the kernel cannot apply is an error.
//!
//! Order: directly before the powers are dropped; the label takes effect with execve.

use std::ffi::CStr;

use crate_run_plan::Operation;
use crate_run_sys::Errno;
use oci_spec::runtime::Spec;

use crate::bundle::finding::Finding;
use crate::feature::seccomp::Filter;
use crate::host::Host;
use crate::plan::Plan;

const FEATURE: &str = "lsm";

/// Where a process writes its label for the next execve, below a procfs (apparmor(7), proc_pid_attr(5)).
const APPARMOR: &CStr = c"self/attr/apparmor/exec";
const SELINUX: &CStr = c"self/attr/exec";

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
    let mut write = |path: &CStr, label: String, at: &'static str| {
        let set = Operation::SetLabel { path: path.to_owned(), label: label.into_bytes() };
        plan.child(FEATURE, set, "it takes effect with the next execve").at(at);
    };
    if let Some(profile) = &labels.apparmor {
        write(APPARMOR, format!("exec {profile}"), "/process/apparmorProfile");
    }
    if let Some(label) = &labels.selinux {
        write(SELINUX, label.clone(), "/process/selinuxLabel");
    }
}

/// Reads the labels back. `filter` is one that is in place already, and may forbid to ask.
pub fn verify(labels: &Labels, filter: Option<&Filter>, plan: &mut Plan) {
    let calls = ["openat2", "read", "close"].map(|name| (name, 0));
    if !filter.is_none_or(|filter| filter.allows(&calls)) {
        return;
    }
    let mut read = |path: &CStr, start: String, at: &'static str| {
        let verify = Operation::VerifyLabel { path: path.to_owned(), start: start.into_bytes() };
        plan.child(FEATURE, verify, "nothing starts unconfined that should be confined").at(at);
    };
    if let Some(profile) = &labels.apparmor {
        read(APPARMOR, shown_by_apparmor(profile), "/process/apparmorProfile");
    }
    if let Some(label) = &labels.selinux {
        read(SELINUX, shown_by_selinux(label), "/process/selinuxLabel");
    }
}

/// How the kernel's answer begins: `profile (mode)`. It has its own way to write stacks of profiles and their
/// namespaces; of these only that there is one can be compared.
fn shown_by_apparmor(profile: &str) -> String {
    if profile.starts_with(':') || profile.contains("//&") { String::new() } else { format!("{profile} (") }
}

/// How the kernel's answer begins: user and role. Types have aliases, and levels have several spellings.
fn shown_by_selinux(label: &str) -> String {
    label.split_inclusive(':').take(2).collect()
}

/// What usually mends it when the kernel refuses a label.
pub fn cure(errno: Errno) -> Option<&'static str> {
    (errno == Errno::ENOENT).then_some("load the profile on the host first: apparmor_parser(8)")
}

/// A refused label in the words that podman knows: a path of procfs between back-quotes is trouble with
/// labels.
pub fn refusal(path: &CStr, label: &[u8], errno: Errno) -> String {
    let (path, label) = (path.to_string_lossy(), String::from_utf8_lossy(label));
    // The profile is missing, not a file: these words of ENOENT would mean the program.
    let meaning = match errno {
        Errno::ENOENT => "no such profile is loaded".to_owned(),
        other => other.meaning().to_string(),
    };
    format!("write `/proc/{path}`: the label {label:?} is refused: {meaning}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_writes_in_its_own_way_is_not_compared() {
        assert_eq!(shown_by_apparmor("docker-default"), "docker-default (");
        assert_eq!(shown_by_apparmor("a//&b"), "");
        assert_eq!(shown_by_apparmor(":lxd:a"), "");
        assert_eq!(shown_by_selinux("system_u:system_r:container_t:s0:c1,c2"), "system_u:system_r:");
    }

    /// Podman takes the meaning of ENOENT for a program that is missing.
    #[test]
    fn a_refused_label_is_told_in_the_words_that_podman_knows() {
        let told = refusal(c"self/attr/exec", b"exec web", Errno::ENOENT);
        let expected =
            "write `/proc/self/attr/exec`: the label \"exec web\" is refused: no such profile is loaded";
        assert_eq!(told, expected);
        assert!(cure(Errno::ENOENT).is_some_and(|cure| cure.contains("apparmor_parser")));
        let told = refusal(c"self/attr/exec", b"x:y:z", Errno::EINVAL);
        assert!(told.ends_with("\"x:y:z\" is refused: invalid argument"), "{told}");
    }
}
