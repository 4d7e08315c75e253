//! The conversation of host and child, played through in every possible way.

use std::collections::BTreeSet;

use crate_run::plan::project::{ChildTurn, HostTurn, Programs, Rendezvous, project};
use crate_run::plan::{Action, HostAction, Pace, Phase, Plan};
use crate_run_plan::Operation;
use crate_run_sys::namespaces::flag;
use proptest::prelude::*;

use crate::random::wishes;

/// Where both sides are, and what lies between them. The line is a socket: a word waits until it is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct World {
    host: usize,
    child: usize,
    /// Arrivals that were said and not yet heard, and words to go on.
    arrived: usize,
    released: usize,
    born: bool,
    /// The newborn may execve its program: it has its maps, or needs none.
    runs: bool,
    /// The child has said that it has arrived, and waits.
    waits: bool,
}

/// One side's next move: the world after it, and the step that was carried out.
type Move = Option<(World, Option<usize>)>;

fn host_moves(plan: &Plan, programs: &Programs, world: World) -> Move {
    let mut after = World { host: world.host + 1, ..world };
    match *programs.host.get(world.host)? {
        HostTurn::Do(index) => {
            match &plan.steps[index].action {
                Action::Host(HostAction::GiveBirth { kinds }) => {
                    after.born = true;
                    after.runs = kinds & flag::USER == 0;
                }
                Action::Host(HostAction::WriteIdMaps { .. }) => after.runs = true,
                _ => {}
            }
            Some((after, Some(index)))
        }
        HostTurn::Await => {
            after.arrived = world.arrived.checked_sub(1)?;
            Some((after, None))
        }
        HostTurn::Release => {
            after.released += 1;
            Some((after, None))
        }
    }
}

fn child_moves(programs: &Programs, world: World) -> Move {
    if !world.runs {
        return None;
    }
    let mut after = world;
    match *programs.child.get(world.child)? {
        ChildTurn::Do(index) => {
            after.child = world.child + 1;
            Some((after, Some(index)))
        }
        ChildTurn::Wait(_) => {
            after.released = world.released.checked_sub(1)?;
            after.child = world.child + 1;
            Some((after, None))
        }
        ChildTurn::Meet(_) if !world.waits => {
            (after.waits, after.arrived) = (true, world.arrived + 1);
            Some((after, None))
        }
        ChildTurn::Meet(_) => {
            after.released = world.released.checked_sub(1)?;
            (after.waits, after.child) = (false, world.child + 1);
            Some((after, None))
        }
    }
}

/// What a step relies on is done: all steps before it, but for a step that is done ahead those of the host only.
fn is_due(plan: &Plan, programs: &Programs, world: World, index: usize) -> bool {
    let host = |turn: &HostTurn| matches!(turn, HostTurn::Do(step) if *step < index);
    let child = |turn: &ChildTurn| matches!(turn, ChildTurn::Do(step) if *step < index);
    let host_is_behind = programs.host[world.host..].iter().any(host);
    let child_is_behind = programs.child[world.child..].iter().any(child);
    let ahead = plan.steps[index].pace == Pace::Ahead;
    !host_is_behind && (ahead || !child_is_behind)
}

/// Plays all interleavings. The error is a world in which nobody can move, or a step out of the plan's order.
fn explore(plan: &Plan, programs: &Programs) -> Result<usize, String> {
    let mut seen = BTreeSet::new();
    let mut open = vec![World::default()];
    while let Some(world) = open.pop() {
        if !seen.insert(world) {
            continue;
        }
        let moves = [host_moves(plan, programs, world), child_moves(programs, world)];
        if moves.iter().all(Option::is_none) {
            let finished = world.host == programs.host.len() && world.child == programs.child.len();
            let silent = world.arrived == 0 && world.released == 0;
            if !finished || !silent {
                return Err(format!("deadlock: {world:?}"));
            }
        }
        for (after, step) in moves.into_iter().flatten() {
            if let Some(step) = step.filter(|step| !is_due(plan, programs, world, *step)) {
                return Err(format!("step {step} is carried out too early: {world:?}"));
            }
            open.push(after);
        }
    }
    Ok(seen.len())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    /// However the two processes are scheduled: they never wait for each other, and carry out all steps in the
    /// order of the plan, but for the steps that the host does ahead.
    #[test]
    fn both_sides_always_meet(wish in wishes()) {
        let plan = wish.plan();
        let programs = project(&plan);
        let explored = explore(&plan, &programs);
        prop_assert!(explored.is_ok(), "{explored:?}\n{programs:?}");
    }

    #[test]
    fn both_sides_have_the_same_meetings(wish in wishes()) {
        let plan = wish.plan();
        let programs = project(&plan);
        let awaited = programs.host.windows(2).filter_map(|pair| match pair {
            [HostTurn::Await, HostTurn::Do(index)] => Some(*index),
            _ => None,
        });
        let met = programs.child.iter().filter_map(|turn| match turn {
            ChildTurn::Meet(index) => Some(*index),
            ChildTurn::Do(_) | ChildTurn::Wait(_) => None,
        });
        let (awaited, met): (Vec<usize>, Vec<usize>) = (awaited.collect(), met.collect());
        prop_assert_eq!(&awaited, &met);
        let count = |turn: HostTurn| programs.host.iter().filter(|other| **other == turn).count();
        prop_assert_eq!(count(HostTurn::Await), met.len());
        let waits = programs.child.iter().filter(|turn| matches!(turn, ChildTurn::Wait(_))).count();
        prop_assert_eq!(count(HostTurn::Release), met.len() + waits);
    }

    /// Every step is in exactly one program, and the notes for `explain` lie where the sides change.
    #[test]
    fn nothing_is_lost_between_the_programs(wish in wishes()) {
        let plan = wish.plan();
        let programs = project(&plan);
        let host = programs.host.iter().filter_map(|turn| match turn {
            HostTurn::Do(index) => Some(*index),
            _ => None,
        });
        let child = programs.child.iter().filter_map(|turn| match turn {
            ChildTurn::Do(index) => Some(*index),
            ChildTurn::Meet(_) | ChildTurn::Wait(_) => None,
        });
        let mut all: Vec<usize> = host.chain(child).collect();
        all.sort_unstable();
        prop_assert_eq!(all, (0..plan.steps.len()).collect::<Vec<_>>());
        for (index, meeting) in programs.rendezvous() {
            let of_host = matches!(plan.steps[index].action, Action::Host(_));
            prop_assert_eq!(of_host, meeting == Rendezvous::Arrival, "{}", index);
        }
    }
}

