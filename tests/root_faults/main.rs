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
mod edit;
mod judge;
mod readback;
mod trial;

use serde_json::Value;

use crate_run::plan::Phase;
use crate_run::plan::request::Gate;
use judge::Judge;
use trial::{Fault, Trial};
use world::World;

/// What a bundle asks for, besides what [`world::config::plain`] does.
type Change = fn(&World, &mut Value);

/// The faults happen from `first` on.
fn survives(test: &'static str, gate: Gate, first: Phase, change: Change) {
    let Some(world) = World::new(test) else { return };
    let bundle = world.bundle(|config| change(&world, config));
    let mut judge = Judge::new(&world);
    let clean = Trial::new(&world, &bundle, gate);
    let plan = clean.plan();
    judge.succeeds(&clean);
    let begin = plan.steps.iter().position(|step| step.phase >= first).expect("a phase of the plan");
    for fault in Fault::ALL {
        for place in (begin..=plan.steps.len()).filter(|place| Trial::possible(&plan, fault, *place)) {
            judge.survives(&clean.with(fault, place));
        }
    }
    judge.report(test, plan.steps.len());
}

#[test]
fn run() {
    survives("run", Gate::Open, Phase::Prepare, bundles::everything);
}

/// Up to the gate it is the plan of `run`.
#[test]
fn create() {
    survives("create", Gate::Closed, Phase::Gate, bundles::everything);
}

#[test]
fn run_in_a_user_namespace() {
    survives("run_in_a_user_namespace", Gate::Open, Phase::Prepare, bundles::with_user_namespace);
}

/// In a cgroup that was there before and was killed once, the newborn of some kernels is moved there.
#[test]
fn run_in_a_cgroup_that_is_used_again() {
    let change = bundles::in_a_killed_cgroup;
    survives("run_in_a_cgroup_that_is_used_again", Gate::Open, Phase::Birth, change);
}

#[test]
fn create_with_a_seccomp_agent() {
    let change = bundles::with_seccomp_agent;
    survives("create_with_a_seccomp_agent", Gate::Closed, Phase::Gate, change);
}

/// Not a test by itself: the others start this program once more, as the runtime of one trial.
#[test]
fn the_runtime_of_a_trial() {
    if let Some(trial) = Trial::of_this_process() {
        trial.perform();
    }
}
