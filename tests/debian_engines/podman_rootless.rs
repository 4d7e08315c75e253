//! Podman as an ordinary user, in a scope of his own manager as after a login, with crate-run beside runc.

use crate::host::Host;
use crate::podman_pods::PLAYED;
use crate::tool::{self, RUNTIMES, Said, binary, rootfs, same, snippet, until};

const HOME: &str = "/home/rootless";

/// What a login gives to each command of the user.
const LOGIN: [&str; 10] = [
    "runuser",
    "--user",
    "rootless",
    "--",
    "env",
    "--ignore-environment",
    "HOME=/home/rootless",
    "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "XDG_RUNTIME_DIR=/run/user/1000",
    "DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus",
];

/// Runs a command in a scope of the user's, where his cgroups begin.
fn user(words: &[&str]) -> Said {
    let scope = ["systemd-run", "--user", "--scope", "--quiet", "--collect"];
    tool::run(&[&LOGIN[..], &scope, words].concat())
}

fn line(words: &str) -> Said {
    user(&words.split_whitespace().collect::<Vec<_>>())
}

/// Podman configured for the user, with the image `box`, and with the process that keeps his namespaces.
fn podman() -> Host {
    let folder = format!("{HOME}/.config/containers/containers.conf.d");
    let told = snippet(include_str!("../../docs/engines/podman.md"), "toml");
    let write = format!("mkdir -p {folder} && printf '%s' '{told}' >{folder}/50-crate-run.conf");
    user(&["sh", "-c", &write]).ok();
    if line("podman image exists box").status != 0 {
        let login = LOGIN.join(" ");
        let import = format!("tar -C {} -c . | {login} podman import - box", rootfs().display());
        tool::run(&["sh", "-c", &import]).ok();
    }
    // What a test that has failed has left.
    line("podman pod rm --all --force --time 0").ok();
    line("podman rm --all --force --time 0").ok();
    Host::as_it_is()
}

fn with(runtime: &str, words: &str) -> Said {
    line(&format!("podman --runtime {runtime} {words}"))
}

fn run(runtime: &str, options: &str, command: &[&str]) -> Said {
    let start = format!("podman --runtime {runtime} run --rm --network none {options} box");
    user(&start.split_whitespace().chain(command.iter().copied()).collect::<Vec<_>>())
}

fn shell(options: &'static str, script: &'static str) -> impl Fn(&str) -> Said {
    move |runtime| run(runtime, options, &["sh", "-c", script])
}

fn sleepers(options: &str) {
    for runtime in RUNTIMES {
        let start = format!("run --detach --network none --name {runtime} {options} box sleep 1000000");
        with(runtime, &start).ok();
    }
}

fn removed() {
    for runtime in RUNTIMES {
        with(runtime, &format!("rm --force --time 0 {runtime}")).ok();
    }
}

fn inspected(name: &str, field: &str) -> String {
    user(&["podman", "inspect", "--format", &format!("{{{{.{field}}}}}"), name]).ok()
}

#[test]
fn run_ends_as_with_runc() {
    let _host = podman();
    same(shell("", "echo out; exit 7")).exits(7);
    for (program, status) in [("nosuch", 127), ("/no/such", 127), ("/etc/passwd", 126), ("/etc", 126)] {
        same(|runtime| run(runtime, "", &[program])).exits(status);
    }
    same(shell("--no-such-option", "true")).exits(125);
    same(|runtime| run(runtime, "--volume /etc/hostname:/etc", &["true"]));
}

#[test]
fn the_container_looks_as_with_runc() {
    let _host = podman();
    let ids = "cat /proc/self/uid_map /proc/self/gid_map; id; touch /new && stat -c %u:%g /new";
    same(shell("", ids)).exits(0);
    let kept = same(shell("--userns=keep-id", "cat /proc/self/uid_map; id -u; id -g")).ok();
    assert!(kept.ends_with("1000\n1000"), "{kept}");
    same(shell("--user 5:6", "id -u; id -g; grep -e Cap -e Seccomp: -e NoNew /proc/self/status")).exits(0);
    same(shell("", "grep -e Cap -e Seccomp: -e NoNew /proc/self/status; pwd; umask; ls /dev | grep -v core"))
        .exits(0);
    same(shell("--read-only --tmpfs /q", "touch /a; touch /q/b && echo ok")).exits(0);
    same(shell("--init", "cat /proc/1/comm")).exits(0);
    same(shell("--privileged", "mount -t tmpfs x /mnt && echo mounted")).exits(0);
    same(shell("--volume /home/rootless:/v:ro", "touch /v/x; stat -c %u:%g /v")).exits(0);
}

#[test]
fn exec_ends_as_with_runc() {
    let _host = podman();
    sleepers("");
    let exec = |words: &'static str| {
        move |runtime: &str| with(runtime, &format!("exec {words}").replace('@', runtime))
    };
    same(exec("@ false")).exits(1);
    same(exec("@ nosuch")).exits(127);
    same(exec("@ /etc/passwd")).exits(126);
    same(exec("--user 1000 @ id")).exits(0);
    same(exec("--workdir /etc @ pwd"));
    removed();
}

