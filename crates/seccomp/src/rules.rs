//! Which rule wins when a profile says several things about one call.
//!
//! The OCI specification leaves this open; engines rely on what libseccomp does, so the compiler does the
//! same:
//!
//! - A rule without conditions beats every rule with conditions; of two such rules the earlier one wins.
//! - Rules with conditions are asked in an order of their own, and the first that matches wins. Higher
//!   argument numbers come first, then equality before "less" before "greater", then the tighter bound, by
//!   its high word first; see [`place`]. What is equal in all that keeps the order of the profile.
//! - A rule whose conditions extend those of an earlier rule is never reached. The other way round, and for
//!   two rules with the same conditions, different actions are an error.
//! - Under a 32-bit architecture only the low word of an argument and of the value counts.
//!
//! Where libseccomp is at odds with itself, because it joins the comparisons of the high words of two rules
//! and then loses one of their actions (its 2.5 and 2.6 differ there), the order above holds strictly.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::arch::{Arch, Width};

/// How an argument is compared, unsigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Test {
    Equal,
    /// The only one under a mask.
    MaskedEqual,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// `(argument & mask) test value`; the mask has all bits set unless the test is `MaskedEqual`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Condition {
    /// 0 to 5.
    pub arg: u8,
    pub test: Test,
    pub mask: u64,
    pub value: u64,
}

impl Condition {
    fn seen_by(self, width: Width) -> Self {
        match width {
            Width::Bits64 => self,
            Width::Bits32 => {
                let low = u64::from(u32::MAX);
                Self { mask: self.mask & low, value: self.value & low, ..self }
            }
        }
    }

    /// A comparison under an empty mask holds for every argument.
    fn always_holds(self) -> bool {
        self.mask == 0
    }

    /// The kind of test, in the order of asking.
    fn class(self) -> u8 {
        match self.test {
            Test::Equal | Test::MaskedEqual | Test::NotEqual => 0,
            Test::Less | Test::LessOrEqual => 1,
            Test::Greater | Test::GreaterOrEqual => 2,
        }
    }

    /// The high and the low word of the value, so that what is smaller is asked first: the tighter bound,
    /// and of others the larger value.
    fn words(self, width: Width) -> (u32, u32) {
        let ordered = if self.class() == 1 { self.value } else { !self.value };
        match width {
            Width::Bits64 => ((ordered >> 32) as u32, ordered as u32),
            Width::Bits32 => (0, ordered as u32),
        }
    }

    /// What is compared of the high word: under which mask, if it is a masked comparison, and with what.
    fn high_comparison(self, width: Width) -> Option<(bool, u32, u32)> {
        let high = |wide: u64| (wide >> 32) as u32;
        (width == Width::Bits64).then(|| (self.test == Test::MaskedEqual, high(self.mask), high(self.value)))
    }
}

/// What a profile says about a call: the action, if all conditions hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// The value that the filter returns, `SECCOMP_RET_` with its data.
    pub action: u32,
    /// At most one condition per argument, by ascending argument.
    pub when: Vec<Condition>,
    /// The index in `/syscalls` that it comes from.
    pub block: usize,
}

/// The answer for one number of one architecture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Always(u32),
    /// The rules in the order of asking; the default action if none matches.
    Checked(Vec<Rule>),
}

/// Two rules that cannot both be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conflict {
    pub arch: Arch,
    pub number: u32,
    /// Indexes in `/syscalls`.
    pub earlier: usize,
    pub later: usize,
}

/// Decides about one number. `rules` are those for it, at least one, in the order of the profile.
pub(crate) fn settle<'a>(
    arch: Arch,
    number: u32,
    rules: impl Iterator<Item = &'a Rule>,
) -> Result<Answer, Conflict> {
    let mut checked: Vec<Rule> = Vec::new();
    for rule in rules {
        let seen = rule.when.iter().map(|condition| condition.seen_by(arch.width()));
        let when: Vec<Condition> = seen.filter(|condition| !condition.always_holds()).collect();
        if when.is_empty() {
            return Ok(Answer::Always(rule.action));
        }
        checked.push(Rule { action: rule.action, when, block: rule.block });
    }
    if checked.len() > 1 {
        checked = without_unreachable(arch, number, checked)?;
        let places = (0..checked.len()).map(|index| place(arch.width(), &checked, index));
        let mut placed: Vec<(Place, Rule)> = places.collect::<Vec<_>>().into_iter().zip(checked).collect();
        placed.sort_by(|(a, _), (b, _)| a.cmp(b));
        checked = placed.into_iter().map(|(_, rule)| rule).collect();
    }
    Ok(Answer::Checked(checked))
}

/// Drops rules that an earlier one covers, and finds the conflicts.
fn without_unreachable(arch: Arch, number: u32, rules: Vec<Rule>) -> Result<Vec<Rule>, Conflict> {
    let mut first: BTreeMap<&[Condition], usize> = BTreeMap::new();
    for (place, rule) in rules.iter().enumerate() {
        first.entry(&rule.when).or_insert(place);
    }
    let mut reachable = vec![true; rules.len()];
    for (place, rule) in rules.iter().enumerate() {
        for shared in 1..=rule.when.len() {
            let Some(&other) = first.get(&rule.when[..shared]) else { continue };
            if other == place {
                continue;
            }
            let same_conditions = shared == rule.when.len();
            if rules[other].action != rule.action && (same_conditions || other > place) {
                let (earlier, later) = (rules[other.min(place)].block, rules[other.max(place)].block);
                return Err(Conflict { arch, number, earlier, later });
            }
            reachable[place] = false;
        }
    }
    let mut keep = reachable.into_iter();
    Ok(rules.into_iter().filter(|_| keep.next() == Some(true)).collect())
}

