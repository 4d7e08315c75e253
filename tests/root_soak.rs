//! Many commands at once on few containers: none hangs, none fails with anything but a sentence about the
//! container's state, and nothing is left at the end.
//!
//! Sixteen launchers give random commands to four names for a minute (`SOAK_SECONDS`). What they do follows
//! from one number, which is printed; with `SOAK_SEED` it is the same again, as far as chance allows.

mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, WaitOptions, waitpid};
use serde_json::{Value, json};

use world::{DEADLINE, World, inventory};

const LAUNCHERS: u64 = 16;
const IDS: [&str; 4] = ["red", "green", "blue", "black"];

/// What a launcher may say, each with how often in relation to the others.
const COMMANDS: &[(u32, &[&str])] = &[
    (4, &["create", "--bundle", "BUNDLE", "ID"]),
    (3, &["run", "--detach", "--bundle", "BUNDLE", "ID"]),
    (2, &["run", "--bundle", "SHORT", "ID"]),
    (4, &["start", "ID"]),
    (4, &["exec", "ID", "/bin/true"]),
    (1, &["exec", "--detach", "ID", "/bin/sleep", "1000"]),
    (3, &["state", "ID"]),
    (2, &["list", "--format", "json"]),
    (2, &["pause", "ID"]),
    (3, &["resume", "ID"]),
    (2, &["update", "--resources", "LIMITS", "ID"]),
    (2, &["ps", "--format", "json", "ID"]),
    (1, &["events", "--stats", "ID"]),
    (1, &["stop", "--timeout", "1", "ID"]),
    (1, &["wait", "--timeout", "1", "ID"]),
    (2, &["kill", "ID", "TERM"]),
    (2, &["kill", "ID", "KILL"]),
    (1, &["kill", "--all", "ID", "KILL"]),
    (3, &["delete", "ID"]),
    (3, &["delete", "--force", "ID"]),
];

/// What a command that came at the wrong moment may be told. Whatever else it says is a bug: the state was
/// torn, or the sentence does not say what was wrong.
const MOMENTS: &[&str] = &[
    "does not exist",
    "already exists",
    "another command is still at work on container",
    "container not running",
    "container not paused",
    "cannot start",
    "cannot exec in a",
    "cannot pause a container that is",
    "cannot delete container",
    "cannot update a container that is",
    "is not running",
    "still being made",
    // By another launcher's kill --all or delete --force, which spare nobody in the cgroup.
    "the container's first process was killed while it was set up",
    "the container's first process was killed before its program ran",
];

/// Numbers that follow from a seed (xorshift64, G. Marsaglia 2003).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    fn command(&mut self) -> &'static [&'static str] {
        let total: u32 = COMMANDS.iter().map(|(weight, _)| weight).sum();
        let mut left = self.below(total as usize) as u32;
        for (weight, words) in COMMANDS {
            match left.checked_sub(*weight) {
                Some(rest) => left = rest,
                None => return words,
            }
        }
        unreachable!("the weights were added up")
    }
}

/// What all launchers share.
struct Field {
    binary: PathBuf,
    root: PathBuf,
    cgroup: PathBuf,
    /// For each id a bundle that stays, and one that ends at once.
    bundles: BTreeMap<&'static str, [PathBuf; 2]>,
    /// What `update` is to read.
    limits: PathBuf,
    outputs: PathBuf,
    children: Children,
    /// The verbs that have not succeeded yet.
    owed: Mutex<BTreeSet<&'static str>>,
}

/// The launchers' own children. All others are orphans of containers, which nobody else will bury.
#[derive(Default)]
struct Children(Mutex<BTreeSet<u32>>);