#[test]
fn a_container_is_logged_frozen_changed_and_stopped() {
    let _host = podman();
    sleepers("--memory 64m --pids-limit 50");
    for runtime in RUNTIMES {
        with(runtime, &format!("pause {runtime}")).ok();
        assert_eq!(inspected(runtime, "State.Status"), "paused");
        with(runtime, &format!("unpause {runtime}")).ok();
        with(runtime, &format!("update --memory 40m --pids-limit 30 {runtime}")).ok();
    }
    let files = "/sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max";
    let held = same(|runtime| with(runtime, &format!("exec {runtime} cat {files}"))).ok();
    assert_eq!(held, "41943040\n30");
    for runtime in RUNTIMES {
        assert!(with(runtime, &format!("top {runtime} comm")).ok().contains("sleep"));
        with(runtime, &format!("stop --time 1 {runtime}")).ok();
        assert_eq!(inspected(runtime, "State.ExitCode"), "137", "{runtime}");
        with(runtime, &format!("start {runtime}")).ok();
        with(runtime, &format!("kill {runtime}")).ok();
        until("it ends", || inspected(runtime, "State.Status") == "exited");
    }
    removed();
    let words = ["run", "--name", "a", "--network", "none", "box", "sh", "-c", "echo one; echo two"];
    user(&[&["podman", "--runtime", "crate-run"], &words[..]].concat()).ok();
    assert_eq!(with("crate-run", "logs a").ok(), "one\ntwo");
    with("crate-run", "rm a").ok();
}

#[test]
fn limits_are_kept_by_the_users_own_systemd() {
    let _host = podman();
    let files =
        "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max /sys/fs/cgroup/pids.max /proc/self/cgroup";
    same(shell("--memory 64m --cpus 0.5 --pids-limit 50", files)).exits(0);
    let start = "run --detach --network none --name a --memory 64m box sleep 1000000";
    let id = with("crate-run", start).ok();
    let show = format!("systemctl --user show --property MemoryMax --value libpod-{id}.scope");
    assert_eq!(line(&show).ok(), "67108864");
    line("systemctl --user daemon-reload").ok();
    assert_eq!(with("crate-run", "exec a cat /sys/fs/cgroup/memory.max").ok(), "67108864");
    with("crate-run", "rm --force --time 0 a").ok();
    let active = format!("systemctl --user is-active libpod-{id}.scope");
    assert_ne!(line(&active).status, 0, "the scope is gone");
}

/// Only the exit status is sure: conmon reads the count of the cgroup, and the user's systemd may have removed that.
#[test]
fn memory_that_runs_out_ends_it_as_with_runc() {
    let _host = podman();
    same(shell("--memory 20m --memory-swap 20m", "exec probe eat-memory 100 >/dev/null")).exits(137);
}

/// The cgroup is made in the user's part of the tree.
#[test]
fn limits_hold_without_systemd() {
    let _host = podman();
    let run = |options: &'static str, script: &'static str| {
        move |runtime: &str| {
            let start =
                format!("podman --cgroup-manager cgroupfs --runtime {runtime} run --rm --network none");
            let words = start.split(' ').chain(options.split_whitespace()).chain(["box", "sh", "-c", script]);
            user(&words.collect::<Vec<_>>())
        }
    };
    same(run("", "echo out; exit 7")).exits(7);
    let held = same(run("--memory 64m --pids-limit 50", "cd /sys/fs/cgroup; cat memory.max pids.max")).ok();
    assert_eq!(held, "67108864\n50");
}

#[test]
fn pods_share_and_kubernetes_yaml_is_played() {
    let _host = podman();
    let create = "podman --runtime crate-run pod create --name pod --network none --infra-image box";
    let create: Vec<&str> = create.split(' ').chain(["--infra-command", "sleep 1000000"]).collect();
    user(&create).ok();
    with("crate-run", "run --detach --pod pod --name a box sleep 1000000").ok();
    with("crate-run", "run --detach --pod pod --name b box sleep 1000000").ok();
    let net = |name: &str| with("crate-run", &format!("exec {name} readlink /proc/self/ns/net")).ok();
    assert_eq!(net("a"), net("b"));
    with("crate-run", "pod rm --force --time 0 pod").ok();
    let file = "/var/tmp/crate-run-rootless-pod.yaml";
    tool::configure(file, PLAYED);
    with("crate-run", &format!("kube play --network none {file}")).ok();
    let memory = with("crate-run", "exec played-one cat /sys/fs/cgroup/memory.max").ok();
    with("crate-run", &format!("kube down {file}")).ok();
    std::fs::remove_file(file).expect("the pod's file");
    assert_eq!(memory, "33554432");
}

/// By pasta(1), which gives the container the addresses of the host.
#[test]
fn the_network_is_as_with_runc() {
    let _host = podman();
    let look = "ls /sys/class/net; cat /sys/class/net/lo/operstate; ip -o -4 addr | wc -l; hostname";
    same(|runtime| {
        let start = format!("podman --runtime {runtime} run --rm --hostname one box sh -c");
        user(&start.split(' ').chain([look]).collect::<Vec<_>>())
    })
    .exits(0);
}

#[test]
fn an_image_is_built() {
    let _host = podman();
    let folder = format!("{HOME}/build");
    let file = "FROM localhost/box\\nRUN echo built >/result && id -u\\n";
    let write = format!("mkdir -p {folder} && printf '{file}' >{folder}/Containerfile");
    user(&["sh", "-c", &write]).ok();
    let build = "buildah build --isolation oci --network none --pull=never --tag built";
    line(&format!("{build} --runtime {} {folder}", binary("crate-run"))).ok();
    let said = with("crate-run", "run --rm --network none built cat /result");
    line("podman rmi localhost/built").ok();
    line(&format!("rm -r {folder}")).ok();
    assert_eq!(said.ok(), "built");
}
