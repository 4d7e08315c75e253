//! Members that nobody reads because their name is misspelt.
//!
//! A runtime must ignore what it does not know (config.md, Extensibility), so a name that is nearly right is
//! lost without a word. `validate` says so: for names that differ from a known one in a letter or in case (Go
//! reads `Hostname`, JSON does not), and for the names that other formats have for a thing.

use super::finding::{Finding, Pointer};
use super::refusal::nearest;
use super::span::{Seen, walk};

/// The members of each object of the specification 1.3 for Linux, by the pointer of the object; `*` stands
/// for any member and any index.
const OBJECTS: &[(&str, &str)] = &[
    (
        "",
        "ociVersion process root hostname domainname mounts hooks annotations linux solaris windows vm zos freebsd",
    ),
    (
        "/process",
        "terminal consoleSize user args commandLine env cwd capabilities rlimits noNewPrivileges apparmorProfile \
         oomScoreAdj selinuxLabel ioPriority scheduler execCPUAffinity",
    ),
    ("/process/consoleSize", "height width"),
    ("/process/user", "uid gid umask additionalGids username"),
    ("/process/capabilities", "bounding effective inheritable permitted ambient"),
    ("/process/rlimits/*", "type soft hard"),
    ("/process/ioPriority", "class priority"),
    ("/process/scheduler", "policy nice priority flags runtime deadline period"),
    ("/process/execCPUAffinity", "initial final"),
    ("/root", "path readonly"),
    ("/mounts/*", "destination type source options uidMappings gidMappings"),
    ("/mounts/*/uidMappings/*", "containerID hostID size"),
    ("/mounts/*/gidMappings/*", "containerID hostID size"),
    ("/hooks", "prestart createRuntime createContainer startContainer poststart poststop"),
    ("/hooks/*/*", "path args env timeout"),
    (
        "/linux",
        "devices uidMappings gidMappings sysctl resources cgroupsPath namespaces netDevices seccomp \
         rootfsPropagation maskedPaths readonlyPaths mountLabel intelRdt memoryPolicy personality timeOffsets",
    ),
    ("/linux/namespaces/*", "type path"),
    ("/linux/uidMappings/*", "containerID hostID size"),
    ("/linux/gidMappings/*", "containerID hostID size"),
    ("/linux/timeOffsets/*", "secs nanosecs"),
    ("/linux/timeOffsets", "monotonic boottime"),
    ("/linux/devices/*", "type path major minor fileMode uid gid"),
    ("/linux/netDevices/*", "name"),
    ("/linux/personality", "domain flags"),
    ("/linux/memoryPolicy", "mode nodes flags"),
    ("/linux/intelRdt", "closID schemata l3CacheSchema memBwSchema enableMonitoring enableCMT enableMBM"),
    ("/linux/resources", "devices memory cpu pids blockIO hugepageLimits network rdma unified"),
    ("/linux/resources/devices/*", "allow type major minor access"),
    (
        "/linux/resources/memory",
        "limit reservation swap kernel kernelTCP swappiness disableOOMKiller useHierarchy checkBeforeUpdate",
    ),
    ("/linux/resources/cpu", "shares quota burst period realtimeRuntime realtimePeriod cpus mems idle"),
    ("/linux/resources/pids", "limit"),
    (
        "/linux/resources/blockIO",
        "weight leafWeight weightDevice throttleReadBpsDevice throttleWriteBpsDevice throttleReadIOPSDevice \
         throttleWriteIOPSDevice",
    ),
    ("/linux/resources/blockIO/*/*", "major minor weight leafWeight rate"),
    ("/linux/resources/hugepageLimits/*", "pageSize limit"),
    ("/linux/resources/network", "classID priorities"),
    ("/linux/resources/network/priorities/*", "name priority"),
    ("/linux/resources/rdma/*", "hcaHandles hcaObjects"),
    (
        "/linux/seccomp",
        "defaultAction defaultErrnoRet architectures flags listenerPath listenerMetadata syscalls",
    ),
    ("/linux/seccomp/syscalls/*", "names action errnoRet args"),
    ("/linux/seccomp/syscalls/*/args/*", "index value valueTwo op"),
];

