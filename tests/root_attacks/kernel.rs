//! Ids, powers, cgroups, devices and parameters beyond what the configuration allows.

use std::fs;

use serde_json::{Value, json};

use super::canary::{End, end, refused};
use super::world::{World, config, tool};

fn refuses(world: &World, what: &str, change: impl FnOnce(&mut Value)) {
    refused(&world.container("refused", change).run(&[]), what);
}

/// CVE-2016-3697, CVE-2024-40635: an id that means another one to the kernel, or to the image.
#[test]
fn no_id_turns_into_root() {
    let Some(world) = World::new("no_id_turns_into_root") else { return };
    let bad =
        [json!(u32::MAX), json!(1u64 << 32), json!(-1), json!(1.5), json!("1000"), json!(1e10), json!(null)];
    for id in bad {
        for key in ["uid", "gid"] {
            refuses(&world, &format!("{key} {id}"), |value| value["process"]["user"][key] = id.clone());
        }
        refuses(&world, &format!("group {id}"), |value| {
            value["process"]["user"]["additionalGids"] = json!([id])
        });
    }
    let many: Vec<u32> = (1..=65_537).collect();
    refuses(&world, "65537 groups", |value| value["process"]["user"]["additionalGids"] = json!(many));
    refuses(&world, "umask", |value| value["process"]["user"]["umask"] = json!(0o1000));
    let root = world.own_rootfs();
    fs::write(root.join("etc/passwd"), "1000:x:0:0::/:/bin/sh\n2147483648:x:0:0::/:/bin/sh\n")
        .expect("passwd");
    for uid in [1000u32, 1 << 31] {
        let said = world.says(&["/bin/busybox", "id", "-u"], |value| {
            value["root"] = json!({ "path": root });
            value["process"]["user"] = json!({ "uid": uid, "gid": uid });
        });
        assert_eq!(said.trim(), uid.to_string());
    }
}

/// Groups and users that a user namespace does not map.
#[test]
fn an_unmapped_id_is_an_error() {
    let Some(world) = World::new("an_unmapped_id_is_an_error") else { return };
    for (key, id) in [("uid", json!(70_000)), ("gid", json!(70_000)), ("additionalGids", json!([70_000]))] {
        refuses(&world, key, |value| {
            config::userns(value);
            value["process"]["user"][key] = id;
        });
    }
}

/// CVE-2023-25809: no file of the cgroup hierarchy above the container's own can be written.
#[test]
fn cgroups_above_are_out_of_reach() {
    let Some(world) = World::new("cgroups_above_are_out_of_reach") else { return };
    let script = "cat /proc/self/cgroup; cd /sys/fs/cgroup; for f in cgroup.procs ../cgroup.procs \
        ../../cgroup.procs \
        cgroup.subtree_control; do (echo 0 >$f) 2>/dev/null && echo wrote $f; done; \
        mkdir x 2>/dev/null && echo made; :";
    let said = world.says(&["/bin/sh", "-c", script], |_| {});
    // A host may have hierarchies of version 1 beside; version 2 is the last line.
    assert_eq!(said.trim().lines().last(), Some("0::/"));
    assert!(!said.contains("wrote") && !said.contains("made"), "{said}");
    let said = world.says(&["/bin/sh", "-c", script], |value| config::without_namespace(value, "cgroup"));
    assert!(!said.contains("wrote") && !said.contains("made"), "{said}");
}

/// GHSA-g54h-m393-cpwq: a list without "deny all" denies all the same, and a node made inside opens
/// nothing.
#[test]
fn devices_that_are_not_listed_stay_closed() {
    let Some(world) = World::new("devices_that_are_not_listed_stay_closed") else { return };
    let script =
        "cd /tmp; mknod kmsg c 1 11; mknod mem c 1 1; mknod disk b 8 0; mknod vda b 254 0; mknod tape c 9 0
        for d in kmsg mem disk vda tape; do
            (exec 3<$d) 2>err && echo opened $d; grep -q 'not permitted' err || { echo $d; cat err; }
        done; head -c 0 /dev/null && echo null";
    let tries = [
        json!(null),
        json!([]),
        json!([{ "allow": true, "type": "c", "major": 1, "minor": 5, "access": "r" }]),
    ];
    for devices in tries {
        let said = world.says(&["/bin/sh", "-c", script], |value| {
            config::mount(value, "/tmp", "tmpfs", "tmpfs", &[]);
            value["linux"]["resources"] = json!({ "devices": devices });
        });
        assert_eq!(said.trim(), "null", "{devices}");
    }
}

