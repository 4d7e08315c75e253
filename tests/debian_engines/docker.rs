//! Docker with crate-run among the `runtimes` of its daemon.json, beside runc.

use crate::host::Host;
use crate::tool::{self, RUNTIMES, Said, at_terminal, configure, import, same, snippet, until};

/// The configuration that the documentation tells to copy, with further settings.
pub fn daemon_json(more: &str) -> String {
    let told = snippet(include_str!("../../docs/engines/docker.md"), "json");
    let (told, _) = told.rsplit_once('}').expect("an object");
    format!("{told}{more} }}")
}

/// Docker up and idle, with the image `box`.
pub fn docker() -> Host {
    if tool::line("systemctl is-active docker").status != 0 {
        configure("/etc/docker/daemon.json", &daemon_json(""));
        tool::line("systemctl start docker").ok();
    }
    // What a test that has failed has left.
    tool::run(&["sh", "-c", "docker ps --all --quiet | xargs --no-run-if-empty docker rm --force"]).ok();
    if tool::line("docker image inspect box").status != 0 {
        import("docker import - box");
    }
    Host::as_it_is()
}

/// `docker run --rm` with the words of both lines: options, then the command.
fn run(runtime: &str, options: &str, command: &[&str]) -> Said {
    let start = format!("docker run --rm --network none --runtime {runtime} {options} box");
    let words: Vec<&str> = start.split_whitespace().chain(command.iter().copied()).collect();
    tool::run(&words)
}

fn shell(options: &'static str, script: &'static str) -> impl Fn(&str) -> Said {
    move |runtime| run(runtime, options, &["sh", "-c", script])
}

/// A container that sleeps, with the name of its runtime.
fn sleeper(runtime: &str, options: &str) {
    let name =
        format!("docker run --detach --network none --name {runtime} --runtime {runtime} {options} box");
    tool::line(&format!("{name} sleep 1000000")).ok();
}

fn sleepers(options: &str) {
    for runtime in RUNTIMES {
        sleeper(runtime, options);
    }
}

fn removed() {
    for runtime in RUNTIMES {
        tool::line(&format!("docker rm --force {runtime}")).ok();
    }
}

fn inspected(name: &str, field: &str) -> String {
    tool::run(&["docker", "inspect", "--format", &format!("{{{{.{field}}}}}"), name]).ok()
}

#[test]
fn the_daemon_knows_the_runtime_and_what_it_can_do() {
    let _host = docker();
    let info = tool::run(&["docker", "info", "--format", "{{json .Runtimes}}"]).ok();
    assert!(info.contains("\"crate-run\"") && info.contains("\"status\""), "{info}");
    assert!(info.contains("org.opencontainers.runtime-spec.features"), "its features are told: {info}");
}

#[test]
fn run_ends_as_with_runc() {
    let _host = docker();
    same(shell("", "echo out; echo err >&2; exit 7")).exits(7);
    let cases: [(&str, i32); 5] =
        [("nosuch", 127), ("/no/such", 127), ("/etc/passwd", 126), ("/etc", 126), ("/etc/passwd/x", 125)];
    for (program, status) in cases {
        let said = same(|runtime| run(runtime, "", &[program])).exits(status);
        assert!(said.stderr.contains(&format!("exec: \"{program}\": ")), "{said:?}");
        assert!(!said.stderr.contains("left behind"), "{said:?}");
    }
    let said = same(|runtime| run(runtime, "--volume /etc/hostname:/etc", &["true"])).exits(125);
    assert!(said.stderr.contains("Are you trying to mount a directory onto a file"), "{said:?}");
}

#[test]
fn exec_ends_as_with_runc() {
    let _host = docker();
    sleepers("");
    let exec = |words: &'static str| {
        move |runtime: &str| tool::line(&format!("docker exec {words}").replace('@', runtime))
    };
    same(exec("@ false")).exits(1);
    same(exec("@ nosuch")).exits(127);
    same(exec("@ /etc/passwd")).exits(126);
    same(exec("@ /etc")).exits(126);
    same(exec("--workdir /no/such @ true")).exits(127);
    same(exec("--user 1000:5 @ id")).exits(0);
    same(exec("--env A=b --env HOSTNAME=one @ env")).exits(0);
    same(exec("--privileged @ grep Cap /proc/self/status")).exits(0);
    removed();
}

