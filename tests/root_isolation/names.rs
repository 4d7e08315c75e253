//! Host name, domain name, kernel parameters.

use serde_json::json;

use crate::world::{World, config};

#[test]
fn hostname_and_domainname_are_set() {
    let Some(world) = World::new("hostname_and_domainname_are_set") else { return };
    let longest = "x".repeat(64);
    let report = world.report(&["uts"], |value| {
        value["hostname"] = json!(longest);
        value["domainname"] = json!("example.org");
    });
    assert_eq!(report["uts"]["hostname"], longest);
    assert_eq!(report["uts"]["domainname"], "example.org");
}

#[test]
fn parameters_are_set_in_the_namespaces_of_the_container() {
    let Some(world) = World::new("parameters_are_set_in_the_namespaces_of_the_container") else { return };
    let values = json!({
        "net.ipv4.ip_forward": "1",
        "net/ipv4/ping_group_range": "0 2147483647",
        "kernel.shmmax": "67108864",
        "kernel.msgmax": "4096",
        "kernel.domainname": "from.sysctl",
        "fs.mqueue.msg_max": "7"
    });
    let keys = [
        "net.ipv4.ip_forward",
        "net.ipv4.ping_group_range",
        "kernel.shmmax",
        "kernel.msgmax",
        "kernel.domainname",
        "fs.mqueue.msg_max",
    ];
    let container = world.container("a", |value| {
        value["linux"]["sysctl"] = values.clone();
        config::runs(value, &[&["/bin/probe", "sysctl"], &keys[..]].concat());
    });
    // That the host keeps its own is what the world checks at its end.
    let said = container.run(&[]).ok().json();
    let read = |key: &str| said[key].as_str().unwrap_or_else(|| panic!("{said}")).replace('\t', " ");
    let found = keys.map(read);
    assert_eq!(found, ["1", "0 2147483647", "67108864", "4096", "from.sysctl", "7"]);
}

#[test]
fn a_parameter_that_does_not_exist_is_an_error() {
    let Some(world) = World::new("a_parameter_that_does_not_exist_is_an_error") else { return };
    let container = world.container("a", |value| value["linux"]["sysctl"] = json!({ "net.no.such": "1" }));
    let sentence = "cannot set the kernel parameter net.no.such to 1: openat2(2) answered: \
                    no such file or directory (ENOENT)";
    let output = container.create().fails_at(sentence, "/linux/sysctl/net.no.such");
    output.helps("this kernel has no such parameter");
}

#[test]
fn a_value_that_the_kernel_refuses_is_told_at_its_key() {
    let Some(world) = World::new("a_value_that_the_kernel_refuses_is_told_at_its_key") else { return };
    let container =
        world.container("a", |value| value["linux"]["sysctl"] = json!({ "net/ipv4/ip_forward": "perhaps" }));
    let sentence = "cannot set the kernel parameter net.ipv4.ip_forward to perhaps: write(2) answered: \
                    invalid argument (EINVAL)";
    let output = container.create().fails_at(sentence, "/linux/sysctl/net~1ipv4~1ip_forward");
    output.helps("the kernel does not take this value for the parameter");
}

#[test]
fn wrong_parameters_are_findings() {
    let Some(world) = World::new("wrong_parameters_are_findings") else { return };
    let finds = |sysctl: serde_json::Value, message: &str, key: &str| {
        let container = world.container("a", |value| value["linux"]["sysctl"] = sysctl);
        container.create().finds(message, &format!("/linux/sysctl/{key}"));
    };
    finds(
        json!({ "kernel.hostname": "x" }),
        "the hostname is not set through kernel.hostname",
        "kernel.hostname",
    );
    let machine = "sysctl \"vm.swappiness\" is not in a separate kernel namespace";
    finds(json!({ "vm/swappiness": "1" }), machine, "vm~1swappiness");
    let users = "sysctl \"user.max_user_namespaces\" would change the host: it needs a user namespace of the \
                 container's own";
    finds(json!({ "user.max_user_namespaces": "1" }), users, "user.max_user_namespaces");
    finds(json!({ "kernel.msgmax": "" }), "an empty value sets nothing", "kernel.msgmax");
    let twice = json!({ "kernel.msgmax": "4096", "kernel/msgmax": "8192" });
    finds(twice, "the kernel parameter kernel.msgmax is listed twice", "kernel~1msgmax");
}

#[test]
fn parameters_of_users_are_set_in_a_user_namespace() {
    let Some(world) = World::new("parameters_of_users_are_set_in_a_user_namespace") else { return };
    let said = world.says(&["cat", "/proc/sys/user/max_net_namespaces"], |value| {
        config::userns(value);
        value["linux"]["sysctl"] = json!({ "user.max_net_namespaces": "7" });
    });
    assert_eq!(said, "7\n");
}
