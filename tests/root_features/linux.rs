//! Namespaces, capabilities, cgroups, security modules, classes of the processor, network devices.

use std::fs;

use crate_run::feature::capabilities;
use serde_json::{Value, json};

use crate::fake::Fake;
use crate::machine::Machine;
use crate::world::{self, World, config};
use crate::{value, words};

fn is_true(world: &World, place: &str) -> bool {
    value(world, place).as_bool().unwrap_or_else(|| panic!("{place} is no boolean"))
}

#[test]
fn every_namespace_can_be_new() {
    let Some(world) = World::new("every_namespace_can_be_new") else { return };
    for word in words(&world, "/linux/namespaces") {
        let file = match word.as_str() {
            "mount" => "mnt",
            "network" => "net",
            "cgroup" | "ipc" | "pid" | "time" | "user" | "uts" => word.as_str(),
            other => panic!("no driver for the namespace {other}"),
        };
        let link = format!("/proc/self/ns/{file}");
        let said = world.says(&["readlink", &link], |config| match word.as_str() {
            "user" => config::userns(config),
            _ => config::namespace(config, &word, None),
        });
        let own = fs::read_link(&link).expect("a namespace of this test");
        assert_ne!(said.trim(), own.to_str().expect("UTF-8"), "{word}");
        assert!(said.starts_with(&format!("{file}:[")), "{word}: {said}");
    }
}

/// A capability that the runtime itself lacks cannot be granted; that its name is known, the absence of a
/// warning about the name shows.
#[test]
fn every_capability_is_granted() {
    let Some(world) = World::new("every_capability_is_granted") else { return };
    let names = words(&world, "/linux/capabilities");
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mask = |text: &str, field: &str| -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix(field)).expect("the field");
        u64::from_str_radix(line.trim_start_matches(':').trim(), 16).expect("hexadecimal")
    };
    let container = world.container("a", |config| {
        config::capabilities(config, &names);
        config::runs(config, &["cat", "/proc/self/status"]);
    });
    let output = container.run(&[]).ok();
    let own = fs::read_to_string("/proc/self/status").expect("the status of this test");
    let granted = mask(&output.stdout, "CapBnd");
    for name in &names {
        let bit = capabilities::bit(name).unwrap_or_else(|| panic!("{name} has no number"));
        assert_eq!(granted & bit, mask(&own, "CapPrm") & mask(&own, "CapBnd") & bit, "{name}");
        assert!(!output.stderr.contains(&format!("unknown capability {name:?}")), "{}", output.stderr);
    }
}

#[test]
fn the_cgroup_drivers_are_as_told() {
    let Some(world) = World::new("the_cgroup_drivers_are_as_told") else { return };
    assert!(is_true(&world, "/linux/cgroup/v2"));
    let said = world.says(&["cat", "/proc/self/cgroup"], |config| {
        config::without_namespace(config, "cgroup");
    });
    assert!(said.lines().any(|line| line == format!("0::/{}/says", world.tag)), "{said}");
    assert!(!is_true(&world, "/linux/cgroup/v1"), "no driver for v1");
    for place in ["/linux/cgroup/systemd", "/linux/cgroup/systemdUser"] {
        assert!(is_true(&world, place), "{place}");
    }
    let container = world.container("a", |_| {});
    let create = world.runtime().words(&["--systemd-cgroup", "create", "--bundle"]).path(&container.bundle);
    let output = create.words(&["a"]).run().exits(1);
    let words = "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups";
    assert!(output.stderr.contains(words), "{}", output.stderr);
}

/// Where the controller is, the kernel says that there is no such card.
#[test]
fn limits_on_rdma_cards_are_written() {
    let Some(world) = World::new("limits_on_rdma_cards_are_written") else { return };
    assert!(is_true(&world, "/linux/cgroup/rdma"));
    let container = world.container("a", |config| {
        config["linux"]["resources"] = json!({ "rdma": { "no_card0": { "hcaHandles": 3 } } });
    });
    let plan = world.run(&["explain", container.bundle.to_str().expect("UTF-8"), "--format", "json"]).ok();
    assert!(plan.stdout.contains("write no_card0 hca_handle=3 to rdma.max"), "{}", plan.stdout);
    if world.offers(&["rdma"]) {
        let output = container.create().exits(1);
        let sentence = "cannot write \"no_card0 hca_handle=3\" to rdma.max of cgroup ";
        assert!(output.sentence().starts_with(sentence), "{}", output.stderr);
        output.helps("name a card that exists (ls /sys/class/infiniband)");
    }
}

