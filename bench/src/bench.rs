//! What all experiments share: the contestants, the bundles, the amount of work.

use std::path::PathBuf;

use crate::bundle::{Bundles, Flavour};
use crate::contestant::{Contestant, Floor, Runtime, Skill};
use crate::measure::{Gauge, Runner};
use crate::options::Effort;
use crate::world::Place;

/// How often each thing is done.
#[derive(Clone, Copy, Debug)]
pub struct Amounts {
    /// Rounds of `run` before counting.
    pub warm_up: usize,
    /// Counted rounds of `run`.
    pub runs: usize,
    /// Counted rounds of create, start, state, exec, kill, delete.
    pub lives: usize,
    /// Rounds in which memory and faults are read.
    pub gauges: usize,
    /// Containers per launch of the throughput test.
    pub launched: usize,
    pub launch_rounds: usize,
    pub launchers: &'static [usize],
    /// How many containers exist while growth is measured.
    pub populations: &'static [usize],
    pub growth_rounds: usize,
}

impl From<Effort> for Amounts {
    fn from(effort: Effort) -> Amounts {
        match effort {
            Effort::Full => Amounts {
                warm_up: 5,
                runs: 200,
                lives: 100,
                gauges: 9,
                launched: 200,
                launch_rounds: 3,
                launchers: &[1, 2, 4, 8],
                populations: &[0, 100, 1000],
                growth_rounds: 20,
            },
            Effort::Quick => Amounts {
                warm_up: 1,
                runs: 8,
                lives: 4,
                gauges: 1,
                launched: 16,
                launch_rounds: 1,
                launchers: &[1, 2],
                populations: &[0, 10],
                growth_rounds: 2,
            },
        }
    }
}

/// The whole test bench.
pub struct Bench {
    pub amounts: Amounts,
    pub place: Place,
    pub bundles: Bundles,
    pub runtimes: Vec<Runtime>,
    pub floor: Option<Floor>,
    pub gauge: Option<Gauge>,
    pub runner: Runner,
}

impl Bench {
    /// Runtimes that passed the trial for `skill`.
    pub fn able(&self, skill: Skill) -> impl Iterator<Item = &Runtime> {
        self.runtimes.iter().filter(move |runtime| runtime.can(skill))
    }

    /// Everybody who can run the container, the floor last.
    pub fn contestants(&self, flavour: Flavour) -> Vec<Contestant<'_>> {
        let able = self.able(Skill::Run(flavour)).map(Contestant::Runtime);
        let ready = |floor: &&Floor| flavour != Flavour::Seccomp || floor.filter.is_some();
        able.chain(self.floor.as_ref().filter(ready).map(Contestant::Floor)).collect()
    }

    /// A file for the stderr of one of several runners.
    pub fn words_file(&self, number: usize) -> PathBuf {
        self.place.scratch.join(format!("stderr-{number}"))
    }
}
