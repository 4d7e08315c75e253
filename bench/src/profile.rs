//! Docker's default seccomp profile, brought into the form that runtimes read.
//!
//! Engines keep one profile for all machines, with conditions: a rule may hold only for some architectures,
//! only with or without a capability, only from some kernel on. A runtime gets the rules that are left when
//! the conditions are decided (OCI runtime-spec, config-linux.md, "Seccomp").

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

/// Where Debian's package golang-github-containers-common puts the profile of Docker and Podman.
const PACKAGED: &str = "/usr/share/containers/seccomp.json";

/// What the conditions are decided by.
pub struct Target<'a> {
    /// `x86_64`, `aarch64`, … as uname(2) says it.
    pub machine: &'a str,
    /// Major and minor version of the kernel.
    pub kernel: (u32, u32),
    /// The container's capabilities, `CAP_…`.
    pub capabilities: &'a [&'a str],
}

/// A profile and one sentence that says where it comes from.
pub struct Profile {
    pub rules: Value,
    pub origin: String,
}

/// The packaged profile for `target`, or a short one of our own when the package is not installed.
pub fn default_for(target: &Target) -> Result<Profile> {
    if !Path::new(PACKAGED).exists() {
        let origin = "a short denylist of our own, because golang-github-containers-common is not installed: \
                      the figures with seccomp say little about Docker's profile";
        return Ok(Profile { rules: fallback(target), origin: origin.to_owned() });
    }
    let text = std::fs::read_to_string(PACKAGED).context("cannot read the seccomp profile")?;
    let engine = serde_json::from_str(&text).context("the packaged seccomp profile is not JSON")?;
    let rules = flatten(&engine, target)?;
    let names: usize = syscalls(&rules).filter_map(|rule| rule["names"].as_array()).map(Vec::len).sum();
    let origin = format!("the profile of golang-github-containers-common, flattened to {names} names");
    Ok(Profile { rules, origin })
}

fn syscalls(profile: &Value) -> impl Iterator<Item = &Value> {
    profile["syscalls"].as_array().into_iter().flatten()
}

/// Decides all conditions of an engine's profile. Fails on a profile without rules or for another machine.
fn flatten(engine: &Value, target: &Target) -> Result<Value> {
    let mut rules = Vec::new();
    for rule in syscalls(engine) {
        if applies(rule, target)? {
            rules.push(runtime_rule(rule));
        }
    }
    if rules.is_empty() {
        bail!("the seccomp profile has no rule for {}", target.machine);
    }
    let mut profile = Map::new();
    profile.insert("defaultAction".into(), engine["defaultAction"].clone());
    if let Some(number) = engine.get("defaultErrnoRet") {
        profile.insert("defaultErrnoRet".into(), number.clone());
    }
    profile.insert("architectures".into(), architectures(engine, target)?);
    profile.insert("syscalls".into(), rules.into());
    Ok(profile.into())
}

/// The machine's own architecture and those whose programs it can run besides.
fn architectures(engine: &Value, target: &Target) -> Result<Value> {
    let native = format!("SCMP_ARCH_{}", target.machine.to_uppercase());
    let map = engine["archMap"].as_array().context("the seccomp profile has no archMap")?;
    let entry = map.iter().find(|entry| entry["architecture"] == native.as_str());
    let entry = entry.with_context(|| format!("the seccomp profile does not know {native}"))?;
    let others = entry["subArchitectures"].as_array().cloned().unwrap_or_default();
    Ok([Value::from(native)].into_iter().chain(others).collect())
}

/// The part of a rule that a runtime understands.
fn runtime_rule(rule: &Value) -> Value {
    let mut kept = Map::new();
    for key in ["names", "action", "errnoRet", "args"] {
        match rule.get(key) {
            None | Some(Value::Null) => {}
            Some(Value::Array(list)) if list.is_empty() => {}
            Some(value) => {
                kept.insert(key.into(), value.clone());
            }
        }
    }
    kept.into()
}

/// Every condition under `includes` must hold, none under `excludes` may.
fn applies(rule: &Value, target: &Target) -> Result<bool> {
    let includes = [
        listed(&rule["includes"]["arches"]).map(|list| list.contains(&engine_name(target.machine))),
        listed(&rule["includes"]["caps"])
            .map(|list| list.iter().all(|cap| target.capabilities.contains(cap))),
        at_least(&rule["includes"]["minKernel"], target.kernel)?,
    ];
    let excludes = [
        listed(&rule["excludes"]["arches"]).map(|list| list.contains(&engine_name(target.machine))),
        listed(&rule["excludes"]["caps"])
            .map(|list| list.iter().any(|cap| target.capabilities.contains(cap))),
        at_least(&rule["excludes"]["minKernel"], target.kernel)?,
    ];
    Ok(includes.into_iter().flatten().all(|holds| holds)
        && !excludes.into_iter().flatten().any(|holds| holds))
}

/// The names in a condition; an empty list is no condition.
fn listed(value: &Value) -> Option<Vec<&str>> {
    let names: Vec<&str> = value.as_array()?.iter().filter_map(Value::as_str).collect();
    (!names.is_empty()).then_some(names)
}

fn at_least(wanted: &Value, kernel: (u32, u32)) -> Result<Option<bool>> {
    let Some(text) = wanted.as_str().filter(|text| !text.is_empty()) else { return Ok(None) };
    let wanted = version(text).with_context(|| format!("the seccomp profile names a kernel `{text}`"))?;
    Ok(Some(kernel >= wanted))
}

