//! `run` of /bin/true: create, start, wait and delete in one command.

use anyhow::Result;

use super::Named;
use crate::bench::Bench;
use crate::bundle::{Flavour, Payload};
use crate::processes;
use crate::statistics::turns;

/// The times of everybody for one flavour, in milliseconds.
pub struct Runs {
    pub flavour: Flavour,
    pub times: Vec<Named>,
}

/// All flavours take turns as well, so that their differences can be trusted.
pub fn measure(bench: &Bench) -> Result<Vec<Runs>> {
    let mut lanes = Vec::new();
    let mut results = Vec::new();
    for (group, flavour) in Flavour::ALL.into_iter().enumerate() {
        let mut times = Vec::new();
        for contestant in bench.contestants(flavour) {
            let id = format!("run-{}-{}", flavour.word(), contestant.name());
            let container = bench.bundles.container(&id, flavour, Payload::True)?;
            lanes.push((group, times.len(), contestant, container));
            times.push(Named::new(contestant.name()));
        }
        results.push(Runs { flavour, times });
    }
    for (round, lane) in turns(lanes.len(), bench.amounts.warm_up + bench.amounts.runs) {
        let (group, place, contestant, container) = &lanes[lane];
        let flavour = results[*group].flavour;
        let time = bench.runner.time(&mut contestant.run(container, flavour));
        if time.is_err() {
            contestant.clear(container);
        }
        processes::reap();
        if round >= bench.amounts.warm_up {
            results[*group].times[*place].series.add(time);
        }
    }
    Ok(results)
}
