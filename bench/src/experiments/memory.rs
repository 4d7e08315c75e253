//! Memory, page faults and CPU time of commands; what stays while a container is parked or runs detached.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::bench::Bench;
use crate::bundle::{Container, Flavour, Payload};
use crate::contestant::{Contestant, Runtime, Skill, Step};
use crate::measure::Usage;
use crate::processes;
use crate::statistics::median;

/// A process on its way out needs a moment; one that stays for this long is there to stay.
const SETTLING: Duration = Duration::from_millis(300);

/// What a command used, medians.
pub struct Used {
    pub name: String,
    pub run: Option<Usage>,
    pub create: Option<Usage>,
    pub state: Option<Usage>,
}

/// A container that waits for `start`, medians in KiB.
pub struct Parked {
    pub name: String,
    /// Proportional set size of the container's init (smaps_rollup, proc_pid_smaps(5)).
    pub pss: Option<f64>,
    pub rss: Option<f64>,
    pub page_tables: Option<f64>,
    /// `memory.current` of its cgroup, where the controller is there.
    pub cgroup: Option<f64>,
    /// Processes besides the container's own, after `create`.
    pub others_created: Option<usize>,
    /// The same after `run --detach`.
    pub others_detached: Option<usize>,
}

/// Runs each command under the usage program.
pub fn used(bench: &Bench) -> Result<Vec<Used>> {
    let mut results = Vec::new();
    for contestant in bench.contestants(Flavour::Plain) {
        let name = contestant.name().to_owned();
        let short = bench.bundles.container(&format!("use-run-{name}"), Flavour::Plain, Payload::True)?;
        let long = bench.bundles.container(&format!("use-life-{name}"), Flavour::Plain, Payload::Sleep)?;
        let (mut run, mut create, mut state) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..bench.amounts.gauges {
            run.extend(gauge(bench, &contestant.run(&short, Flavour::Plain)));
            processes::reap();
            let Contestant::Runtime(runtime) = contestant else { continue };
            for (step, seen) in [(Step::Create, &mut create), (Step::State, &mut state)] {
                if runtime.can(Skill::Step(step)) {
                    seen.extend(gauge(bench, &runtime.step(step, &long)));
                }
            }
            runtime.clear(&long);
        }
        let [run, create, state] = [run, create, state].map(|values| middle(&values));
        results.push(Used { name, run, create, state });
    }
    Ok(results)
}

fn gauge(bench: &Bench, command: &std::process::Command) -> Option<Usage> {
    // A command that fails here has failed in the trial or in a timed round too, and is named there.
    bench.gauge.as_ref()?.usage(&bench.runner, command).ok()
}

fn middle(values: &[Usage]) -> Option<Usage> {
    let of = |pick: fn(&Usage) -> f64| median(&values.iter().map(pick).collect::<Vec<_>>());
    Some(Usage {
        peak_kib: of(|usage| usage.peak_kib)?,
        page_faults: of(|usage| usage.page_faults)?,
        cpu_ms: of(|usage| usage.cpu_ms)?,
    })
}

/// Creates containers and leaves them unstarted; runs others detached.
pub fn parked(bench: &Bench) -> Result<Vec<Parked>> {
    let mut results = Vec::new();
    for runtime in bench.able(Skill::Step(Step::Create)) {
        let id = format!("park-{}", runtime.name);
        let container = bench.bundles.container(&id, Flavour::Plain, Payload::Sleep)?;
        let mut seen = Vec::new();
        for _ in 0..bench.amounts.gauges {
            if bench.runner.time(&mut runtime.step(Step::Create, &container)).is_ok() {
                seen.push(look(&container));
            }
            runtime.clear(&container);
        }
        let of = |pick: fn(&Look) -> Option<f64>| median(&seen.iter().filter_map(pick).collect::<Vec<_>>());
        results.push(Parked {
            name: runtime.name.clone(),
            pss: of(|look| look.pss),
            rss: of(|look| look.rss),
            page_tables: of(|look| look.page_tables),
            cgroup: of(|look| look.cgroup),
            others_created: seen.iter().map(|look| look.others).max(),
            others_detached: others_after_detach(bench, runtime, &container),
        });
    }
    Ok(results)
}

/// One look at a created container.
struct Look {
    pss: Option<f64>,
    rss: Option<f64>,
    page_tables: Option<f64>,
    cgroup: Option<f64>,
    others: usize,
}

fn look(container: &Container) -> Look {
    let members = processes::members(&container.cgroup);
    let sum = |file: &str, key: &str| {
        let sizes = members.iter().map(|pid| size_in(&format!("/proc/{pid}/{file}"), key));
        sizes.sum::<Option<f64>>().filter(|_| !members.is_empty())
    };
    let current = fs::read_to_string(container.cgroup.join("memory.current")).ok();
    Look {
        pss: sum("smaps_rollup", "Pss:"),
        rss: sum("smaps_rollup", "Rss:"),
        page_tables: sum("status", "VmPTE:"),
        cgroup: current.and_then(|bytes| Some(bytes.trim().parse::<f64>().ok()? / 1024.0)),
        others: others(&container.cgroup),
    }
}

/// A size in a file of lines like `Pss:  44 kB`.
fn size_in(path: &str, key: &str) -> Option<f64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    line[key.len()..].split_whitespace().next()?.parse().ok()
}

/// Descendants of ours outside the container's cgroup: what the runtime left running.
fn others(cgroup: &Path) -> usize {
    let deadline = Instant::now() + SETTLING;
    loop {
        processes::reap();
        let members = processes::members(cgroup);
        let count = processes::descendants().iter().filter(|pid| !members.contains(pid)).count();
        if count == 0 || Instant::now() > deadline {
            return count;
        }
        sleep(Duration::from_millis(5));
    }
}

fn others_after_detach(bench: &Bench, runtime: &Runtime, container: &Container) -> Option<usize> {
    let detached = runtime.can(Skill::Detach) && bench.runner.time(&mut runtime.detach(container)).is_ok();
    let count = detached.then(|| others(&container.cgroup) + extra_members(container));
    runtime.clear(container);
    count
}

/// The container runs one program; anything else in its cgroup belongs to the runtime.
fn extra_members(container: &Container) -> usize {
    processes::members(&container.cgroup).len().saturating_sub(1)
}