/// Files of engines, and what only these understand.
const OF_ENGINES: [&str; 17] = [
    "services",
    "version",
    "apiVersion",
    "kind",
    "metadata",
    "spec",
    "containers",
    "image",
    "ports",
    "expose",
    "restart",
    "depends_on",
    "healthcheck",
    "build",
    "container_name",
    "networks",
    "env_file",
];

/// What other formats call it, by the pointer of the object, and where the specification has it.
const ELSEWHERE: &[(&str, &[&str], &str)] = &[
    ("/", &["volumes", "binds", "tmpfs", "mount"], "mounts"),
    ("/", &["command", "cmd", "entrypoint", "args"], "process.args"),
    ("/", &["environment", "env"], "process.env"),
    ("/", &["working_dir", "workdir", "cwd"], "process.cwd"),
    ("/", &["user"], "process.user"),
    ("/", &["tty", "terminal"], "process.terminal"),
    ("/", &["cap_add", "cap_drop", "capabilities", "privileged"], "process.capabilities"),
    ("/", &["ulimits", "rlimits"], "process.rlimits"),
    ("/", &["security_opt"], "linux.seccomp, process.apparmorProfile and process.selinuxLabel"),
    ("/", &["mem_limit", "cpus", "cpu_shares", "pids_limit", "deploy", "resources"], "linux.resources"),
    ("/", &["namespaces", "pid", "ipc", "uts", "network_mode"], "linux.namespaces"),
    ("/", &["devices", "sysctls", "sysctl", "seccomp", "cgroup_parent", "cgroupsPath"], "linux"),
    ("/", &["labels"], "annotations"),
    ("/", &["rootfs"], "root.path"),
    ("/mounts/*/", &["target", "dst", "containerPath", "mountPath"], "destination"),
    ("/mounts/*/", &["src", "hostPath"], "source"),
    ("/mounts/*/", &["readonly", "ro", "readOnly", "read_only"], "options, as \"ro\""),
    ("/process/", &["command", "cmd", "commands"], "args"),
    ("/process/", &["environment"], "env"),
    ("/process/", &["workdir", "workingDir", "working_dir"], "cwd"),
    ("/root/", &["ro", "read_only", "readOnly"], "readonly"),
    ("/linux/", &["cgroupPath", "cgroup", "cgroupParent"], "cgroupsPath"),
    ("/linux/", &["rlimits", "capabilities", "noNewPrivileges", "apparmorProfile", "oomScoreAdj"], "process"),
];

/// So many unknown names are thought about. Where there are more, they are no mistakes of a person.
const MOST_STRANGERS: usize = 1000;

/// A warning for each member that looks misspelt. The text must be JSON; otherwise this finds less.
pub fn findings(text: &[u8]) -> Vec<Finding> {
    let (mut found, mut strangers) = (Vec::new(), 0);
    walk(text, |seen| {
        let Seen::Member(object, name) = seen else { return };
        let Some((_, known)) = OBJECTS.iter().find(|(pattern, _)| matches(pattern, object)) else { return };
        if known.split(' ').any(|known| known == name) {
            return;
        }
        strangers += 1;
        if strangers > MOST_STRANGERS {
            return;
        }
        let near = nearest(&known.split(' ').collect::<Vec<_>>(), name);
        let elsewhere = || {
            let object = format!("{object}/");
            let mut table = ELSEWHERE.iter().filter(|(pattern, ..)| matches(pattern, &object));
            table.find(|(_, names, _)| names.contains(&name)).map(|(.., place)| *place)
        };
        let at = Pointer::from(object).key(name);
        let message = format!("{name:?} is no member of the specification and is ignored");
        if let Some(near) = near {
            found.push(Finding::warning(at, message).cure(format!("did you mean {near:?}?")));
        } else if let Some(place) = elsewhere() {
            found.push(Finding::warning(at, message).cure(format!("its place in config.json is {place}")));
        } else if object.is_empty() && OF_ENGINES.contains(&name) {
            let cure =
                "it belongs into a file for an engine; `crate-run spec` writes a config.json to start from";
            found.push(Finding::warning(at, message).cure(cure));
        }
    });
    found
}

