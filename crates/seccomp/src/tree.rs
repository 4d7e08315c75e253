//! The decision tree: from a number to its answer in a handful of comparisons.
//!
//! Most of a profile is "these calls are allowed": long runs of numbers with the same answer. So the numbers
//! of an architecture are cut into ranges with one answer each, and a balanced tree of "is it below?" leads
//! to the right range; with n ranges, in about log2(n) steps. Docker's default profile allows 330 calls of
//! x86-64 and as many of x32, and needs 140 ranges for both: eight steps. Only rules about arguments hang
//! comparisons below a leaf.
//!
//! The program, from its start:
//!
//! ```text
//! load arch
//! is it the native one?  -> tree of its numbers
//! is it the next one?    -> tree of its numbers
//! kill the thread
//! ```

use oci_spec::runtime::LinuxSeccompAction;

use crate::arch::{Arch, Width};
use crate::emit::{IF_EQUAL, IF_GREATER, IF_NOT_LESS, Label, Listing};
use crate::profile::{Calls, Policy};
use crate::rules::{self, Answer, Condition, Conflict, Rule, Test};
use crate::{Instruction, Newcomers, Part};

/// Where `seccomp_data` holds `nr`, `arch` and the low word of `args[0]`, in bytes. All our machines are
/// little-endian.
const OFFSET_NR: u32 = 0;
const OFFSET_ARCH: u32 = 4;
const OFFSET_ARGS: u32 = 16;

/// `SECCOMP_RET_KILL_THREAD`: what calls of a foreign architecture get, as with libseccomp.
const STRANGER: u32 = 0;
const ERRNO_ENOSYS: u32 = 0x0005_0000 | 38;

/// Builds the whole program for one part of the verdicts.
pub(crate) fn plant(
    policy: &Policy,
    newcomers: Newcomers,
    part: Part,
) -> Result<Vec<Instruction>, Vec<Conflict>> {
    let mut forest = Forest::new(policy, newcomers, part);
    let mut trees: Vec<(u32, Ranges)> = Vec::with_capacity(policy.calls.len());
    for calls in &policy.calls {
        let audit = calls.arch.audit();
        if trees.iter().all(|(known, _)| *known != audit) {
            trees.push((audit, forest.cut(audit)));
        }
    }
    if !forest.conflicts.is_empty() {
        return Err(forest.conflicts);
    }
    let mut grown = Vec::with_capacity(trees.len());
    for (audit, ranges) in trees.iter().rev() {
        let tree = forest.grow(&ranges.0);
        grown.push((*audit, forest.listing.load(OFFSET_NR, tree)));
    }
    let mut next = forest.listing.answer(part.of(STRANGER));
    for (audit, tree) in grown {
        next = forest.listing.branch(IF_EQUAL, audit, tree, next);
    }
    forest.listing.load(OFFSET_ARCH, next);
    Ok(forest.listing.finish())
}

/// What all numbers of a range get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaf {
    Return(u32),
    /// An index in `Forest::checks`.
    Checks(usize),
}

/// All numbers from 0 to 2^32 - 1: (first number, what it and the following ones get), ascending.
#[derive(Default)]
struct Ranges(Vec<(u32, Leaf)>);

impl Ranges {
    /// Everything from `first` on gets `leaf`.
    fn from(&mut self, first: u32, leaf: Leaf) {
        if self.0.last().is_some_and(|(last, _)| *last == first) {
            self.0.pop();
        }
        if self.0.last().is_none_or(|(_, before)| *before != leaf) {
            self.0.push((first, leaf));
        }
    }
}

/// Comparisons of arguments, shared by all calls that have the same rules.
struct Checks {
    width: Width,
    rules: Vec<Rule>,
    /// Where they are, once written.
    label: Option<Label>,
}

struct Forest<'a> {
    policy: &'a Policy,
    part: Part,
    /// What a number gets that nothing is said about.
    default: u32,
    /// What a number beyond the largest named one gets.
    newcomer: Leaf,
    checks: Vec<Checks>,
    conflicts: Vec<Conflict>,
    listing: Listing,
}

