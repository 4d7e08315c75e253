//! The Container Runtime Interface of containerd with a handler `crate-run`: what a kubelet does with a pod that
//! has a RuntimeClass. Pods use the host's network here; those with their own are in `cri_pods`.

use serde_json::{Value, json};

use crate::host::Host;
use crate::tool::{self, RUNTIMES, Said, binary, configure, import, snippet, until};

/// The client in the machine (tests/machine/debian-root).
const CLIENT: &str = "/usr/local/lib/machine/cri";

/// containerd with the table of docs/engines/containerd.md and the same for runc, up and idle, with the image
/// `localhost/box`.
pub fn containerd() -> Host {
    let table = snippet(include_str!("../../docs/engines/containerd.md"), "toml");
    let other = table.replace("version = 3", "").replace(&binary("crate-run"), &binary("runc"));
    let other = other.replace("crate-run", "runc");
    configure("/etc/containerd/config.toml", &format!("{table}\n{other}\n{PLACES}"));
    configure("/etc/cni/net.d/10-trial.conflist", NETWORK);
    tool::line("systemctl restart containerd").ok();
    if !tool::line("ctr --namespace k8s.io images list --quiet").stdout.contains("pause") {
        image("pause", "[\"/bin/sleep\", \"1000000\"]");
        image("box", "[]");
    }
    // What a test that has failed has left.
    for pod in answer("ListPodSandbox", json!({}))["items"].as_array().into_iter().flatten() {
        let id = json!({ "pod_sandbox_id": pod["id"] });
        answer("StopPodSandbox", id.clone());
        answer("RemovePodSandbox", id);
    }
    Host::as_it_is()
}

/// The image of what holds a pod's namespaces, and where Debian keeps the programs of CNI.
const PLACES: &str = r#"
[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "docker.io/library/pause:latest"

[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["/usr/lib/cni"]
"#;

/// Each pod is at the other end of a pair of interfaces.
const NETWORK: &str = r#"{ "cniVersion": "1.0.0", "name": "trial", "plugins": [
    { "type": "ptp", "ipam": { "type": "host-local", "subnet": "10.88.7.0/24" } } ] }"#;

/// Makes an image with this entry point known to CRI.
fn image(name: &str, entry: &str) {
    import(&format!("podman import --change 'ENTRYPOINT {entry}' - docker.io/library/{name}:latest"));
    let archive = format!("/var/tmp/{name}.tar");
    tool::line(&format!(
        "podman save --format oci-archive --output {archive} docker.io/library/{name}:latest"
    ))
    .ok();
    tool::line(&format!("ctr --namespace k8s.io images import {archive}")).ok();
    std::fs::remove_file(archive).expect("the archive");
}

fn call(method: &str, request: &Value) -> Said {
    tool::run(&[CLIENT, method, &request.to_string()])
}

pub fn answer(method: &str, request: Value) -> Value {
    let said = call(method, &request).ok();
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{method}: {error}: {said}"))
}

/// What a kubelet says of a pod that uses the network of its node.
pub fn pod() -> Value {
    json!({
        "metadata": { "name": "pod", "uid": "1", "namespace": "default", "attempt": 0 },
        "log_directory": "/var/tmp/pod",
        "linux": {
            "cgroup_parent": "kubepods-pod1.slice",
            "security_context": { "namespace_options": { "network": "NODE", "pid": "CONTAINER" } }
        }
    })
}

pub fn container(command: &[&str]) -> Value {
    json!({
        "metadata": { "name": "one", "attempt": 0 },
        "image": { "image": "docker.io/library/box:latest" },
        "command": command,
        "log_path": "one.log",
        "linux": { "resources": { "memory_limit_in_bytes": 33554432, "cpu_quota": 50000, "cpu_period": 100000 } }
    })
}

fn text(answer: &Value, field: &str) -> String {
    answer[field].as_str().unwrap_or_else(|| panic!("no {field}: {answer}")).to_owned()
}

/// A pod that is taken down by hand, for its slice belongs to the kubelet.
pub struct Pod {
    id: String,
    config: Value,
}

impl Pod {
    fn run() -> Self {
        Self::with("crate-run", pod())
    }

    pub fn with(handler: &str, config: Value) -> Self {
        std::fs::create_dir_all("/var/tmp/pod").expect("a folder for logs");
        let request = json!({ "config": config, "runtime_handler": handler });
        Self { id: text(&answer("RunPodSandbox", request), "podSandboxId"), config }
    }

    fn create(&self, command: &[&str]) -> String {
        self.make(container(command))
    }

    pub fn make(&self, container: Value) -> String {
        let request =
            json!({ "pod_sandbox_id": self.id, "config": container, "sandbox_config": self.config });
        text(&answer("CreateContainer", request), "containerId")
    }

    pub fn status(&self) -> Value {
        answer("PodSandboxStatus", json!({ "pod_sandbox_id": self.id, "verbose": true }))
    }

