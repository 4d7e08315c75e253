//! Which steps fill and which use the slots for descriptors.

use std::collections::BTreeSet;

use crate_run_plan::Operation;
use crate_run_plan::slot::Slot;

use crate::plan::{Action, HostAction, Plan, Step};

/// The first step that uses a slot which no step before has filled, and the slot.
pub fn first_empty(plan: &Plan) -> Option<(usize, Slot)> {
    let mut filled: BTreeSet<u16> = BTreeSet::new();
    for (index, step) in plan.steps.iter().enumerate() {
        if let Some(slot) = used(step).into_iter().find(|slot| !filled.contains(&slot.0)) {
            return Some((index, slot));
        }
        filled.extend(filled_by(step).into_iter().map(|slot| slot.0));
    }
    None
}

fn filled_by(step: &Step) -> Vec<Slot> {
    use HostAction as Host;
    use Operation as Op;
    match &step.action {
        Action::Host(
            Host::CloneTree { slot, .. }
            | Host::MakeFilesystem { slot, .. }
            | Host::MapIds { slot, .. }
            | Host::FillTmpfs { slot, .. }
            | Host::OpenNamespace { slot, .. }
            | Host::OpenContainer { slot, .. }
            | Host::OpenRootOf { slot, .. },
        ) => vec![*slot],
        Action::Host(Host::OpenRoot { clone: Some(_), .. }) => vec![Slot::ROOT_TREE],
        Action::Host(Host::OpenGate) => vec![Slot::GATE],
        Action::Host(Host::ConnectConsole { .. }) => vec![Slot::CONSOLE],
        Action::Host(Host::GiveBirth { .. }) => vec![Slot::LINE],
        Action::Host(Host::MakeNetwork) => vec![Slot::NETWORK],
        Action::Child(Op::AttachRoot { .. } | Op::AttachLockedRoot { .. }) => vec![Slot::ROOT],
        Action::Child(Op::EnterContainer { .. }) => vec![Slot::ROOT],
        Action::Child(Op::OpenDescriptors {}) => vec![Slot::DESCRIPTORS],
        Action::Child(Op::OpenProc {}) => vec![Slot::PROC],
        Action::Child(Op::OpenTerminal { .. }) => vec![Slot::MASTER, Slot::TERMINAL],
        Action::Child(Op::PrepareMask { .. }) => vec![Slot::MASK],
        Action::Child(Op::InstallListener { .. }) => vec![Slot::LISTENER],
        Action::Child(Op::KeepMount { mount } | Op::CloneFile { tree: mount, .. }) => vec![*mount],
        _ => Vec::new(),
    }
}

/// The slots that a step takes, on either of its ways.
fn used(step: &Step) -> Vec<Slot> {
    let mut slots = match &step.action {
        Action::Host(HostAction::EnterNamespace { slot, .. }) => vec![*slot],
        Action::Host(HostAction::SendListener { .. }) => vec![Slot::LISTENER],
        Action::Host(HostAction::FillTmpfs { tree, change, .. }) => {
            change.ids.iter().map(|(slot, _)| *slot).chain([*tree]).collect()
        }
        Action::Host(HostAction::CloneTree { change, .. } | HostAction::MakeFilesystem { change, .. }) => {
            change.ids.iter().map(|(slot, _)| *slot).collect()
        }
        Action::Host(_) => Vec::new(),
        Action::Child(operation) => taken_by(operation),
    };
    slots.extend(step.alternative.iter().flat_map(taken_by));
    slots
}

fn taken_by(operation: &Operation) -> Vec<Slot> {
    use Operation as Op;
    match operation {
        Op::JoinNamespace { namespace, .. } => vec![*namespace],
        Op::JoinMountNamespace { namespace } => vec![*namespace],
        Op::EnterRoot { root } => vec![*root],
        Op::EnterTime {} | Op::SetParameter { .. } | Op::SetLabel { .. } | Op::VerifyLabel { .. } => {
            vec![Slot::PROC]
        }
        Op::EnterContainer { container, .. } => vec![*container],
        Op::AttachRoot { tree } => vec![*tree],
        Op::Reconfigure { mount, .. } => vec![*mount],
        Op::FindMount { .. } | Op::DetachMounts {} => vec![Slot::DESCRIPTORS, Slot::ROOT],
        Op::MountTree { tree, .. } | Op::LendDevice { tree, .. } => vec![*tree, Slot::ROOT],
        Op::MaskPath { null, .. } => vec![*null, Slot::MASK, Slot::ROOT],
        Op::MountConsole {} => vec![Slot::TERMINAL, Slot::ROOT],
        Op::TakeTerminal {} | Op::PlainLineEnds {} => vec![Slot::TERMINAL],
        Op::CloseListener {} => vec![Slot::LISTENER],
        Op::SendTerminal { to } => vec![*to, Slot::MASTER],
        Op::Park { gate } => vec![*gate],
        Op::Meet {} | Op::Wait {} | Op::Announce {} | Op::InstallListener { .. } => vec![Slot::LINE],
        Op::MountNew { .. }
        | Op::ChangeMount { .. }
        | Op::CopyLink { .. }
        | Op::MountLocked { .. }
        | Op::MakeDevice { .. }
        | Op::MakeLink { .. }
        | Op::PivotRoot {}
        | Op::MoveRoot {}
        | Op::ReadOnlyPath { .. }
        | Op::ReadOnlyRoot {}
        | Op::MakeDirectory { .. }
        | Op::AdoptNull {}
        | Op::OpenTerminal { .. } => vec![Slot::ROOT],
        _ => Vec::new(),
    }
}