/// The arrays that stand where the specification has an object. Its types in Rust read the elements of such
/// an array as the members in the order in which somebody has declared them.
pub(super) fn arrays_for_objects(text: &[u8]) -> Vec<Pointer> {
    let mut found = Vec::new();
    walk(text, |seen| {
        let Seen::Array(at) = seen else { return };
        if OBJECTS.iter().any(|(pattern, _)| matches(pattern, at)) && is_specified(at) {
            found.push(Pointer::from(at));
        }
    });
    found
}

/// Does the way to this place lead through members of the specification only? What is in others may be
/// anything.
fn is_specified(pointer: &str) -> bool {
    pointer.match_indices('/').all(|(end, _)| {
        let (object, rest) = pointer.split_at(end);
        let name = rest[1..].split('/').next().unwrap_or_default();
        let known = OBJECTS.iter().find(|(pattern, _)| matches(pattern, object));
        known.is_none_or(|(_, known)| known.split(' ').any(|known| known == name))
    })
}

fn matches(pattern: &str, pointer: &str) -> bool {
    let mut parts = pointer.split('/');
    pattern.split('/').all(|wanted| parts.next().is_some_and(|part| wanted == "*" || wanted == part))
        && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(String, String)> {
        findings(text.as_bytes()).into_iter().map(|finding| (finding.at.to_string(), finding.cure)).collect()
    }

    fn one(text: &str, at: &str, cure: &str) {
        assert_eq!(found(text), [(at.to_owned(), cure.to_owned())], "{text}");
    }

    #[test]
    fn names_that_are_nearly_right_are_told() {
        one(r#"{"Hostname": "x"}"#, "/Hostname", "did you mean \"hostname\"?");
        one(r#"{"mounts": [{"destnation": "x"}]}"#, "/mounts/0/destnation", "did you mean \"destination\"?");
        one(
            r#"{"process": {"noNewPriviledges": 1}}"#,
            "/process/noNewPriviledges",
            "did you mean \"noNewPrivileges\"?",
        );
        one(r#"{"volumes": []}"#, "/volumes", "its place in config.json is mounts");
        one(
            r#"{"mounts": [{}, {"target": 1}]}"#,
            "/mounts/1/target",
            "its place in config.json is destination",
        );
        one(r#"{"linux": {"cgroupPath": 1}}"#, "/linux/cgroupPath", "did you mean \"cgroupsPath\"?");
    }

    #[test]
    fn arrays_are_no_objects() {
        let text = br#"{"root": ["x"], "mounts": [["/a"], {"destination": "/b", "options": []}], "x": [[]]}"#;
        assert_eq!(arrays_for_objects(text), ["/root", "/mounts/0"].map(Pointer::from));
        assert_eq!(arrays_for_objects(br#"{"hooks": {"unknown": [[1]]}, "y": {"root": []}}"#), []);
    }

    #[test]
    fn what_is_known_or_quite_different_is_nobody_s_mistake() {
        let text = r#"{"ociVersion": "", "x-extension": 1, "annotations": {"hostnam": ""}, "hooks": {"prestart": [
            {"path": "", "args": []}]}, "linux": {"sysctl": {"typ": ""}, "intelRdt": {"enableCMT": true}}}"#;
        assert_eq!(found(text), []);
        assert_eq!(found("[{\"a\":"), []);
    }
}
