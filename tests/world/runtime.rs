//! Running the program under test: with a deadline, and with outputs that no left-over process can hold up.

use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use serde_json::Value;

use super::{DEADLINE, World, eventually};

/// A command line of crate-run that is being put together.
pub struct Runtime<'w> {
    world: &'w World,
    command: Command,
    stdin: Stdio,
}

/// How a command ended, and what it said.
#[derive(Clone, Debug)]
pub struct Output {
    /// The exit status; 128+N if signal N ended the command.
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl<'w> Runtime<'w> {
    pub fn new(world: &'w World) -> Self {
        let mut command = Command::new(world.binary());
        command.arg("--root").arg(world.root());
        Self { world, command, stdin: Stdio::null() }
    }

    /// The same command line as an argument of another program: `sh -c 'exec "$@"' sh crate-run ...`.
    pub fn within(world: &'w World, words: &[&str]) -> Self {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg(world.binary()).arg("--root").arg(world.root());
        Self { world, command, stdin: Stdio::null() }
    }

    /// The program at `binary` as this user, who is in no group but that of the same number.
    pub fn of_user(world: &'w World, binary: &Path, id: u32) -> Self {
        let mut command = Command::new(binary);
        command.uid(id).gid(id).env_clear();
        Self { world, command, stdin: Stdio::null() }
    }

    pub fn words(mut self, words: &[&str]) -> Self {
        self.command.args(words);
        self
    }

    pub fn path(mut self, path: &Path) -> Self {
        self.command.arg(path);
        self
    }

    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn directory(mut self, path: &Path) -> Self {
        self.command.current_dir(path);
        self
    }

    pub fn stdin(mut self, stdin: impl Into<Stdio>) -> Self {
        self.stdin = stdin.into();
        self
    }

    /// Starts the command.
    pub fn spawn(mut self) -> Running {
        let number = self.world.next_number();
        let outputs = ["stdout", "stderr"].map(|name| self.world.file(&format!("{name}-{number}")));
        let open = |path: &PathBuf| File::create(path).expect("a file for the output");
        self.command.stdin(self.stdin).stdout(open(&outputs[0])).stderr(open(&outputs[1]));
        let child = self.command.spawn().expect("crate-run starts");
        Running { child, outputs, line: format!("{:?}", self.command) }
    }

    /// Starts the command with this terminal for its three streams, as the leader of a session that the
    /// terminal controls. What it says is to be read at the other end.
    pub fn spawn_on(self, terminal: &OwnedFd) -> Running {
        let number = self.world.next_number();
        let outputs = ["stdout", "stderr"].map(|name| self.world.file(&format!("{name}-{number}")));
        outputs.iter().for_each(|path| drop(File::create(path).expect("a file for the output")));
        let mut command = Command::new("setsid");
        command.arg("-c").arg(self.command.get_program()).args(self.command.get_args());
        let stream = || terminal.try_clone().expect("a descriptor");
        command.stdin(stream()).stdout(stream()).stderr(stream());
        let child = command.spawn().expect("setsid starts");
        Running { child, outputs, line: format!("{command:?}") }
    }

    /// Runs the command to its end.
    pub fn run(self) -> Output {
        self.spawn().wait()
    }
}

/// A command that was started.
pub struct Running {
    child: Child,
    outputs: [PathBuf; 2],
    line: String,
}

impl Running {
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the command is there");
    }

    /// What it has written to standard output so far.
    pub fn stdout(&self) -> String {
        read(&self.outputs[0])
    }

    /// Waits until standard output holds these words.
    pub fn says(&self, words: &str) {
        eventually(&format!("{} says {words:?}", self.line), || self.stdout().contains(words));
    }

