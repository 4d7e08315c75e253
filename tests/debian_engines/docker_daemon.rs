//! Docker with settings of the whole daemon: user namespaces, systemd's cgroup driver, another default.

use crate::docker::daemon_json;
use crate::host::Host;
use crate::tool::{self, configure, import, same};

/// A daemon with further settings, for one test. Its images are its own.
struct Daemon {
    host: Option<Host>,
}

impl Daemon {
    fn with(settings: &str) -> Self {
        configure("/etc/docker/daemon.json", &daemon_json(settings));
        tool::line("systemctl restart docker").ok();
        if tool::line("docker image inspect box").status != 0 {
            import("docker import - box");
        }
        Self { host: Some(Host::as_it_is()) }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.host.take());
        // The next test writes its own configuration.
        tool::line("systemctl stop docker.service docker.socket");
    }
}

fn run(runtime: &str, script: &str) -> tool::Said {
    let start = format!("docker run --rm --network none --runtime {runtime} box sh -c");
    tool::run(&[&start.split(' ').collect::<Vec<_>>()[..], &[script]].concat())
}

#[test]
fn users_are_mapped() {
    let _daemon = Daemon::with(r#", "userns-remap": "rootless""#);
    let script = "cat /proc/self/uid_map; id -u; touch /new && ls -n /new | cut -c1-20; ls -ln /dev/null | cut -c1-20; \
                  grep Cap /proc/self/status; cat /dev/null && echo ok; mount | grep -c .";
    let said = same(|runtime| run(runtime, script)).ok();
    assert!(said.contains("100000"), "{said}");
}

#[test]
fn systemd_makes_the_cgroup_when_the_daemon_wants_it() {
    let _daemon = Daemon::with(r#", "exec-opts": ["native.cgroupdriver=systemd"]"#);
    let start =
        "docker run --detach --name one --network none --runtime crate-run --memory 32m box sleep 1000000";
    let id = tool::line(start).ok();
    let scope = format!("docker-{id}.scope");
    assert_eq!(tool::line(&format!("systemctl is-active {scope}")).ok(), "active");
    let memory = tool::line(&format!("systemctl show --property MemoryMax --value {scope}")).ok();
    assert_eq!(memory, "33554432");
    tool::line("systemctl daemon-reload").ok();
    assert_eq!(tool::line("docker exec one cat /sys/fs/cgroup/memory.max").ok(), "33554432");
    tool::line("docker rm --force one").ok();
    assert_ne!(tool::line(&format!("systemctl is-active {scope}")).status, 0, "the scope is gone");
}

#[test]
fn the_runtime_makes_the_cgroup_when_the_daemon_wants_it() {
    // The cgroup of all containers stays when the last one goes, as with runc.
    std::fs::create_dir_all("/sys/fs/cgroup/docker").expect("the cgroup of Docker");
    let _daemon = Daemon::with(r#", "exec-opts": ["native.cgroupdriver=cgroupfs"]"#);
    let start =
        "docker run --detach --name one --network none --runtime crate-run --memory 32m box sleep 1000000";
    let id = tool::line(start).ok();
    let memory = std::fs::read_to_string(format!("/sys/fs/cgroup/docker/{id}/memory.max"));
    assert_eq!(memory.expect("its cgroup").trim(), "33554432");
    tool::line("docker rm --force one").ok();
}

#[test]
fn it_runs_and_builds_what_names_no_runtime_when_it_is_the_default() {
    let _daemon = Daemon::with(r#", "default-runtime": "crate-run""#);
    tool::line("docker run --detach --name one --network none box sleep 1000000").ok();
    let runtime = tool::line("docker inspect --format {{.HostConfig.Runtime}} one").ok();
    tool::line("docker rm --force one").ok();
    assert_eq!(runtime, "crate-run");
    let folder = "/var/tmp/crate-run-build";
    configure(&format!("{folder}/Dockerfile"), "FROM box\nRUN echo built >/result && id -u\n");
    // The builder that asks the daemon for a runtime.
    let build = format!("env DOCKER_BUILDKIT=0 docker build --network none --tag built {folder}");
    let said = tool::line(&build);
    std::fs::remove_dir_all(folder).expect("the folder of the build");
    said.exits(0);
    assert_eq!(tool::line("docker run --rm --network none built cat /result").ok(), "built");
    tool::line("docker rmi built").ok();
}

#[test]
fn a_checkpoint_is_declined_and_the_container_goes_on() {
    let _daemon = Daemon::with(r#", "experimental": true"#);
    tool::line("docker run --detach --name one --network none --runtime crate-run box sleep 1000000").ok();
    let said = tool::line("docker checkpoint create one first").exits(1);
    assert!(said.stderr.contains("support"), "{said:?}");
    tool::line("docker exec one true").ok();
    tool::line("docker rm --force one").ok();
}
