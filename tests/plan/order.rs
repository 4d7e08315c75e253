//! Compiled plans keep the rules, and the rules can be broken.

use std::collections::BTreeSet;

use crate_run::plan::rules::{self, Claim, Which, violations};
use crate_run::plan::undo::{Undo, undo};
use crate_run::plan::{Action, HostAction, Phase, Plan};
use crate_run_plan::Operation;
use crate_run_plan::slot::Slot;
use proptest::prelude::*;

use crate::bundles::{Wish, minimal};
use crate::random::{rich, wishes};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn every_plan_keeps_every_rule(wish in wishes()) {
        let plan = wish.plan();
        let none: Vec<String> = Vec::new();
        prop_assert_eq!(violations(&plan), none);
    }
}

/// Plans in which every rule has something to say.
fn plans() -> Vec<Plan> {
    let mut plans: Vec<Plan> = rich().iter().map(Wish::plan).collect();
    plans.push(with_joined_user_namespace());
    plans.push(crate::enter::by_systemd());
    plans
}

/// Each kind of namespace, all but the new mount namespace joined.
fn with_joined_user_namespace() -> Plan {
    let mut config = minimal();
    config["linux"]["namespaces"] = serde_json::json!([
        { "type": "mount" }, { "type": "network", "path": "/proc/self/ns/net" },
        { "type": "user", "path": "/proc/self/ns/user" }
    ]);
    Wish::new(config.to_string()).plan()
}

/// A plan like this one that breaks the claim, if the claim says anything about this plan.
fn broken(plan: &Plan, claim: &Claim) -> Option<Plan> {
    let steps = |which: &Which| (0..plan.steps.len()).filter(|i| which(&plan.steps[*i])).collect::<Vec<_>>();
    let mut other = plan.clone();
    match claim {
        Claim::Before(first, then) => other.steps.swap(*steps(first).first()?, *steps(then).last()?),
        Claim::Needs(what, needed) => {
            steps(what).first()?;
            other.steps.retain(|step| !needed(step));
        }
        Claim::Once(which) => other.steps.insert(0, plan.steps[*steps(which).first()?].clone()),
        Claim::First(_) | Claim::Last(_) => other.steps.swap(0, plan.steps.len() - 1),
        Claim::AsListed(which) => {
            let list = |i: usize| plan.steps[i].at.as_ref().map(|at| at.as_str().rsplit_once('/').unwrap().0);
            let all = steps(which);
            let pair = all.windows(2).find(|pair| list(pair[0]) == list(pair[1]))?;
            other.steps.swap(pair[0], pair[1]);
        }
        Claim::Where(which, claim) => return steps(which).first().and_then(|_| broken(plan, claim)),
        Claim::Unless(which, claim) if steps(which).is_empty() => return broken(plan, claim),
        Claim::Unless(..) => return None,
        Claim::PhasesInOrder => other.steps[0].phase = Phase::Exec,
        Claim::SlotsFilled => {
            use Operation::{AttachLockedRoot, AttachRoot};
            let attaches = |action: &Action| {
                matches!(action, Action::Child(AttachRoot { .. } | AttachLockedRoot { .. }))
            };
            plan.steps.iter().position(|step| attaches(&step.action))?;
            other.steps.retain(|step| !attaches(&step.action));
        }
    }
    Some(other)
}

#[test]
fn each_rule_can_be_broken_by_exchanging_steps() {
    let plans = plans();
    for rule in rules::all() {
        let mut mutants = plans.iter().filter_map(|plan| broken(plan, &rule.claim)).peekable();
        assert!(mutants.peek().is_some(), "no plan has what this rule is about: {}", rule.name);
        for mutant in mutants {
            let found = violations(&mutant);
            let named = found.iter().any(|violation| violation.starts_with(&format!("{}: ", rule.name)));
            assert!(named, "not seen: {}\nseen: {found:#?}", rule.name);
        }
    }
}

#[test]
fn a_violation_names_steps_reason_and_source() {
    let mut plan = Wish::new(minimal().to_string()).plan();
    let last = plan.steps.len() - 1;
    plan.steps.swap(last - 1, last);
    let expected = format!(
        "the last word comes before execve: step {} (say that only execve is left) comes after step {} \
         (execute /bin/sh); after it the child is another program (execve(2))",
        last + 1,
        last
    );
    assert!(violations(&plan).contains(&expected), "{:#?}", violations(&plan));
}

#[test]
fn a_slot_that_nothing_fills_is_seen() {
    let mut plan = Wish::new(minimal().to_string()).plan();
    for step in &mut plan.steps {
        if let Action::Child(Operation::AttachRoot { tree }) = &mut step.action {
            *tree = Slot(99);
        }
    }
    let found = violations(&plan);
    assert!(found.len() == 1 && found[0].contains("takes slot 99"), "{found:#?}");
}

#[test]
fn names_of_rules_are_different() {
    let mut names = BTreeSet::new();
    for rule in rules::all() {
        assert!(names.insert(rule.name), "{}", rule.name);
        assert!(!rule.reason.is_empty() && !rule.source.is_empty(), "{}", rule.name);
    }
}

/// What stays on the host although the container was never made: nothing but the controllers that were enabled.
#[test]
fn every_lasting_effect_has_its_undo() {
    for plan in plans() {
        for step in &plan.steps {
            let Action::Host(action) = &step.action else { continue };
            if let Undo::Stays(_) = undo(action) {
                assert!(matches!(action, HostAction::EnableControllers { .. }), "{action:?} stays");
            }
        }
    }
}