/// A plan of a few steps; the sides change four times, and once the host is ahead.
fn small() -> Plan {
    let mut plan = Plan::new();
    plan.phase(Phase::Birth);
    plan.host("test", HostAction::GiveBirth { kinds: flag::USER }, "");
    plan.host(
        "test",
        HostAction::WriteIdMaps { uids: String::new(), gids: String::new(), writers: Default::default() },
        "",
    );
    plan.host("test", HostAction::SetOomScore { value: 0 }, "");
    plan.child("test", Operation::OpenProc {}, "");
    plan.host("test", HostAction::AttachDeviceFilter { program: Vec::new() }, "").ahead();
    plan.child("test", Operation::PivotRoot {}, "");
    plan.host("test", HostAction::RecordCreated, "");
    plan.child("test", Operation::Announce {}, "");
    plan
}

#[test]
fn the_explorer_sees_a_deadlock_when_a_turn_is_missing() {
    let plan = small();
    let good = project(&plan);
    let worlds = explore(&plan, &good).unwrap();
    assert!(worlds > plan.steps.len(), "{worlds} worlds are too few");
    for (index, turn) in good.host.iter().enumerate() {
        if !matches!(turn, HostTurn::Do(_)) {
            let mut bad = good.clone();
            bad.host.remove(index);
            explore(&plan, &bad).expect_err(&format!("without {turn:?} at {index}"));
        }
    }
    for (index, turn) in good.child.iter().enumerate() {
        if !matches!(turn, ChildTurn::Do(_)) {
            let mut bad = good.clone();
            bad.child.remove(index);
            explore(&plan, &bad).expect_err(&format!("without {turn:?} at {index}"));
        }
    }
}

#[test]
fn the_explorer_sees_maps_that_are_written_too_late() {
    let mut plan = small();
    plan.steps.swap(1, 2);
    let seen = explore(&plan, &project(&plan)).unwrap_err();
    assert!(seen.starts_with("deadlock"), "{seen}");
}

/// A step that is done ahead costs no rendezvous, and its place in the list is a deadline.
#[test]
fn the_child_waits_for_what_is_done_ahead_and_the_host_for_nothing() {
    let plan = small();
    let filter = plan.steps.iter().position(|step| step.pace == Pace::Ahead).unwrap();
    let programs = project(&plan);
    let at = programs.host.iter().position(|turn| *turn == HostTurn::Do(filter)).unwrap();
    assert_ne!(programs.host[at - 1], HostTurn::Await);
    assert_eq!(programs.host[at + 1], HostTurn::Release);
    let wait = programs.child.iter().position(|turn| *turn == ChildTurn::Wait(filter + 1)).unwrap();
    assert_eq!(
        programs.child[wait - 1..=wait + 1],
        [ChildTurn::Do(filter - 1), ChildTurn::Wait(filter + 1), ChildTurn::Do(filter + 1),]
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// `create` writes "created" when that is true; only `run`, for which nobody waits, may do it ahead.
    #[test]
    fn a_container_that_waits_is_recorded_in_turn(wish in wishes()) {
        let plan = wish.plan();
        let parks = |action: &Action| matches!(action, Action::Child(Operation::Park { .. }));
        let waits = plan.steps.iter().any(|step| parks(&step.action));
        let record = plan.steps.iter().find(|step| step.action == Action::Host(HostAction::RecordCreated));
        let pace = if waits { Pace::InTurn } else { Pace::Ahead };
        prop_assert_eq!(record.map(|step| step.pace), Some(pace));
    }
}