/// CVE-2022-0811, CVE-2025-52881: a parameter that is not the container's own.
#[test]
fn parameters_of_the_host_are_refused() {
    let Some(world) = World::new("parameters_of_the_host_are_refused") else { return };
    let long = "1".repeat(1 << 20);
    let bad = [
        ("kernel/../../x", "1"),
        ("kernel.shmmax/../../sysrq-trigger", "b"),
        ("net/../kernel/core_pattern", "|/x"),
        ("net.../kernel.core_pattern", "|/x"),
        ("/kernel.shmmax", "1"),
        ("kernel..shmmax", "1"),
        ("", "1"),
        (".", "1"),
        ("kernel.shmmax\0x", "1"),
        ("kernel.shmmax", "1\n2"),
        ("kernel.shmmax", &long),
        ("kernel.core_pattern", "|/x"),
        ("vm.overcommit_memory", "1"),
        ("fs.file-max", "1"),
        ("kernel.shmmax+kernel.core_pattern", "1"),
    ];
    for (key, parameter) in bad {
        refuses(&world, key, |value| value["linux"]["sysctl"] = json!({ key: parameter }));
    }
    for (key, kind) in
        [("net.ipv4.ip_forward", "network"), ("kernel.shmmax", "ipc"), ("fs.mqueue.msg_max", "ipc")]
    {
        refuses(&world, key, |value| {
            value["linux"]["sysctl"] = json!({ key: "1" });
            config::without_namespace(value, kind);
            if kind == "network" {
                config::without_mount(value, "/sys");
            }
        });
    }
}

/// CVE-2024-3154: a cgroup path that leads out of its place, or is none.
#[test]
fn a_cgroup_path_leads_nowhere_else() {
    let Some(world) = World::new("a_cgroup_path_leads_nowhere_else") else { return };
    let long = "/n".repeat(2048);
    for path in
        ["../../x", "/a/../../b", "/", "//", "/..", "a\0b", "/a\nb", &long, "/cgroup.procs", "/x/cgroup.kill"]
    {
        refuses(&world, path, |value| value["linux"]["cgroupsPath"] = json!(path));
    }
    let output = tool(&["find", "/sys/fs/cgroup", "-maxdepth", "2", "-name", "*n*n*"]);
    assert!(!output.contains("/n/n"), "{output}");
}

/// Capabilities, ids, filter and no_new_privs are what was asked for, in every combination.
#[test]
fn powers_are_exact_in_every_combination() {
    let Some(world) = World::new("powers_are_exact_in_every_combination") else { return };
    let script = "grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp:)' /proc/self/status | tr -s '\\t ' ' '";
    for (uid, nnp, filter, caps) in combinations() {
        let said = world.says(&["/bin/sh", "-c", script], |value| {
            value["process"]["user"] = json!({ "uid": uid, "gid": uid });
            value["process"]["noNewPrivileges"] = json!(nnp);
            let set = if caps { json!(["CAP_KILL"]) } else { json!([]) };
            value["process"]["capabilities"] = json!({ "bounding": set, "effective": set, "permitted": set });
            if filter {
                config::deny(value, "swapon", 1);
            }
        });
        let (kill, none) = (format!("{:016x}", 1 << 5), "0".repeat(16));
        let bounding = if caps { &kill } else { &none };
        // A program of root gains what is in the bounding set, that of a user loses what is not ambient
        // (capabilities(7)).
        let permitted = if caps && uid == 0 { &kill } else { &none };
        let expected = format!(
            "Uid: {uid} {uid} {uid} {uid}\nGid: {uid} {uid} {uid} {uid}\nGroups: \nCapInh: {none}\n\
             CapPrm: {permitted}\n\
             CapEff: {permitted}\nCapBnd: {bounding}\nCapAmb: {none}\nNoNewPrivs: {}\nSeccomp: {}",
            u8::from(nnp),
            if filter { 2 } else { 0 }
        );
        assert_eq!(said.trim(), expected, "uid {uid}, no_new_privs {nnp}, filter {filter}, CAP_KILL {caps}");
    }
}

fn combinations() -> impl Iterator<Item = (u32, bool, bool, bool)> {
    (0..16).map(|bits| (if bits & 1 == 0 { 0 } else { 1000 }, bits & 2 != 0, bits & 4 != 0, bits & 8 != 0))
}

/// A filter that forbids what the last steps need: an error, or a program that has the filter.
#[test]
fn no_program_starts_without_its_filter() {
    let Some(world) = World::new("no_program_starts_without_its_filter") else { return };
    let calls = [
        "execve",
        "write",
        "close_range",
        "capset",
        "setresuid",
        "setgroups",
        "prctl",
        "seccomp",
        "chdir",
        "openat2",
        "getcwd",
        "umask",
        "sendmsg",
        "recvmsg",
        "close",
        "capget",
    ];
    for nnp in [false, true] {
        for call in calls {
            let container = world.container("filter", |value| {
                config::deny(value, call, 38);
                value["process"]["noNewPrivileges"] = json!(nnp);
                config::runs(value, &["/bin/busybox", "grep", "Seccomp:", "/proc/self/status"]);
            });
            let output = container.run(&[]);
            // Without write(2) even a program that runs says nothing, and ends as it likes.
            if call != "write" && end(&output, call) == End::Ran {
                assert_eq!(output.stdout.trim(), "Seccomp:\t2", "{call}, no_new_privs {nnp}");
            }
        }
    }
}
