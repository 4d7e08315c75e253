//! Nothing is ever left behind, whatever fails and whoever dies, at whatever step.
//!
//! A plan is a value, so a fault is an edit of it. For every place in the plan of a bundle that uses every
//! feature, a runtime of its own carries out the plan with one more step at that place:
//!
//! - a step that fails, once of the host and once of the child: the command must say so and undo the rest;
//! - a step that kills the runtime: the half-made container dies, and `delete --force` finds the rest;
//! - a step that kills the container's first process: the command must notice, and undo the rest.
//!
//! After each trial the host must be as it was before, and the id must be free again.

#[path = "../world/mod.rs"]
mod world;

mod bundles;
mod judge;
mod trial;

use serde_json::Value;

use crate_run::plan::compile::Gate;
use judge::Judge;
use trial::{Fault, Trial};
use world::World;

/// What a bundle asks for, besides what [`world::config::plain`] does.
type Change = fn(&World, &mut Value);

fn survives(test: &'static str, gate: Gate, change: Change) {
    let Some(world) = World::new(test) else { return };
    let bundle = world.bundle(|config| change(&world, config));
    let mut judge = Judge::new(&world);
    let clean = Trial::new(&world, &bundle, gate);
    let length = clean.plan().steps.len();
    judge.succeeds(&clean);
    for fault in Fault::ALL {
        for place in (0..=length).filter(|place| clean.possible(fault, *place)) {
            judge.survives(&clean.with(fault, place));
        }
    }
    judge.report(test, length);
}

#[test]
fn run() {
    survives("run", Gate::Open, bundles::everything);
}

#[test]
fn create() {
    survives("create", Gate::Closed, bundles::everything);
}

#[test]
fn run_in_a_user_namespace() {
    survives("run_in_a_user_namespace", Gate::Open, bundles::with_user_namespace);
}

/// Not a test by itself: the others start this program once more, as the runtime of one trial.
#[test]
fn the_runtime_of_a_trial() {
    if let Some(trial) = Trial::of_this_process() {
        trial.perform();
    }
}