    /// Waits for the end; a command that does not end is killed, and the test fails.
    pub fn wait(mut self) -> Output {
        let pidfd = pidfd_open(self.pid(), PidfdFlags::empty()).expect("a pidfd");
        if !ended(&pidfd) {
            self.child.kill().expect("the command is there");
            self.child.wait().expect("the end of the command");
            panic!("{} hangs; it said: {}{}", self.line, self.stdout(), read(&self.outputs[1]));
        }
        let status = self.child.wait().expect("the end of the command");
        Output {
            status: status.code().or(status.signal().map(|signal| 128 + signal)).expect("an end"),
            stdout: self.stdout(),
            stderr: read(&self.outputs[1]),
        }
    }
}

fn ended(pidfd: &OwnedFd) -> bool {
    let deadline = Instant::now() + DEADLINE;
    let mut wanted = [PollFd::new(pidfd, PollFlags::IN)];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let limit = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
        match poll(&mut wanted, Some(&limit)) {
            Err(rustix::io::Errno::INTR) => {}
            ready => return ready.expect("poll") > 0,
        }
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).expect("the output of the command")).into_owned()
}

impl Output {
    /// The same, when the command has succeeded.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.exits(0)
    }

    /// The same, when the command has ended with this status.
    #[track_caller]
    pub fn exits(self, status: i32) -> Self {
        assert_eq!(self.status, status, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// The command has failed with exactly this sentence, and said nothing on standard output.
    #[track_caller]
    pub fn fails(self, sentence: &str) -> Self {
        let said = self.sentence().to_owned();
        assert_eq!((self.status, said.as_str(), self.stdout.as_str()), (1, sentence, ""), "{}", self.stderr);
        self
    }

    /// The command has failed with this sentence, which names the place in config.json behind `pointer`.
    #[track_caller]
    pub fn fails_at(self, sentence: &str, pointer: &str) -> Self {
        let said = self.sentence().split_once(", asked for by config.json:");
        let (start, place) = said.unwrap_or_else(|| panic!("no place in {:?}", self.stderr));
        let (numbers, named) = place.split_once(' ').expect("a pointer");
        assert_eq!((start, named), (sentence, format!("({pointer})").as_str()), "{}", self.stderr);
        let is_number = |text: &str| text.parse::<u32>().is_ok_and(|number| number > 0);
        assert!(numbers.split(':').all(is_number), "no line and column in {:?}", self.stderr);
        assert_eq!((self.status, self.stdout.as_str()), (1, ""), "{}", self.stderr);
        self
    }

    /// The command has failed because of the configuration, with this as its only finding.
    #[track_caller]
    pub fn finds(self, message: &str, pointer: &str) -> Self {
        let place = self.sentence().split_once(": ").map_or("", |(place, _)| place);
        let numbers =
            place.strip_prefix("config.json:").unwrap_or_else(|| panic!("no place: {}", self.stderr));
        assert!(numbers.split(':').all(|number| number.parse::<u32>().is_ok()), "{}", self.stderr);
        let expected = format!("{place}: {message} ({pointer})");
        self.fails(&expected)
    }

    /// The command has failed because of the configuration, with this among what its only finding says.
    #[track_caller]
    pub fn finds_part(self, part: &str, pointer: &str) -> Self {
        let said = self.sentence().to_owned();
        let place = format!("({pointer})");
        assert!(said.contains(part) && said.ends_with(&place), "{part}, {place}: {}", self.stderr);
        self.exits(1)
    }

    /// The lines below the error say how to mend it.
    #[track_caller]
    pub fn helps(self, cure: &str) -> Self {
        let found = self.stderr.lines().any(|line| line.trim() == format!("help: {cure}"));
        assert!(found, "no such help: {}", self.stderr);
        self
    }

    /// The error as one sentence, without the name of the program and the lines below it.
    pub fn sentence(&self) -> &str {
        let first = self.stderr.lines().next().unwrap_or_default();
        first.strip_prefix("crate-run: ").unwrap_or(first)
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        let parsed = serde_json::from_str(&self.stdout);
        parsed.unwrap_or_else(|error| panic!("{error}: {:?} {:?}", self.stdout, self.stderr))
    }
}