/// A label for a module that the host lacks is refused; which module it was, shows that the word is known.
#[test]
fn the_security_modules_are_as_told() {
    let test = "the_security_modules_are_as_told";
    let Some(world) = World::new(test) else { return };
    let modules = [
        ("apparmor", "apparmorProfile", "AppArmor", "/sys/module/apparmor/parameters/enabled", "unconfined"),
        ("selinux", "selinuxLabel", "SELinux", "/sys/fs/selinux/enforce", "system_u:system_r:container_t:s0"),
    ];
    for (word, field, name, file, known) in modules {
        assert!(is_true(&world, &format!("/linux/{word}/enabled")), "no driver for its absence");
        let run =
            |label: &str| world.container("a", |config| config["process"][field] = json!(label)).run(&[]);
        if std::path::Path::new(file).exists() {
            run(known).ok();
        } else {
            world::skip(test, &format!("this host has no {name}"));
            let output = run("a-label").exits(1);
            assert!(output.stderr.contains(name), "{}", output.stderr);
        }
    }
}

#[test]
fn classes_of_the_processor_are_as_told() {
    let test = "classes_of_the_processor_are_as_told";
    let Some(world) = World::new(test) else { return };
    for word in ["enabled", "schemata", "monitoring"] {
        assert!(is_true(&world, &format!("/linux/intelRdt/{word}")), "no driver for the absence of {word}");
    }
    let Some(machine) = Machine::new(test, &world, Fake::new()) else { return };
    machine.create("a", json!({ "schemata": ["L3:0=f"], "enableMonitoring": true })).ok();
    let expected = ["make a", "schemata a L3:0=f", "make a/mon_groups/a", "join a", "join a/mon_groups/a"];
    assert_eq!(machine.log(), expected);
    machine.delete("a");
}

#[test]
fn network_devices_are_as_told() {
    let test = "network_devices_are_as_told";
    let Some(world) = World::new(test) else { return };
    let moves = |config: &mut Value| {
        config["linux"]["netDevices"] = json!({ "crfeat0": { "name": "inside0" } });
        config::runs(config, &["ls", "/sys/class/net"]);
    };
    assert!(is_true(&world, "/linux/netDevices/enabled"), "no driver for its absence");
    let add = ["link", "add", "crfeat0", "type", "dummy"];
    let added = std::process::Command::new("ip").args(add).status();
    if !added.is_ok_and(|status| status.success()) {
        return world::skip(test, "this host makes no dummy network device");
    }
    let output = world.container("a", moves).run(&[]);
    let _ = std::process::Command::new("ip").args(["link", "del", "crfeat0"]).status();
    assert!(output.ok().stdout.lines().any(|name| name == "inside0"));
}

/// A mode or flag that this kernel is too old for is refused by the kernel, and not by its name.
#[test]
fn every_memory_policy_is_known() {
    let Some(world) = World::new("every_memory_policy_is_known") else { return };
    let run = |policy: Value| {
        let container = world.container("a", |config| config["linux"]["memoryPolicy"] = policy.clone());
        let output = container.run(&[]);
        let refused = output.stderr.contains("set_mempolicy(2) answered");
        assert!(output.status == 0 || refused, "{policy}: {}", output.stderr);
        output.status
    };
    for mode in words(&world, "/linux/memoryPolicy/modes") {
        let nodes = if matches!(mode.as_str(), "MPOL_DEFAULT" | "MPOL_LOCAL") { "" } else { "0" };
        let status = run(json!({ "mode": mode, "nodes": nodes }));
        let is_new = matches!(mode.as_str(), "MPOL_PREFERRED_MANY" | "MPOL_WEIGHTED_INTERLEAVE");
        assert!(status == 0 || is_new, "{mode}");
    }
    for flag in words(&world, "/linux/memoryPolicy/flags") {
        assert_eq!(run(json!({ "mode": "MPOL_BIND", "nodes": "0", "flags": [flag] })), 0, "{flag}");
    }
}
