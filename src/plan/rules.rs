//! Why the order is as it is: theorems about plans, each with its reason and its source.
//!
//! `compile` writes the order down once, as code; here it is written down as knowledge, one rule for each
//! thing that must not come before another. Every plan that can be compiled keeps all rules; the tests show
//! it for random bundles, and show for each rule that a plan with two steps exchanged breaks it.

mod slots;
mod theorems;
mod which;

use std::collections::BTreeMap;

use crate::plan::{Plan, Step, describe};

pub use theorems::all;

/// Picks steps.
pub type Which = fn(&Step) -> bool;

/// One theorem.
pub struct Rule {
    /// The theorem in words.
    pub name: &'static str,
    pub claim: Claim,
    /// What goes wrong otherwise. One sentence without a full stop.
    pub reason: &'static str,
    /// Where that can be read: a page of the manual, a clause, a CVE.
    pub source: &'static str,
}

/// What a rule says about the steps of a plan.
pub enum Claim {
    /// Every step of the first kind comes before every step of the second.
    Before(Which, Which),
    /// Where there is a step of the first kind, there is one of the second.
    Needs(Which, Which),
    /// There is exactly one.
    Once(Which),
    /// It is the first step of all.
    First(Which),
    /// It is the last step of all.
    Last(Which),
    /// These steps come in the order in which the configuration lists them.
    AsListed(Which),
    /// Holds in plans that have a step of this kind.
    Where(Which, &'static Claim),
    /// Holds in plans that have none.
    Unless(Which, &'static Claim),
    /// Phases follow each other.
    PhasesInOrder,
    /// What a step takes from a slot, an earlier step has put there.
    SlotsFilled,
}

/// What is wrong with a plan: one sentence for each rule that it breaks. Empty for a good plan.
pub fn violations(plan: &Plan) -> Vec<String> {
    let sentence = |rule: &Rule| {
        let what = rule.claim.broken_by(plan)?;
        Some(format!("{}: {what}; {} ({})", rule.name, rule.reason, rule.source))
    };
    all().filter_map(sentence).collect()
}

impl Claim {
    /// How the plan breaks the claim, in words; `None` when it keeps it.
    pub fn broken_by(&self, plan: &Plan) -> Option<String> {
        let has = |which: &Which| plan.steps.iter().any(which);
        match self {
            Claim::Before(first, then) => out_of_order(plan, *first, *then),
            Claim::Needs(what, needed) if !has(what) || has(needed) => None,
            Claim::Needs(what, _) => {
                Some(format!("{} lacks what it needs", show(plan, position(plan, *what)?)))
            }
            Claim::Once(which) => match plan.steps.iter().filter(|step| which(step)).count() {
                1 => None,
                count => Some(format!("there are {count}")),
            },
            Claim::First(which) => {
                plan.steps.first().is_none_or(|step| !which(step)).then(|| format!("it is {}", show(plan, 0)))
            }
            Claim::Last(which) => {
                let last = plan.steps.len().saturating_sub(1);
                plan.steps
                    .last()
                    .is_none_or(|step| !which(step))
                    .then(|| format!("it is {}", show(plan, last)))
            }
            Claim::AsListed(which) => not_as_listed(plan, *which),
            Claim::Where(which, claim) => {
                if has(which) {
                    claim.broken_by(plan)
                } else {
                    None
                }
            }
            Claim::Unless(which, claim) => {
                if has(which) {
                    None
                } else {
                    claim.broken_by(plan)
                }
            }
            Claim::PhasesInOrder => {
                let back = plan.steps.windows(2).position(|pair| pair[1].phase < pair[0].phase)?;
                Some(format!("{} comes after {}", show(plan, back + 1), show(plan, back)))
            }
            Claim::SlotsFilled => {
                let (index, slot) = slots::first_empty(plan)?;
                Some(format!("{} takes slot {}, which nothing has filled", show(plan, index), slot.0))
            }
        }
    }
}

fn position(plan: &Plan, which: Which) -> Option<usize> {
    plan.steps.iter().position(which)
}

fn out_of_order(plan: &Plan, first: Which, then: Which) -> Option<String> {
    let early = position(plan, then)?;
    let late = plan.steps.iter().rposition(first)?;
    (late > early).then(|| format!("{} comes after {}", show(plan, late), show(plan, early)))
}

/// The place in its list is the last number in the pointer of a step.
fn not_as_listed(plan: &Plan, which: Which) -> Option<String> {
    let place = |step: &Step| {
        let (list, number) = step.at.as_ref()?.as_str().rsplit_once('/')?;
        Some((list.to_owned(), number.parse::<usize>().ok()?))
    };
    // For each list the farthest place so far, and its step.
    let mut farthest: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for (index, step) in plan.steps.iter().enumerate().filter(|(_, step)| which(step)) {
        let Some((list, number)) = place(step) else { continue };
        let known = farthest.entry(list).or_insert((number, index));
        if known.0 > number {
            return Some(format!("{} comes after {}", show(plan, index), show(plan, known.1)));
        }
        *known = (number, index);
    }
    None
}

/// `step 12 (mount proc on /proc)`, numbered as `explain` numbers it.
fn show(plan: &Plan, index: usize) -> String {
    match plan.steps.get(index) {
        Some(step) => format!("step {} ({})", index + 1, describe::action(&step.action)),
        None => "nothing".to_owned(),
    }
}
