//! What the child reads is what the host has computed.

use crate_run::plan::project::{ChildTurn, encode, project};
use crate_run::plan::{Action, Plan};
use crate_run_plan::operation::Mounts;
use crate_run_plan::slot::{Handle, Slot};
use crate_run_plan::wire::{HAS_ALTERNATIVE, IS_ALTERNATIVE, MAGIC, Reader, Writer};
use crate_run_plan::{Operation, Sealed};
use proptest::prelude::*;

use crate::bundles::{Wish, minimal};
use crate::random::wishes;

fn number_of(slot: Slot) -> i32 {
    i32::from(slot.0) + 1000
}

/// The entries that the child's program should have: number of the step, operation, flags.
fn expected(plan: &Plan) -> Vec<(u16, Operation, u8)> {
    let mut entries = Vec::new();
    for turn in project(plan).child {
        match turn {
            ChildTurn::Meet(index) => entries.push((index as u16, Operation::Meet {}, 0)),
            ChildTurn::Wait(index) => entries.push((index as u16, Operation::Wait {}, 0)),
            ChildTurn::Do(index) => {
                let step = &plan.steps[index];
                let Action::Child(operation) = &step.action else { panic!("{step:?} is not the child's") };
                let flags = if step.alternative.is_some() { HAS_ALTERNATIVE } else { 0 };
                entries.push((index as u16, operation.clone(), flags));
                entries.extend(step.alternative.clone().map(|other| (index as u16, other, IS_ALTERNATIVE)));
            }
        }
    }
    entries
}

/// The bytes of a single operation, and so its code.
fn bytes_of(operation: &Operation) -> Vec<u8> {
    let mut writer = Writer::new(&number_of);
    operation.write(&mut writer, 0, 0);
    writer.finish().split_off(HEAD)
}

/// The magic number and the line.
const HEAD: usize = 8;
/// Number of the step, code, flags.
const ENTRY: usize = 4;

fn check(plan: &Plan) {
    let bytes = encode(plan, &project(plan), &number_of);
    let mut reader = Reader::new(&bytes);
    assert_eq!(reader.u32(), Some(MAGIC));
    assert_eq!(reader.handle(), Some(Handle::Inherited(number_of(Slot::LINE))));
    let mut at = HEAD;
    for (step, operation, flags) in expected(plan) {
        let alone = bytes_of(&operation);
        assert_eq!((reader.u16(), reader.u8(), reader.u8()), (Some(step), Some(alone[2]), Some(flags)));
        let sealed = Sealed::read(alone[2], &mut reader);
        assert!(sealed.is_some(), "{} cannot be read", operation.name());
        let length = alone.len();
        assert_eq!(&bytes[at + ENTRY..at + length], &alone[ENTRY..], "{}", operation.name());
        at += length;
        // What was read is the operation from its first to its last byte.
        let rest = Reader::new(&bytes[at..]);
        assert_eq!(rest.at_end(), reader.at_end(), "{}", operation.name());
    }
    assert!(reader.at_end());
    assert_eq!(at, bytes.len());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn every_operation_arrives(wish in wishes()) {
        check(&wish.plan());
    }
}

#[test]
fn alternatives_follow_their_step() {
    let mut plan = Wish::new(minimal().to_string()).plan();
    for step in &mut plan.steps {
        if matches!(step.action, Action::Child(Operation::PivotRoot {})) {
            step.or(Operation::ReadOnlyRoot {});
        }
    }
    assert!(expected(&plan).iter().any(|(_, _, flags)| *flags == IS_ALTERNATIVE));
    check(&plan);
}

#[test]
fn fields_arrive_in_their_places() {
    let mount = Operation::MountNew {
        filesystem: c"tmpfs".into(),
        source: c"shm".into(),
        options: vec![c"mode=755".into(), c"size=64k".into()],
        attributes: 6,
        propagation: 1 << 18,
        target: c"/dev/shm".into(),
        rule: 5,
    };
    let bytes = bytes_of(&mount);
    let sealed = Sealed::read(bytes[2], &mut Reader::new(&bytes[ENTRY..]));
    let Some(Sealed::Mounts(Mounts::MountNew {
        filesystem,
        source,
        options,
        attributes,
        propagation,
        target,
        rule,
    })) = sealed
    else {
        panic!("{} has another code", mount.name());
    };
    assert_eq!((filesystem, source, target), (c"tmpfs", c"shm", c"/dev/shm"));
    assert_eq!(options.collect::<Vec<_>>(), [c"mode=755", c"size=64k"]);
    assert_eq!((attributes, propagation, rule), (6, 1 << 18, 5));
}

#[test]
fn bytes_that_are_cut_off_are_not_read() {
    let bytes = bytes_of(&Operation::SetHostname { name: c"example".into() });
    for end in ENTRY..bytes.len() {
        assert!(Sealed::read(bytes[2], &mut Reader::new(&bytes[ENTRY..end])).is_none(), "{end}");
    }
}
