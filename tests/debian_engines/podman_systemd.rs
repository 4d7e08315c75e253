//! Podman and systemd: one inside a container, and the host's that starts containers as its services.

use std::fs;
use std::os::unix::fs::symlink;

use crate::podman::{podman, with};
use crate::tool::{self, RUNTIMES, Said, configure, until};

/// A root filesystem for the machine's own systemd, which is bound in with all of /usr.
struct Tree;

impl Tree {
    const PATH: &'static str = "/var/tmp/crate-run-systemd";
    /// It does not ask for the units that the distribution enables.
    const TARGET: &'static str = "[Unit]\nDescription=All that is wanted\nRequires=basic.target\n\
                                  After=basic.target\nWants=one.service\nAllowIsolate=yes\n";
    /// It needs a moment to end, and tells that it was asked to.
    const SERVICE: &'static str = "[Service]\nExecStart=/usr/bin/sleep infinity\n\
                                   ExecStopPost=/bin/sh -c 'echo ended >/result/one'\n";

    fn new() -> Self {
        let _ = fs::remove_dir_all(Self::PATH);
        for folder in
            ["etc/systemd/system", "usr", "var", "root", "dev", "proc", "sys", "run", "tmp", "result"]
        {
            fs::create_dir_all(format!("{}/{folder}", Self::PATH)).expect("a folder");
        }
        for folder in ["bin", "sbin", "lib", "lib64"] {
            symlink(format!("usr/{folder}"), format!("{}/{folder}", Self::PATH)).expect("a link into /usr");
        }
        let files = [
            ("systemd/system/default.target", Self::TARGET),
            ("systemd/system/one.service", Self::SERVICE),
            ("passwd", "root:x:0:0:root:/root:/bin/sh\n"),
            ("group", "root:x:0:\n"),
            ("machine-id", ""),
        ];
        for (file, text) in files {
            configure(&format!("{}/etc/{file}", Self::PATH), text);
        }
        // Its group is one of those that Debian makes when it is installed.
        let unwanted = format!("{}/etc/systemd/system/systemd-journalctl.socket", Self::PATH);
        symlink("/dev/null", unwanted).expect("a unit that is masked");
        // Newer than /usr: nothing has to be brought up to date at the first boot.
        for folder in ["etc", "var"] {
            configure(&format!("{}/{folder}/.updated", Self::PATH), "");
        }
        Self
    }

    /// Boots it with this runtime, as the container `a`.
    fn boot(runtime: &str) {
        let start = "run --detach --name a --network none --systemd=always --volume /usr:/usr:ro";
        with(runtime, &format!("{start} --rootfs {} /usr/lib/systemd/systemd", Self::PATH)).ok();
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        fs::remove_dir_all(Self::PATH).expect("the root filesystem");
    }
}

#[test]
fn systemd_boots_inside_and_is_stopped() {
    let _host = podman();
    let ends = RUNTIMES.map(|runtime| {
        let _tree = Tree::new();
        Tree::boot(runtime);
        let state = || with(runtime, "exec a systemctl is-system-running").stdout.trim().to_owned();
        until("it is up", || !matches!(state().as_str(), "" | "offline" | "initializing" | "starting"));
        let failed = with(runtime, "exec a systemctl list-units --failed --plain --no-legend").ok();
        assert_eq!((state().as_str(), failed.as_str()), ("running", ""), "{runtime}");
        let service = with(runtime, "exec a cat /proc/1/comm /proc/1/cgroup").ok();
        assert_eq!(service, "systemd\n0::/init.scope", "{runtime}");
        with(runtime, "exec a systemctl is-active one.service").ok();
        // SIGRTMIN+3: systemd ends its services, then itself.
        with(runtime, "stop --time 200 a").ok();
        let ended = fs::read_to_string(format!("{}/result/one", Tree::PATH));
        assert_eq!(ended.expect("its service was ended"), "ended\n", "{runtime}");
        let status = tool::run(&["podman", "inspect", "--format", "{{.State.ExitCode}}", "a"]).ok();
        with(runtime, "rm a").ok();
        status
    });
    println!("exit status: {ends:?}");
    assert_eq!(ends[1], ends[0]);
}

fn unit(words: &str) -> Said {
    tool::line(&format!("systemctl {words}"))
}

#[test]
fn a_container_tells_the_hosts_systemd_when_it_is_ready() {
    let _host = podman();
    let start = "systemd-run --quiet --collect --unit crate-run-ready --property Type=notify \
                 --property NotifyAccess=all podman --runtime crate-run run --rm --name a --network none \
                 --sdnotify=container box sh -c";
    let script = "sleep 1; probe notify READY=1; sleep 1000000";
    // It ends when the service is ready, and fails if that never comes.
    tool::run(&start.split_whitespace().chain([script]).collect::<Vec<_>>()).ok();
    assert_eq!(unit("is-active crate-run-ready").ok(), "active");
    with("crate-run", "stop --time 1 a").ok();
    until("the service has ended", || unit("is-active crate-run-ready").status != 0);
    unit("reset-failed");
}

/// Quadlet makes a service of the file, and Podman splits the service's cgroup for the container.
#[test]
fn a_container_is_a_service_of_the_hosts_systemd() {
    let file = "/etc/containers/systemd/crate-run-quadlet.container";
    let text = "[Container]\nContainerName=a\nImage=localhost/box\nExec=sleep 1000000\nNetwork=none\n\
                GlobalArgs=--runtime crate-run\nPodmanArgs=--memory 32m\n";
    let _host = podman();
    configure(file, text);
    unit("daemon-reload").ok();
    unit("start crate-run-quadlet").ok();
    let held = with("crate-run", "exec a cat /sys/fs/cgroup/memory.max").ok();
    let id = with("crate-run", "inspect --format {{.State.CgroupPath}} a").ok();
    unit("stop crate-run-quadlet").ok();
    fs::remove_file(file).expect("the service's file");
    unit("daemon-reload").ok();
    unit("reset-failed");
    assert_eq!(held, "33554432");
    assert!(id.starts_with("/system.slice/crate-run-quadlet.service/"), "{id}");
}

#[test]
fn health_is_checked_by_timers() {
    let _host = podman();
    let start = "run --detach --name a --network none --health-cmd true --health-interval 2s";
    with("crate-run", &format!("{start} box sleep 1000000")).ok();
    let health = || tool::run(&["podman", "inspect", "--format", "{{.State.Health.Status}}", "a"]).ok();
    until("it is healthy", || health() == "healthy");
    with("crate-run", "rm --force --time 0 a").ok();
}
