//! What changes when many containers exist already.

use std::fs;

use anyhow::Result;

use super::Named;
use crate::bench::Bench;
use crate::bundle::{Container, Flavour, Payload};
use crate::contestant::{Contestant, FLOOR, Runtime, Skill, Step};
use crate::machine;
use crate::processes;
use crate::statistics::{Series, turns};
use crate::world::{end_members, remove_tree};

/// Kernel and sleeping program together need less than this for one idle container.
const KIB_PER_CONTAINER: u64 = 3 * 1024;

/// The times of one runtime while `population` of its containers sleep, in milliseconds.
pub struct Growth {
    pub name: String,
    pub population: usize,
    pub run: Series,
    pub state: Series,
    pub list: Series,
    pub floor: Series,
}

/// Each runtime by itself, the floor in turns with it: the kernel gets slower too. Second: what was left out.
pub fn measure(bench: &Bench) -> Result<(Vec<Growth>, Vec<String>)> {
    let (mut results, mut notes) = (Vec::new(), Vec::new());
    for runtime in bench.able(Skill::Detach) {
        let mut crowd = Vec::new();
        for &population in bench.amounts.populations {
            if machine::available_kib() < population as u64 * KIB_PER_CONTAINER {
                notes.push(format!("{}: no {population} containers, because memory is short", runtime.name));
                break;
            }
            match grow(bench, runtime, &mut crowd, population) {
                Ok(()) => results.push(at(bench, runtime, &crowd)?),
                Err(problem) => {
                    notes.push(format!("{}: no {population} containers: {problem:#}", runtime.name));
                    break;
                }
            }
        }
        dissolve(bench, runtime, &crowd);
    }
    Ok((results, notes))
}

fn grow(bench: &Bench, runtime: &Runtime, crowd: &mut Vec<Container>, population: usize) -> Result<()> {
    for number in crowd.len()..population {
        let id = format!("idle-{number}");
        let container = bench.bundles.container(&id, Flavour::Plain, Payload::Sleep)?;
        let started = bench.runner.time(&mut runtime.detach(&container));
        crowd.push(container);
        started.map_err(|reason| anyhow::anyhow!("number {number}: {reason}"))?;
    }
    Ok(())
}

fn at(bench: &Bench, runtime: &Runtime, crowd: &[Container]) -> Result<Growth> {
    let mut racers = vec![Contestant::Runtime(runtime)];
    racers.extend(bench.floor.as_ref().map(Contestant::Floor));
    let id = format!("grow-{}", runtime.name);
    let container = bench.bundles.container(&id, Flavour::Plain, Payload::True)?;
    let mut runs: Vec<Named> = racers.iter().map(|racer| Named::new(racer.name())).collect();
    let (mut state, mut list) = (Series::default(), Series::default());
    for (round, place) in turns(racers.len(), 1 + bench.amounts.growth_rounds) {
        let time = bench.runner.time(&mut racers[place].run(&container, Flavour::Plain));
        processes::reap();
        if time.is_err() {
            racers[place].clear(&container);
        }
        if round == 0 {
            continue; // the kernel is still busy with the crowd that has just come
        }
        runs[place].series.add(time);
        if racers[place].name() != FLOOR {
            if let Some(idle) = crowd.last().filter(|_| runtime.can(Skill::Step(Step::State))) {
                state.add(bench.runner.time(&mut runtime.step(Step::State, idle)));
            }
            if runtime.can(Skill::List) {
                list.add(bench.runner.time(&mut runtime.list()));
            }
        }
    }
    let mut series = runs.into_iter().map(|named| named.series);
    let mut next = || series.next().unwrap_or_default();
    Ok(Growth {
        name: runtime.name.clone(),
        population: crowd.len(),
        run: next(),
        state,
        list,
        floor: next(),
    })
}

/// Ends all at once; a `delete` for each would take minutes with some runtimes.
fn dissolve(bench: &Bench, runtime: &Runtime, crowd: &[Container]) {
    crowd.iter().for_each(|container| end_members(&container.cgroup));
    processes::end_descendants();
    for container in crowd {
        if let Err(problem) = remove_tree(&container.cgroup) {
            eprintln!("crate-run-bench: {} stays: {problem}", container.cgroup.display());
        }
        fs::remove_dir_all(runtime.root().join(&container.id)).ok();
        fs::remove_dir_all(bench.place.scratch.join("bundles").join(&container.id)).ok();
    }
}
