//! Pods as a kubelet asks for them: with a network of their own, with users of their own, with what a pod's
//! security context says. What a container sees is compared with what it sees under runc.

use serde_json::{Value, json};

use crate::cri::{Pod, answer, container, containerd, executed, output, pod};
use crate::tool::RUNTIMES;

/// A pod with a network namespace of its own.
fn with_network() -> Value {
    let mut config = pod();
    config["hostname"] = json!("trial");
    config["linux"]["security_context"]["namespace_options"]["network"] = json!("POD");
    config
}

/// Starts a container that sleeps, with this security context, and tells what `script` says in it.
fn seen(runtime: &str, config: Value, context: &Value, script: &str) -> String {
    let pod = Pod::with(runtime, config);
    let mut sleeper = container(&["sleep", "1000000"]);
    sleeper["linux"]["security_context"] = context.clone();
    let id = pod.make(sleeper);
    answer("StartContainer", json!({ "container_id": id }));
    let answered = executed(&id, &["sh", "-c", script]);
    let network = pod.status()["status"]["network"]["ip"].as_str().unwrap_or_default().to_owned();
    answer("StopContainer", json!({ "container_id": id, "timeout": 0 }));
    pod.remove();
    output(&answered).replace(&network, "ADDRESS")
}

#[track_caller]
fn same(config: &Value, context: &Value, script: &str) -> String {
    let [reference, ours] = RUNTIMES.map(|runtime| seen(runtime, config.clone(), context, script));
    assert_eq!(ours, reference);
    ours
}

#[test]
fn a_pod_has_its_own_network() {
    let _host = containerd();
    let look = "hostname; ip -o -4 addr show eth0 | cut -d' ' -f7; ls /sys/class/net; \
                ping -c 1 -W 60 10.88.7.1 >/dev/null && echo reached";
    let said = same(&with_network(), &json!({ "namespace_options": { "pid": "CONTAINER" } }), look);
    assert!(said.starts_with("trial\nADDRESS/") && said.contains("reached"), "{said}");
}

/// What Kubernetes calls `hostUsers: false`.
#[test]
fn a_pod_has_its_own_users() {
    let _host = containerd();
    let ids = json!([{ "container_id": 0, "host_id": 200_000, "length": 65536 }]);
    let users = json!({ "mode": "POD", "uids": ids, "gids": ids });
    let mut config = with_network();
    config["linux"]["security_context"]["namespace_options"]["userns_options"] = users.clone();
    let context = json!({ "namespace_options": { "pid": "CONTAINER", "userns_options": users } });
    let look = "cat /proc/self/uid_map /proc/self/gid_map; id; stat -c %u:%g /bin/probe; touch /new && \
                stat -c %u /new; grep Cap /proc/self/status; mount -t tmpfs x /mnt || echo refused";
    let said = same(&config, &context, look);
    assert!(said.contains("200000"), "{said}");
}

#[test]
fn a_security_context_holds() {
    let _host = containerd();
    let look = "id; grep -e Cap -e NoNew -e Seccomp: /proc/self/status; touch /new && echo made; \
                stat -c %t:%T /proc/kcore; mount | grep -e cgroup -e /proc | cut -d' ' -f3 | sort; \
                cat /proc/1/oom_score_adj";
    let context = json!({
        "namespace_options": { "pid": "CONTAINER" },
        "run_as_user": { "value": 1000 },
        "run_as_group": { "value": 1000 },
        "supplemental_groups": [7, 8],
        "readonly_rootfs": true,
        "no_new_privs": true,
        "capabilities": { "drop_capabilities": ["ALL"], "add_capabilities": ["NET_BIND_SERVICE"] },
        "seccomp": { "profile_type": "RuntimeDefault" },
        "masked_paths": ["/proc/kcore", "/proc/keys"],
        "readonly_paths": ["/proc/sys"]
    });
    same(&with_network(), &context, look);
}

/// Without runc: it mounts cgroup2 anew in the host's cgroup namespace, and that takes the host's own mount
/// options from it, which those who look at the host find.
#[test]
fn a_privileged_container_has_everything_but_the_hosts_mounts() {
    let _host = containerd();
    let mut config = with_network();
    config["linux"]["security_context"]["privileged"] = json!(true);
    let context = json!({ "namespace_options": { "pid": "CONTAINER" }, "privileged": true });
    let look = "grep -e CapEff -e Seccomp: /proc/self/status; mount -t tmpfs x /mnt && echo mounted; \
                ls /sys/fs/cgroup | grep -x system.slice; head -c 1 /dev/vda | wc -c";
    let all = std::fs::read_to_string("/proc/1/status").expect("the host's first process");
    let all = all.lines().find(|line| line.starts_with("CapEff")).expect("its capabilities");
    let said = seen("crate-run", config, &context, look);
    assert_eq!(said, format!("{all}\nSeccomp:\t0\nmounted\nsystem.slice\n1"));
}

/// `shareProcessNamespace: true`.
#[test]
fn the_containers_of_a_pod_share_processes_when_asked_to() {
    let _host = containerd();
    let mut config = with_network();
    config["linux"]["security_context"]["namespace_options"]["pid"] = json!("POD");
    let context = json!({ "namespace_options": { "pid": "POD" } });
    let said = same(&config, &context, "ps -o comm,args | grep -c sleep; cat /proc/1/comm");
    assert!(said.ends_with("sleep"), "the pod's first process: {said}");
}
