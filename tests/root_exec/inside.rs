//! It stands where the container's first process stands.

use std::fs;

use serde_json::{Value, json};

use super::world::{World, config};
use super::{exec, living, says};

/// The report of the probe as the container's first process, and as a program that entered.
fn reports(world: &World, topics: &[&str], change: impl Fn(&mut Value)) -> (Value, Value) {
    let words = [&["probe", "report"], topics].concat();
    let first = world.container("first", |value| {
        change(value);
        config::runs(value, &words);
    });
    let container = living(world, &change);
    let first = first.run(&[]).ok().json();
    let entered = exec(world, &[], &words).ok().json();
    container.finish();
    (first, entered)
}

#[test]
fn it_has_what_the_first_process_has() {
    let Some(world) = World::new("it_has_what_the_first_process_has") else { return };
    let change = |value: &mut Value| {
        config::deny(value, "mkdir", 1);
        value["process"]["user"] = json!({ "uid": 7, "gid": 8, "additionalGids": [9, 10], "umask": 63 });
        value["process"]["rlimits"] = json!([{ "type": "RLIMIT_NOFILE", "soft": 77, "hard": 88 }]);
        value["process"]["oomScoreAdj"] = json!(300);
        value["process"]["cwd"] = json!("/etc");
        value["linux"]["personality"] = json!({ "domain": "LINUX32" });
    };
    let topics = ["ids", "caps", "seccomp", "rlimits", "env", "cwd", "uts"];
    let (first, entered) = reports(&world, &topics, change);
    for topic in topics {
        assert_eq!(first[topic], entered[topic], "{topic}");
    }
}

#[test]
fn it_is_in_the_namespaces_and_the_cgroup_of_the_container() {
    let Some(world) = World::new("it_is_in_the_namespaces_and_the_cgroup_of_the_container") else { return };
    for change in [(|_| ()) as fn(&mut Value), config::userns, |value| config::namespace(value, "time", None)]
    {
        let container = living(&world, change);
        let entered = exec(
            &world,
            &["--detach", "--pid-file", world.file("pid").to_str().unwrap()],
            &["sleep", "1000000"],
        );
        entered.ok();
        let pid = fs::read_to_string(world.file("pid")).expect("the pid");
        let (ours, own) = (container.pid(), "/proc/self/ns");
        for kind in ["pid", "net", "mnt", "ipc", "uts", "user", "cgroup", "time"] {
            let link = |place: String| fs::read_link(format!("{place}/{kind}")).expect("a namespace");
            assert_eq!(link(format!("/proc/{ours}/ns")), link(format!("/proc/{pid}/ns")), "{kind}");
            let shared = ["user", "time"].contains(&kind);
            assert!(shared || link(own.to_owned()) != link(format!("/proc/{pid}/ns")), "{kind}");
        }
        let cgroup = |pid: &str| fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("a cgroup");
        assert_eq!(cgroup(&ours.to_string()), cgroup(&pid));
        container.finish();
    }
}

#[test]
fn it_sees_the_processes_and_files_of_the_container() {
    let Some(world) = World::new("it_sees_the_processes_and_files_of_the_container") else { return };
    let container = living(&world, |_| ());
    exec(&world, &[], &["sh", "-c", "echo here >/dev/shm/note"]).ok();
    assert_eq!(says(&world, &[], &["cat", "/dev/shm/note"]), "here\n");
    let processes = says(&world, &[], &["sh", "-c", "ls /proc | grep -c '^[0-9]'"]);
    assert!(processes.trim().parse::<u32>().expect("a number") <= 4, "{processes}");
    container.finish();
}

#[test]
fn the_device_filter_holds_for_it() {
    let Some(world) = World::new("the_device_filter_holds_for_it") else { return };
    let container = living(&world, |value| {
        config::capabilities(value, &["CAP_MKNOD", "CAP_SYS_ADMIN"]);
    });
    let refused = says(&world, &[], &["sh", "-c", "mknod /dev/k b 7 0 && cat /dev/k 2>&1; :"]);
    assert!(refused.contains("Operation not permitted"), "{refused}");
    container.finish();
}

/// As an init does that divides what it was given.
#[test]
fn where_the_cgroup_is_divided_it_is_that_of_the_first_process() {
    let Some(world) = World::new("where_the_cgroup_is_divided_it_is_that_of_the_first_process") else {
        return;
    };
    if !world.offers(&["pids"]) {
        return;
    }
    let container = living(&world, |_| ());
    let cgroup = world.cgroup("a");
    let inner = cgroup.join("init.scope");
    fs::create_dir(&inner).expect("a cgroup");
    fs::write(inner.join("cgroup.procs"), container.pid().to_string()).expect("the first process moves");
    fs::write(cgroup.join("cgroup.subtree_control"), "+pids").expect("the cgroup is divided");
    let told = says(&world, &[], &["cat", "/proc/self/cgroup"]);
    assert!(told.lines().any(|line| line == "0::/init.scope"), "{told}");
    container.finish();
}

/// As a process does that may write to the host's cgroups.
#[test]
fn where_the_cgroup_is_gone_it_is_that_of_the_first_process() {
    let Some(world) = World::new("where_the_cgroup_is_gone_it_is_that_of_the_first_process") else { return };
    let container = living(&world, |_| ());
    let (old, new) = (world.cgroup("a"), world.cgroup("b"));
    fs::create_dir(&new).expect("a cgroup");
    fs::write(new.join("cgroup.procs"), container.pid().to_string()).expect("the first process moves");
    fs::remove_dir(&old).expect("nobody is in it");
    let told = says(&world, &[], &["cat", "/proc/self/cgroup"]);
    assert!(told.lines().any(|line| line.starts_with("0::/") && line.ends_with("/b")), "{told}");
    container.finish();
    fs::remove_dir(&new).expect("everybody has ended");
}

#[test]
fn a_cgroup_below_that_of_the_container() {
    let Some(world) = World::new("a_cgroup_below_that_of_the_container") else { return };
    let container = living(&world, |_| ());
    let below = world.cgroup("a").join("below");
    fs::create_dir(&below).expect("a cgroup");
    let told = says(&world, &["--cgroup", "below"], &["cat", "/proc/self/cgroup"]);
    assert!(told.lines().any(|line| line == "0::/below"), "{told}");
    for bad in ["../..", "nowhere", "below/../../x"] {
        let refused = exec(&world, &["--cgroup", bad], &["true"]);
        assert_eq!(refused.status, 255, "{refused:?}");
        assert!(refused.stderr.contains("--cgroup"), "{refused:?}");
    }
    container.finish();
}
