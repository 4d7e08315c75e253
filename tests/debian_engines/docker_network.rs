//! Docker's networks and the namespaces that containers share: made by the engine, joined by the runtime.

use crate::docker::docker;
use crate::tool::{self, RUNTIMES, same, until};

/// A container in the background, with the name of its runtime.
fn started(runtime: &str, options: &str, command: &str) {
    let start = format!("docker run --detach --name {runtime} --runtime {runtime} {options} box {command}");
    tool::line(&start).ok();
}

fn removed() {
    for runtime in RUNTIMES {
        tool::line(&format!("docker rm --force {runtime}")).ok();
    }
}

#[test]
fn a_container_on_the_bridge_reaches_and_is_reached() {
    let _host = docker();
    for (runtime, port) in RUNTIMES.iter().zip(["8001", "8002"]) {
        started(runtime, &format!("--publish 127.0.0.1:{port}:80"), "httpd -f -h /etc");
        let fetch = format!("busybox wget -q -O - http://127.0.0.1:{port}/passwd");
        until("it answers", || tool::line(&fetch).stdout.contains("root:"));
    }
    let look = "ip link show eth0 | grep -c UP; ip route | cut -d' ' -f1-3; \
                ping -c 1 -W 60 172.17.0.1 >/dev/null && echo reached; cat /sys/class/net/lo/operstate";
    let said = same(|runtime| tool::run(&["docker", "exec", runtime, "sh", "-c", look])).ok();
    assert!(said.contains("reached"), "{said}");
    removed();
}

#[test]
fn namespaces_of_another_container_are_joined() {
    let _host = docker();
    for runtime in RUNTIMES {
        started(runtime, "--network none --ipc shareable", "sleep 1000000");
        let namespaces =
            format!("--network container:{runtime} --pid container:{runtime} --ipc container:{runtime}");
        let links = "for kind in net pid ipc; do readlink /proc/self/ns/$kind; done";
        let run = format!("docker run --rm --runtime {runtime} {namespaces} box");
        let says =
            |words: &str| tool::run(&words.split(' ').chain(["sh", "-c", links]).collect::<Vec<_>>()).ok();
        assert_eq!(says(&run), says(&format!("docker exec {runtime}")), "{runtime}");
    }
    removed();
}
