//! The plan of `exec`: another way in, the same tail.

use crate_run::cgroup::systemd::{Manager, Unit};
use crate_run::plan::enter::{Door, Entrance, Root, enter};
use crate_run::plan::rules::{self, Claim};
use crate_run::plan::{Action, HostAction, Phase, Plan};
use crate_run::state::ProcessId;
use crate_run_plan::Operation;
use crate_run_sys::namespaces::flag;
use proptest::prelude::*;

use crate::bundles::Wish;
use crate::random::wishes;

const ALL: u64 = flag::PID | flag::NETWORK | flag::MOUNT | flag::IPC | flag::UTS | flag::CGROUP;

fn entering(wish: &Wish, kinds: u64) -> Plan {
    entering_by(wish, kinds, Entrance::Stays)
}

fn entering_by(wish: &Wish, kinds: u64, cgroup: Entrance) -> Plan {
    let process = ProcessId { pid: 4711, started: 1 };
    let (root, groups, bound) = (Root::OfNamespace, Vec::new(), wish.groups.clone());
    let door = Door { process, kinds, root, cgroup, groups, bound };
    enter(&wish.bundle(), &wish.request, &door)
}

/// An exec by an ordinary user, into a scope of his own systemd.
pub fn by_systemd() -> Plan {
    let unit = Unit::resolve("", "web", Manager::User).expect("a unit");
    let wish = Wish::new(crate::bundles::minimal().to_string());
    entering_by(&wish, ALL, Entrance::Moved { unit, below: "/inner".to_owned() })
}

/// What happens from a phase on, without hooks: they belong to the life of the container.
fn from(plan: &Plan, phase: Phase) -> Vec<&Action> {
    let is_hook = |action: &Action| matches!(action, Action::Child(Operation::RunHook { .. }));
    plan.steps
        .iter()
        .filter(|step| step.phase >= phase)
        .map(|step| &step.action)
        .filter(|a| !is_hook(a))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn exec_ends_as_the_first_process_does(wish in wishes()) {
        let (first, other) = (wish.plan(), entering(&wish, ALL));
        prop_assert_eq!(from(&first, Phase::Power), from(&other, Phase::Power));
    }

    #[test]
    fn exec_keeps_the_rules_of_order(
        wish in wishes(),
        kinds in prop::sample::select(&[ALL, 0, ALL | flag::USER][..]),
        moved in any::<bool>(),
    ) {
        let unit = Unit::resolve("", "web", Manager::User).expect("a unit");
        let scope = Entrance::Moved { unit, below: String::new() };
        let plan = entering_by(&wish, kinds, if moved { scope } else { Entrance::Stays });
        let is_order = |claim: &Claim| !matches!(claim, Claim::Once(_) | Claim::Needs(..) | Claim::First(_));
        let broken = rules::all().filter(|rule| is_order(&rule.claim)).filter_map(|rule| rule.claim.broken_by(&plan));
        let none: Vec<String> = Vec::new();
        prop_assert_eq!(broken.collect::<Vec<_>>(), none);
    }
}

#[test]
fn it_comes_into_sight_when_everything_is_looked_up() {
    let plan = entering(&Wish::new(crate::bundles::minimal().to_string()), ALL);
    let at = |which: &dyn Fn(&Action) -> bool| {
        plan.steps.iter().position(|step| which(&step.action)).expect("such a step")
    };
    let joins = at(&|action| matches!(action, Action::Child(Operation::EnterContainer { kinds: ALL, .. })));
    let finds = at(&|action| matches!(action, Action::Child(Operation::FindExecutable { .. })));
    let appears = at(&|action| matches!(action, Action::Child(Operation::Rebirth { kinds: 0 })));
    let adopts = at(&|action| matches!(action, Action::Host(HostAction::AdoptReborn)));
    assert!(joins < finds && finds < appears && appears < adopts);
    assert!(!plan.steps.iter().any(|step| matches!(step.action, Action::Host(HostAction::ReserveId))));
}
