//! Podman, as root, with crate-run among the runtimes of containers.conf, beside runc.

use crate::host::Host;
use crate::tool::{self, RUNTIMES, Said, at_terminal, configure, import, same, snippet};

/// Podman configured, with the image `box`.
pub fn podman() -> Host {
    configure(
        "/etc/containers/containers.conf.d/50-crate-run.conf",
        &snippet(include_str!("../../docs/engines/podman.md"), "toml"),
    );
    if tool::line("podman image exists box").status != 0 {
        import("podman import - box");
    }
    // What a test that has failed has left.
    tool::line("podman pod rm --all --force --time 0").ok();
    tool::line("podman rm --all --force --time 0").ok();
    Host::as_it_is()
}

/// A command of podman, with a runtime.
pub fn with(runtime: &str, words: &str) -> Said {
    tool::line(&format!("podman --runtime {runtime} {words}"))
}

fn run(runtime: &str, options: &str, command: &[&str]) -> Said {
    let start = format!("podman --runtime {runtime} run --rm --network none {options} box");
    let words: Vec<&str> = start.split_whitespace().chain(command.iter().copied()).collect();
    tool::run(&words)
}

fn shell(options: &'static str, script: &'static str) -> impl Fn(&str) -> Said {
    move |runtime| run(runtime, options, &["sh", "-c", script])
}

#[test]
fn run_ends_as_with_runc() {
    let _host = podman();
    same(shell("", "echo out; exit 7")).exits(7);
    for (program, status) in [("nosuch", 127), ("/no/such", 127), ("/etc/passwd", 126), ("/etc", 126)] {
        same(|runtime| run(runtime, "", &[program])).exits(status);
    }
    same(|runtime| run(runtime, "--volume /etc/hostname:/etc", &["true"]));
}

#[test]
fn the_container_looks_as_with_runc() {
    let _host = podman();
    let files = "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max /sys/fs/cgroup/pids.max";
    same(|runtime| run(runtime, "--memory 64m --cpus 0.5 --pids-limit 50", &["sh", "-c", files])).exits(0);
    same(shell("--read-only --tmpfs /q", "touch /a; touch /q/b && echo ok")).exits(0);
    same(shell("--init", "cat /proc/1/comm")).exits(0);
    same(shell("--uidmap 0:100000:65536", "cat /proc/self/uid_map; id -u; touch /new && echo made")).exits(0);
    same(shell("--privileged", "grep Cap /proc/self/status; mount -t tmpfs x /mnt && echo mounted")).exits(0);
    same(shell("", "env | grep -v HOSTNAME; id; pwd; umask; grep -e Cap -e Seccomp /proc/self/status"))
        .exits(0);
}

#[test]
fn exec_ends_as_with_runc() {
    let _host = podman();
    for runtime in RUNTIMES {
        with(runtime, &format!("run --detach --name {runtime} --network none box sleep 1000000")).ok();
    }
    let exec = |words: &'static str| {
        move |runtime: &str| with(runtime, &format!("exec {words}").replace('@', runtime))
    };
    same(exec("@ false")).exits(1);
    same(exec("@ nosuch")).exits(127);
    same(exec("@ /etc/passwd")).exits(126);
    // runc 1.3 ends with 255 here: its text lacks what Podman looks for.
    exec("@ /etc")("crate-run").exits(126);
    same(exec("--workdir /no/such @ true"));
    same(exec("--user 1000 @ id")).exits(0);
    let said = at_terminal("podman --runtime crate-run exec --interactive --tty crate-run tty").exits(0);
    assert!(said.stdout.contains("/dev/pts/0"), "{said:?}");
    for runtime in RUNTIMES {
        with(runtime, &format!("rm --force --time 0 {runtime}")).ok();
    }
}

#[test]
fn a_container_is_frozen_changed_checked_listed_and_stopped() {
    let _host = podman();
    let start =
        "run --detach --name a --network none --health-cmd true --health-interval disable box sleep 1000000";
    with("crate-run", start).ok();
    let state = || tool::run(&["podman", "inspect", "--format", "{{.State.Status}}", "a"]).ok();
    with("crate-run", "pause a").ok();
    assert_eq!(state(), "paused");
    with("crate-run", "unpause a").ok();
    with("crate-run", "healthcheck run a").ok();
    with("crate-run", "update --memory 40m --pids-limit 30 a").ok();
    let held = with("crate-run", "exec a cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max").ok();
    assert_eq!(held, "41943040\n30");
    assert!(with("crate-run", "top a comm").ok().contains("sleep"));
    with("crate-run", "stop --time 1 a").ok();
    assert_eq!(state(), "exited");
    with("crate-run", "start a").ok();
    with("crate-run", "kill a").ok();
    with("crate-run", "rm --force --time 0 a").ok();
}

/// Podman takes exit status 0 of `checkpoint --help` as the promise that CRIU works.
#[test]
fn a_checkpoint_is_declined_and_the_container_goes_on() {
    let _host = podman();
    with("crate-run", "run --detach --name a --network none box sleep 1000000").ok();
    let said = with("crate-run", "container checkpoint a");
    assert_ne!(said.status, 0, "{said:?}");
    // CRIU is installed: without it Podman would not even ask the runtime.
    tool::line("criu --version").ok();
    assert!(said.stderr.contains("runtime does not support checkpoint"), "{said:?}");
    with("crate-run", "exec a true").ok();
    with("crate-run", "rm --force --time 0 a").ok();
}

#[test]
fn no_cgroup_is_made_when_none_is_wanted() {
    let _host = podman();
    let said = run("crate-run", "--cgroups=disabled", &["cat", "/proc/self/cgroup"]).ok();
    let libpod = said.contains("libpod-") && !said.contains("conmon");
    assert!(!libpod, "it stays where podman was started: {said}");
}
