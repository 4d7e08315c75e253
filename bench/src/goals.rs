//! What crate-run sets out to reach, and whether it did.

use crate::bundle::Flavour;
use crate::contestant::{FLOOR, Step};
use crate::experiments::median_of;
use crate::page::Results;

/// Whose goals these are, and the peer they are set against.
const SUBJECT: &str = "crate-run";
const PEER: &str = "crun";

/// One figure that is not to be exceeded.
#[derive(Clone, Debug, PartialEq)]
pub struct Goal {
    pub what: &'static str,
    pub unit: &'static str,
    pub limit: f64,
    pub reached: Option<f64>,
}

impl Goal {
    /// `met`, or by how much it was missed, or that one of the two is missing.
    pub fn verdict(&self) -> String {
        match self.reached {
            None => "not measured".to_owned(),
            Some(reached) if reached <= self.limit => "met".to_owned(),
            Some(reached) if self.limit > 0.0 => {
                format!("missed by {:.0} %", ((reached / self.limit - 1.0) * 100.0).max(1.0))
            }
            Some(reached) => format!("missed by {reached}"),
        }
    }
}

/// All goals beside the figures of this run.
pub fn all(results: &Results) -> Vec<Goal> {
    let goal = |what, unit, limit, reached| Goal { what, unit, limit, reached };
    let run = |flavour, name| {
        let runs = results.runs.iter().find(|runs| runs.flavour == flavour)?;
        median_of(&runs.times, name)
    };
    let plain = |name| run(Flavour::Plain, name);
    let step = |step, name| {
        let times = results.lives.iter().find(|times| times.step == step)?;
        median_of(&times.times, name)
    };
    let against_peer = |wanted| ratio(step(wanted, SUBJECT), step(wanted, PEER));
    let added = run(Flavour::Seccomp, SUBJECT).zip(plain(SUBJECT)).map(|(with, without)| with - without);
    let parked = results.parked.iter().find(|parked| parked.name == SUBJECT);
    let left = parked.and_then(|parked| parked.others_detached).map(|count| count as f64);
    vec![
        goal("`run` of /bin/true against crun", "of crun", 0.40, ratio(plain(SUBJECT), plain(PEER))),
        goal("`run` of /bin/true against the floor", "x floor", 1.35, ratio(plain(SUBJECT), plain(FLOOR))),
        goal("`state` against crun", "of crun", 0.15, against_peer(Step::State)),
        goal("`kill` against crun", "of crun", 0.15, against_peer(Step::Kill)),
        goal("seccomp adds to `run`", "ms", 0.4, added),
        goal("memory of a parked container (Pss)", "KiB", 300.0, parked.and_then(|parked| parked.pss)),
        goal("processes left after `run --detach`", "", 0.0, left),
    ]
}

/// One figure divided by another, where both are there.
pub fn ratio(figure: Option<f64>, base: Option<f64>) -> Option<f64> {
    figure.zip(base).map(|(figure, base)| figure / base)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(limit: f64, reached: Option<f64>) -> String {
        Goal { what: "", unit: "", limit, reached }.verdict()
    }

    #[test]
    fn a_goal_is_met_up_to_its_limit() {
        assert_eq!(verdict(0.40, Some(0.40)), "met");
        assert_eq!(verdict(0.0, Some(0.0)), "met");
    }

    #[test]
    fn a_miss_says_by_how_much() {
        assert_eq!(verdict(0.40, Some(0.50)), "missed by 25 %");
        assert_eq!(verdict(0.40, Some(0.4001)), "missed by 1 %");
        assert_eq!(verdict(0.0, Some(2.0)), "missed by 2");
    }

    #[test]
    fn what_was_not_measured_is_neither() {
        assert_eq!(verdict(0.40, None), "not measured");
        assert_eq!(ratio(Some(1.0), None), None);
        assert_eq!(ratio(Some(1.0), Some(4.0)), Some(0.25));
    }
}