    pub fn remove(self) {
        answer("StopPodSandbox", json!({ "pod_sandbox_id": self.id }));
        answer("RemovePodSandbox", json!({ "pod_sandbox_id": self.id }));
        tool::line("systemctl stop kubepods-pod1.slice").ok();
        std::fs::remove_dir_all("/var/tmp/pod").expect("the logs");
    }
}

pub fn executed(container: &str, command: &[&str]) -> Value {
    answer("ExecSync", json!({ "container_id": container, "cmd": command, "timeout": 100 }))
}

pub fn output(executed: &Value) -> String {
    let bytes =
        tool::run(&["sh", "-c", &format!("echo {} | base64 -d", executed["stdout"].as_str().unwrap_or(""))]);
    bytes.ok()
}

#[test]
fn the_handler_is_known_with_what_it_can_do() {
    let _host = containerd();
    let status = answer("Status", json!({}));
    let handlers = status["runtimeHandlers"].as_array().expect("handlers");
    let ours = handlers.iter().find(|handler| handler["name"] == "crate-run").expect("crate-run");
    assert_eq!(ours["features"]["recursiveReadOnlyMounts"], true, "{ours}");
    assert_eq!(ours["features"]["userNamespaces"], true, "{ours}");
}

#[test]
fn a_pod_runs_a_container_with_its_limits() {
    let _host = containerd();
    let pod = Pod::run();
    let id = pod.create(&["sleep", "1000000"]);
    answer("StartContainer", json!({ "container_id": id }));
    let limits = executed(&id, &["cat", "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/cpu.max"]);
    assert_eq!(output(&limits), "33554432\n50000 100000");
    assert_eq!(executed(&id, &["sh", "-c", "exit 5"])["exitCode"], 5);
    let change = json!({ "container_id": id, "linux": { "memory_limit_in_bytes": 67108864 } });
    answer("UpdateContainerResources", change);
    assert_eq!(output(&executed(&id, &["cat", "/sys/fs/cgroup/memory.max"])), "67108864");
    let stats = answer("ContainerStats", json!({ "container_id": id }));
    assert!(stats["stats"]["memory"]["workingSetBytes"]["value"].is_string(), "{stats}");
    // SIGTERM ends it. A second signal would meet containerd while it takes the container down.
    answer("StopContainer", json!({ "container_id": id, "timeout": 100 }));
    let status = answer("ContainerStatus", json!({ "container_id": id }));
    // It is not pid 1: the pod's processes share one pid namespace, so SIGTERM ends it.
    assert_eq!(
        (&status["status"]["state"], &status["status"]["exitCode"]),
        (&json!("CONTAINER_EXITED"), &json!(143))
    );
    answer("RemoveContainer", json!({ "container_id": id }));
    pod.remove();
}

#[test]
fn a_program_that_is_missing_is_told() {
    let _host = containerd();
    let pod = Pod::run();
    let id = pod.create(&["nosuch"]);
    let said = call("StartContainer", &json!({ "container_id": id })).exits(1);
    assert!(said.stderr.contains("exec: \"nosuch\": executable file not found in $PATH"), "{said:?}");
    let state = || answer("ContainerStatus", json!({ "container_id": id }))["status"].clone();
    until("it is told as ended", || state()["state"] == "CONTAINER_EXITED");
    assert_eq!(state()["exitCode"], 128, "as with runc");
    answer("RemoveContainer", json!({ "container_id": id }));
    pod.remove();
}

/// That memory has run out is counted in the pod's slice. Whether containerd tells it as the reason is left to
/// chance: its shim reads the count in the container's cgroup, and systemd removes that as soon as the last
/// process is gone. docs/kubernetes.md tells how often the shim comes too late, with each runtime.
#[test]
fn a_log_is_written_and_memory_runs_out() {
    let _host = containerd();
    for runtime in RUNTIMES {
        let pod = Pod::with(runtime, pod());
        let id = pod.create(&["sh", "-c", "echo said; exec /bin/probe eat-memory 200"]);
        answer("StartContainer", json!({ "container_id": id }));
        let status = || answer("ContainerStatus", json!({ "container_id": id }))["status"].clone();
        until("it has ended", || status()["state"] == "CONTAINER_EXITED");
        let log = std::fs::read_to_string("/var/tmp/pod/one.log").expect("a log");
        assert!(log.contains("stdout F said"), "{runtime}: {log}");
        let events = "/sys/fs/cgroup/kubepods.slice/kubepods-pod1.slice/memory.events";
        let events = std::fs::read_to_string(events).expect("the pod's slice");
        assert!(events.contains("\noom_kill 1\n"), "{runtime}: {events}");
        let status = status();
        println!("{runtime}: {}", status["reason"]);
        assert_eq!(status["exitCode"], 137, "{runtime}: {status}");
        assert!(status["reason"] == "OOMKilled" || status["reason"] == "Error", "{runtime}: {status}");
        answer("RemoveContainer", json!({ "container_id": id }));
        pod.remove();
    }
}