impl<'a> Forest<'a> {
    fn new(policy: &'a Policy, newcomers: Newcomers, part: Part) -> Self {
        let lenient = [
            LinuxSeccompAction::ScmpActAllow,
            LinuxSeccompAction::ScmpActLog,
            // A tracer is expected to answer for calls it does not know itself.
            LinuxSeccompAction::ScmpActTrace,
        ];
        let kind = policy.default & 0xffff_0000;
        let keeps_default =
            newcomers == Newcomers::Default || lenient.iter().any(|action| action.as_u32(Some(0)) == kind);
        let newcomer = Leaf::Return(part.of(if keeps_default { policy.default } else { ERRNO_ENOSYS }));
        let (default, listing) = (part.of(policy.default), Listing::with_capacity(512));
        Self { policy, part, default, newcomer, checks: Vec::new(), conflicts: Vec::new(), listing }
    }

    /// Cuts the numbers that come with this value of `seccomp_data.arch` into ranges.
    fn cut(&mut self, audit: u32) -> Ranges {
        let policy = self.policy;
        let mut ranges = Ranges(Vec::with_capacity(128));
        let mut members: Vec<&Calls> =
            policy.calls.iter().filter(|calls| calls.arch.audit() == audit).collect();
        members.sort_by_key(|calls| *calls.arch.numbers().start());
        ranges.from(0, Leaf::Return(self.part.of(STRANGER)));
        for calls in &members {
            self.cut_calls(calls, &mut ranges);
        }
        let last = members.last().map_or(0, |calls| *calls.arch.numbers().end());
        if last < u32::MAX {
            ranges.from(last + 1, Leaf::Return(self.part.of(STRANGER)));
            // A tracer sets -1 to have a call skipped; that is no call of a foreign architecture.
            ranges.from(u32::MAX, Leaf::Return(self.default));
        }
        ranges
    }

    /// Adds the ranges of one architecture.
    fn cut_calls(&mut self, calls: &Calls, ranges: &mut Ranges) {
        let silence = self.silence(calls);
        let mut silence = silence.iter().peekable();
        let mut background = Leaf::Return(self.default);
        for entries in calls.named.chunk_by(|a, b| a.0 == b.0) {
            let number = entries[0].0;
            while let Some((first, leaf)) = silence.next_if(|(first, _)| *first <= number) {
                ranges.from(*first, *leaf);
                background = *leaf;
            }
            let leaf = self.leaf(calls.arch, number, entries);
            ranges.from(number, leaf);
            if number < *calls.arch.numbers().end() {
                ranges.from(number + 1, background);
            }
        }
        for (first, leaf) in silence {
            ranges.from(*first, *leaf);
        }
    }

    /// What the numbers get that the profile does not name: (first number, leaf), ascending.
    fn silence(&self, calls: &Calls) -> Vec<(u32, Leaf)> {
        let default = Leaf::Return(self.default);
        let mut silence = vec![(*calls.arch.numbers().start(), default)];
        // A profile that names nothing here knows nothing about what is new.
        let Some(largest) = calls.largest else { return silence };
        silence.push((largest + 1, self.newcomer));
        let apart = calls.arch.apart();
        if !apart.is_empty() {
            silence.extend([(apart.start, default), (apart.end, self.newcomer)]);
        }
        silence
    }

    fn leaf(&mut self, arch: Arch, number: u32, entries: &[(u32, u32)]) -> Leaf {
        let all = &self.policy.rules;
        match rules::settle(arch, number, entries.iter().map(|(_, rule)| &all[*rule as usize])) {
            Ok(Answer::Always(action)) => Leaf::Return(self.part.of(action)),
            Ok(Answer::Checked(mut rules)) => {
                rules.iter_mut().for_each(|rule| rule.action = self.part.of(rule.action));
                if rules.iter().all(|rule| rule.action == self.default) {
                    return Leaf::Return(self.default);
                }
                let width = arch.width();
                let known =
                    self.checks.iter().position(|checks| checks.width == width && checks.rules == rules);
                Leaf::Checks(known.unwrap_or_else(|| {
                    self.checks.push(Checks { width, rules, label: None });
                    self.checks.len() - 1
                }))
            }
            Err(conflict) => {
                self.conflicts.push(conflict);
                Leaf::Return(self.default)
            }
        }
    }

