//! Without a terminal: exit status, signals, zombies.

use std::fs;
use std::io::pipe;
use std::process::{Command, Stdio};

use nix::libc;

use crate::Test;
use crate::roles::ERROR;
use crate::stage::{Far, Player, eventually, kill, role, role_with_role};

pub const TESTS: &[Test] = &[
    ("exit_status", exit_status),
    ("signal_status", signal_status),
    ("every_signal_is_forwarded", every_signal_is_forwarded),
    ("three_signals_are_not_forwarded", three_signals_are_not_forwarded),
    ("ended_before_we_look", ended_before_we_look),
    ("buried_by_somebody_else", buried_by_somebody_else),
    ("caller_ignores_sigchld", caller_ignores_sigchld),
    ("orphans_are_reaped", orphans_are_reaped),
    ("orphans_do_not_keep_us", orphans_do_not_keep_us),
];

fn status_of(role_name: &str, script: &str) -> i32 {
    Player::start(&mut role(&[role_name, "sh", "-c", script])).status()
}

fn exit_status() {
    for status in [0, 1, 7, 255] {
        assert_eq!(status_of("attend", &format!("exit {status}")), status);
    }
}

fn signal_status() {
    for signal in [libc::SIGKILL, libc::SIGTERM, libc::SIGSEGV, libc::SIGABRT, 36, 64] {
        assert_eq!(status_of("attend", &format!("ulimit -c 0; kill -{signal} $$")), 128 + signal);
    }
}

/// The signals that a program may send: no others are left when libc has taken 32 to 34 for itself.
fn signals() -> impl Iterator<Item = i32> {
    let unusual = [libc::SIGKILL, libc::SIGSTOP, libc::SIGCHLD, libc::SIGWINCH, libc::SIGURG, libc::SIGTERM];
    (1..=64).filter(move |signal| !unusual.contains(signal) && !(32..=34).contains(signal))
}

fn every_signal_is_forwarded() {
    let (mut player, mut output) = Player::with_output(&mut role_with_role("attend", "report-signals"));
    output.expect("ready");
    for signal in signals().chain([libc::SIGTERM]) {
        player.send(signal);
        output.expect(&format!("<{signal}>"));
    }
    assert_eq!(player.status(), 3);
}

fn three_signals_are_not_forwarded() {
    let (mut player, mut output) = Player::with_output(&mut role_with_role("attend", "report-signals"));
    output.expect("ready\n");
    for signal in [libc::SIGCHLD, libc::SIGWINCH, libc::SIGURG] {
        player.send(signal);
    }
    // Of several pending signals the one with the highest number is taken last.
    player.send(64);
    assert_eq!(output.until('\n'), "<64>");
    player.send(libc::SIGTERM);
    assert_eq!(player.status(), 3);
    assert_eq!(output.rest(), "<15>\n");
}

fn ended_before_we_look() {
    assert_eq!(status_of("attend+dead", "exit 7"), 7);
    assert_eq!(status_of("attend+dead", "kill -KILL $$"), 137);
}

fn buried_by_somebody_else() {
    let (reader, writer) = pipe().expect("a pipe");
    let mut player = Player::start(role(&["attend+buried", "true"]).stderr(writer));
    let expected =
        "cannot learn the program's exit status: waitid(2) answered: no child processes (ECHILD)\n";
    assert_eq!(Far::new(reader.into()).rest(), expected);
    assert_eq!(player.status(), ERROR);
}

/// Ignored signals stay so over execve(2), and who ignores SIGCHLD has children without a status.
fn caller_ignores_sigchld() {
    let program = role(&["attend", "sh", "-c", "exit 7"]);
    let mut command = Command::new("env");
    command.arg("--ignore-signal=CHLD").arg(program.get_program()).args(program.get_args());
    assert_eq!(Player::start(&mut command).status(), 7);
}

/// The subshell ends at once, so its child becomes ours, and must not stay a zombie when it ends.
fn orphans_are_reaped() {
    let script = "(sleep 1000 & echo \"<$!>\"); read x; exit 4";
    let mut command = role(&["attend", "sh", "-c", script]);
    let (mut player, mut output) = Player::with_output(command.stdin(Stdio::piped()));
    output.expect("<");
    let orphan = output.until('>');
    let parent = format!("PPid:\t{}\n", player.pid());
    let status = || fs::read_to_string(format!("/proc/{orphan}/status"));
    eventually("the orphan is ours", || status().is_ok_and(|status| status.contains(&parent)));
    kill(&orphan);
    eventually("the orphan is buried", || status().is_err());
    rustix::io::write(player.input(), b"\n").expect("a reader");
    assert_eq!(player.status(), 4);
}

/// The orphan holds nothing of ours but its life.
fn orphans_do_not_keep_us() {
    let script = "sleep 1000 >/dev/null 2>&1 & echo \"<$!>\"; exit 4";
    let (mut player, mut output) = Player::with_output(&mut role(&["attend", "sh", "-c", script]));
    output.expect("<");
    let orphan = output.until('>');
    assert_eq!(player.status(), 4);
    kill(&orphan);
}
