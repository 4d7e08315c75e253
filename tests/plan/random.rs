//! Random bundles that are valid, and random wishes of a command.

use crate_run::bundle::path::OutsidePath;
use crate_run::cgroup::Driver;
use crate_run::cgroup::v1::{Bound, Group};
use crate_run::feature::keyring::Keyring;
use crate_run::feature::rootfs::Exit;
use crate_run::feature::terminal::Master;
use crate_run::host::Host;
use crate_run::plan::request::Gate;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::bundles::{Wish, minimal};

/// A tape of decisions. Where it is zero, the bundle has less: so proptest shrinks towards the minimal bundle.
struct Tape {
    numbers: Vec<u16>,
    at: usize,
}

impl Tape {
    /// A number below `count`.
    fn below(&mut self, count: usize) -> usize {
        let number = self.numbers.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        usize::from(number) % count
    }

    fn yes(&mut self) -> bool {
        self.below(2) == 1
    }

    fn one<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }

    /// Some of these, in a random order.
    fn some<T: Clone>(&mut self, all: &[T]) -> Vec<T> {
        let mut picked: Vec<T> = Vec::new();
        for item in all {
            if self.yes() {
                let place = self.below(picked.len() + 1);
                picked.insert(place, item.clone());
            }
        }
        picked
    }
}

/// Any wish that `Bundle::check` lets through.
pub fn wishes() -> impl Strategy<Value = Wish> {
    proptest::collection::vec(any::<u16>(), 0..400).prop_map(|numbers| wish(&mut Tape { numbers, at: 0 }))
}

/// Wishes that have every feature somewhere, always the same ones.
pub fn rich() -> Vec<Wish> {
    // A generator of Lehmer's kind: the wishes are the same in every run.
    let mut state: u64 = 1;
    let mut next = || {
        state = state * 48271 % 0x7fff_ffff;
        (state >> 8) as u16
    };
    (0..40).map(|_| wish(&mut Tape { numbers: (0..400).map(|_| next()).collect(), at: 0 })).collect()
}

fn wish(tape: &mut Tape) -> Wish {
    let mut config = minimal();
    let wants_user = tape.below(4) == 3;
    let namespaces = namespaces(tape);
    let own = |kind: &str| namespaces.iter().any(|entry| entry["type"] == kind);
    // An ordinary user has containers in user namespaces only.
    let host = if wants_user && own("user") { Host::for_user(1000) } else { Host::for_tests() };
    let makes =
        |kind: &str| namespaces.iter().any(|entry| entry["type"] == kind && entry.get("path").is_none());
    config["linux"] = linux(tape, &own, &makes);
    if own("network") && host.powers.administers && tape.yes() {
        config["linux"]["netDevices"] = json!({ "eth0": { "name": "net%d" }, "eth1": {} });
    }
    config["process"] = process(tape);
    for (name, label) in
        [("apparmorProfile", "profile"), ("selinuxLabel", "system_u:system_r:container_t:s0")]
    {
        if tape.yes() {
            config["process"][name] = label.into();
        }
    }
    let driver = match tape.below(4) {
        3 => Driver::Systemd,
        _ => Driver::Cgroupfs,
    };
    if driver == Driver::Systemd {
        config["linux"]["cgroupsPath"] = tape.one(&["", "a-b.slice:web:1", ":web:1"]).into();
        config["annotations"] = json!({ "org.systemd.property.TimeoutStopSec": "3" });
    }
    config["root"]["readonly"] = tape.yes().into();
    config["mounts"] = mounts(tape, &host);
    config["hooks"] = hooks(tape);
    if own("uts") {
        config["hostname"] = "example".into();
        config["domainname"] = tape.one(&["", "example.org"]).into();
    }
    config["linux"]["namespaces"] = namespaces.into();
    if tape.below(16) == 15 {
        config.as_object_mut().expect("an object").remove("process");
    }
    let terminal = config["process"]["terminal"] == true;
    let is_private = config["linux"]["rootfsPropagation"] == "private";
    let mut wish = Wish::new(serde_json::to_string_pretty(&config).expect("a value is JSON"));
    wish.host = host;
    let path = |text: &str| OutsidePath::new("/".as_ref(), text.as_ref()).expect("no NUL");
    wish.request.cgroup_driver = driver;
    wish.request.gate = if tape.yes() { Gate::Open } else { Gate::Closed };
    wish.request.master = match (terminal, tape.yes()) {
        (false, _) => Master::None,
        (true, false) => Master::Foreground,
        (true, true) => Master::Socket(path("/run/console")),
    };
    wish.request.preserved = tape.below(3) as u32;
    wish.request.keyring = if tape.yes() { Keyring::Inherited } else { Keyring::Own };
    wish.request.pid_file = tape.yes().then(|| path("/run/pid"));
    if tape.yes() && !is_private {
        wish.request.exit = Exit::Move { hidden: vec![path("/proc"), path("/sys")] };
    }
    wish.request.notify = tape.yes().then(|| path("/run/crate-run/example/notify"));
    wish.request.pidfd_socket = tape.yes().then(|| path("/run/pidfd"));
    wish.null_streams = tape.yes();
    if driver == Driver::Cgroupfs {
        wish.groups = groups(tape);
    }
    wish
}

