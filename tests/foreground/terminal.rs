//! With a terminal: the tests sit at the caller's terminal, an outer pty, or at pipes in its place.

use std::fs::{self, File};
use std::io::{Write, pipe};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::thread;

use nix::libc;
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::termios::{LocalModes, Termios, Winsize, tcgetattr, tcsetwinsize};

use crate::Test;
use crate::roles::{ERROR, open_pty};
use crate::stage::{Far, Player, eventually, in_session, role, role_with_role};

pub const TESTS: &[Test] = &[
    ("a_line_makes_the_round", a_line_makes_the_round),
    ("interrupt_key_reaches_the_program", interrupt_key_reaches_the_program),
    ("exit_status_with_terminal", exit_status_with_terminal),
    ("raw_mode_is_taken_back", raw_mode_is_taken_back),
    ("raw_mode_is_taken_back_after_an_error", raw_mode_is_taken_back_after_an_error),
    ("window_size_is_copied", window_size_is_copied),
    ("unknown_size_is_not_copied", unknown_size_is_not_copied),
    ("all_output_comes_through", all_output_comes_through),
    ("output_of_the_dead_comes_through", output_of_the_dead_comes_through),
    ("end_of_input_within_a_line", end_of_input_within_a_line),
    ("end_of_input_after_a_line", end_of_input_after_a_line),
    ("input_without_bytes", input_without_bytes),
    ("the_end_is_found_again", the_end_is_found_again),
    ("more_input_than_a_terminal_holds", more_input_than_a_terminal_holds),
    ("nobody_reads_the_output", nobody_reads_the_output),
    ("non_blocking_streams", non_blocking_streams),
    ("a_slave_left_open", a_slave_left_open),
    ("a_slave_opened_again", a_slave_opened_again),
    ("a_signal_cuts_last_words_short", a_signal_cuts_last_words_short),
    ("stop_and_continue", stop_and_continue),
    ("in_the_background", in_the_background),
    ("from_background_to_foreground", from_background_to_foreground),
    ("the_callers_terminal_goes_away", the_callers_terminal_goes_away),
];

const WITH_TERMINAL: &str = "attend+terminal";

fn script(text: &str) -> Command {
    role(&[WITH_TERMINAL, "sh", "-c", text])
}

/// Starts the command at a new terminal, its controlling one.
fn at_terminal(command: &Command) -> (Player, Far) {
    let (master, slave) = open_pty();
    let player = start_at(command, slave);
    (player, Far::new(master))
}

fn start_at(command: &Command, slave: OwnedFd) -> Player {
    let stream = || Stdio::from(slave.try_clone().expect("a copy"));
    Player::start(in_session(command).stdin(stream()).stdout(stream()).stderr(stream()))
}

fn modes(terminal: &Far) -> Termios {
    tcgetattr(&terminal.fd).expect("modes")
}

fn is_raw(terminal: &Far) -> bool {
    !modes(terminal).local_modes.intersects(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG)
}

fn resize(terminal: &Far, rows: u16, columns: u16) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&terminal.fd, size).expect("a size");
}

/// One echo, by the container's terminal, and one answer; the caller's terminal must not echo as well.
fn a_line_makes_the_round() {
    let (mut player, mut terminal) = at_terminal(&script("echo ready; read line; echo \"<$line>\"; exit 5"));
    terminal.expect("ready\r\n");
    terminal.say("hello\r");
    assert_eq!(terminal.until('<'), "hello\r\n");
    assert_eq!(terminal.until('>'), "hello");
    assert_eq!(player.status(), 5);
}

fn interrupt_key_reaches_the_program() {
    let (mut player, mut terminal) = at_terminal(&script("trap 'exit 6' INT; echo ready; read line"));
    terminal.expect("ready\r\n");
    terminal.say("\u{3}");
    assert_eq!(player.status(), 6);
}

fn exit_status_with_terminal() {
    assert_eq!(at_terminal(&script("exit 7")).0.status(), 7);
    assert_eq!(at_terminal(&script("kill -KILL $$")).0.status(), 137);
}

/// Starts the command at a terminal that outlives it; answers the modes before, and the terminal.
fn at_lasting_terminal(command: &Command) -> (Player, Far, Termios, OwnedFd) {
    let (master, slave) = open_pty();
    let former = tcgetattr(&slave).expect("modes");
    let player = start_at(command, slave.try_clone().expect("a copy"));
    (player, Far::new(master), former, slave)
}

fn assert_same(latter: &Termios, former: &Termios) {
    assert_eq!(latter.local_modes, former.local_modes);
    assert_eq!(latter.input_modes, former.input_modes);
    assert_eq!(latter.output_modes, former.output_modes);
    assert_eq!(latter.control_modes, former.control_modes);
}

fn raw_mode_is_taken_back() {
    for (ending, status) in [("exit 0", 0), ("kill -KILL $$", 137)] {
        let command = script(&format!("echo ready; read x; {ending}"));
        let (mut player, mut terminal, former, slave) = at_lasting_terminal(&command);
        terminal.expect("ready\r\n");
        assert!(is_raw(&terminal));
        terminal.say("\r");
        assert_eq!(player.status(), status);
        assert_same(&tcgetattr(&slave).expect("modes"), &former);
    }
}

