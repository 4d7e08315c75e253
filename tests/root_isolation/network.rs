//! Network devices of the host that move into a container.
//!
//! Each test stands in a network namespace of its own, which plays the host: no interface of the machine is
//! touched.

use std::thread;

use crate_run_sys::namespaces::{flag, unshare};
use serde_json::{Value, json};

use crate::world::{World, config, eventually, skip, tool};

/// Runs a test on a thread with a network namespace of its own, in which there is a pair of interfaces, dev0
/// and its peer veth0, which is up.
fn in_own_network(test: &'static str, body: impl FnOnce(&World) + Send) {
    let body = move || {
        // Refused to all but root, for whom alone there is a world.
        let _ = unshare(flag::NETWORK);
        let Some(world) = World::new(test) else { return };
        if ip_says(&world, &["link", "add", "dev0", "type", "veth"]).is_none() {
            return skip(test, "this kernel has no veth interfaces");
        }
        ip(&world, "link set lo up");
        ip(&world, "link set veth0 up");
        body(&world);
    };
    thread::scope(|scope| {
        if let Err(panic) = scope.spawn(body).join() {
            std::panic::resume_unwind(panic);
        }
    });
}

/// What `ip` says, of the busybox that the fixtures have; `None` when it fails.
fn ip_says(world: &World, words: &[&str]) -> Option<String> {
    let busybox = world.shared_rootfs().join("bin/busybox");
    let output = std::process::Command::new(busybox).arg("ip").args(words).output().expect("busybox");
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn ip(world: &World, line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    ip_says(world, &words).unwrap_or_else(|| panic!("ip {line}"))
}

fn is_there(world: &World, name: &str) -> bool {
    ip_says(world, &["link", "show", "dev", name]).is_some()
}

/// An interface with everything that it can have.
fn furnish(world: &World) {
    for line in [
        "link set dev0 address 02:00:00:00:00:42 mtu 1400 qlen 77",
        "addr add 10.20.30.40/24 brd 10.20.30.255 dev dev0",
        "addr add 10.20.30.41/24 dev dev0 label dev0:web",
        "addr add 10.20.31.1 peer 10.20.31.2 dev dev0",
        "addr add 10.20.32.1/24 scope link dev dev0",
        "addr add fd00:20::40/64 dev dev0",
        "link set dev0 up",
        "route add 10.99.0.0/16 via 10.20.30.1 dev dev0",
    ] {
        ip(world, line);
    }
}

const LOOK: [&str; 3] = [
    "sh",
    "-c",
    "d=/sys/class/net/net0; cat $d/address $d/mtu $d/tx_queue_len; ip addr show dev net0; ip link",
];

#[test]
fn a_device_moves_with_its_attributes_and_addresses() {
    in_own_network("a_device_moves_with_its_attributes_and_addresses", |world| {
        furnish(world);
        let said = world.says(&LOOK, |value| {
            value["linux"]["netDevices"] = json!({ "dev0": { "name": "net0" } });
            value["linux"]["sysctl"] = json!({ "net.ipv4.conf.net0.rp_filter": "2" });
        });
        assert!(said.starts_with("02:00:00:00:00:42\n1400\n77\n"), "{said}");
        for there in [
            ",UP",
            "inet 10.20.30.40/24 brd 10.20.30.255 scope global net0\n",
            "inet 10.20.30.41/24 scope global secondary net0:web\n",
            "inet 10.20.31.1 peer 10.20.31.2/32 scope global net0\n",
            "inet6 fd00:20::40/64 scope global",
        ] {
            assert!(said.contains(there), "{there:?} in {said}");
        }
        assert!(!said.contains("10.20.32.1"), "that one has the scope of a link: {said}");
        assert!(!said.contains("dev0"), "the old name is gone: {said}");
        assert!(!is_there(world, "dev0"), "it has gone with the container");
    });
}

#[test]
fn what_was_moved_carries_packets() {
    in_own_network("what_was_moved_carries_packets", |world| {
        ip(world, "addr add 10.20.30.2/24 dev dev0");
        ip(world, "addr add 10.20.30.1/24 dev veth0");
        let said = world.says(&["ping", "-c", "1", "-W", "30", "10.20.30.1"], |value| {
            value["linux"]["netDevices"] = json!({ "dev0": {} });
        });
        assert!(said.contains("1 packets received"), "{said}");
    });
}

#[test]
fn the_kernel_counts_where_the_name_has_a_template() {
    in_own_network("the_kernel_counts_where_the_name_has_a_template", |world| {
        ip(world, "link add dev1 type veth");
        ip(world, "addr add 10.20.30.40/24 dev dev1");
        let report = world.report(&["net"], |value| {
            value["linux"]["netDevices"] =
                json!({ "dev0": { "name": "net%d" }, "dev1": { "name": "net%d" } });
        });
        let names: Vec<&String> = report["net"].as_object().expect("interfaces").keys().collect();
        assert_eq!(names, ["lo", "net0", "net1"]);
        assert_eq!(report["net"]["net1"]["addresses"][0], "10.20.30.40/24");
        assert_eq!(
            (&report["net"]["net0"]["up"], &report["net"]["net1"]["up"]),
            (&json!(true), &json!(true))
        );
    });
}

fn joins(value: &mut Value, holder: i64) {
    config::namespace(value, "network", Some(&format!("/proc/{holder}/ns/net")));
}

#[test]
fn in_a_joined_namespace_it_stays_when_the_container_is_gone() {
    in_own_network("in_a_joined_namespace_it_stays_when_the_container_is_gone", |world| {
        let holder = world.container("holder", config::sleeps);
        holder.run(&["--detach"]).ok();
        world.says(&["true"], |value| {
            joins(value, holder.pid());
            value["linux"]["netDevices"] = json!({ "dev0": { "name": "net0" } });
        });
        assert!(!is_there(world, "dev0"), "never moved back");
        let pid = holder.pid().to_string();
        let there = ["nsenter", "--net", "--target", &pid, "ls", "/proc/sys/net/ipv4/conf"];
        assert!(tool(&there).lines().any(|name| name == "net0"));
        // The name is taken now, and another device may not have it; the kernel finds another one.
        ip(world, "link add dev1 type veth");
        let number = holder.pid();
        let wish = |inside: &'static str| {
            move |value: &mut Value| {
                joins(value, number);
                value["linux"]["netDevices"] = json!({ "dev1": { "name": inside } });
            }
        };
        let sentence = "the container's network namespace has a device \"net0\" already";
        world.container("a", wish("net0")).create().finds(sentence, "/linux/netDevices/dev1/name");
        assert!(is_there(world, "dev1"));
        world.says(&["true"], wish("net%d"));
        assert!(tool(&there).lines().any(|name| name == "net1"));
        holder.finish();
    });
}

