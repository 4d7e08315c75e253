//! Containers per second with several launchers at once.

use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result};

use super::Named;
use crate::bench::Bench;
use crate::bundle::{Container, Flavour, Payload};
use crate::contestant::Contestant;
use crate::measure::Runner;
use crate::processes;
use crate::statistics::turns;

/// Containers per second of everybody, with so many launchers.
pub struct Rates {
    pub launchers: usize,
    pub rates: Vec<Named>,
}

/// Everybody launches the same number of containers, each launcher its share, in turns.
pub fn measure(bench: &Bench) -> Result<Vec<Rates>> {
    let contestants = bench.contestants(Flavour::Plain);
    let mut results = Vec::new();
    for &launchers in bench.amounts.launchers {
        let mut rates: Vec<Named> = contestants.iter().map(|one| Named::new(one.name())).collect();
        for (_, place) in turns(contestants.len(), bench.amounts.launch_rounds) {
            let rate = launch(bench, contestants[place], launchers)?;
            rates[place].series.add(rate);
            processes::reap();
        }
        results.push(Rates { launchers, rates });
    }
    Ok(results)
}

/// Containers per second, or why one of them failed.
fn launch(bench: &Bench, contestant: Contestant, launchers: usize) -> Result<Result<f64, String>> {
    let mut lanes = Vec::new();
    for number in 0..launchers {
        let id = format!("launch-{}-{number}", contestant.name());
        let container = bench.bundles.container(&id, Flavour::Plain, Payload::True)?;
        let runner = Runner::new(&bench.words_file(number)).context("cannot open a file for stderr")?;
        lanes.push((container, runner));
    }
    let share = bench.amounts.launched / launchers;
    let ready = Barrier::new(launchers + 1);
    let (took, outcome) = thread::scope(|scope| {
        let one = |lane: &(Container, Runner)| -> Result<(), String> {
            ready.wait();
            (0..share).try_for_each(|_| lane.1.time(&mut contestant.run(&lane.0, Flavour::Plain)).map(drop))
        };
        let threads: Vec<_> = lanes.iter().map(|lane| scope.spawn(move || one(lane))).collect();
        ready.wait();
        let begin = Instant::now();
        let ended: Vec<_> = threads.into_iter().map(|thread| thread.join()).collect();
        let took = begin.elapsed();
        let panicked = |_| Err("a launcher panicked".to_owned());
        (took, ended.into_iter().try_for_each(|end| end.unwrap_or_else(panicked)))
    });
    if outcome.is_err() {
        lanes.iter().for_each(|lane| contestant.clear(&lane.0));
    }
    Ok(outcome.map(|()| (share * launchers) as f64 / took.as_secs_f64()))
}