/// The container's groups on a host of cgroup v1, where it has a cgroup.
fn groups(tape: &mut Tape) -> Vec<Group> {
    let bound = |names: &&str| Bound {
        place: format!("/sys/fs/cgroup/{names}").into(),
        controllers: names.split(',').map(str::to_owned).collect(),
        own: "/".to_owned(),
    };
    let all: Vec<Bound> = ["cpu,cpuacct", "cpuset", "memory", "name=systemd"].iter().map(bound).collect();
    tape.some(&all).iter().map(|bound| bound.group("/example", "example").expect("a plain path")).collect()
}

/// Some namespaces: new, or those of this process. In a new user namespace the mount namespace is new too.
fn namespaces(tape: &mut Tape) -> Vec<Value> {
    let files = [
        ("pid", "pid"),
        ("network", "net"),
        ("ipc", "ipc"),
        ("uts", "uts"),
        ("cgroup", "cgroup"),
        ("time", "time"),
    ];
    let mut list = Vec::new();
    for (kind, file) in tape.some(&files) {
        list.push(match tape.below(3) {
            0 => json!({ "type": kind, "path": format!("/proc/self/ns/{file}") }),
            _ => json!({ "type": kind }),
        });
    }
    let users = tape.below(4);
    match users {
        1 => list.push(json!({ "type": "user" })),
        2 => list.push(json!({ "type": "user", "path": "/proc/self/ns/user" })),
        _ => {}
    }
    match (tape.below(8), users) {
        (7, 0 | 3) => {}
        (6, 0 | 2 | 3) => list.push(json!({ "type": "mount", "path": "/proc/self/ns/mnt" })),
        _ => list.push(json!({ "type": "mount" })),
    }
    list
}

fn linux(tape: &mut Tape, own: &dyn Fn(&str) -> bool, makes: &dyn Fn(&str) -> bool) -> Value {
    let mut linux = json!({ "cgroupsPath": "/example" });
    if makes("user") {
        linux["uidMappings"] = json!([{ "containerID": 0, "hostID": 100000, "size": 65536 }]);
        linux["gidMappings"] = json!([{ "containerID": 0, "hostID": 100000, "size": 65536 }]);
    }
    if makes("time") && tape.yes() {
        linux["timeOffsets"] = json!({ "boottime": { "secs": 5, "nanosecs": 0 } });
    }
    let mut sysctl = Map::new();
    if own("network") && tape.yes() {
        sysctl.insert("net.ipv4.ip_forward".into(), "1".into());
    }
    if own("ipc") && tape.yes() {
        sysctl.insert("kernel.msgmax".into(), "65536".into());
    }
    linux["sysctl"] = sysctl.into();
    linux["maskedPaths"] = json!(tape.some(&["/proc/kcore", "/proc/keys", "/sys/firmware"]));
    linux["readonlyPaths"] = json!(tape.some(&["/proc/sys", "/proc/bus"]));
    let propagations: &[&str] = if makes("mount") { &["unbindable"] } else { &[] };
    let propagations = [&["", "private", "shared", "rslave"], propagations].concat();
    linux["rootfsPropagation"] = tape.one(&propagations).into();
    // In a user namespace a listed device is one of the host.
    let devices = [json!({ "path": "/dev/full", "type": "c", "major": 1, "minor": 7, "fileMode": 438 })];
    linux["devices"] = tape.some(&devices).into();
    linux["resources"] = resources(tape);
    if tape.yes() {
        linux["intelRdt"] = json!({
            "closID": tape.one(&["", "gold", "/"]), "l3CacheSchema": "L3:0=f", "memBwSchema": "MB:0=20",
            "schemata": tape.some(&["L2:0=f", "L3:1=f", "MB:1=30"]), "enableMonitoring": tape.yes()
        });
    }
    if tape.yes() {
        linux["seccomp"] = json!({
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{ "names": ["mkdir", "chmod"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1 }]
        });
        if tape.yes() {
            let rule = json!({ "names": ["mknod"], "action": "SCMP_ACT_NOTIFY" });
            linux["seccomp"]["syscalls"].as_array_mut().expect("a list of rules").push(rule);
            linux["seccomp"]["listenerPath"] = "/run/agent".into();
        }
    }
    if tape.yes() {
        linux["personality"] = json!({ "domain": "LINUX32" });
    }
    if tape.yes() {
        linux["memoryPolicy"] = json!({ "mode": "MPOL_PREFERRED", "nodes": "0,70" });
    }
    linux
}

