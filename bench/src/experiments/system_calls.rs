//! How many system calls each command makes, counted once by strace.

use std::process::{Command, Stdio};

use anyhow::Result;

use crate::bench::Bench;
use crate::bundle::{Flavour, Payload};
use crate::contestant::{Contestant, Runtime, Skill, Step};
use crate::processes;

/// The commands that are counted. `create` is not: strace follows the container and ends only with it.
pub const COUNTED: [Step; 5] = [Step::Start, Step::State, Step::Exec, Step::Kill, Step::Delete];

pub struct Calls {
    pub name: String,
    pub run: Option<u64>,
    /// One for each of `COUNTED`.
    pub steps: Vec<Option<u64>>,
}

/// None when strace or the gauge is missing.
pub fn count(bench: &Bench) -> Result<Option<Vec<Calls>>> {
    let strace = Command::new("strace").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if bench.gauge.is_none() || !strace.is_ok_and(|status| status.success()) {
        return Ok(None);
    }
    let mut results = Vec::new();
    for contestant in bench.contestants(Flavour::Plain) {
        let name = contestant.name().to_owned();
        let container = bench.bundles.container(&format!("calls-{name}"), Flavour::Plain, Payload::True)?;
        let run = calls(bench, &contestant.run(&container, Flavour::Plain));
        if run.is_none() {
            contestant.clear(&container);
        }
        let steps = match contestant {
            Contestant::Runtime(runtime) => steps(bench, runtime)?,
            Contestant::Floor(_) => vec![None; COUNTED.len()],
        };
        results.push(Calls { name, run, steps });
    }
    Ok(Some(results))
}

fn steps(bench: &Bench, runtime: &Runtime) -> Result<Vec<Option<u64>>> {
    let id = format!("calls-life-{}", runtime.name);
    let container = bench.bundles.container(&id, Flavour::Plain, Payload::Sleep)?;
    let created = bench.runner.time(&mut runtime.step(Step::Create, &container)).is_ok();
    let mut counts = Vec::new();
    for step in COUNTED {
        let members = processes::members(&container.cgroup);
        let possible = created && runtime.can(Skill::Step(step));
        counts.push(possible.then(|| calls(bench, &runtime.step(step, &container))).flatten());
        if step == Step::Kill {
            processes::await_end(&members);
        }
        processes::reap();
    }
    runtime.clear(&container);
    Ok(counts)
}

fn calls(bench: &Bench, command: &Command) -> Option<u64> {
    bench.gauge.as_ref()?.system_calls(&bench.runner, command).ok()
}