/// Major and minor number at the beginning of a kernel release such as `6.1.0-18-amd64`.
pub fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Engines name architectures as Go does.
fn engine_name(machine: &str) -> &str {
    match machine {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// Denies what no container needs; much shorter than Docker's allowlist.
fn fallback(target: &Target) -> Value {
    let native = format!("SCMP_ARCH_{}", target.machine.to_uppercase());
    let denied = [
        "acct",
        "add_key",
        "bpf",
        "delete_module",
        "fanotify_init",
        "finit_module",
        "fsconfig",
        "fsmount",
        "fsopen",
        "fspick",
        "init_module",
        "kexec_file_load",
        "kexec_load",
        "keyctl",
        "lookup_dcookie",
        "mbind",
        "mount",
        "mount_setattr",
        "move_mount",
        "move_pages",
        "name_to_handle_at",
        "nfsservctl",
        "open_by_handle_at",
        "open_tree",
        "perf_event_open",
        "personality",
        "pivot_root",
        "process_vm_readv",
        "process_vm_writev",
        "ptrace",
        "quotactl",
        "reboot",
        "request_key",
        "setns",
        "settimeofday",
        "swapoff",
        "swapon",
        "syslog",
        "umount2",
        "unshare",
        "userfaultfd",
        "vhangup",
    ];
    json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": [native],
        "syscalls": [{ "names": denied.as_slice(), "action": "SCMP_ACT_ERRNO", "errnoRet": 1 }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine(rules: Value) -> Value {
        json!({
            "defaultAction": "SCMP_ACT_ERRNO",
            "defaultErrnoRet": 38,
            "defaultErrno": "ENOSYS",
            "archMap": [
                {
                    "architecture": "SCMP_ARCH_X86_64",
                    "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"],
                },
                { "architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"] },
            ],
            "syscalls": rules,
        })
    }

    fn names(rules: Value, machine: &str, kernel: (u32, u32), capabilities: &[&str]) -> Vec<String> {
        let flat = flatten(&engine(rules), &Target { machine, kernel, capabilities }).unwrap();
        let rules = flat["syscalls"].as_array().unwrap().clone();
        rules.iter().map(|rule| rule["names"][0].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn architectures_come_from_the_map() {
        let rules = json!([{ "names": ["read"], "action": "SCMP_ACT_ALLOW" }]);
        let target = Target { machine: "x86_64", kernel: (6, 1), capabilities: &[] };
        let flat = flatten(&engine(rules.clone()), &target).unwrap();
        assert_eq!(flat["architectures"], json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]));
        assert_eq!(flat["defaultErrnoRet"], 38);
        let unknown = Target { machine: "vax", ..target };
        assert!(flatten(&engine(rules), &unknown).is_err());
    }

    #[test]
    fn only_the_words_of_the_runtime_form_are_kept() {
        let rules = json!([{
            "names": ["personality"], "action": "SCMP_ACT_ALLOW", "comment": "x",
            "errno": "EPERM", "errnoRet": 1,
            "args": [{ "index": 0, "value": 8, "valueTwo": 0, "op": "SCMP_CMP_EQ" }], "includes": {},
        }, { "names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [], "errnoRet": null }]);
        let target = Target { machine: "x86_64", kernel: (6, 1), capabilities: &[] };
        let flat = flatten(&engine(rules), &target).unwrap();
        let expected = json!([{
            "names": ["personality"], "action": "SCMP_ACT_ALLOW", "errnoRet": 1,
            "args": [{ "index": 0, "value": 8, "valueTwo": 0, "op": "SCMP_CMP_EQ" }],
        }, { "names": ["read"], "action": "SCMP_ACT_ALLOW" }]);
        assert_eq!(flat["syscalls"], expected);
    }

    #[test]
    fn rules_for_other_architectures_go() {
        let rules = json!([
            { "names": ["arch_prctl"], "action": "A", "includes": { "arches": ["amd64", "x32"] } },
            { "names": ["breakpoint"], "action": "A", "includes": { "arches": ["arm", "arm64"] } },
            { "names": ["clone"], "action": "A", "excludes": { "arches": ["s390", "s390x"] } },
            { "names": ["modify_ldt"], "action": "A", "excludes": { "arches": ["amd64"] } },
        ]);
        assert_eq!(names(rules.clone(), "x86_64", (6, 1), &[]), ["arch_prctl", "clone"]);
        assert_eq!(names(rules, "aarch64", (6, 1), &[]), ["breakpoint", "clone", "modify_ldt"]);
    }

    #[test]
    fn capabilities_decide_between_the_rule_and_its_opposite() {
        let rules = json!([
            { "names": ["reboot"], "action": "A", "includes": { "caps": ["CAP_SYS_BOOT"] } },
            { "names": ["no_reboot"], "action": "E", "excludes": { "caps": ["CAP_SYS_BOOT"] } },
            { "names": ["both"], "action": "A", "includes": { "caps": ["CAP_SYS_BOOT", "CAP_KILL"] } },
        ]);
        assert_eq!(names(rules.clone(), "x86_64", (6, 1), &["CAP_KILL"]), ["no_reboot"]);
        assert_eq!(names(rules, "x86_64", (6, 1), &["CAP_SYS_BOOT"]), ["reboot"]);
    }

    #[test]
    fn kernels_are_compared_as_numbers() {
        let rules = json!([
            { "names": ["ptrace"], "action": "A", "includes": { "minKernel": "4.8" } },
            { "names": ["future"], "action": "A", "includes": { "minKernel": "4.20" } },
        ]);
        assert_eq!(names(rules.clone(), "x86_64", (4, 9), &[]), ["ptrace"]);
        assert_eq!(names(rules, "x86_64", (5, 0), &[]), ["ptrace", "future"]);
        assert_eq!(version("6.1.0-18-amd64"), Some((6, 1)));
        assert_eq!(version("new"), None);
    }
}
