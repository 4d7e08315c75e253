//! One list, two programs.
//!
//! The plan is one list of steps of two actors. Projection splits it into the host's program and the child's,
//! and puts a rendezvous wherever the turn goes from the child to the host: the child says that it has
//! arrived and waits, the host acts and answers. Nobody writes the two halves of this conversation by hand,
//! so they cannot disagree; a property test shows that they never do.
//!
//! Some steps of the host need nothing from the child (`Pace::Ahead`). The host does them while the child
//! works, and says so; the child waits for that word where the step stands in the list, most often not at
//! all. So two processors make one container.
//!
//! The id maps are the exception: the newborn cannot execve, and so cannot run its program, before they are
//! there. It waits for them on a futex (`crate_run_sys::birth`).

use std::collections::BTreeMap;

use crate_run_plan::Operation;
use crate_run_plan::slot::Slot;
use crate_run_plan::wire::{HAS_ALTERNATIVE, IS_ALTERNATIVE, Writer};

use crate::plan::{Action, HostAction, Pace, Plan};

/// An entry of the host's program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostTurn {
    /// Carry out the step with this index.
    Do(usize),
    /// Wait until the child has arrived at a rendezvous.
    Await,
    /// Let it go on.
    Release,
}

/// An entry of the child's program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildTurn {
    /// Carry out the step with this index.
    Do(usize),
    /// Arrive at the rendezvous before the step with this index, and wait.
    Meet(usize),
    /// Wait until the host has done what it does ahead; the step with this index comes next.
    Wait(usize),
}

/// Both programs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Programs {
    pub host: Vec<HostTurn>,
    pub child: Vec<ChildTurn>,
}

/// What passes between the two sides directly before a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rendezvous {
    /// The child arrives and waits; the step is the host's.
    Arrival,
    /// The host lets the child go on; the step is the child's.
    Release,
    /// The host has said that it is done with what it does ahead, or the child waits
    /// for that; the step is the child's.
    CatchUp,
}

impl Programs {
    /// Where the two sides meet, by the index of the step that follows.
    pub fn rendezvous(&self) -> BTreeMap<usize, Rendezvous> {
        let mut meetings = BTreeMap::new();
        let mut done = None;
        for turn in &self.host {
            match turn {
                HostTurn::Do(index) => done = Some(*index),
                HostTurn::Await => {}
                HostTurn::Release => meetings.extend(done.map(|index| (index + 1, Rendezvous::Release))),
            }
        }
        meetings.extend(self.child.iter().filter_map(|turn| match turn {
            ChildTurn::Do(_) => None,
            ChildTurn::Meet(index) => Some((*index, Rendezvous::Arrival)),
            ChildTurn::Wait(index) => Some((*index, Rendezvous::CatchUp)),
        }));
        meetings
    }
}

/// Splits a plan.
pub fn project(plan: &Plan) -> Programs {
    let mut programs = Programs::default();
    let mut born = false;
    let mut host_has_the_turn = true;
    let mut host_is_ahead = false;
    for (index, step) in plan.steps.iter().enumerate() {
        match &step.action {
            Action::Host(action) => {
                // For its maps the newborn waits anyway, on a futex and not on the line.
                let is_map = matches!(action, HostAction::WriteIdMaps { .. });
                if born && step.pace == Pace::Ahead {
                    host_is_ahead = true;
                } else if born && !host_has_the_turn && !is_map {
                    programs.child.push(ChildTurn::Meet(index));
                    programs.host.push(HostTurn::Await);
                    host_has_the_turn = true;
                }
                programs.host.push(HostTurn::Do(index));
                if matches!(action, HostAction::GiveBirth { .. }) {
                    born = true;
                    host_has_the_turn = false;
                }
            }
            Action::Child(_) => {
                if born && host_has_the_turn {
                    programs.host.push(HostTurn::Release);
                } else if host_is_ahead {
                    programs.host.push(HostTurn::Release);
                    programs.child.push(ChildTurn::Wait(index));
                }
                (host_has_the_turn, host_is_ahead) = (false, false);
                programs.child.push(ChildTurn::Do(index));
            }
        }
    }
    programs
}

/// The child's program as bytes. `number_of` tells the number of a descriptor that the host has opened.
pub fn encode(plan: &Plan, programs: &Programs, number_of: &dyn Fn(Slot) -> i32) -> Vec<u8> {
    let mut writer = Writer::new(number_of);
    for turn in &programs.child {
        match *turn {
            ChildTurn::Meet(index) => Operation::Meet {}.write(&mut writer, index as u16, 0),
            ChildTurn::Wait(index) => Operation::Wait {}.write(&mut writer, index as u16, 0),
            ChildTurn::Do(index) => {
                let step = &plan.steps[index];
                let Action::Child(operation) = &step.action else { unreachable!("projected as the child's") };
                let flags = if step.alternative.is_some() { HAS_ALTERNATIVE } else { 0 };
                operation.write(&mut writer, index as u16, flags);
                if let Some(other) = &step.alternative {
                    other.write(&mut writer, index as u16, IS_ALTERNATIVE);
                }
            }
        }
    }
    writer.finish()
}
