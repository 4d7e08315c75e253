//! Looks after each trial whether the runtime has done its duty.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;

use super::trial::{Ended, Fault, ID, NOWHERE, Trial};
use super::world::{World, eventually, inventory};

/// How many failed trials are shown.
const SHOWN: usize = 10;

pub struct Judge<'w> {
    world: &'w World,
    survived: BTreeMap<String, usize>,
    trials: usize,
    failures: Vec<String>,
}

impl<'w> Judge<'w> {
    pub fn new(world: &'w World) -> Self {
        Self { world, survived: BTreeMap::new(), trials: 0, failures: Vec::new() }
    }

    /// Without a fault the container comes into being: else the trials would show nothing.
    pub fn succeeds(&self, clean: &Trial) {
        let output = clean.run();
        assert!(output.status.success(), "{}", output.error);
        self.world.run(&["delete", "--force", ID]).ok();
        self.clear_away();
        assert_eq!(self.world.differences(), [""; 0]);
    }

    pub fn survives(&mut self, trial: &Trial) {
        let (fault, place) = trial.injected.expect("a fault");
        self.trials += 1;
        let output = trial.run();
        let verdict = match fault {
            Fault::RuntimeDies => self.runtime_died(&output),
            _ if trial.behind_the_gate() => self.start_fails(&output),
            _ => said(fault, &output),
        };
        self.clear_away();
        let left = self.world.differences();
        let verdict = verdict.and_then(|()| if left.is_empty() { Ok(()) } else { Err(left.join("; ")) });
        match verdict {
            Ok(()) => *self.survived.entry(format!("{fault:?}")).or_default() += 1,
            Err(what) => {
                self.failures.push(format!("{fault:?} at step {}: {what}", place + 1));
                self.world.run(&["delete", "--force", ID]);
                inventory::remove_cgroups(&format!("{}/", self.world.tag));
            }
        }
    }

    /// Nothing of the container lives on, and `delete --force` finds the rest.
    fn runtime_died(&self, output: &Ended) -> Result<(), String> {
        if output.status.signal() != Some(9) {
            return Err(format!("the runtime ended with {}", output.status));
        }
        eventually("the half-made container dies with its runtime", || {
            inventory::bury();
            inventory::descendants().is_empty()
        });
        let deleted = self.world.run(&["delete", "--force", ID]);
        if deleted.status == 0 { Ok(()) } else { Err(format!("delete --force: {}", deleted.stderr)) }
    }

    /// The container was created; that it cannot start is what `start` says.
    fn start_fails(&self, created: &Ended) -> Result<(), String> {
        if !created.status.success() {
            return Err(format!("create: {}", created.error));
        }
        let started = self.world.run(&["start", ID]);
        let deleted = self.world.run(&["delete", ID]);
        match (started.status, deleted.status) {
            (1, 0) => Ok(()),
            // A hook that fails is the end of the container (runtime.md, Lifecycle).
            (1, _) if deleted.sentence() == format!("container does not exist: {ID}") => Ok(()),
            (1, _) => Err(format!("delete: {}", deleted.stderr)),
            (status, _) => Err(format!("start ended with {status}: {}", started.stderr)),
        }
    }

    /// The file with the pid is the caller's, who takes it away.
    fn clear_away(&self) {
        let _ = std::fs::remove_file(self.world.file("pid"));
    }

    pub fn report(self, test: &str, steps: usize) {
        let survived: usize = self.survived.values().sum();
        let kinds: Vec<String> =
            self.survived.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        let trials = self.trials;
        println!(
            "faults survived: {survived} of {trials} ({test}, a plan of {steps} steps: {})",
            kinds.join(", ")
        );
        let shown = self.failures.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("\n");
        assert!(self.failures.is_empty(), "{} trials failed:\n{shown}", self.failures.len());
        assert!(trials > 0);
    }
}

/// The command must fail, and its error must name what went wrong.
fn said(fault: Fault, output: &Ended) -> Result<(), String> {
    let error = &output.error;
    let expected = match fault {
        Fault::ContainerDies => "the container's first process was killed",
        _ => NOWHERE,
    };
    if output.status.code() != Some(1) {
        return Err(format!("the runtime ended with {}: {error}", output.status));
    }
    if error.contains(expected) { Ok(()) } else { Err(format!("the error names no {expected:?}: {error}")) }
}