    /// Writes the tree over `ranges`, at least one. Expects the number to be loaded.
    fn grow(&mut self, ranges: &[(u32, Leaf)]) -> Label {
        if let [(_, leaf)] = ranges {
            return self.write_leaf(*leaf);
        }
        // One number among equals needs one comparison instead of two.
        if let [(_, before), (number, leaf), (after_number, after)] = ranges
            && before == after
            && number + 1 == *after_number
        {
            let no = self.write_leaf(*after);
            let yes = self.write_leaf(*leaf);
            return self.listing.branch(IF_EQUAL, *number, yes, no);
        }
        let (below, above) = ranges.split_at(ranges.len() / 2);
        let yes = self.grow(above);
        let no = self.grow(below);
        self.listing.branch(IF_NOT_LESS, above[0].0, yes, no)
    }

    fn write_leaf(&mut self, leaf: Leaf) -> Label {
        match leaf {
            Leaf::Return(value) => self.listing.answer(value),
            Leaf::Checks(index) => {
                if let Some(label) = self.checks[index].label {
                    return label;
                }
                let label = self.write_checks(index);
                self.checks[index].label = Some(label);
                label
            }
        }
    }

    fn write_checks(&mut self, index: usize) -> Label {
        let Checks { width, rules, .. } = &self.checks[index];
        let mut next = self.listing.answer(self.default);
        for rule in rules.iter().rev() {
            let mut matched = self.listing.answer(rule.action);
            for condition in rule.when.iter().rev() {
                matched = write_condition(&mut self.listing, *width, condition, matched, next);
            }
            next = matched;
        }
        next
    }
}

/// Writes one comparison, word by word: the register has only 32 bits.
fn write_condition(
    listing: &mut Listing,
    width: Width,
    condition: &Condition,
    holds: Label,
    fails: Label,
) -> Label {
    let low_word = OFFSET_ARGS + 8 * u32::from(condition.arg);
    let (low, high) = (condition.value as u32, (condition.value >> 32) as u32);
    let (test, yes, no) = match condition.test {
        Test::Equal | Test::MaskedEqual => (IF_EQUAL, holds, fails),
        Test::NotEqual => (IF_EQUAL, fails, holds),
        Test::Greater => (IF_GREATER, holds, fails),
        Test::LessOrEqual => (IF_GREATER, fails, holds),
        Test::GreaterOrEqual => (IF_NOT_LESS, holds, fails),
        Test::Less => (IF_NOT_LESS, fails, holds),
    };
    let (low_mask, high_mask) = (condition.mask as u32, (condition.mask >> 32) as u32);

    let mut entry = yes;
    if low_mask != 0 {
        let compare = listing.branch(test, low, yes, no);
        entry = load_masked(listing, low_word, low_mask, compare);
    }
    if width == Width::Bits64 && high_mask != 0 {
        // The high words decide unless they are equal.
        let differs = if test == IF_EQUAL { no } else { listing.branch(IF_GREATER, high, yes, no) };
        let compare = listing.branch(IF_EQUAL, high, entry, differs);
        entry = load_masked(listing, low_word + 4, high_mask, compare);
    }
    entry
}

fn load_masked(listing: &mut Listing, offset: u32, mask: u32, then: Label) -> Label {
    let then = if mask == u32::MAX { then } else { listing.and(mask, then) };
    listing.load(offset, then)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::docker_like;
    use crate::profile;

    /// How many comparisons lead to the answer for `number`, at most.
    fn depth(ranges: usize) -> u32 {
        ranges.next_power_of_two().ilog2()
    }

    #[test]
    fn few_ranges_serve_many_names() {
        let policy = profile::read(&docker_like(), Arch::X86_64).expect("the profile is right");
        let mut forest = Forest::new(&policy, Newcomers::Enosys, Part::Decided);
        for calls in &policy.calls {
            let ranges = forest.cut(calls.arch.audit()).0.len();
            assert!(calls.named.len() > 300);
            assert!(depth(ranges) <= 8, "{ranges} ranges for {:?}", calls.arch);
        }
    }

    #[test]
    fn equal_neighbours_are_one_range() {
        let (a, b) = (Leaf::Return(1), Leaf::Return(2));
        let mut ranges = Ranges::default();
        for (first, leaf) in [(0, a), (5, a), (7, b), (7, a), (8, b), (9, b)] {
            ranges.from(first, leaf);
        }
        assert_eq!(ranges.0, [(0, a), (8, b)]);
    }
}
