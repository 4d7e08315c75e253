//! A scope is never left behind, whatever fails and whoever dies around it.

use crate_run::cgroup::Driver;
use crate_run::plan::request::Gate;
use crate_run::plan::{Action, HostAction};
use serde_json::json;

use crate::judge::Judge;
use crate::trial::{Fault, ID, Trial};
use crate::world::config;
use crate::{no_unit_is_left, place, world};

/// The faults happen directly before and after each step that has to do with the scope, and when it is recorded.
#[test]
fn no_fault_leaves_a_scope() {
    let Some(world) = world("no_fault_leaves_a_scope") else { return };
    let bundle = world.bundle(|value| {
        value["linux"]["cgroupsPath"] = json!(place(&world, ID));
        value["linux"]["resources"] = json!({ "memory": { "limit": 64 << 20 }, "pids": { "limit": 64 } });
        config::mount(value, "/run", "tmpfs", "tmpfs", &["size=64k"]);
        config::sleeps(value);
    });
    let clean = Trial::new(&world, &bundle, Gate::Open).by(Driver::Systemd);
    let plan = clean.plan();
    let mut judge = Judge::new(&world);
    judge.succeeds(&clean);
    let counts = |action: &Action| {
        let Action::Host(action) = action else { return false };
        let of_systemd = matches!(action, HostAction::ConnectSystemd { .. } | HostAction::StartUnit { .. });
        of_systemd || matches!(action, HostAction::GiveBirth { .. } | HostAction::RecordCreated)
    };
    let steps = plan.steps.iter().enumerate().filter(|(_, step)| counts(&step.action));
    let mut places: Vec<usize> = steps.flat_map(|(index, _)| [index, index + 1]).collect();
    places.dedup();
    for fault in Fault::ALL {
        for place in places.iter().copied().filter(|place| Trial::possible(&plan, fault, *place)) {
            judge.survives(&clean.with(fault, place));
            no_unit_is_left(&world);
        }
    }
    judge.report("no_fault_leaves_a_scope", plan.steps.len());
}
