//! A container with a terminal: in the foreground of `run`, and handed over through a console socket.
//!
//! OCI: config.md (process.terminal, consoleSize). Man pages: pty(7), tty(4), unix(7).

mod world;

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcgetwinsize, tcsetwinsize};
use serde_json::{Value, json};

use world::{DEADLINE, World, config, eventually};

/// The master side of a terminal, where the test sits and looks on.
struct Screen {
    master: OwnedFd,
    seen: String,
}

impl Screen {
    fn new(master: OwnedFd) -> Self {
        Self { master, seen: String::new() }
    }

    /// A new terminal of this size, and its other side.
    fn open(rows: u16, columns: u16) -> (Self, OwnedFd) {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).expect("a pty");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("an unlocked pty");
        let other = ioctl_tiocgptpeer(&master, flags).expect("its other side");
        let screen = Self::new(master);
        screen.resize(rows, columns);
        (screen, other)
    }

    fn resize(&self, rows: u16, columns: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.master, size).expect("a size");
    }

    fn types(&self, text: &str) {
        assert_eq!(rustix::io::write(&self.master, text.as_bytes()).expect("a reader"), text.len());
    }

    /// Reads what comes; false at the end, which is EIO on a pty.
    fn more(&mut self) -> bool {
        let limit = Timespec { tv_sec: DEADLINE.as_secs() as i64, tv_nsec: 0 };
        let ready = poll(&mut [PollFd::new(&self.master, PollFlags::IN)], Some(&limit)).expect("poll");
        assert!(ready > 0, "nothing comes after {:?}", self.seen);
        let mut bytes = [0; 4096];
        match rustix::io::read(&self.master, &mut bytes) {
            Ok(length) if length > 0 => {
                self.seen.push_str(&String::from_utf8_lossy(&bytes[..length]));
                true
            }
            _ => false,
        }
    }

    /// Reads until these words have come, and forgets everything up to their end.
    fn shows(&mut self, words: &str) {
        loop {
            if let Some(at) = self.seen.find(words) {
                self.seen.drain(..at + words.len());
                return;
            }
            assert!(self.more(), "{words:?} did not come, but {:?}", self.seen);
        }
    }

    /// The next line, without its end.
    fn line(&mut self) -> String {
        loop {
            if let Some(at) = self.seen.find('\n') {
                let line: String = self.seen.drain(..=at).collect();
                return line.trim_end().to_owned();
            }
            assert!(self.more(), "no line, but {:?}", self.seen);
        }
    }
}

fn with_terminal(value: &mut Value, words: &[&str]) {
    value["process"]["terminal"] = json!(true);
    config::runs(value, words);
}

#[test]
fn the_program_has_a_terminal_of_the_callers_size() {
    let Some(world) = World::new("the_program_has_a_terminal_of_the_callers_size") else { return };
    let container =
        world.container("a", |value| with_terminal(value, &["/bin/probe", "report", "tty", "devices"]));
    let (mut screen, other) = Screen::open(33, 101);
    let running = container.running(&[]).spawn_on(&other);
    let report: Value = serde_json::from_str(&screen.line()).expect("JSON");
    running.wait().ok();
    for stream in ["stdin", "stdout", "stderr"] {
        let seen = &report["tty"][stream];
        assert_eq!(
            (&seen["isatty"], &seen["rows"], &seen["columns"]),
            (&json!(true), &json!(33), &json!(101))
        );
    }
    assert_eq!(report["tty"]["controlling"], "136:0", "the first pty of the container's own devpts");
    assert_eq!(
        (&report["tty"]["open_dev_tty"], &report["tty"]["foreground_group"]),
        (&json!("ok"), &json!(1))
    );
    let console = &report["devices"]["/dev/console"];
    assert_eq!((&console["type"], &console["device"]), (&json!("char"), &json!("136:0")), "{console}");
    assert_eq!(report["devices"]["/dev/pts/0"]["device"], "136:0");
}

#[test]
fn what_is_typed_arrives_and_what_is_said_is_shown() {
    let Some(world) = World::new("what_is_typed_arrives_and_what_is_said_is_shown") else { return };
    let script = "read line; echo \"<$line>\"; echo on the console >/dev/console; exit 7";
    let container = world.container("a", |value| with_terminal(value, &["sh", "-c", script]));
    let (mut screen, other) = Screen::open(24, 80);
    let running = container.running(&[]).spawn_on(&other);
    screen.types("hello\n");
    // The container's terminal echoes, ours is raw: once, and not twice.
    screen.shows("hello\r\n");
    screen.shows("<hello>\r\n");
    screen.shows("on the console\r\n");
    running.wait().exits(7);
}

