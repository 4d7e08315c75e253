//! The same verdicts from fewer rules.
//!
//! A device program runs at every open of a device node, and the kernel's verifier walks through it at every
//! start of a container: each rule that goes saves both. Three steps, repeated until nothing changes; each of
//! them keeps the meaning that `decide` gives to the list:
//!
//! - *overruled*: an access of a rule goes when a later rule that covers the same devices decides it;
//! - *redundant*: it goes when the rules before it already give the same verdict for all of its devices;
//! - *joined*: rules with one verdict that follow each other may be sorted, so equal ones become one.

use super::{Access, Kind, MKNOD, READ, Rule, Verdict, WRITE};

/// A shorter list with the meaning of `rules`, in the same order of precedence: the last one wins.
pub fn simplify(rules: &[Rule]) -> Vec<Rule> {
    let mut list = rules.to_vec();
    loop {
        let before = list.clone();
        for index in 0..list.len() {
            list[index].access &= !overruled(&list, index);
            list[index].access &= !redundant(&list, index);
        }
        list.retain(|rule| rule.access != 0);
        list = list.chunk_by(|one, next| one.verdict == next.verdict).flat_map(join).collect();
        if list == before {
            return list;
        }
    }
}

/// The accesses that later rules decide for every device of the rule at `index`.
fn overruled(list: &[Rule], index: usize) -> Access {
    let pattern = list[index].pattern;
    let later = list[index + 1..].iter().filter(|rule| rule.pattern.covers(&pattern));
    later.fold(0, |access, rule| access | rule.access)
}

/// The accesses of the rule at `index` that have its verdict for all of its devices without it.
fn redundant(list: &[Rule], index: usize) -> Access {
    let bits = [MKNOD, READ, WRITE].into_iter().filter(|bit| list[index].access & bit != 0);
    bits.filter(|bit| verdict_before(list, index, *bit) == Some(list[index].verdict)).sum()
}

/// What the rules before `index` say about `bit`, if they say the same for every device of the rule there.
fn verdict_before(list: &[Rule], index: usize, bit: Access) -> Option<Verdict> {
    let pattern = list[index].pattern;
    let mut common = None;
    let earlier = list[..index].iter().rev();
    for rule in earlier.filter(|rule| rule.access & bit != 0 && rule.pattern.meets(&pattern)) {
        if common.is_some_and(|verdict| verdict != rule.verdict) {
            return None;
        }
        common = Some(rule.verdict);
        if rule.pattern.covers(&pattern) {
            return common;
        }
    }
    // Devices that no earlier rule decides are denied.
    common.is_none_or(|verdict| verdict == Verdict::Deny).then_some(Verdict::Deny)
}

/// Rules with one verdict, in any order: equal patterns take their accesses together, and a rule for block
/// devices and the same for character devices become one for both.
fn join(run: &[Rule]) -> Vec<Rule> {
    let mut list = run.to_vec();
    list.sort_by_key(|rule| (rule.pattern.major, rule.pattern.minor, rule.pattern.kind, rule.access));
    list.dedup_by(|next, kept| {
        let same = next.pattern == kept.pattern;
        if same {
            kept.access |= next.access;
        }
        same
    });
    list.dedup_by(|next, kept| {
        let mut both = kept.pattern;
        both.kind = next.pattern.kind;
        let pair = (kept.pattern.kind, next.pattern.kind) == (Some(Kind::Block), Some(Kind::Char));
        let same = pair && both == next.pattern && kept.access == next.access;
        if same {
            kept.pattern.kind = None;
        }
        same
    });
    list
}

#[cfg(test)]
mod tests {
    use super::super::tests::parsed;
    use super::super::{BUILT_IN, rules};
    use super::*;

    fn simplified(json: &str) -> Vec<String> {
        let all = rules(&parsed(json));
        shown(&simplify(&all[..all.len() - BUILT_IN.len()]))
    }

    fn shown(list: &[Rule]) -> Vec<String> {
        let sign = |rule: &Rule| if rule.verdict == Verdict::Allow { '+' } else { '-' };
        list.iter().map(|rule| format!("{}{rule}", sign(rule))).collect()
    }

    #[test]
    fn denying_everything_first_is_the_default() {
        assert_eq!(simplified(r#"[{"allow": false, "access": "rwm"}]"#), [""; 0]);
        assert_eq!(simplified(r#"[{"allow": false, "type": "c", "major": 1, "access": "r"}]"#), [""; 0]);
    }

    #[test]
    fn allowing_everything_swallows_the_built_in_rules() {
        let list = rules(&parsed(r#"[{"allow": true, "access": "rwm"}]"#));
        assert_eq!(shown(&simplify(&list)), ["+a *:* rwm"]);
    }

    #[test]
    fn overruled_rules_go() {
        assert_eq!(
            simplified(
                r#"[{"allow": true, "type": "c", "major": 1, "minor": 3, "access": "rw"},
                    {"allow": false, "type": "c", "major": 1, "access": "w"},
                    {"allow": true, "type": "c", "access": "rwm"}]"#
            ),
            ["+c *:* rwm"]
        );
    }

    #[test]
    fn an_exception_stays() {
        assert_eq!(
            simplified(
                r#"[{"allow": true, "access": "rwm"},
                    {"allow": false, "type": "b", "major": 8, "access": "w"},
                    {"allow": true, "type": "b", "major": 8, "minor": 3, "access": "rw"}]"#
            ),
            ["+a *:* rwm", "-b 8:* w", "+b 8:3 w"]
        );
    }

    #[test]
    fn block_and_char_become_all() {
        assert_eq!(
            simplified(
                r#"[{"allow": true, "type": "c", "access": "m"},
                    {"allow": true, "type": "b", "access": "m"}]"#
            ),
            ["+a *:* m"]
        );
    }

    #[test]
    fn the_built_in_rules_keep_no_double_access() {
        assert_eq!(
            shown(&simplify(&BUILT_IN)),
            [
                "+a *:* m",
                "+c 1:3 rw",
                "+c 1:5 rw",
                "+c 1:7 rw",
                "+c 1:8 rw",
                "+c 1:9 rw",
                "+c 5:0 rw",
                "+c 5:2 rw",
                "+c 10:200 rw",
                "+c 136:* rw",
            ]
        );
    }
}