#[test]
fn terminals_and_pipes_are_handed_over() {
    let _host = docker();
    sleeper("crate-run", "");
    let said = at_terminal("docker exec --interactive --tty crate-run tty").exits(0);
    assert!(said.stdout.contains("/dev/pts/0"), "{said:?}");
    let said = tool::run(&["sh", "-c", "echo through | docker exec --interactive crate-run cat"]);
    assert_eq!(said.ok(), "through");
    tool::line("docker rm --force crate-run").ok();
    let said =
        at_terminal("docker run --rm -it --network none --runtime crate-run box stat -c %t /dev/console");
    assert!(said.clone().exits(0).stdout.contains("88"), "the console is a pseudoterminal: {said:?}");
}

#[test]
fn the_container_looks_as_with_runc() {
    let _host = docker();
    let limits = "--pids-limit 20 --cpus 0.5 --memory 64m --memory-reservation 32m --cpu-shares 512 \
                  --cpuset-cpus 0 --blkio-weight 300";
    let files = "cd /sys/fs/cgroup; cat pids.max cpu.max memory.max memory.low memory.swap.max cpu.weight cpuset.cpus";
    same(|runtime| run(runtime, limits, &["sh", "-c", files])).exits(0);
    same(shell("--read-only", "touch /x; touch /dev/shm/x && echo ok")).exits(0);
    same(shell("--init", "cat /proc/1/comm")).exits(0);
    same(shell("--ulimit nofile=100:200", "ulimit -n; ulimit -Hn")).exits(0);
    same(shell("--sysctl net.ipv4.ip_forward=1", "cat /proc/sys/net/ipv4/ip_forward")).exits(0);
    same(shell("--security-opt no-new-privileges", "grep -e NoNew -e Seccomp: -e Cap /proc/self/status"))
        .exits(0);
    same(shell("--privileged", "grep -e Cap -e Seccomp: /proc/self/status")).exits(0);
    same(shell("--tmpfs /t:size=1m,mode=1770,uid=5", "ls -ldn /t | cut -c1-30; grep ' /t ' /proc/mounts"))
        .exits(0);
    same(shell("--shm-size 5m", "df /dev/shm")).exits(0);
    same(shell("--pid host --ipc host --uts host", "hostname; test -d /proc/2 && echo host")).exits(0);
    same(shell("--device /dev/fuse", "stat -c %t:%T /dev/fuse; head -c 1 /dev/zero | wc -c")).exits(0);
    same(shell("", "env | grep -v HOSTNAME; ls /dev | grep -v core; id; pwd; umask")).exits(0);
    same(shell(
        "--cap-drop ALL --cap-add NET_ADMIN --user 1000:5 --group-add 7",
        "grep Cap /proc/self/status; id",
    ))
    .exits(0);
    same(shell(
        "--hostname h --add-host a:192.0.2.1 --oom-score-adj 300",
        "hostname; cat /etc/hosts /proc/self/oom_score_adj",
    ))
    .exits(0);
    same(shell(
        "--volume /var/tmp:/v:ro,rslave --mount type=bind,src=/etc,dst=/w,readonly",
        "touch /v/x /w/x; grep -e ' /v ' -e ' /w ' /proc/mounts | sort",
    ))
    .exits(0);
}

#[test]
fn a_container_is_frozen_measured_logged_and_stopped() {
    let _host = docker();
    sleepers("");
    for runtime in RUNTIMES {
        tool::line(&format!("docker pause {runtime}")).ok();
        assert_eq!(inspected(runtime, "State.Status"), "paused");
        tool::line(&format!("docker unpause {runtime}")).ok();
        let stats = tool::run(&["docker", "stats", "--no-stream", "--format", "{{.PIDs}}", runtime]).ok();
        assert_eq!(stats, "1", "{runtime}");
        let top = tool::line(&format!("docker top {runtime} -o pid,comm")).ok();
        assert!(top.lines().nth(1).is_some_and(|line| line.ends_with("sleep")), "{runtime}: {top}");
        tool::line(&format!("docker stop --time 1 {runtime}")).ok();
        assert_eq!(inspected(runtime, "State.ExitCode"), "137");
        tool::line(&format!("docker start {runtime}")).ok();
        tool::line(&format!("docker kill --signal KILL {runtime}")).ok();
    }
    removed();
    let name = "docker run --network none --name one --runtime crate-run box";
    tool::run(&[&name.split(' ').collect::<Vec<_>>()[..], &["sh", "-c", "echo one; echo two"]].concat()).ok();
    assert_eq!(tool::line("docker logs one").ok(), "one\ntwo");
    tool::line("docker rm one").ok();
}