fn raw_mode_is_taken_back_after_an_error() {
    let (mut player, _terminal, former, slave) =
        at_lasting_terminal(&role(&["attend+terminal+buried", "true"]));
    assert_eq!(player.status(), ERROR);
    assert_same(&tcgetattr(&slave).expect("modes"), &former);
}

fn window_size_is_copied() {
    let (master, slave) = open_pty();
    let mut terminal = Far::new(master);
    resize(&terminal, 37, 91);
    let mut player = start_at(&role_with_role(WITH_TERMINAL, "report-sizes"), slave);
    terminal.expect("<37 rows, 91 columns>");
    resize(&terminal, 50, 120);
    terminal.expect("<50 rows, 120 columns>");
    player.send(libc::SIGTERM);
    assert_eq!(player.status(), 3);
}

/// A terminal of unknown size has 0 rows; the program's own size then stays.
fn unknown_size_is_not_copied() {
    let (master, slave) = open_pty();
    let mut terminal = Far::new(master);
    resize(&terminal, 33, 44);
    let text = "echo ready; read x; stty rows 11 cols 22; echo set; read x; stty size; exit 5";
    let mut player = start_at(&script(text), slave);
    terminal.expect("ready\r\n");
    terminal.say("\r");
    terminal.expect("set\r\n");
    resize(&terminal, 0, 0);
    terminal.say("\r");
    terminal.expect("11 22\r\n");
    assert_eq!(player.status(), 5);
}

const NUMBERS: u32 = 30_000;

fn numbers(end_of_line: &str) -> String {
    (1..=NUMBERS).map(|number| format!("{number}{end_of_line}")).collect()
}

/// More than the pty, the relay and the pipe hold together.
fn all_output_comes_through() {
    let (mut player, output) =
        Player::with_output(script(&format!("seq {NUMBERS}; exit 4")).stdin(Stdio::null()));
    assert_eq!(output.rest(), numbers("\r\n"));
    assert_eq!(player.status(), 4);
}

/// A reader that begins only after the program's end finds its last words.
fn output_of_the_dead_comes_through() {
    let mut command = script("echo \"<$$>\"; seq 500; exit 4");
    let (mut player, mut output) = Player::with_output(command.stdin(Stdio::null()));
    assert_eq!(player.status(), 4);
    output.expect(">\r\n");
    let last: String = (1..=500).map(|number| format!("{number}\r\n")).collect();
    assert_eq!(output.rest(), last);
}

/// Starts `cat` with `input` in a pipe that ends; answers what it shows.
fn cat(input: &str) -> String {
    let mut command = script("cat; echo \"cat ends\"; exit 4");
    let (mut player, output) = Player::with_output(command.stdin(Stdio::piped()));
    File::from(player.input()).write_all(input.as_bytes()).expect("a reader");
    let shown = output.rest();
    assert_eq!(player.status(), 4);
    shown
}

fn end_of_input_within_a_line() {
    assert_eq!(cat("abc"), "abcabccat ends\r\n");
}

fn end_of_input_after_a_line() {
    assert_eq!(cat("abc\n"), "abc\r\nabc\r\ncat ends\r\n");
}

fn input_without_bytes() {
    let (mut player, output) = Player::with_output(script("cat; exit 4").stdin(Stdio::null()));
    assert_eq!(output.rest(), "");
    assert_eq!(player.status(), 4);
}

/// As in a file, the end is there for every reader.
fn the_end_is_found_again() {
    let (mut player, output) =
        Player::with_output(script("cat; cat; echo end; cat; exit 4").stdin(Stdio::null()));
    assert_eq!(output.rest(), "end\r\n");
    assert_eq!(player.status(), 4);
}

/// The terminal takes its input only as fast as the program does.
fn more_input_than_a_terminal_holds() {
    let mut command = script("stty -echo; echo ready; cat; exit 4");
    let (mut player, mut output) = Player::with_output(command.stdin(Stdio::piped()));
    output.expect("ready\r\n");
    let mut input = File::from(player.input());
    let writer = thread::spawn(move || input.write_all(numbers("\n").as_bytes()));
    assert_eq!(output.rest(), numbers("\r\n"));
    writer.join().expect("the writer").expect("a reader");
    assert_eq!(player.status(), 4);
}

/// EPIPE, and SIGPIPE, which must neither kill us nor be passed on.
fn nobody_reads_the_output() {
    let text = format!("trap 'exit 9' PIPE; read x; seq {NUMBERS}; exit 5");
    let (mut player, output) = Player::with_output(script(&text).stdin(Stdio::piped()));
    drop(output);
    File::from(player.input()).write_all(b"\n").expect("a reader");
    assert_eq!(player.status(), 5);
}

