//! Bundles whose plans have as many kinds of steps as possible.

use std::os::unix::net::{UnixListener, UnixStream};

use serde_json::{Value, json};

use super::world::{CGROUPS, World, config};

/// Every feature that works on every host, and the limits whose controllers this host has.
pub fn everything(world: &World, config: &mut Value) {
    config::namespace(config, "time", None);
    config["linux"]["timeOffsets"] = json!({ "boottime": { "secs": 60, "nanosecs": 0 } });
    config["linux"]["sysctl"] = json!({ "kernel.shmmni": "200", "net.ipv4.ip_forward": "1" });
    config["linux"]["devices"] = json!([{ "path": "/dev/fuse", "type": "c", "major": 10, "minor": 229 }]);
    config["linux"]["seccomp"] = world.docker_profile();
    config["domainname"] = json!("example");
    config["process"]["user"] = json!({ "uid": 1000, "gid": 1000, "additionalGids": [5, 6], "umask": 7 });
    limits(config);
    shared(world, config);
}

/// The same in a user namespace, where devices are lent and ids are mapped, and the cgroup is handed over.
pub fn with_user_namespace(world: &World, config: &mut Value) {
    config::userns(config);
    config::without_mount(config, "/sys/fs/cgroup");
    config::mount(config, "/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", "noexec", "nodev"]);
    let root = world.own_rootfs();
    super::world::tool(&["chown", "-R", "100000:100000", root.to_str().expect("UTF-8")]);
    super::world::tool(&["chmod", "0711", world.file("").to_str().expect("UTF-8")]);
    config["root"]["path"] = json!(root);
    shared(world, config);
}

/// The same in the cgroup of the world, which no undo may remove.
pub fn in_a_killed_cgroup(world: &World, config: &mut Value) {
    with_user_namespace(world, config);
    config["linux"]["cgroupsPath"] = json!(format!("/{}", world.tag));
    std::fs::write(format!("{CGROUPS}/{}/cgroup.kill", world.tag), "1").expect("cgroup.kill");
}

/// A filter that asks a seccomp agent about a call that neither crate-run nor the program makes.
pub fn with_seccomp_agent(world: &World, config: &mut Value) {
    let path = world.file("agent");
    let socket = UnixListener::bind(&path).expect("a socket");
    // It reads each message, lets the listener go, and ends with this program.
    let read = |stream: std::io::Result<UnixStream>| std::io::copy(&mut stream?, &mut std::io::sink());
    std::thread::spawn(move || socket.incoming().for_each(|stream| drop(read(stream))));
    config::mount(config, "/run", "tmpfs", "tmpfs", &["size=64k"]);
    config["linux"]["seccomp"] = json!({
        "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": path,
        "syscalls": [{ "names": ["personality"], "action": "SCMP_ACT_NOTIFY" }],
    });
}

fn shared(world: &World, config: &mut Value) {
    config["process"]["oomScoreAdj"] = json!(100);
    config["process"]["rlimits"] = json!([{ "type": "RLIMIT_NOFILE", "soft": 512, "hard": 1024 }]);
    config["linux"]["maskedPaths"] = json!(["/proc/kcore", "/proc/acpi", "/sys/firmware"]);
    config["linux"]["readonlyPaths"] = json!(["/proc/bus", "/proc/sys"]);
    let volume = world.file("volume");
    std::fs::create_dir(&volume).expect("a volume");
    config::mount(config, "/mnt", "bind", volume.to_str().expect("UTF-8"), &["rbind", "ro"]);
    config::mount(config, "/tmp", "tmpfs", "tmpfs", &["size=64k"]);
    config::mount(config, "/run", "tmpfs", "tmpfs", &["size=64k"]);
    let hook = json!([{ "path": "/bin/true" }]);
    config["hooks"] = json!({ "createRuntime": hook, "createContainer": hook, "startContainer": hook,
        "poststart": hook, "poststop": hook });
}

fn limits(config: &mut Value) {
    let offered = std::fs::read_to_string(format!("{CGROUPS}/cgroup.controllers")).unwrap_or_default();
    let has = |name: &str| offered.split_whitespace().any(|one| one == name);
    let mut resources = json!({ "devices": [{ "allow": false, "access": "rwm" },
        { "allow": true, "type": "c", "access": "rwm" }] });
    if has("memory") {
        resources["memory"] = json!({ "limit": 64 << 20 });
    }
    if has("pids") {
        resources["pids"] = json!({ "limit": 32 });
    }
    if has("cpu") {
        resources["cpu"] = json!({ "quota": 50000, "period": 100000 });
    }
    config["linux"]["resources"] = resources;
}