impl Children {
    fn own(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spawn(&self, command: &mut Command) -> Child {
        let mut own = self.own();
        let child = command.spawn().expect("crate-run starts");
        own.insert(child.id());
        child
    }

    fn forget(&self, child: &Child) {
        self.own().remove(&child.id());
    }

    /// A program that came into a pid namespace from outside keeps its first process from ending as long as
    /// nobody buries it (pid_namespaces(7)), and so whoever deletes the container.
    fn bury_orphans_until(&self, all_done: mpsc::Receiver<()>) {
        while all_done.recv_timeout(Duration::from_millis(50)) == Err(RecvTimeoutError::Timeout) {
            let own = self.own();
            for pid in inventory::descendants() {
                if !own.contains(&(pid as u32)) {
                    let _ = waitpid(Pid::from_raw(pid), WaitOptions::NOHANG);
                }
            }
        }
    }
}

/// One command that was given.
struct Given {
    line: String,
    verb: &'static str,
    status: Option<i32>,
    said: String,
}

impl Given {
    /// Why it should not have ended as it did.
    fn fault(&self) -> Option<String> {
        let fault = |what: &str| Some(format!("{what}: {} ({:?}): {}", self.line, self.status, self.said));
        let foreground = matches!(self.verb, "run" | "exec");
        match self.status {
            None => fault("hangs"),
            Some(0) => None,
            Some(1 | 255) if self.said.contains("panicked") => fault("panicked"),
            // What is deleted meanwhile is passed over.
            Some(_) if self.verb == "list" => fault("no list"),
            Some(1 | 255) if MOMENTS.iter().any(|moment| self.said.contains(moment)) => None,
            Some(124) if self.verb == "wait" => None,
            // The program itself was killed: SIGKILL, SIGTERM.
            Some(137 | 143) if foreground => None,
            Some(_) => fault("an unexpected end"),
        }
    }
}

impl Field {
    fn give(&self, words: &[&'static str], id: &'static str, launcher: u64) -> Given {
        let [lasting, short] = &self.bundles[id];
        let place = |word: &'static str| match word {
            "ID" => Path::new(id),
            "BUNDLE" => lasting,
            "SHORT" => short,
            "LIMITS" => &self.limits,
            other => Path::new(other),
        };
        let said = self.outputs.join(format!("launcher-{launcher}"));
        let mut command = Command::new(&self.binary);
        command.arg("--root").arg(&self.root).args(words.iter().map(|word| place(word)));
        let open = std::fs::File::create(&said).expect("a file for what it says");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(open);
        let mut child = self.children.spawn(&mut command);
        let deadline = Instant::now() + DEADLINE;
        let status = loop {
            match child.try_wait().expect("a child of ours") {
                Some(status) => break Some(exit_of(status)),
                None if Instant::now() > deadline => break None,
                None => thread::sleep(Duration::from_millis(2)),
            }
        };
        let mut situation = String::new();
        if status.is_none() {
            situation = self.situation(id);
            let _ = child.kill();
            let _ = child.wait();
        }
        self.children.forget(&child);
        let said = std::fs::read_to_string(&said).unwrap_or_default() + &situation;
        Given { line: format!("{words:?} on {id}"), verb: words[0], status, said }
    }

    /// What can be seen of a container that a command waits for.
    fn situation(&self, id: &str) -> String {
        let cgroup = |file: &str| {
            let text = std::fs::read_to_string(self.cgroup.join(id).join(file)).unwrap_or_default();
            format!("{file}: {:?}; ", text.trim())
        };
        let files = ["cgroup.procs", "cgroup.freeze", "cgroup.events"].map(cgroup);
        let record = std::fs::read_to_string(self.root.join(id).join("state.json")).unwrap_or_default();
        files.concat() + &record
    }

    fn is_owed_a_success(&self) -> bool {
        !self.owed.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Answers what went wrong.
    fn delete_all(&self) -> Vec<String> {
        let delete = |id| self.give(&["delete", "--force", "ID"], id, LAUNCHERS);
        IDS.into_iter().filter_map(|id| delete(id).fault()).collect()
    }

    /// Until the end, and on a slow machine for as long as a verb has not succeeded, which the last end bounds.
    fn launch(&self, launcher: u64, seed: u64, ends_at: Ends) -> (BTreeMap<String, usize>, Vec<String>) {
        let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(launcher + 1) | 1);
        let (mut ends, mut faults) = (BTreeMap::new(), Vec::new());
        while !ends_at.have_come(self) {
            let words = chance.command();
            let given = self.give(words, IDS[chance.below(IDS.len())], launcher);
            if given.status == Some(0) {
                self.owed.lock().unwrap_or_else(PoisonError::into_inner).remove(given.verb);
            }
            let kind = format!("{} -> {}", given.verb, given.status.unwrap_or(-1));
            *ends.entry(kind).or_insert(0) += 1;
            faults.extend(given.fault());
        }
        (ends, faults)
    }
}

/// When the launchers stop.
#[derive(Clone, Copy)]
struct Ends {
    first: Instant,
    last: Instant,
}

impl Ends {
    fn in_seconds(seconds: u64) -> Self {
        let after = |seconds| Instant::now() + Duration::from_secs(seconds);
        Self { first: after(seconds), last: after(4 * seconds) }
    }

