//! Device rules in systemd's words: `DevicePolicy` and `DeviceAllow`.
//!
//! systemd attaches a program of its own to the scope, beside ours. Both must allow (bpf(2),
//! BPF_F_ALLOW_MULTI), so systemd can take nothing from our filter at a `daemon-reload`, but could deny what
//! we allow. So it is told the rules where its list of what is allowed can say exactly the same; else it is
//! told to filter nothing.
//!
//! Man page: systemd.resource-control(5), `DeviceAllow=`.

use super::{EVERY_ACCESS, Kind, MKNOD, Pattern, READ, Rule, Verdict, WRITE, simplify};
use crate::cgroup::systemd::property::Property;
use crate::cgroup::systemd::value::Value;

/// The two properties for `rules`.
pub fn properties(rules: &[Rule]) -> Vec<Property> {
    let rules = simplify::simplify(rules);
    let everything = |rule: &Rule| rule.pattern == Pattern::ALL && rule.access == EVERY_ACCESS;
    let listed: Option<Vec<Vec<Value>>> = match rules.iter().any(everything) {
        true => None,
        false => rules.iter().map(allowed).collect(),
    };
    let policy = if listed.is_some() { "strict" } else { "auto" };
    let items = listed.unwrap_or_default().concat();
    let property = |name: &str, value| Property { name: name.to_owned(), value, since: 0 };
    vec![
        property("DevicePolicy", Value::text(policy)),
        property("DeviceAllow", Value::Array { of: "(ss)".to_owned(), items }),
    ]
}

/// One rule as entries of `DeviceAllow`; `None` for what they cannot say.
fn allowed(rule: &Rule) -> Option<Vec<Value>> {
    if rule.verdict == Verdict::Deny {
        return None;
    }
    let Pattern { kind, major, minor } = rule.pattern;
    let kinds = kind.map_or(vec![Kind::Char, Kind::Block], |kind| vec![kind]);
    let entry = |kind: Kind| {
        let word = match kind {
            Kind::Char => "char",
            Kind::Block => "block",
        };
        let device = match (major, minor) {
            (Some(major), Some(minor)) => format!("/dev/{word}/{major}:{minor}"),
            (Some(major), None) => format!("{word}-{major}"),
            (None, None) => format!("{word}-*"),
            (None, Some(_)) => return None,
        };
        Some(Value::Struct(vec![Value::Text(device), Value::Text(letters(rule.access))]))
    };
    kinds.into_iter().map(entry).collect()
}

fn letters(access: u8) -> String {
    let letters = [(READ, 'r'), (WRITE, 'w'), (MKNOD, 'm')].into_iter();
    letters.filter(|(bit, _)| access & bit != 0).map(|(_, letter)| letter).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{BUILT_IN, allow};
    use super::*;

    fn told(own: &[Rule]) -> (String, String) {
        let rules: Vec<Rule> = own.iter().copied().chain(BUILT_IN).collect();
        let list = properties(&rules);
        (list[0].value.to_string(), list[1].value.to_string())
    }

    #[test]
    fn a_list_of_what_is_allowed_is_told() {
        let (policy, list) = told(&[allow(Some(Kind::Block), Some(8), None, READ)]);
        assert_eq!(policy, "strict");
        for part in ["(block-8 r", "(/dev/char/1:3 rw", "(char-136 rw", "(char-* m)", "(block-* m)"] {
            assert!(list.contains(part), "{part}: {list}");
        }
    }

    #[test]
    fn what_it_cannot_say_is_left_to_our_own_filter() {
        let nothing = ("auto".to_owned(), "[]".to_owned());
        assert_eq!(told(&[allow(None, None, None, EVERY_ACCESS)]), nothing);
        assert_eq!(told(&[allow(Some(Kind::Char), None, Some(3), READ)]), nothing);
        let deny = Rule { verdict: Verdict::Deny, ..allow(Some(Kind::Block), Some(8), Some(0), READ) };
        assert_eq!(told(&[allow(Some(Kind::Block), Some(8), None, READ), deny]), nothing);
    }
}