/// Where a rule stands in the order of asking: for each of its conditions, which come before it.
type Place = Vec<(Reverse<u8>, u8, u32, usize, u32, usize)>;

/// Computes the place of the rule at `index` of `rules`, which are in the order of the profile.
///
/// The high word is compared before the low one. Where that leaves two different comparisons equal, the one
/// that the profile names first comes first, and takes those with it that begin in the same way.
fn place(width: Width, rules: &[Rule], index: usize) -> Place {
    let when = &rules[index].when;
    let first = |level: usize, same: &dyn Fn(&Condition) -> bool| {
        let begins = |rule: &Rule| rule.when.get(..level) == Some(&when[..level]);
        let like_this = |rule: &Rule| begins(rule) && rule.when.get(level).is_some_and(same);
        rules.iter().position(like_this).unwrap_or(index)
    };
    let condition_at = |(level, condition): (usize, &Condition)| {
        let (high, low) = condition.words(width);
        let same_high = |other: &Condition| {
            (other.arg, other.class(), other.high_comparison(width))
                == (condition.arg, condition.class(), condition.high_comparison(width))
        };
        let (of_high, of_both) = (first(level, &same_high), first(level, &|other| other == condition));
        (Reverse(condition.arg), condition.class(), high, of_high, low, of_both)
    };
    when.iter().enumerate().map(condition_at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn when(arg: u8, test: Test, value: u64) -> Condition {
        Condition { arg, test, mask: u64::MAX, value }
    }

    fn rule(action: u32, when: &[Condition], block: usize) -> Rule {
        Rule { action, when: when.to_vec(), block }
    }

    fn decide(arch: Arch, rules: &[Rule]) -> Result<Answer, Conflict> {
        settle(arch, 7, rules.iter())
    }

    #[test]
    fn a_rule_without_conditions_beats_all_others() {
        let rules =
            [rule(1, &[when(0, Test::Equal, 4)], 0), rule(2, &[], 1), rule(3, &[], 2), rule(1, &[], 3)];
        assert_eq!(decide(Arch::X86_64, &rules), Ok(Answer::Always(2)));
    }

    #[test]
    fn an_empty_mask_is_no_condition() {
        let masked = |mask| Condition { arg: 0, test: Test::MaskedEqual, mask, value: mask };
        assert_eq!(decide(Arch::X86_64, &[rule(9, &[masked(0)], 0)]), Ok(Answer::Always(9)));
        let high = [rule(9, &[masked(0xff_0000_0000)], 0)];
        assert_eq!(decide(Arch::X86, &high), Ok(Answer::Always(9)), "the high word does not exist here");
        assert!(matches!(decide(Arch::X86_64, &high), Ok(Answer::Checked(_))));
    }

    #[test]
    fn the_order_of_asking_is_that_of_the_documentation() {
        let sorted = [
            rule(1, &[when(2, Test::Equal, 1)], 5),
            rule(1, &[when(0, Test::Equal, 9)], 4),
            rule(2, &[when(0, Test::NotEqual, 3)], 3),
            rule(3, &[when(0, Test::Less, 4)], 2),
            rule(4, &[when(0, Test::LessOrEqual, 6)], 1),
            rule(5, &[when(0, Test::Greater, 8)], 6),
            rule(6, &[when(0, Test::GreaterOrEqual, 2)], 0),
        ];
        let mut shuffled = sorted.to_vec();
        shuffled.sort_by_key(|rule| rule.block);
        assert_eq!(decide(Arch::X86_64, &shuffled), Ok(Answer::Checked(sorted.to_vec())));
    }

    #[test]
    fn rules_that_cannot_both_hold_are_a_conflict() {
        let (a, b) = (when(0, Test::Equal, 1), when(1, Test::Equal, 2));
        let conflict = Conflict { arch: Arch::X86, number: 7, earlier: 3, later: 8 };
        let same = [rule(1, &[a], 3), rule(2, &[a], 8)];
        assert_eq!(decide(Arch::X86, &same), Err(conflict.clone()));
        let wider_later = [rule(1, &[a, b], 3), rule(2, &[a], 8)];
        assert_eq!(decide(Arch::X86, &wider_later), Err(conflict));
    }

    #[test]
    fn a_rule_behind_a_wider_one_is_dropped() {
        let (a, b) = (when(0, Test::Equal, 1), when(1, Test::Equal, 2));
        let wider = rule(1, &[a], 3);
        let expected = Ok(Answer::Checked(vec![wider.clone()]));
        assert_eq!(decide(Arch::X86_64, &[wider.clone(), rule(2, &[a, b], 8)]), expected);
        assert_eq!(decide(Arch::X86_64, &[wider.clone(), rule(1, &[a], 8)]), expected);
    }
}