#[test]
fn it_moves_into_a_user_namespace() {
    in_own_network("it_moves_into_a_user_namespace", |world| {
        furnish(world);
        let change = |value: &mut Value| {
            config::userns(value);
            value["linux"]["netDevices"] = json!({ "dev0": { "name": "net0" } });
        };
        let report = world.report(&["net"], change);
        assert_eq!(report["net"]["net0"]["up"], true);
        assert_eq!(report["net"]["net0"]["addresses"][0], "10.20.30.40/24");
    });
}

/// All that `ip` can tell, in an order of its own. That the kernel still looks whether an address is taken
/// tells nothing of what was done.
fn described(world: &World) -> Vec<String> {
    let said = ["addr show dev dev0", "link show dev dev1", "route", "-6 route"].map(|line| ip(world, line));
    let mut lines: Vec<String> = said.concat().replace(" tentative", "").lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn a_container_that_cannot_be_made_gives_it_back() {
    in_own_network("a_container_that_cannot_be_made_gives_it_back", |world| {
        ip(world, "link add dev1 type veth");
        if ip_says(world, &["link", "add", "bridge0", "type", "bridge"]).is_some() {
            ip(world, "link set dev1 master bridge0");
        }
        furnish(world);
        // The kernel gives it an address of its own when it sees that the other end is up.
        eventually("both ends are up", || {
            described(world).iter().any(|line| line.contains("fe80::ff:fe00:42"))
        });
        let before = described(world);
        for hook in ["createRuntime", "createContainer"] {
            let container = world.container("a", |value| {
                value["linux"]["netDevices"] = json!({ "dev0": { "name": "net0" }, "dev1": {} });
                value["hooks"] = json!({ hook: [{ "path": "/bin/false" }] });
            });
            let output = container.create();
            assert_eq!(output.status, 1, "{}", output.stderr);
            eventually("all is as before", || described(world) == before);
        }
    });
}

#[test]
fn what_cannot_be_moved_is_found_before() {
    in_own_network("what_cannot_be_moved_is_found_before", |world| {
        let wrong = |devices: Value, sentence: &str, at: &str| {
            let container = world.container("a", |value| value["linux"]["netDevices"] = devices);
            container.create().finds(sentence, at);
        };
        let at = "/linux/netDevices";
        wrong(
            json!({ "none0": {} }),
            "there is no network device \"none0\" in the runtime's network namespace",
            &format!("{at}/none0"),
        );
        wrong(
            json!({ "lo": { "name": "net0" } }),
            "the network device \"lo\" belongs to its network namespace",
            &format!("{at}/lo"),
        );
        wrong(
            json!({ "dev0": { "name": "lo" } }),
            "the container's network namespace has a device \"lo\" already",
            &format!("{at}/dev0/name"),
        );
        wrong(
            json!({ "dev0": { "name": "net0" }, "veth0": { "name": "net0" } }),
            "another network device is called \"net0\" in the container",
            &format!("{at}/veth0/name"),
        );
        wrong(
            json!({ "dev0": { "name": "sixteen-letters-" } }),
            "the name \"sixteen-letters-\" of a network device is longer than 15 bytes",
            &format!("{at}/dev0/name"),
        );
        let container = world.container("a", |value| {
            config::without_namespace(value, "network");
            value["linux"]["netDevices"] = json!({ "dev0": {} });
        });
        let sentence = "network devices are moved into a network namespace of the container's own";
        container.create().finds(sentence, at).helps("add {\"type\": \"network\"} to linux.namespaces");
        assert!(is_there(world, "dev0"));
    });
}
