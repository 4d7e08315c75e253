//! One command at a time: create, start, state, exec, kill, delete.

use anyhow::Result;

use super::Named;
use crate::bench::Bench;
use crate::bundle::{Container, Flavour, Payload};
use crate::contestant::{Runtime, Skill, Step};
use crate::processes;
use crate::statistics::turns;

/// The times of everybody for one command, in milliseconds.
pub struct Times {
    pub step: Step,
    pub times: Vec<Named>,
}

/// Leads a container through its life again and again, each runtime in turn.
pub fn measure(bench: &Bench, flavour: Flavour) -> Result<Vec<Times>> {
    let runtimes: Vec<&Runtime> =
        bench.able(Skill::Step(Step::Create)).filter(|runtime| runtime.can(Skill::Run(flavour))).collect();
    let names = || runtimes.iter().map(|runtime| Named::new(&runtime.name)).collect();
    let mut results: Vec<Times> = Step::ALL.map(|step| Times { step, times: names() }).into();
    let mut containers = Vec::new();
    for runtime in &runtimes {
        let id = format!("life-{}-{}", flavour.word(), runtime.name);
        containers.push(bench.bundles.container(&id, flavour, Payload::Sleep)?);
    }
    for (round, place) in turns(runtimes.len(), 1 + bench.amounts.lives) {
        let times = live(bench, runtimes[place], &containers[place]);
        if round == 0 {
            continue; // warm-up
        }
        for (step, time) in times {
            let row = results.iter_mut().find(|row| row.step == step);
            if let Some(row) = row {
                row.times[place].series.add(time);
            }
        }
    }
    Ok(results)
}

/// One life; ends with the first command that fails.
fn live(bench: &Bench, runtime: &Runtime, container: &Container) -> Vec<(Step, Result<f64, String>)> {
    let mut times = Vec::new();
    for step in Step::ALL.into_iter().filter(|step| runtime.can(Skill::Step(*step))) {
        let members = processes::members(&container.cgroup);
        let time = bench.runner.time(&mut runtime.step(step, container));
        let failed = time.is_err();
        times.push((step, time));
        if failed {
            runtime.clear(container);
            break;
        }
        if step == Step::Kill {
            // Death is the kernel's work, and `delete` is to find the container dead.
            processes::await_end(&members);
        }
        processes::reap();
    }
    if !runtime.can(Skill::Step(Step::Kill)) || !runtime.can(Skill::Step(Step::Delete)) {
        runtime.clear(container);
    }
    times
}
