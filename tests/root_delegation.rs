//! A container that may divide its own cgroup: who owns what, and what can be done with it inside.
//!
//! OCI: config-linux.md, "Cgroup ownership".

mod world;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;

use serde_json::{Value, json};

use world::{World, config};

const MOUNT: &str = "/sys/fs/cgroup";
const OPTIONS: [&str; 3] = ["nosuid", "noexec", "nodev"];

/// What a test does to the plain configuration.
type Change = fn(&mut Value);

/// The mount of the cgroup can be written to.
fn writable(config: &mut Value) {
    config::without_mount(config, MOUNT);
    config::mount(config, MOUNT, "cgroup", "cgroup", &OPTIONS);
}

/// The owner of each file of the container's cgroup, and of the directory as `.`.
fn owners(world: &World, change: impl FnOnce(&mut Value)) -> BTreeMap<String, u32> {
    let container = world.container("a", |value| {
        config::sleeps(value);
        change(value);
    });
    container.create().ok();
    let directory = world.cgroup("a");
    let files = fs::read_dir(&directory).expect("the cgroup").flatten();
    let mut owners: BTreeMap<String, u32> = files
        .map(|file| (file.file_name().to_string_lossy().into_owned(), file.metadata().expect("a file").uid()))
        .collect();
    owners.insert(".".to_owned(), fs::metadata(&directory).expect("the cgroup").uid());
    container.finish();
    owners
}

/// What the kernel lists, and the directory.
fn is_delegated(name: &str) -> bool {
    let list = fs::read_to_string("/sys/kernel/cgroup/delegate").expect("a list (Linux 4.15)");
    name == "." || list.split_whitespace().any(|file| file == name)
}

#[track_caller]
fn belongs_to(owners: &BTreeMap<String, u32>, user: u32) {
    for (name, owner) in owners {
        assert_eq!(*owner, if is_delegated(name) { user } else { 0 }, "{name}");
    }
    for name in [".", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"] {
        assert_eq!(owners[name], user, "{name}");
    }
}

#[test]
fn the_directory_and_the_listed_files_go_to_the_user_of_the_program() {
    let Some(world) = World::new("the_directory_and_the_listed_files_go_to_the_user_of_the_program") else {
        return;
    };
    let plain = owners(&world, |value| {
        writable(value);
        value["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
    });
    belongs_to(&plain, 1000);
    let mapped = owners(&world, |value| {
        writable(value);
        config::userns(value);
        value["process"]["user"] = json!({ "uid": 7, "gid": 7 });
    });
    belongs_to(&mapped, config::FIRST_ID + 7);
}

#[test]
fn the_maps_of_a_joined_user_namespace_count() {
    let Some(world) = World::new("the_maps_of_a_joined_user_namespace_count") else { return };
    let first = world.container("first", |value| {
        config::sleeps(value);
        config::userns(value);
    });
    first.create().ok();
    let users = format!("/proc/{}/ns/user", first.pid());
    let joined = owners(&world, |value| {
        writable(value);
        config::namespace(value, "user", Some(&users));
    });
    belongs_to(&joined, config::FIRST_ID);
    first.finish();
}

#[test]
fn nothing_changes_hands_unless_all_conditions_hold() {
    let Some(world) = World::new("nothing_changes_hands_unless_all_conditions_hold") else { return };
    let conditions: [(&str, Change); 5] = [
        ("a read-only mount", |_| {}),
        ("a recursively read-only mount", |value| {
            config::without_mount(value, MOUNT);
            config::mount(value, MOUNT, "cgroup", "cgroup", &["rro"]);
        }),
        ("no mount", |value| config::without_mount(value, MOUNT)),
        ("a mount somewhere else", |value| {
            config::without_mount(value, MOUNT);
            config::mount(value, "/mnt", "cgroup", "cgroup", &OPTIONS);
        }),
        ("the cgroup namespace of the host", |value| {
            writable(value);
            config::without_namespace(value, "cgroup");
        }),
    ];
    for (condition, change) in conditions {
        let owners = owners(&world, |value| {
            value["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
            change(value);
        });
        assert!(owners.values().all(|owner| *owner == 0), "{condition}: {owners:?}");
    }
}

/// What systemd does first: it moves itself into a cgroup of its own, and hands controllers down to others.
#[test]
fn an_init_in_a_user_namespace_divides_its_cgroup() {
    let Some(world) = World::new("an_init_in_a_user_namespace_divides_its_cgroup") else { return };
    let script = "cd /sys/fs/cgroup && mkdir init.scope app.slice && echo $$ > init.scope/cgroup.procs && \
                  for name in $(cat cgroup.controllers); do echo +$name > cgroup.subtree_control; done && \
                  cat /proc/self/cgroup && echo \"given: $(cat app.slice/cgroup.controllers)\" && \
                  echo \"all: $(cat cgroup.controllers)\"";
    let said = world.says(&["sh", "-c", script], |value| {
        writable(value);
        config::userns(value);
    });
    let lines: Vec<&str> = said.lines().collect();
    let unified = lines.iter().find(|line| line.starts_with("0::"));
    assert_eq!(unified, Some(&"0::/init.scope"), "{said}");
    let after = |word: &str| lines.iter().find_map(|line| line.strip_prefix(word)).map(str::to_owned);
    assert_eq!(after("given:"), after("all:"), "{said}");
    assert!(after("all:").is_some(), "{said}");
}

/// The limits themselves are not handed over.
#[test]
fn an_init_in_a_user_namespace_cannot_raise_its_own_limit() {
    let Some(world) = World::new("an_init_in_a_user_namespace_cannot_raise_its_own_limit") else { return };
    if !world.offers(&["pids"]) {
        return;
    }
    let script = "echo max > /sys/fs/cgroup/pids.max || echo refused; cat /sys/fs/cgroup/pids.max";
    let said = world.says(&["sh", "-c", script], |value| {
        writable(value);
        config::userns(value);
        value["linux"]["resources"] = json!({ "pids": { "limit": 20 } });
    });
    assert_eq!(said, "refused\n20\n");
}
