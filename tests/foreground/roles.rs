//! What this program does when a test has started it.

use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::exit;

use crate_run::launch::foreground::{Watch, attend};
use crate_run_sys::signals;
use nix::libc;
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawnp};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::SignalFd;
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions, pidfd_open, waitid};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::tcgetwinsize;

/// The first argument, when there is a role to play.
pub const ARGUMENT: &str = "--role";

/// The exit status when `attend` fails; its error goes to standard error.
pub const ERROR: i32 = 99;

pub fn play(words: &[String]) -> ! {
    // No process of a failed test stays behind.
    set_pdeathsig(Signal::SIGKILL).expect("a death signal");
    let (role, program) = words.split_first().expect("a role");
    match role.split('+').next() {
        Some("attend") => foreground(role, program),
        Some("report-signals") => report_signals(),
        Some("report-sizes") => report_sizes(),
        _ => panic!("{role} is no role"),
    }
}

/// Does as `crate-run run` does, with variations that follow the name of the role:
/// `+terminal`, `+dead` (the program has ended before), `+buried` (and somebody has waited for it).
fn foreground(role: &str, program: &[String]) -> ! {
    let with = |variation: &str| role.split('+').any(|word| word == variation);
    let watch = Watch::begin().expect("a watch");
    let pty = with("terminal").then(open_pty);
    let pid = start(program, pty.as_ref().map(|(_, slave)| slave));
    let pidfd = pidfd_open(pid, PidfdFlags::empty()).expect("a pidfd");
    if with("dead") || with("buried") {
        let keep = if with("dead") { WaitIdOptions::NOWAIT } else { WaitIdOptions::empty() };
        waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | keep).expect("the program's end");
    }
    let master = pty.map(|(master, _)| master);
    exit(attend(watch, pid.as_raw_nonzero().get(), &pidfd, master, None).unwrap_or_else(|error| {
        eprintln!("{error}");
        ERROR
    }))
}

/// Starts the program with no signal blocked, and with the terminal, if given, as its controlling one.
fn start(program: &[String], terminal: Option<&OwnedFd>) -> Pid {
    let mut actions = PosixSpawnFileActions::init().expect("file actions");
    let mut words = Vec::new();
    if let Some(terminal) = terminal {
        words.extend(["setsid", "-c"]);
        for stream in 0..3 {
            actions.add_dup2(terminal.as_raw_fd(), stream).expect("a file action");
        }
    }
    words.extend(program.iter().map(String::as_str));
    let mut attributes = PosixSpawnAttr::init().expect("attributes");
    attributes.set_flags(PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK).expect("flags");
    attributes.set_sigmask(&SigSet::empty()).expect("a signal mask");
    let words: Vec<CString> = words.into_iter().map(|word| CString::new(word).expect("no NUL")).collect();
    let environment: Vec<CString> = std::env::vars()
        .map(|(name, value)| CString::new(format!("{name}={value}")).expect("no NUL"))
        .collect();
    let pid = posix_spawnp(&words[0], &actions, &attributes, &words, &environment).expect("the program");
    Pid::from_raw(pid.as_raw()).expect("a pid")
}

/// A new pty: the master, and the slave.
pub fn open_pty() -> (OwnedFd, OwnedFd) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = openpt(flags).expect("a pty");
    grantpt(&master).and_then(|()| unlockpt(&master)).expect("an unlocked pty");
    let slave = ioctl_tiocgptpeer(&master, flags).expect("the slave");
    (master, slave)
}

/// Says the number of each signal that comes; ends with SIGTERM.
fn report_signals() -> ! {
    let signals = all_signals();
    println!("ready");
    loop {
        let signal = signals.read_signal().expect("a signal").expect("a signal").ssi_signo;
        println!("<{signal}>");
        if signal == libc::SIGTERM as u32 {
            exit(3);
        }
    }
}

/// Says the size of its terminal, first and after each change; ends with SIGTERM.
fn report_sizes() -> ! {
    let signals = all_signals();
    loop {
        let size = tcgetwinsize(std::io::stdin()).expect("a size");
        println!("<{} rows, {} columns>", size.ws_row, size.ws_col);
        loop {
            match signals.read_signal().expect("a signal").expect("a signal").ssi_signo as i32 {
                libc::SIGWINCH => break,
                libc::SIGTERM => exit(3),
                _ => {}
            }
        }
    }
}

fn all_signals() -> SignalFd {
    signals::block_all();
    SignalFd::new(&SigSet::all()).expect("a signalfd")
}
