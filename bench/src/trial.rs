//! Before anything is measured, every runtime does everything once: what it cannot do is named and left out.

use std::fs;
use std::path::{Path, PathBuf};

use crate::bench::Bench;
use crate::bundle::{Container, Flavour, Payload};
use crate::contestant::{Contestant, Runtime, Skill, Step};
use crate::processes;
use crate::world::end_members;

/// Tries everybody; returns one sentence for each thing that is left out.
pub fn hold(bench: &mut Bench) -> anyhow::Result<Vec<String>> {
    let mut notes = Vec::new();
    let mut runtimes = std::mem::take(&mut bench.runtimes);
    for runtime in &mut runtimes {
        try_runs(bench, runtime, &mut notes)?;
        if !runtime.can(Skill::Run(Flavour::Plain)) {
            notes.push(format!("{}: everything else left out, because `run` does not work", runtime.name));
            runtime.skills.clear();
            continue;
        }
        try_life(bench, runtime, &mut notes)?;
        try_detach(bench, runtime, &mut notes)?;
    }
    bench.runtimes = runtimes;
    let filter = find_filter(bench)?;
    if let Some(floor) = &mut bench.floor {
        if filter.is_none() {
            notes
                .push("floor: no seccomp figure, because no crun is there whose filter it could load".into());
        }
        floor.filter = filter;
    }
    if let Some(floor) = &bench.floor {
        notes.extend(try_floor(bench, Contestant::Floor(floor))?);
    }
    Ok(notes)
}

fn try_runs(bench: &Bench, runtime: &mut Runtime, notes: &mut Vec<String>) -> anyhow::Result<()> {
    for flavour in Flavour::ALL {
        let id = format!("try-{}", flavour.word());
        let container = bench.bundles.container(&id, flavour, Payload::True)?;
        match bench.runner.time(&mut runtime.run(&container)) {
            Ok(_) => {
                runtime.skills.insert(Skill::Run(flavour));
                if container.cgroup.exists() {
                    notes.push(format!("{}: `run` leaves its cgroup behind", runtime.name));
                }
            }
            Err(reason) => notes.push(left_out(runtime, &format!("`run` {}", flavour.title()), &reason)),
        }
        runtime.clear(&container);
    }
    Ok(())
}

fn try_life(bench: &Bench, runtime: &mut Runtime, notes: &mut Vec<String>) -> anyhow::Result<()> {
    let container = bench.bundles.container("try-life", Flavour::Plain, Payload::Sleep)?;
    for step in Step::ALL {
        if step == Step::Delete {
            end_and_wait(&container);
        }
        match bench.runner.time(&mut runtime.step(step, &container)) {
            Ok(_) => {
                runtime.skills.insert(Skill::Step(step));
            }
            Err(reason) => notes.push(left_out(runtime, &format!("`{}`", step.word()), &reason)),
        }
    }
    runtime.clear(&container);
    match bench.runner.time(&mut runtime.list()) {
        Ok(_) => {
            runtime.skills.insert(Skill::List);
        }
        Err(reason) => notes.push(left_out(runtime, "`list`", &reason)),
    }
    Ok(())
}

fn try_detach(bench: &Bench, runtime: &mut Runtime, notes: &mut Vec<String>) -> anyhow::Result<()> {
    let container = bench.bundles.container("try-detach", Flavour::Plain, Payload::Sleep)?;
    match bench.runner.time(&mut runtime.detach(&container)) {
        Ok(_) => {
            runtime.skills.insert(Skill::Detach);
        }
        Err(reason) => notes.push(left_out(runtime, "`run --detach`", &reason)),
    }
    runtime.clear(&container);
    Ok(())
}

/// The floor fails only where the machine cannot make the container at all; its words then say why.
fn try_floor(bench: &Bench, floor: Contestant) -> anyhow::Result<Vec<String>> {
    let mut notes = Vec::new();
    for flavour in Flavour::ALL {
        let container = bench.bundles.container("try-floor", flavour, Payload::True)?;
        if let Err(reason) = bench.runner.time(&mut floor.run(&container, flavour)) {
            notes.push(format!("floor: fails {}: {reason}", flavour.title()));
            floor.clear(&container);
        }
    }
    Ok(notes)
}

fn end_and_wait(container: &Container) {
    let members = processes::members(&container.cgroup);
    end_members(&container.cgroup);
    processes::await_end(&members);
}

fn left_out(runtime: &Runtime, what: &str, reason: &str) -> String {
    format!("{}: {what} left out: {reason}", runtime.name)
}

/// The seccomp program that crun compiled for the profile: it keeps it in the container's state directory,
/// newer versions in a cache under the state root.
fn find_filter(bench: &Bench) -> anyhow::Result<Option<PathBuf>> {
    let Some(crun) = bench.able(Skill::Step(Step::Create)).find(|runtime| runtime.name == "crun") else {
        return Ok(None);
    };
    let container = bench.bundles.container("try-filter", Flavour::Seccomp, Payload::Sleep)?;
    let created = bench.runner.time(&mut crun.step(Step::Create, &container));
    let places = [crun.root().join(&container.id), crun.root().join(".cache/seccomp")];
    let found = created.ok().and_then(|_| places.iter().find_map(|place| filter_in(place)));
    let kept = bench.place.scratch.join("filter.bpf");
    let copied = found.map(|path| fs::copy(path, &kept)).transpose();
    crun.clear(&container);
    Ok(copied?.map(|_| kept))
}

/// The first file of whole instructions (8 bytes each, linux/filter.h) whose name speaks of seccomp.
fn filter_in(directory: &Path) -> Option<PathBuf> {
    let cache = directory.ends_with("seccomp");
    let fits = |path: &PathBuf| {
        let named = cache || path.extension().is_some_and(|extension| extension == "bpf");
        named && fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() > 0 && file.len() % 8 == 0)
    };
    fs::read_dir(directory).ok()?.flatten().map(|entry| entry.path()).find(fits)
}
