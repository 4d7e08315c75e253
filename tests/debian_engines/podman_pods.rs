//! Podman's pods, and Kubernetes' YAML that it plays.

use crate::podman::{podman, with};
use crate::tool::{self, configure};

/// A pod `played` with one container.
pub const PLAYED: &str = "apiVersion: v1
kind: Pod
metadata:
  name: played
spec:
  containers:
  - name: one
    image: localhost/box
    command: [sleep, '1000000']
    resources:
      limits: {memory: 32Mi}
";

#[test]
fn containers_of_a_pod_share_their_namespaces() {
    let _host = podman();
    let create =
        "podman --runtime crate-run pod create --name pod --network none --infra-image box --infra-command";
    let create: Vec<&str> = create.split(' ').chain(["sleep 1000000"]).collect();
    tool::run(&create).ok();
    with("crate-run", "run --detach --pod pod --name a box sleep 1000000").ok();
    let net = |name: &str| with("crate-run", &format!("exec {name} readlink /proc/self/ns/net")).ok();
    with("crate-run", "run --detach --pod pod --name b box sleep 1000000").ok();
    assert_eq!(net("a"), net("b"));
    with("crate-run", "pod rm --force --time 0 pod").ok();
}

#[test]
fn a_pod_of_kubernetes_is_played() {
    let _host = podman();
    let file = "/var/tmp/crate-run-pod.yaml";
    configure(file, PLAYED);
    with("crate-run", &format!("kube play --network none {file}")).ok();
    let memory = with("crate-run", "exec played-one cat /sys/fs/cgroup/memory.max").ok();
    with("crate-run", &format!("kube down {file}")).ok();
    std::fs::remove_file(file).expect("the pod's file");
    assert_eq!(memory, "33554432");
}