/// A caller may have set O_NONBLOCK on what it gives us.
fn non_blocking_streams() {
    let (reader, writer) = pipe().expect("a pipe");
    let (their_input, mut input) = pipe().expect("a pipe");
    fcntl_setfl(&writer, OFlags::NONBLOCK).expect("a flag");
    fcntl_setfl(&their_input, OFlags::NONBLOCK).expect("a flag");
    let text = format!("stty -echo; echo ready; read x; seq {NUMBERS}; exit 4");
    let mut player = Player::start(script(&text).stdin(their_input).stdout(writer));
    let mut output = Far::new(reader.into());
    output.expect("ready\r\n");
    input.write_all(b"\n").expect("a reader");
    assert_eq!(output.rest(), numbers("\r\n"));
    assert_eq!(player.status(), 4);
}

/// A process of the background that keeps the terminal, and even writes to it for ever, does not keep us.
fn a_slave_left_open() {
    let text = "sh -c \"trap '' HUP; echo '<'\\$\\$'>'; exec yes\" & read x; exit 4";
    let (mut player, mut terminal) = at_terminal(&script(text));
    terminal.expect("<");
    let left = terminal.until('>');
    let reader = thread::spawn(move || terminal.rest());
    assert!(left.parse::<u32>().is_ok(), "{left} is a number");
    player.send(libc::SIGTERM);
    assert_eq!(player.status(), 128 + libc::SIGTERM);
    reader.join().expect("the reader");
}

/// Init systems open /dev/console for each message; the relay must survive the time in between.
fn a_slave_opened_again() {
    let folder = std::env::temp_dir().join(format!("foreground-{}", std::process::id()));
    fs::create_dir(&folder).expect("a folder");
    let text = format!(
        "cd {}; t=$(tty); exec <&- >&- 2>&-; : >closed; until [ -e go ]; do sleep 0.01; done; \
         exec <$t >$t 2>&1; echo again; read line; exit 4",
        folder.display()
    );
    let (mut player, mut terminal) = at_terminal(&script(&text));
    eventually("the slave is closed", || folder.join("closed").exists());
    fs::write(folder.join("go"), "").expect("a file");
    terminal.expect("again\r\n");
    terminal.say("\r");
    assert_eq!(player.status(), 4);
    fs::remove_dir_all(folder).expect("a folder to remove");
}

/// The program has ended, its last words have no room at the caller's: a signal says that he wants no more.
fn a_signal_cuts_last_words_short() {
    let (mut player, mut terminal) =
        at_terminal(&script("read x; echo \"<$$>\"; head -c 22000 /dev/zero | tr '\\0' x; exit 4"));
    terminal.say("\r");
    terminal.expect("<");
    let program = terminal.until('>');
    eventually("the program has ended", || !fs::exists(format!("/proc/{program}")).expect("/proc"));
    player.send(libc::SIGTERM);
    assert_eq!(player.status(), 4);
}

fn stop_and_continue() {
    let (master, slave) = open_pty();
    let mut terminal = Far::new(master);
    resize(&terminal, 10, 20);
    let mut player = start_at(&role_with_role(WITH_TERMINAL, "report-sizes"), slave);
    terminal.expect("<10 rows, 20 columns>");
    for (signal, rows) in [(libc::SIGTSTP, 30), (libc::SIGTTIN, 31), (libc::SIGTTOU, 32)] {
        assert!(is_raw(&terminal));
        player.send(signal);
        player.await_stop();
        assert!(!is_raw(&terminal));
        resize(&terminal, rows, 40);
        player.send(libc::SIGCONT);
        terminal.expect(&format!("<{rows} rows, 40 columns>"));
    }
    assert!(is_raw(&terminal));
    player.send(libc::SIGTERM);
    assert_eq!(player.status(), 3);
}

/// A shell with job control that runs our command, and leaves it to `then` what happens with it.
fn job(text: &str, then: &str) -> Command {
    let program = script(text);
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("set -m; \"$@\" & {then}"), "sh"]);
    shell.arg(program.get_program()).args(program.get_args());
    shell
}

/// No key is taken, no mode is changed; output and end are as ever. Both terminals now make CR LF of a newline.
fn in_the_background() {
    let (mut player, mut terminal) = at_terminal(&job("echo ready; sleep 0; exit 6", "wait $!"));
    terminal.expect("ready\r\r\n");
    assert!(!is_raw(&terminal));
    assert_eq!(player.status(), 6);
}

fn from_background_to_foreground() {
    let text = "echo ready; read line; echo \"<$line>\"; exit 6";
    let (mut player, mut terminal) = at_terminal(&job(text, "read go; fg"));
    terminal.expect("ready\r\r\n");
    assert!(!is_raw(&terminal));
    terminal.say("go\r");
    eventually("the terminal is raw", || is_raw(&terminal));
    terminal.say("hello\r");
    terminal.expect("<hello>");
    assert_eq!(player.status(), 6);
}

/// The kernel sends SIGHUP, and reading and writing fail from then on.
fn the_callers_terminal_goes_away() {
    let (mut player, mut terminal) =
        at_terminal(&script("trap 'exit 8' HUP; echo ready; while :; do read x; done"));
    terminal.expect("ready\r\n");
    drop(terminal);
    assert_eq!(player.status(), 8);
}