fn resources(tape: &mut Tape) -> Value {
    let all = [
        ("memory", json!({ "limit": 67108864, "checkBeforeUpdate": true })),
        ("cpu", json!({ "shares": 512, "quota": 50000, "period": 100000 })),
        ("pids", json!({ "limit": 64 })),
        ("devices", json!([{ "allow": false, "access": "rwm" }])),
        ("unified", json!({ "memory.high": "33554432" })),
    ];
    tape.some(&all).into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>().into()
}

fn process(tape: &mut Tape) -> Value {
    let words = ["CAP_CHOWN", "CAP_KILL", "CAP_SYS_ADMIN", "CAP_NET_RAW"];
    let ids = [0, 1000];
    let mut process = json!({
        "user": { "uid": ids[tape.below(2)], "gid": ids[tape.below(2)], "additionalGids": tape.some(&[5, 10]) },
        "args": ["sh", "-c", "true"],
        "env": tape.some(&["PATH=/bin", "HOME=/root", "A=1"]),
        "cwd": tape.one(&["/", "/srv"]),
        "terminal": tape.yes(),
        "noNewPrivileges": tape.yes(),
        "rlimits": tape.some(&[
            json!({ "type": "RLIMIT_NOFILE", "soft": 64, "hard": 128 }),
            json!({ "type": "RLIMIT_CORE", "soft": 0, "hard": 0 }),
        ]),
    });
    if tape.yes() {
        let mut sets = Map::new();
        for name in ["bounding", "effective", "permitted", "inheritable", "ambient"] {
            sets.insert(name.to_owned(), json!(tape.some(&words)));
        }
        process["capabilities"] = sets.into();
    }
    if tape.yes() {
        process["oomScoreAdj"] = 100.into();
    }
    if tape.yes() {
        process["scheduler"] = json!({
            "policy": "SCHED_DEADLINE", "runtime": 1000000, "deadline": 2000000,
            "flags": ["SCHED_FLAG_RESET_ON_FORK"]
        });
    }
    if tape.yes() {
        process["ioPriority"] = json!({ "class": "IOPRIO_CLASS_RT", "priority": 0 });
    }
    if tape.yes() {
        process["user"]["umask"] = 63.into();
    }
    process
}

fn mounts(tape: &mut Tape, host: &Host) -> Value {
    let mount = |destination: &str, typ: &str, options: &[&str]| json!({ "destination": destination, "type": typ, "source": typ, "options": options });
    let bind = |source: &str, destination: &str, options: &[&str]| json!({ "destination": destination, "type": "bind", "source": source, "options": options });
    let all = [
        mount("/proc", "proc", &["nosuid", "noexec", "nodev"]),
        mount("/dev", "tmpfs", &["nosuid", "mode=755", "size=64k"]),
        mount("/dev/pts", "devpts", &["newinstance", "ptmxmode=0666"]),
        mount("/dev/mqueue", "mqueue", &[]),
        mount("/sys", "sysfs", &["ro"]),
        mount("/sys/fs/cgroup", "cgroup", &["ro"]),
        mount("/sys/fs/cgroup", "cgroup", &[]),
        mount("/tmp", "tmpfs", &["rprivate"]),
        bind("/etc", "/etc", &["rbind", "ro"]),
        bind("/etc/passwd", "/data/passwd", &["bind", "rro", "rslave"]),
        bind("/dev/null", "/dev/null", &["bind"]),
        bind("/usr", "/mapped", &["rbind", "ridmap=uids=0-1-1;gids=0-1-1", "slave", "shared"]),
        bind("/proc/self/exe", "/link", &["bind", "copy-symlink"]),
        mount("/sys", "sysfs", &["remount", "rw"]),
    ];
    let mut list = tape.some(&all);
    let copies = if host.powers.clones_mounts { "tmpcopyup" } else { "dirsync" };
    list.retain(|entry| host.powers.clones_mounts || entry["destination"] != "/mapped");
    if tape.below(8) == 7 {
        list.push(bind("/dev", "/dev", &["rbind"]));
    }
    if tape.yes() {
        list.push(mount("/run", "tmpfs", &["size=64k", tape.one(&[copies, "silent", "sync"])]));
        list.push(mount("/run", "tmpfs", &["remount", "size=128k", "rro"]));
    }
    list.into()
}

fn hooks(tape: &mut Tape) -> Value {
    let names = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];
    let hook = json!({ "path": "/bin/hook", "args": ["hook", "now"], "env": ["A=1"], "timeout": 5 });
    let mut hooks = Map::new();
    for name in names {
        hooks.insert(name.to_owned(), vec![hook.clone(); tape.below(3)].into());
    }
    hooks.into()
}
