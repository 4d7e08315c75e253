//! The configuration that tests start from, and the usual changes to it.

use std::path::Path;

use serde_json::{Value, json};

/// The PATH of containers.
pub const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Docker's default capabilities.
pub const DOCKER: [&str; 14] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
];

/// The least that is a container of its own: all namespaces but user and time, the usual mounts, Docker's
/// capabilities; no limits, no filter, no masks.
pub fn plain(rootfs: &Path, cgroup: &str) -> Value {
    json!({
        "ociVersion": "1.2.0",
        "process": {
            "user": { "uid": 0, "gid": 0 },
            "args": ["/bin/true"],
            "env": [PATH, "HOME=/root"],
            "cwd": "/",
            "capabilities": { "bounding": DOCKER, "effective": DOCKER, "permitted": DOCKER },
            "noNewPrivileges": true
        },
        "root": { "path": rootfs, "readonly": true },
        "hostname": "inside",
        "mounts": mounts(),
        "linux": {
            "cgroupsPath": cgroup,
            "namespaces": [
                { "type": "pid" }, { "type": "network" }, { "type": "ipc" }, { "type": "uts" },
                { "type": "mount" }, { "type": "cgroup" }
            ]
        }
    })
}

fn entry(target: &str, kind: &str, source: &str, options: &[&str]) -> Value {
    json!({ "destination": target, "type": kind, "source": source, "options": options })
}

fn mounts() -> Value {
    let one = |target, kind, options| entry(target, kind, kind, options);
    let closed = ["nosuid", "noexec", "nodev"];
    let terminals = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"];
    json!([
        one("/proc", "proc", &closed),
        one("/dev", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        one("/dev/pts", "devpts", &terminals),
        one("/dev/shm", "tmpfs", &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
        one("/dev/mqueue", "mqueue", &closed),
        one("/sys", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
        one("/sys/fs/cgroup", "cgroup", &["nosuid", "noexec", "nodev", "relatime", "ro"]),
    ])
}

/// Lets the container run these words.
pub fn runs(config: &mut Value, words: &[&str]) {
    config["process"]["args"] = words.iter().copied().collect();
}

/// Lets the container live until it is killed.
pub fn sleeps(config: &mut Value) {
    runs(config, &["sleep", "1000000"]);
}

/// Lets the container say `ready` when its program runs, and live until it is killed. `state` tells `running`
/// a moment earlier, when the last steps before the program are still to be made.
pub fn says_ready(config: &mut Value) {
    runs(config, &["sh", "-c", "echo ready; exec sleep 1000000"]);
}

/// Gives the program these capabilities, and no others (permitted, effective, bounding).
pub fn capabilities(config: &mut Value, names: &[&str]) {
    config["process"]["capabilities"] = json!({ "bounding": names, "effective": names, "permitted": names });
}

/// Adds one more mount at the end.
pub fn mount(config: &mut Value, target: &str, kind: &str, source: &str, options: &[&str]) {
    let mounts = config["mounts"].as_array_mut().expect("a list of mounts");
    mounts.push(entry(target, kind, source, options));
}

/// Adds a bind mount of a file or directory of the host.
pub fn bind(config: &mut Value, source: &Path, target: &str) {
    mount(config, target, "bind", source.to_str().expect("UTF-8"), &["bind"]);
}

/// Takes the mount at `target` out.
pub fn without_mount(config: &mut Value, target: &str) {
    let mounts = config["mounts"].as_array_mut().expect("a list of mounts");
    mounts.retain(|mount| mount["destination"] != target);
}

/// Adds a namespace of this type: new, or the one at `path`.
pub fn namespace(config: &mut Value, kind: &str, path: Option<&str>) {
    without_namespace(config, kind);
    let mut entry = json!({ "type": kind });
    if let Some(path) = path {
        entry["path"] = json!(path);
    }
    config["linux"]["namespaces"].as_array_mut().expect("a list of namespaces").push(entry);
}

/// Leaves the namespace of this type to the host.
pub fn without_namespace(config: &mut Value, kind: &str) {
    let namespaces = config["linux"]["namespaces"].as_array_mut().expect("a list of namespaces");
    namespaces.retain(|entry| entry["type"] != kind);
}

/// The first id of the host that stands for an id of a container made with [`userns`].
pub const FIRST_ID: u32 = 100_000;

/// A new user namespace with 65536 ids from [`FIRST_ID`] on.
pub fn userns(config: &mut Value) {
    namespace(config, "user", None);
    let map = json!([{ "containerID": 0, "hostID": FIRST_ID, "size": 65536 }]);
    config["linux"]["uidMappings"] = map.clone();
    config["linux"]["gidMappings"] = map;
}

/// A filter that allows everything but one system call, which then answers `errno`.
pub fn deny(config: &mut Value, call: &str, errno: u32) {
    let architecture = if cfg!(target_arch = "x86_64") { "SCMP_ARCH_X86_64" } else { "SCMP_ARCH_AARCH64" };
    config["linux"]["seccomp"] = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": [architecture],
        "syscalls": [{ "names": [call], "action": "SCMP_ACT_ERRNO", "errnoRet": errno }]
    });
}
