//! Any list of device rules: the eBPF program decides as the list reads.
//!
//! The input is a list as JSON, or a tape of decisions from which rules are made.

use crate_run::bundle::finding::{Pointer, Severity};
use crate_run::cgroup::devices::program::compile;
use crate_run::cgroup::devices::{self, BUILT_IN, Kind, Pattern, Request, Rule, Verdict, decide};
use oci_spec::runtime::LinuxDeviceCgroup;

use super::tape::Tape;

pub fn judge(data: &[u8]) {
    let rules = match data.first() {
        Some(b'[') => match serde_json::from_slice::<Vec<LinuxDeviceCgroup>>(data) {
            Ok(list) => rules_of(&list),
            Err(_) => return,
        },
        _ => made(&mut Tape(data)),
    };
    let Ok(program) = compile(&rules) else { return };
    let bytes = program.bytes();
    assert_eq!(bytes.len(), program.insns().len() * 8);
    let machine = rbpf::EbpfVmRaw::new(Some(&bytes)).expect("a well-formed program");
    for request in requests(&rules) {
        let kind = if request.kind == Kind::Block { 1 } else { 2 };
        let words = [u32::from(request.access) << 16 | kind, request.major, request.minor];
        let mut context: Vec<u8> = words.into_iter().flat_map(u32::to_ne_bytes).collect();
        let answer = match machine.execute_program(&mut context).expect("a program that ends") {
            0 => Verdict::Deny,
            1 => Verdict::Allow,
            other => panic!("the kernel refuses the answer {other}"),
        };
        assert_eq!(answer, decide(&rules, &request), "{request:?} by {rules:?}");
    }
}

/// The rules of a configuration: those without an error, and the built-in ones.
fn rules_of(list: &[LinuxDeviceCgroup]) -> Vec<Rule> {
    let rules = devices::rules(list);
    let found = devices::findings(list, &Pointer::root());
    let is_wrong = |index: &usize| {
        let at = Pointer::root().index(*index);
        let lies_there = |other: &Pointer| *other == at || other.parent().as_ref() == Some(&at);
        found.iter().any(|finding| finding.severity == Severity::Error && lies_there(&finding.at))
    };
    let good = (0..list.len()).filter(|index| !is_wrong(index)).count();
    assert_eq!(rules.len(), good + BUILT_IN.len(), "a rule with an error opens nothing");
    rules
}

fn made(tape: &mut Tape) -> Vec<Rule> {
    let mut rules = Vec::new();
    while !tape.is_empty() && rules.len() < 48 {
        let (flags, major, minor) = (tape.byte(), tape.byte(), tape.byte());
        let number = |byte: u8| match byte {
            0..64 => None,
            64..240 => Some(u32::from(byte % 4)),
            byte => Some(u32::MAX - u32::from(byte % 2)),
        };
        rules.push(Rule {
            verdict: if flags & 1 == 0 { Verdict::Deny } else { Verdict::Allow },
            pattern: Pattern {
                kind: [None, Some(Kind::Char), Some(Kind::Block), Some(Kind::Char)]
                    [usize::from(flags >> 1 & 3)],
                major: number(major),
                minor: number(minor),
            },
            access: 1 + (flags >> 3) % 7,
        });
    }
    rules.extend(
        tape.is_empty()
            .then_some(BUILT_IN)
            .into_iter()
            .flatten()
            .take(usize::from(rules.len() % 2 == 0) * 10),
    );
    rules
}

/// Around every number that a rule has.
fn requests(rules: &[Rule]) -> Vec<Request> {
    let some = |numbers: &mut dyn Iterator<Item = u32>| {
        let mut all: Vec<u32> =
            numbers.flat_map(|n| [n, n.wrapping_add(1)]).chain([0, 7, u32::MAX]).collect();
        all.sort_unstable();
        all.dedup();
        all.truncate(12);
        all
    };
    let majors = some(&mut rules.iter().filter_map(|rule| rule.pattern.major));
    let minors = some(&mut rules.iter().filter_map(|rule| rule.pattern.minor));
    let mut requests = Vec::new();
    for kind in [Kind::Block, Kind::Char] {
        for &major in &majors {
            for &minor in &minors {
                requests.extend((1..8).map(|access| Request { kind, major, minor, access }));
            }
        }
    }
    requests
}