#[test]
fn output_for_a_program_has_no_carriage_returns() {
    let Some(world) = World::new("output_for_a_program_has_no_carriage_returns") else { return };
    let script = "test -t 1 && echo one && echo two >&2";
    let container = world.container("a", |value| with_terminal(value, &["sh", "-c", script]));
    assert_eq!(container.run(&[]).ok().stdout, "one\ntwo\n");
}

#[test]
fn what_a_failing_hook_said_is_shown() {
    let Some(world) = World::new("what_a_failing_hook_said_is_shown") else { return };
    let container = world.container("a", |value| {
        with_terminal(value, &["true"]);
        let hook = json!({ "path": "/bin/sh", "args": ["sh", "-c", "echo for this reason >&2; exit 3"] });
        value["hooks"] = json!({ "startContainer": [hook] });
    });
    let output = container.run(&[]).exits(1);
    assert_eq!(output.stdout, "for this reason\n");
    assert!(
        output.sentence().contains("error running startContainer hook #0: exit status 3"),
        "{}",
        output.stderr
    );
}

#[test]
fn the_callers_terminal_is_raw_meanwhile_and_restored_after() {
    let Some(world) = World::new("the_callers_terminal_is_raw_meanwhile_and_restored_after") else { return };
    let container =
        world.container("a", |value| with_terminal(value, &["sh", "-c", "echo ready; read line"]));
    let (mut screen, other) = Screen::open(24, 80);
    let modes = |side: &OwnedFd| tcgetattr(side).expect("modes").local_modes;
    let before = modes(&other);
    assert!(before.contains(LocalModes::ICANON | LocalModes::ECHO));
    let running = container.running(&[]).spawn_on(&other);
    screen.shows("ready");
    eventually("the terminal is raw", || !modes(&other).intersects(LocalModes::ICANON | LocalModes::ECHO));
    screen.types("\n");
    running.wait().ok();
    assert_eq!(modes(&other), before);
}

#[test]
fn a_new_size_is_passed_on() {
    let Some(world) = World::new("a_new_size_is_passed_on") else { return };
    let script = "stty size; trap 'stty size; exit 3' WINCH; echo ready; while :; do sleep 0.05; done";
    let container = world.container("a", |value| with_terminal(value, &["sh", "-c", script]));
    let (mut screen, other) = Screen::open(24, 80);
    let running = container.running(&[]).spawn_on(&other);
    screen.shows("24 80");
    screen.shows("ready");
    screen.resize(50, 132);
    screen.shows("50 132");
    running.wait().exits(3);
}

#[test]
fn control_c_is_the_programs_and_not_ours() {
    let Some(world) = World::new("control_c_is_the_programs_and_not_ours") else { return };
    let script = "trap 'echo interrupted; exit 5' INT; echo ready; while :; do sleep 0.05; done";
    let container = world.container("a", |value| with_terminal(value, &["sh", "-c", script]));
    let (mut screen, other) = Screen::open(24, 80);
    let running = container.running(&[]).spawn_on(&other);
    screen.shows("ready");
    screen.types("\x03");
    screen.shows("interrupted");
    running.wait().exits(5);
}

/// A listening console socket, as engines have it.
struct Console {
    path: PathBuf,
    listener: UnixListener,
}

impl Console {
    fn new(world: &World) -> Self {
        let path = world.file("console");
        let listener = UnixListener::bind(&path).expect("a socket");
        Self { path, listener }
    }

    fn flags(&self) -> [&str; 2] {
        ["--console-socket", self.path.to_str().expect("UTF-8")]
    }

