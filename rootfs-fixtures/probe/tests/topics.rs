//! The probe itself is tested on the host: it must see what its caller arranged, and only that.

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use serde_json::{Value, json};
use std::fs::File;
use std::process::{Command, Stdio};

const PROBE: &str = env!("CARGO_BIN_EXE_probe");

/// What a command prints, as JSON.
fn json_of(command: &mut Command) -> Value {
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", output.status);
    serde_json::from_slice(&output.stdout).unwrap()
}

fn probe(words: &[&str]) -> Value {
    json_of(Command::new(PROBE).args(words))
}

/// Runs the probe behind a few words of shell that arrange its surroundings.
fn probe_after(arrange: &str, topic: &str) -> Value {
    json_of(Command::new("/bin/sh").arg("-c").arg(format!("{arrange} exec '{PROBE}' {topic}")))
}

#[test]
fn the_report_has_a_key_for_each_topic_and_says_what_single_topics_say() {
    let report = probe(&["report"]);
    let usage = Command::new(PROBE).arg("help").output().unwrap();
    for topic in report.as_object().unwrap().keys() {
        assert!(String::from_utf8_lossy(&usage.stdout).contains(&format!("\n  {topic} ")), "{topic}");
    }
    for topic in ["ids", "caps", "seccomp", "mounts", "uts", "rlimits"] {
        assert_eq!(report[topic], probe(&[topic]), "{topic}");
        assert_eq!(report[topic]["error"], Value::Null, "{topic}");
    }
}

#[test]
fn a_report_can_be_limited_to_some_topics() {
    let report = probe(&["report", "cwd", "ids"]);
    assert_eq!(report.as_object().unwrap().keys().collect::<Vec<_>>(), ["cwd", "ids"]);
}

#[test]
fn the_environment_is_told_exactly() {
    let env = json_of(Command::new(PROBE).arg("env").env_clear().env("B", "2").env("EMPTY", ""));
    assert_eq!(env, json!(["B=2", "EMPTY="]));
}

#[test]
fn arguments_and_working_directory() {
    assert_eq!(probe(&["args", "a b", ""]), json!([PROBE, "args", "a b", ""]));
    assert_eq!(json_of(Command::new(PROBE).arg("cwd").current_dir("/proc")), json!("/proc"));
}

#[test]
fn inherited_descriptors_are_seen_and_the_own_one_is_not() {
    let fds = probe_after("exec 7</dev/null 3<&- 4<&- 5<&- 6<&- 8<&- 9<&-;", "fds");
    let seven = fds.as_array().unwrap().iter().find(|fd| fd["fd"] == 7).unwrap();
    assert_eq!((&seven["target"], &seven["flags"]), (&json!("/dev/null"), &json!(["O_RDONLY"])));
    assert!(fds.as_array().unwrap().iter().all(|fd| fd["fd"] != 3));
}

#[test]
fn a_closed_stdin_stays_visible_as_closed() {
    let fds = probe_after("exec 0<&-;", "fds");
    assert!(fds.as_array().unwrap().iter().all(|fd| fd["fd"] != 0), "{fds}");
}

#[test]
fn only_signals_that_the_caller_ignores_are_ignored() {
    // glibc's posix_spawn(3), which starts the shell, leaves its two internal signals 32 and 33 ignored; what
    // else is ignored came from our own caller, such as nohup(1).
    let ours = probe(&["signals"])["ignored"]["names"].as_array().unwrap().clone();
    let ignored = |arrange: &str| {
        let signals = probe_after(arrange, "signals");
        assert_eq!(signals["caught"]["names"], json!([]));
        let names = signals["ignored"]["names"].as_array().unwrap().clone();
        names
            .into_iter()
            .filter(|name| name != "SIG32" && name != "SIG33" && !ours.contains(name))
            .collect::<Value>()
    };
    assert_eq!(ignored("trap '' USR1;"), json!(["SIGUSR1"]));
    assert_eq!(ignored("trap '' PIPE;"), json!(["SIGPIPE"]));
}

#[test]
fn umask_and_limits_are_those_of_the_caller() {
    assert_eq!(probe_after("umask 027;", "ids")["umask"], "0027");
    let limits = probe_after("ulimit -n 99;", "rlimits");
    assert_eq!(limits["RLIMIT_NOFILE"], json!({ "soft": 99, "hard": 99 }));
    assert_eq!(limits.as_object().unwrap().len(), 16);
}

#[test]
fn own_process_and_namespaces() {
    let report = probe(&["report", "process", "namespaces"]);
    assert_eq!(report["process"]["ppid"], std::process::id());
    assert_eq!(report["process"]["pid"], report["namespaces"]["pid_seen_inside"]);
    let mine = std::fs::read_link("/proc/self/ns/uts").unwrap();
    assert_eq!(report["namespaces"]["uts"]["link"], mine.to_str().unwrap());
}

#[test]
fn what_opening_a_path_says() {
    let directory = std::env::temp_dir().join(format!("probe-paths-{}", std::process::id()));
    std::fs::create_dir(&directory).unwrap();
    let (plain, null, missing) = (directory.join("plain"), "/dev/null", "/nonexistent");
    std::fs::write(&plain, "hello").unwrap();
    let (directory_name, plain) = (directory.to_str().unwrap(), plain.to_str().unwrap());
    let paths = probe(&["paths", plain, null, missing, directory_name]);
    assert_eq!((&paths[plain]["bytes"], &paths[plain]["write"]), (&json!(5), &json!("ok")));
    assert_eq!((&paths[null]["bytes"], &paths[null]["stat"]["device"]), (&json!(0), &json!("1:3")));
    assert_eq!((&paths[missing]["read"], &paths[missing]["lstat"]), (&json!("ENOENT"), &json!("ENOENT")));
    let inside = &paths[directory_name];
    assert_eq!((&inside["entries"], &inside["write"]), (&json!(1), &json!("ok")));
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn kernel_settings() {
    let settings = probe(&["sysctl", "kernel.ostype", "no.such.key"]);
    assert_eq!(settings["kernel.ostype"], "Linux");
    assert_eq!(settings["no.such.key"]["error"], "reading /proc/sys/no/such/key: ENOENT");
}

#[test]
fn a_terminal_is_told_with_name_and_size() {
    let outside = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&outside).unwrap();
    unlockpt(&outside).unwrap();
    let name = ptsname(&outside, Vec::new()).unwrap().into_string().unwrap();
    tcsetwinsize(&outside, Winsize { ws_row: 33, ws_col: 101, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let inside = File::open(&name).unwrap();
    let tty = json_of(Command::new(PROBE).arg("tty").stdin(inside));
    assert_eq!((&tty["stdin"]["name"], &tty["stdin"]["isatty"]), (&json!(name), &json!(true)));
    assert_eq!((&tty["stdin"]["rows"], &tty["stdin"]["columns"]), (&json!(33), &json!(101)));
    assert_eq!(tty["stdout"], json!({ "isatty": false }));
}

#[test]
fn wrong_command_lines_end_with_status_2_and_failed_answers_with_1() {
    let status =
        |words: &[&str]| Command::new(PROBE).args(words).stderr(Stdio::null()).status().unwrap().code();
    assert_eq!(status(&[]), Some(2));
    assert_eq!(status(&["no-such-command"]), Some(2));
    assert_eq!(status(&["report", "no-such-topic"]), Some(1));
}