    fn have_come(self, field: &Field) -> bool {
        let now = Instant::now();
        now > self.last || now > self.first && !field.is_owed_a_success()
    }
}

fn exit_of(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn field(world: &World) -> Field {
    let bundle = |id: &str, args: &[&str]| {
        let cgroup = format!("/{}/{id}", world.tag);
        world.bundle(|config: &mut Value| {
            config["process"]["args"] = json!(args);
            config["linux"]["cgroupsPath"] = json!(cgroup);
        })
    };
    let pair = |id| (id, [bundle(id, &["/bin/sleep", "1000"]), bundle(id, &["/bin/true"])]);
    let outputs = world.file("launchers");
    std::fs::create_dir(&outputs).expect("a directory for what they say");
    let limits = world.file("limits.json");
    std::fs::write(&limits, r#"{"unified":{"cgroup.max.descendants":"100"}}"#).expect("a file with limits");
    Field {
        binary: world.binary().to_owned(),
        root: world.root(),
        cgroup: Path::new(world::CGROUPS).join(&world.tag),
        bundles: IDS.into_iter().map(pair).collect(),
        limits,
        outputs,
        children: Children::default(),
        owed: Mutex::new(COMMANDS.iter().map(|(_, words)| words[0]).collect()),
    }
}

#[test]
fn sixteen_launchers_leave_nothing() {
    let Some(world) = World::new("soak") else { return };
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.as_nanos() as u64);
    let seed = number("SOAK_SEED").unwrap_or_else(clock);
    let seconds = number("SOAK_SECONDS").unwrap_or(60);
    println!("SOAK_SEED={seed}, for {seconds} s");
    let field = field(&world);
    // The state directory is there from now on: without it `list` is an error.
    for words in [&["create", "--bundle", "BUNDLE", "ID"][..], &["delete", "ID"]] {
        assert_eq!(field.give(words, IDS[0], LAUNCHERS).status, Some(0), "{words:?}");
    }
    let ends_at = Ends::in_seconds(seconds);
    let (mut ends, mut faults) = (BTreeMap::<String, usize>::new(), Vec::new());
    let (at_work, all_done) = mpsc::channel::<()>();
    thread::scope(|scope| {
        // However the launchers end, this one ends after them.
        let at_work = at_work;
        scope.spawn(|| field.children.bury_orphans_until(all_done));
        let launch = |launcher| {
            let field = &field;
            scope.spawn(move || field.launch(launcher, seed, ends_at))
        };
        let launchers: Vec<_> = (0..LAUNCHERS).map(launch).collect();
        // Who has started a program in a container that was then paused, or waits for one that sleeps, is
        // waiting still: the end of the containers ends them.
        while launchers.iter().any(|launcher| !launcher.is_finished()) {
            if ends_at.have_come(&field) {
                faults.extend(field.delete_all());
            }
            thread::sleep(Duration::from_millis(50));
        }
        for launcher in launchers {
            let (theirs, bad) = launcher.join().expect("a launcher does not panic");
            theirs.into_iter().for_each(|(kind, count)| *ends.entry(kind).or_insert(0) += count);
            faults.extend(bad);
        }
        faults.extend(field.delete_all());
        drop(at_work);
    });
    println!("{} commands: {ends:?}", ends.values().sum::<usize>());
    assert!(faults.is_empty(), "{} of them:\n{}", faults.len(), faults.join("\n"));
    let owed = field.owed.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert!(owed.is_empty(), "never succeeded: {owed:?}");
}