    /// Takes the connection, and the one descriptor that comes over it; nothing comes after it.
    fn terminal(&self) -> Screen {
        let (stream, _) = self.listener.accept().expect("a connection");
        let mut bytes = [0; 256];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC;
        let message =
            recvmsg(&stream, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, flags).expect("a message");
        assert!(message.bytes > 0, "a descriptor needs at least one byte to travel with");
        let mut descriptors: Vec<OwnedFd> = Vec::new();
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                descriptors.extend(rights);
            }
        }
        assert_eq!(descriptors.len(), 1);
        let mut more = RecvAncillaryBuffer::new(&mut []);
        let end = recvmsg(&stream, &mut [IoSliceMut::new(&mut bytes)], &mut more, RecvFlags::empty());
        assert_eq!(end.expect("an end").bytes, 0, "one message, then the end");
        Screen::new(descriptors.pop().expect("one"))
    }
}

#[test]
fn a_console_socket_receives_the_master() {
    let Some(world) = World::new("a_console_socket_receives_the_master") else { return };
    let console = Console::new(&world);
    let container = world.container("a", |value| {
        with_terminal(value, &["sh", "-c", "read line; echo \"<$line>\"; stty size"]);
        value["process"]["consoleSize"] = json!({ "height": 30, "width": 90 });
    });
    container.create_with(&console.flags()).ok();
    let mut screen = console.terminal();
    let size = tcgetwinsize(&screen.master).expect("a size");
    assert_eq!((size.ws_row, size.ws_col), (30, 90));
    container.start().ok();
    screen.types("hello\n");
    screen.shows("<hello>");
    screen.shows("30 90");
    while screen.more() {}
    container.becomes("stopped");
    container.delete(&[]).ok();
}

#[test]
fn a_detached_run_hands_the_master_over_too() {
    let Some(world) = World::new("a_detached_run_hands_the_master_over_too") else { return };
    let console = Console::new(&world);
    let container = world.container("a", |value| with_terminal(value, &["/bin/probe", "print-signals"]));
    let [flag, path] = console.flags();
    container.run(&["--detach", flag, path]).ok();
    let mut screen = console.terminal();
    screen.shows("ready");
    container.kill("USR1").ok();
    screen.shows("SIGUSR1");
    container.finish();
}

#[test]
fn a_terminal_belongs_to_its_user() {
    let Some(world) = World::new("a_terminal_belongs_to_its_user") else { return };
    for user_namespace in [false, true] {
        let container = world.container("a", |value| {
            with_terminal(value, &["sh", "-c", "stat -c '%u %a %g' $(tty); echo x >/dev/tty"]);
            value["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
            if user_namespace {
                config::userns(value);
            }
        });
        let (mut screen, other) = Screen::open(24, 80);
        let running = container.running(&[]).spawn_on(&other);
        assert_eq!(screen.line(), "1000 620 5");
        screen.shows("x\r\n");
        running.wait().ok();
    }
}

#[test]
fn a_terminal_and_a_way_to_it_come_together() {
    let Some(world) = World::new("a_terminal_and_a_way_to_it_come_together") else { return };
    let console = Console::new(&world);
    let container = world.container("a", |value| with_terminal(value, &["true"]));
    let message = "cannot allocate tty if the container will detach without setting console socket";
    container.create().finds(message, "/process/terminal");
    container.run(&["--detach"]).finds(message, "/process/terminal");
    let without = world.container("a", |_| {});
    let message = "cannot use console socket if the container will not detach or allocate tty";
    without.create_with(&console.flags()).finds(message, "/process/terminal");
}

#[test]
fn nobody_at_the_console_socket_is_an_error() {
    let Some(world) = World::new("nobody_at_the_console_socket_is_an_error") else { return };
    let path = world.file("nobody").display().to_string();
    let container = world.container("a", |value| with_terminal(value, &["true"]));
    let output = container.create_with(&["--console-socket", &path]);
    let sentence = format!("cannot connect to the console socket {path}: no such file or directory (ENOENT)");
    output
        .fails_at(&sentence, "/process/terminal")
        .helps("somebody must listen on a stream socket at --console-socket");
}

#[test]
fn a_terminal_needs_a_devpts() {
    let Some(world) = World::new("a_terminal_needs_a_devpts") else { return };
    let container = world.container("a", |value| {
        with_terminal(value, &["true"]);
        config::without_mount(value, "/dev/pts");
    });
    let (mut screen, other) = Screen::open(24, 80);
    let running = container.running(&[]).spawn_on(&other);
    screen.shows("cannot open a terminal");
    screen.shows("help: a terminal needs a devpts at /dev/pts: add it to mounts");
    running.wait().exits(1);
}
