//! The inner process: prepares the bench, runs the experiments, writes the report.

use std::collections::HashSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal};

use crate::bench::{Amounts, Bench};
use crate::bundle::{Bundles, CAPABILITIES, Flavour};
use crate::contestant::{Floor, Runtime, Skill};
use crate::experiments::{growth, life, memory, run, steps, system_calls, throughput};
use crate::machine::Machine;
use crate::measure::{Gauge, Runner};
use crate::options::Options;
use crate::page::{self, Results};
use crate::profile::{self, Target};
use crate::world::Place;
use crate::{report, trial, yardstick};

/// Measures everything in the world the guard has made.
pub fn work(options: &Options, place: &Place) -> Result<()> {
    // The guard blocks signals for itself; runtimes and containers must not inherit that.
    SigSet::empty().thread_set_mask().context("cannot unblock signals")?;
    prctl::set_pdeathsig(Signal::SIGKILL).context("cannot tie the worker's life to the guard's")?;
    // Containers whose runtime has gone become our children: their end can be awaited, leftovers be found.
    prctl::set_child_subreaper(true).context("cannot become a subreaper")?;

    let machine = Machine::look();
    let (mut bench, mut notes, compiler) = prepare(options, place, &machine)?;
    progress("trial: everybody does everything once");
    notes.extend(trial::hold(&mut bench)?);
    if !bench.runtimes.iter().any(|runtime| runtime.can(Skill::Run(Flavour::Plain))) {
        bail!("no runtime can run a container here:\n  {}", notes.join("\n  "));
    }
    let mut results = measure(&bench)?;
    notes.append(&mut results.notes);
    results.notes = notes;
    let blocks = page::compose(&bench, &machine, &compiler, options.effort, &results);
    println!("{}", report::plain(&blocks));
    if let Some(path) = &options.page {
        write_page(path, &report::markdown(&blocks))?;
    }
    Ok(())
}

fn write_page(path: &Path, text: &str) -> Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    progress(&format!("written: {}", path.display()));
    Ok(())
}

fn prepare(options: &Options, place: &Place, machine: &Machine) -> Result<(Bench, Vec<String>, String)> {
    let mut notes = Vec::new();
    let kernel = profile::version(&machine.kernel).context("the kernel's release has no version number")?;
    let target = Target { machine: &machine.architecture, kernel, capabilities: CAPABILITIES };
    let bundles = Bundles::prepare(place, profile::default_for(&target)?)?;
    let (floor, gauge, compiler) = match yardstick::compile(&place.scratch) {
        Ok(made) => {
            let gauge = Gauge { usage: made.usage, file: place.scratch.join("gauge") };
            (Some(Floor { program: made.floor, filter: None }), Some(gauge), made.how.to_owned())
        }
        Err(problem) => {
            notes.push(format!("floor, memory and system calls left out: {problem:#}"));
            (None, None, "nothing".to_owned())
        }
    };
    fs::create_dir(place.scratch.join("state")).context("cannot make a directory for state")?;
    let runtimes = find_runtimes(options, place, &mut notes);
    let runner = Runner::new(&place.scratch.join("stderr")).context("cannot open a file for stderr")?;
    let amounts = Amounts::from(options.effort);
    let bench = Bench { amounts, place: place.clone(), bundles, runtimes, floor, gauge, runner };
    Ok((bench, notes, compiler))
}

/// The default runtimes and those of the command line, which come first where they have the same name.
fn find_runtimes(options: &Options, place: &Place, notes: &mut Vec<String>) -> Vec<Runtime> {
    let defaults =
        [("crate-run", PathBuf::from("bin/crate-run")), ("crun", "crun".into()), ("runc", "runc".into())];
    let defaults = defaults.map(|(name, path)| (name.to_owned(), path));
    let mut known = HashSet::new();
    let mut runtimes = Vec::new();
    for default in &defaults {
        let named = options.runtimes.iter().rfind(|(name, _)| *name == default.0);
        let (name, path) = named.unwrap_or(default);
        known.insert(name.clone());
        add(&mut runtimes, name, path, place, notes);
    }
    for (name, path) in &options.runtimes {
        if known.insert(name.clone()) {
            add(&mut runtimes, name, path, place, notes);
        }
    }
    runtimes
}

fn add(runtimes: &mut Vec<Runtime>, name: &str, path: &Path, place: &Place, notes: &mut Vec<String>) {
    match find_program(path) {
        Some(program) => runtimes.push(Runtime::new(name, program, place)),
        None => notes.push(format!("{name}: not measured, because there is no program `{}`", path.display())),
    }
}

/// A path as it is; a bare name is looked for in PATH.
fn find_program(path: &Path) -> Option<PathBuf> {
    if path.components().count() > 1 {
        return fs::canonicalize(path).ok();
    }
    let directories = env::var_os("PATH")?;
    env::split_paths(&directories).map(|directory| directory.join(path)).find(|program| program.is_file())
}

fn measure(bench: &Bench) -> Result<Results> {
    progress("run of /bin/true");
    let runs = run::measure(bench)?;
    let steps = steps::measure(bench)?;
    progress("create, start, state, exec, kill, delete");
    let lives = life::measure(bench, Flavour::Plain)?;
    let filtered_lives = life::measure(bench, Flavour::Seccomp)?;
    progress("memory, page faults, system calls");
    let used = memory::used(bench)?;
    let parked = memory::parked(bench)?;
    let calls = system_calls::count(bench)?;
    progress("containers per second");
    let rates = throughput::measure(bench)?;
    progress("growth with existing containers");
    let (growth, notes) = growth::measure(bench)?;
    Ok(Results { runs, steps, lives, filtered_lives, used, parked, calls, rates, growth, notes })
}

fn progress(text: &str) {
    eprintln!("crate-run-bench: {text}");
}
