//! containerd, its stock shim for runc, and crate-run as that shim's `BinaryName`.

use crate::host::Host;
use crate::tool::{self, RUNTIMES, Said, at_terminal, binary, same, until};

/// containerd up and idle.
fn containerd() -> Host {
    tool::line("systemctl start containerd").ok();
    // The cgroup of ctr's namespace stays when its last container goes, as with runc.
    std::fs::create_dir_all("/sys/fs/cgroup/default").expect("the cgroup of a namespace");
    Host::as_it_is()
}

fn ctr(words: &str) -> Said {
    tool::line(&format!("ctr {words}"))
}

/// `ctr run` with the words between the options and the command.
fn run(runtime: &str, options: &str, id: &str, command: &[&str]) -> Said {
    let (binary, rootfs) = (binary(runtime), tool::rootfs());
    let start = format!("ctr run --runc-binary {binary} {options} --rootfs {} {id}", rootfs.display());
    let words: Vec<&str> = start.split_whitespace().chain(command.iter().copied()).collect();
    tool::run(&words)
}

fn sleeper(runtime: &str, options: &str) {
    run(runtime, &format!("--detach {options}"), runtime, &["/bin/sleep", "1000000"]).ok();
}

fn removed(id: &str) {
    ctr(&format!("tasks kill --signal SIGKILL {id}")).ok();
    until("the task ends", || state(id) == "STOPPED");
    let said = ctr(&format!("tasks delete {id}"));
    assert!(said.stderr.contains("exit code 137"), "{said:?}");
    ctr(&format!("containers delete {id}")).ok();
}

fn state(id: &str) -> String {
    let list = ctr("tasks list").ok();
    let line = list.lines().find(|line| line.split_whitespace().next() == Some(id)).unwrap_or_default();
    line.split_whitespace().nth(2).unwrap_or_default().to_owned()
}

#[test]
fn run_ends_as_with_runc() {
    let _host = containerd();
    same(|runtime| run(runtime, "--rm", "a", &["/bin/sh", "-c", "echo out; exit 7"])).exits(7);
    for program in ["nosuch", "/no/such", "/etc/passwd", "/etc"] {
        let said = same(|runtime| run(runtime, "--rm", "a", &[program])).exits(1);
        assert!(said.stderr.contains(&format!("exec: \"{program}\": ")), "{said:?}");
    }
}

#[test]
fn a_task_is_executed_in_frozen_listed_measured_and_ended() {
    let _host = containerd();
    for runtime in RUNTIMES {
        sleeper(runtime, "--memory-limit 67108864");
        let exec = format!("ctr tasks exec --exec-id one {runtime} /bin/sh -c");
        tool::run(&exec.split(' ').chain(["exit 5"]).collect::<Vec<_>>()).exits(5);
        let ps = ctr(&format!("tasks ps {runtime}")).ok();
        assert_eq!(ps.lines().count(), 2, "{ps}");
        ctr(&format!("tasks pause {runtime}")).ok();
        assert_eq!(state(runtime), "PAUSED");
        ctr(&format!("tasks resume {runtime}")).ok();
        assert_eq!(state(runtime), "RUNNING");
        let metrics = ctr(&format!("tasks metrics --format json {runtime}")).ok();
        assert!(metrics.contains("\"usage_limit\": 67108864"), "{metrics}");
        removed(runtime);
    }
}

#[test]
fn exec_ends_as_with_runc() {
    let _host = containerd();
    for runtime in RUNTIMES {
        sleeper(runtime, "");
    }
    for command in ["/bin/true", "nosuch", "/etc/passwd", "/etc", "/bin/false"] {
        same(|runtime| ctr(&format!("tasks exec --exec-id one {runtime} {command}")));
    }
    let tty = at_terminal("ctr tasks exec --tty --exec-id one crate-run /usr/bin/tty").exits(0);
    assert!(tty.stdout.contains("/dev/pts/0"), "{tty:?}");
    for runtime in RUNTIMES {
        removed(runtime);
    }
}

#[test]
fn a_terminal_is_handed_over() {
    let _host = containerd();
    for runtime in RUNTIMES {
        let binary = binary(runtime);
        let rootfs = tool::rootfs();
        let command =
            format!("ctr run --rm --tty --runc-binary {binary} --rootfs {} a /usr/bin/tty", rootfs.display());
        let said = at_terminal(&command).exits(0);
        assert!(said.stdout.contains("/dev/pts/0"), "{runtime}: {said:?}");
    }
}

#[test]
fn systemd_makes_the_cgroup_when_it_is_asked_to() {
    let _host = containerd();
    for runtime in RUNTIMES {
        let scope = format!("trial-{runtime}.scope");
        let cgroup = format!("--runc-systemd-cgroup --cgroup system.slice:trial:{runtime}");
        sleeper(runtime, &format!("{cgroup} --memory-limit 67108864"));
        tool::line(&format!("systemctl is-active {scope}")).ok();
        let memory = tool::line(&format!("systemctl show --property MemoryMax --value {scope}")).ok();
        assert_eq!(memory, "67108864", "{runtime}");
        let metrics = ctr(&format!("tasks metrics --format json {runtime}")).ok();
        assert!(metrics.contains("\"usage_limit\": 67108864"), "{runtime}: {metrics}");
        removed(runtime);
        assert_ne!(tool::line(&format!("systemctl is-active {scope}")).status, 0, "{scope} is gone");
    }
}
