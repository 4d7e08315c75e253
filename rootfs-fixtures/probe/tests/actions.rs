//! Actions do on the host what tests will watch in a container.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

const PROBE: &str = env!("CARGO_BIN_EXE_probe");

fn probe(words: &[&str]) -> Output {
    Command::new(PROBE).args(words).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A path of its own for each test.
fn scratch(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("probe-{name}-{}", std::process::id()))
}

/// Starts an action that says `ready` and waits for that line.
fn start(words: &[&str]) -> (Child, impl Iterator<Item = String>) {
    let mut child = Command::new(PROBE).args(words).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(lines.next().as_deref(), Some("ready"));
    (child, lines)
}

fn send(signal: &str, to: &Child) {
    let status =
        Command::new("/bin/sh").arg("-c").arg(format!("kill -{signal} {}", to.id())).status().unwrap();
    assert!(status.success());
}

#[test]
fn exit_has_the_wanted_status() {
    assert_eq!(probe(&["exit", "7"]).status.code(), Some(7));
    let refused = probe(&["exit", "300"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("an exit status from 0 to 255"));
}

#[test]
fn signal_self_dies_by_the_signal() {
    assert_eq!(probe(&["signal-self", "term"]).status.signal(), Some(15));
    assert_eq!(stdout(&probe(&["signal-self", "SIGURG"])), "survived SIGURG\n");
}

#[test]
fn received_signals_are_printed_until_sigterm() {
    let (mut child, mut lines) = start(&["print-signals"]);
    for (signal, line) in [("USR1", "SIGUSR1"), ("HUP", "SIGHUP"), ("35", "SIG35"), ("TERM", "SIGTERM")] {
        send(signal, &child);
        assert_eq!(lines.next().as_deref(), Some(line));
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn ignored_signals_do_nothing() {
    let (mut child, _) = start(&["sleep-ignoring", "TERM", "USR1"]);
    send("TERM", &child);
    send("USR1", &child);
    // Not HUP: a caller under nohup(1) hands its disposition down.
    send("USR2", &child);
    assert_eq!(child.wait().unwrap().signal(), Some(12));
}

#[test]
fn eaten_memory_is_counted() {
    assert_eq!(stdout(&probe(&["eat-memory", "9"])), "8 MiB\n9 MiB\n");
}

#[test]
fn spinning_uses_the_processor() {
    let times = json(&probe(&["spin", "0.05"]));
    let (cpu, wall) = (times["cpu_seconds"].as_f64().unwrap(), times["wall_seconds"].as_f64().unwrap());
    assert!(wall >= 0.05, "{times}");
    assert!(cpu > 0.0, "{times}");
}

#[test]
fn a_fork_bomb_reaps_its_children_and_says_what_stopped_it() {
    let all = json(&probe(&["fork-bomb", "3"]));
    assert_eq!(all, json!({ "wanted": 3, "had": 3, "stopped_by": null, "reaped": 3 }));
    // Five descriptors are enough for the pipe but not for giving its end to a child.
    let few = format!("exec 3<&- 4<&-; ulimit -n 5; exec '{PROBE}' fork-bomb 100");
    let none = json(&Command::new("/bin/sh").arg("-c").arg(few).output().unwrap());
    assert_eq!(none, json!({ "wanted": 100, "had": 0, "stopped_by": "EMFILE", "reaped": 0 }));
}

#[test]
fn orphans_outlive_their_parent() {
    let orphans = json(&probe(&["orphan", "2"]));
    assert_eq!(orphans["orphans"].as_array().unwrap().len(), 2);
}

#[test]
fn attempts_say_ok_or_the_name_of_the_error() {
    assert_eq!(stdout(&probe(&["try", "ptrace"])), "ok\n");
    let several = json(&probe(&["try-all", "ptrace", "write-own-exe"]));
    assert_eq!(several, json!({ "ptrace": "ok", "write-own-exe": "ETXTBSY" }));
    let unknown = probe(&["try", "no-such-operation"]);
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("known: setuid0"));
}

/// In a container the machine is not in reach, so there the test looks at the other side of the rule.
#[test]
fn attempts_on_the_machine_are_refused_in_its_first_pid_namespace() {
    let first = std::fs::read_link("/proc/self/ns/pid").unwrap().to_str() == Some("pid:[4026531836]");
    let output = probe(&["try", "mkdir-cgroup"]);
    let _ = std::fs::remove_dir("/sys/fs/cgroup/probe");
    let refused = String::from_utf8_lossy(&output.stderr).contains("could change this machine");
    assert_eq!(refused, first);
}

#[test]
fn files_are_written_and_read() {
    let path = scratch("file");
    let name = path.to_str().unwrap();
    assert!(probe(&["write", name, "some text"]).status.success());
    assert_eq!(stdout(&probe(&["read", name])), "some text");
    std::fs::remove_file(&path).unwrap();
    let missing = probe(&["read", name]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).ends_with(": ENOENT\n"));
}

#[test]
fn stdin_is_copied() {
    assert_eq!(stdout(&feed(&["cat-stdin"], "a\nb")), "a\nb");
}

#[test]
fn a_hook_writes_a_line_for_each_call() {
    let path = scratch("hook");
    let name = path.to_str().unwrap();
    assert_eq!(feed(&["hook", name], r#"{"id":"one"}"#).status.code(), Some(0));
    assert_eq!(feed(&["hook", name, "3"], "no json").status.code(), Some(3));
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let calls: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(calls[0]["state"]["id"], "one");
    assert_eq!(calls[0]["args"], json!([PROBE, "hook", name]));
    assert_eq!(calls[1]["state"]["stdin"], "no json");
}

#[test]
fn readiness_is_notified() {
    let path = scratch("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let notify =
        Command::new(PROBE).args(["notify", "READY=1"]).env("NOTIFY_SOCKET", &path).status().unwrap();
    assert!(notify.success());
    let mut buffer = [0; 16];
    let length = socket.recv(&mut buffer).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(&buffer[..length], b"READY=1");
}

fn feed(words: &[&str], input: &str) -> Output {
    let mut command = Command::new(PROBE);
    let mut child = command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}
