//! Who is compared: runtimes, which share a command line, and the floor.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bundle::{Container, Flavour};
use crate::processes;
use crate::world::{Place, end_members, remove_tree};

/// What a runtime has shown in its trial that it can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Skill {
    Run(Flavour),
    Step(Step),
    List,
    Detach,
}

/// The commands of one container's life, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    Create,
    Start,
    State,
    Exec,
    Kill,
    Delete,
}

impl Step {
    pub const ALL: [Step; 6] = [Step::Create, Step::Start, Step::State, Step::Exec, Step::Kill, Step::Delete];

    pub fn word(self) -> &'static str {
        match self {
            Step::Create => "create",
            Step::Start => "start",
            Step::State => "state",
            Step::Exec => "exec",
            Step::Kill => "kill",
            Step::Delete => "delete",
        }
    }
}

/// A program with the command line that runc made common.
pub struct Runtime {
    pub name: String,
    pub program: PathBuf,
    pub version: String,
    pub skills: HashSet<Skill>,
    root: PathBuf,
}

impl Runtime {
    /// A runtime with a state directory of its own.
    pub fn new(name: &str, program: PathBuf, place: &Place) -> Runtime {
        let version = first_line(Command::new(&program).arg("--version"));
        let root = place.scratch.join("state").join(name);
        Runtime { name: name.to_owned(), program, version, skills: HashSet::new(), root }
    }

    pub fn can(&self, skill: Skill) -> bool {
        self.skills.contains(&skill)
    }

    /// Where this runtime keeps its state (`--root`).
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `run` in the foreground.
    pub fn run(&self, container: &Container) -> Command {
        self.bundle_command(&["run"], container)
    }

    /// `run --detach`.
    pub fn detach(&self, container: &Container) -> Command {
        self.bundle_command(&["run", "--detach"], container)
    }

    pub fn list(&self) -> Command {
        self.command(&["list"])
    }

    /// One command of a container's life.
    pub fn step(&self, step: Step, container: &Container) -> Command {
        let id = container.id.as_str();
        match step {
            Step::Create => self.bundle_command(&["create"], container),
            Step::Start => self.command(&["start", id]),
            Step::State => self.command(&["state", id]),
            Step::Exec => self.command(&["exec", id, "/bin/true"]),
            Step::Kill => self.command(&["kill", id, "KILL"]),
            Step::Delete => self.command(&["delete", id]),
        }
    }

    /// Brings `container` to an end whatever state it is in, so that a failure does not spoil the next
    /// measurement.
    pub fn clear(&self, container: &Container) {
        end_members(&container.cgroup);
        // Its word is not needed: what it leaves is removed below.
        processes::run_quietly(&mut self.command(&["delete", "--force", &container.id]));
        if let Err(problem) = remove_tree(&container.cgroup) {
            eprintln!("crate-run-bench: {} stays: {problem}", container.cgroup.display());
        }
        fs::remove_dir_all(self.root.join(&container.id)).ok();
    }

    fn bundle_command(&self, words: &[&str], container: &Container) -> Command {
        let mut command = self.command(words);
        command.arg("--bundle").arg(&container.bundle).arg(&container.id);
        command
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = with_plain_environment(&self.program);
        command.arg("--root").arg(&self.root).args(words);
        command
    }
}

/// The floor program: the same container without a runtime.
pub struct Floor {
    pub program: PathBuf,
    /// The seccomp program a peer loads for the profile, when one could be had.
    pub filter: Option<PathBuf>,
}

impl Floor {
    pub fn run(&self, container: &Container, flavour: Flavour) -> Command {
        let mut command = with_plain_environment(&self.program);
        match (flavour, &self.filter) {
            (Flavour::Devices, _) => {
                command.arg("-d");
            }
            (Flavour::Seccomp, Some(filter)) => {
                command.arg("-s").arg(filter);
            }
            (Flavour::Seccomp, None) | (Flavour::Plain, _) => {}
        }
        Self::with_container(command, container)
    }

    /// Makes `count` containers in one process and prints how long each step took.
    pub fn timed(&self, container: &Container, count: usize) -> Command {
        let mut command = with_plain_environment(&self.program);
        command.args(["-T", "-n", &count.to_string()]);
        Self::with_container(command, container)
    }

    fn with_container(mut command: Command, container: &Container) -> Command {
        command.arg("-c").arg(&container.cgroup).arg("-r").arg(&container.rootfs).arg("/bin/true");
        command
    }
}

/// Whoever can run a container from beginning to end.
#[derive(Clone, Copy)]
pub enum Contestant<'a> {
    Runtime(&'a Runtime),
    Floor(&'a Floor),
}

/// The floor's name in all tables.
pub const FLOOR: &str = "floor";

impl Contestant<'_> {
    pub fn name(&self) -> &str {
        match self {
            Contestant::Runtime(runtime) => &runtime.name,
            Contestant::Floor(_) => FLOOR,
        }
    }

    pub fn run(&self, container: &Container, flavour: Flavour) -> Command {
        match self {
            Contestant::Runtime(runtime) => runtime.run(container),
            Contestant::Floor(floor) => floor.run(container, flavour),
        }
    }

    /// Removes what a failed run may have left.
    pub fn clear(&self, container: &Container) {
        match self {
            Contestant::Runtime(runtime) => runtime.clear(container),
            Contestant::Floor(_) => {
                end_members(&container.cgroup);
                // Reported by whoever wants to use the cgroup next.
                remove_tree(&container.cgroup).ok();
            }
        }
    }
}

/// All get the same small environment, whatever the caller's is.
fn with_plain_environment(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    command
}

/// The first line a program prints, or a word that it printed none.
pub fn first_line(command: &mut Command) -> String {
    let output = command.output().ok();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or("no answer").trim().to_owned()
}