#[test]
fn limits_are_changed_while_it_runs() {
    let _host = docker();
    sleepers("--memory 60m");
    let change = "--memory 40m --memory-swap 80m --cpus 0.3 --pids-limit 33";
    same(|runtime| tool::line(&format!("docker update {change} {runtime}"))).exits(0);
    let files =
        ["memory.max", "memory.swap.max", "cpu.max", "pids.max"].map(|file| format!("/sys/fs/cgroup/{file}"));
    let held = same(|runtime| tool::line(&format!("docker exec {runtime} cat {}", files.join(" "))));
    assert_eq!(held.ok(), "41943040\n41943040\n30000 100000\n33");
    removed();
}

/// How many processes the kernel has killed for want of memory below the slice of Docker's scopes.
fn killed_for_memory() -> u64 {
    let events = std::fs::read_to_string("/sys/fs/cgroup/system.slice/memory.events").expect("the slice");
    let count = events.lines().find_map(|line| line.strip_prefix("oom_kill ")).expect("a count");
    count.parse().expect("a number")
}

/// `State.OOMKilled` is left to chance where systemd makes the cgroup, with every runtime: see docs/kubernetes.md.
#[test]
fn a_container_without_memory_left_is_ended_by_the_kernel() {
    let _host = docker();
    for runtime in RUNTIMES {
        let before = killed_for_memory();
        let start = format!(
            "docker run --name one --network none --runtime {runtime} --memory 20m --memory-swap 20m"
        );
        let said = tool::line(&format!("{start} box /bin/probe eat-memory 100"));
        println!("{runtime}: OOMKilled {}", inspected("one", "State.OOMKilled"));
        tool::line("docker rm one").ok();
        assert_eq!((said.status, killed_for_memory() - before), (137, 1), "{runtime}: {said:?}");
    }
}

#[test]
fn health_is_checked() {
    let _host = docker();
    for runtime in RUNTIMES {
        let start = format!("docker run --detach --name one --network none --runtime {runtime}");
        let health = "--health-cmd true --health-interval 1s";
        tool::line(&format!("{start} {health} box sleep 1000000")).ok();
        until("it is healthy", || inspected("one", "State.Health.Status") == "healthy");
        tool::line("docker rm --force one").ok();
        let health = "--health-cmd false --health-interval 1s --health-retries 1";
        tool::line(&format!("{start} {health} box sleep 1000000")).ok();
        until("it is unhealthy", || inspected("one", "State.Health.Status") == "unhealthy");
        tool::line("docker rm --force one").ok();
    }
}

#[test]
fn a_container_that_fails_is_started_again() {
    let _host = docker();
    for runtime in RUNTIMES {
        let start = format!(
            "docker run --detach --name one --network none --runtime {runtime} --restart on-failure:2"
        );
        tool::line(&format!("{start} box false")).ok();
        let ended = || (inspected("one", "RestartCount"), inspected("one", "State.Status"));
        until("it is given up", || ended() == ("2".to_owned(), "exited".to_owned()));
        assert_eq!(inspected("one", "State.ExitCode"), "1", "{runtime}");
        tool::line("docker rm one").ok();
    }
}

#[test]
fn compose_brings_a_project_up_and_down() {
    let _host = docker();
    let file = "/var/tmp/crate-run-compose.yaml";
    let text = "services:\n  one:\n    image: box\n    runtime: crate-run\n    network_mode: none\n    \
                init: true\n    read_only: true\n    mem_limit: 32m\n    command: sleep 1000000\n";
    configure(file, text);
    let compose =
        |words: &str| tool::line(&format!("docker compose --project-name trial --file {file} {words}"));
    compose("up --detach").ok();
    assert_eq!(compose("exec --no-TTY one cat /sys/fs/cgroup/memory.max").ok(), "33554432");
    compose("down --timeout 1").ok();
    std::fs::remove_file(file).expect("the project's file");
}
