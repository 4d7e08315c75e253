//! Running the engines' own command lines, each with a deadline.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Both runtimes that are compared, as Docker names them.
pub const RUNTIMES: [&str; 2] = ["runc", "crate-run"];

/// Seconds after which a command hangs. Emulation is slow, and the host of the machine may be busy.
const DEADLINE: u64 = 240;

/// How a command has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Said {
    /// The same, when it has ended with this exit status.
    #[track_caller]
    pub fn exits(self, status: i32) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// Standard output without the last line end, when all went well.
    #[track_caller]
    pub fn ok(self) -> String {
        self.exits(0).stdout.trim_end().to_owned()
    }
}

/// Runs a command to its end; fails the test if that does not come.
#[track_caller]
pub fn run(words: &[&str]) -> Said {
    let began = Instant::now();
    let output = Command::new("timeout")
        .args(["--kill-after=10", &DEADLINE.to_string()])
        .args(words)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{words:?}: {error}"));
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let status = output.status.code().unwrap_or(-1);
    let said = Said { status, stdout: text(output.stdout), stderr: text(output.stderr) };
    assert!(began.elapsed().as_secs() < DEADLINE, "{words:?} hangs: {said:?}");
    said
}

/// Runs one line of words, separated by blanks. For commands without blanks in their words.
#[track_caller]
pub fn line(words: &str) -> Said {
    run(&words.split_whitespace().collect::<Vec<_>>())
}

/// Runs a command at a terminal of its own (script(1)).
#[track_caller]
pub fn at_terminal(command: &str) -> Said {
    run(&["script", "--quiet", "--return", "--command", command, "/dev/null"])
}

/// Waits until `what` holds.
#[track_caller]
pub fn until(words: &str, what: impl Fn() -> bool) {
    let began = Instant::now();
    while !what() {
        assert!(began.elapsed() < Duration::from_secs(DEADLINE), "never: {words}");
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// Does the same with both runtimes, and wants the same of both: exit status and standard output. What they
/// say on standard error may differ; it is shown. Answers what crate-run's said.
#[track_caller]
pub fn same(act: impl Fn(&str) -> Said) -> Said {
    let [reference, ours] = RUNTIMES.map(act);
    println!("{} | {} | {}", reference.status, reference.stderr.trim(), ours.stderr.trim());
    // docker exec writes a runtime's error to standard output.
    let compared = |said: &Said| -> Vec<String> {
        let lines = said.stdout.lines().filter(|line| !line.contains("OCI runtime"));
        lines.map(|line| line.replace("crate-run", "RUNTIME").replace("runc", "RUNTIME")).collect()
    };
    assert_eq!(
        (ours.status, compared(&ours)),
        (reference.status, compared(&reference)),
        "runc: {reference:?}\ncrate-run: {ours:?}"
    );
    ours
}

/// Writes a configuration file of an engine.
pub fn configure(path: &str, text: &str) {
    let path = Path::new(path);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder for the configuration");
    File::create(path).and_then(|mut file| file.write_all(text.as_bytes())).expect("the configuration");
}

/// The program of a runtime.
pub fn binary(runtime: &str) -> String {
    match runtime {
        "crate-run" => std::env::var("CRATE_RUN_BIN").expect("CRATE_RUN_BIN"),
        other => format!("/usr/bin/{other}"),
    }
}

/// The root filesystem that all images are made of.
pub fn rootfs() -> PathBuf {
    PathBuf::from(std::env::var_os("CRATE_RUN_FIXTURES").expect("CRATE_RUN_FIXTURES")).join("rootfs")
}

/// Hands the root filesystem as a tar archive to a command, such as `docker import - box`.
#[track_caller]
pub fn import(command: &str) {
    let script = format!("tar -C {} -c . | {command}", rootfs().display());
    run(&["sh", "-c", &script]).ok();
}

/// The first block of a document that is marked with this language: what it tells to copy is what is tested.
/// The paths in it are those of the Debian machine.
pub fn snippet(document: &str, language: &str) -> String {
    let start = format!("```{language}\n");
    let (_, rest) = document.split_once(&start).expect("a block of this language");
    let (block, _) = rest.split_once("```").expect("its end");
    assert!(block.contains(&binary("crate-run")), "{block}");
    block.to_owned()
}
