//! # Personality: the kind of machine that the kernel pretends to be
//!
//! With LINUX32, uname(2) tells a 64-bit kernel's programs that the processor has 32 bits: for build
//! scripts that look there (personality(2)).
//!
//! OCI: config-linux.md, Personality. No flags are supported, so one that is given is an error
//! (config.md, Valid values).
//!
//! Order: before the filter, for profiles forbid personality(2).

use crate_run_plan::Operation;
use serde::Deserialize;

use crate::bundle::finding::{Finding, Pointer};
use crate::bundle::given;
use crate::plan::Plan;

const FEATURE: &str = "personality";
const PLACE: &str = "/linux/personality";

/// The domains with their numbers in linux/personality.h.
const DOMAINS: [(&str, u64); 2] = [("LINUX", 0), ("LINUX32", 8)];

/// `linux.personality`.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Given {
    domain: Option<String>,
    flags: Option<Vec<String>>,
}

fn number(word: &str) -> Option<u64> {
    DOMAINS.iter().find(|(known, _)| *known == word).map(|(_, number)| *number)
}

/// The name of a domain by its number.
pub fn name(number: u64) -> &'static str {
    DOMAINS.iter().find(|(_, known)| *known == number).map_or("?", |(name, _)| name)
}

/// The domain for personality(2).
pub fn resolve(given: &given::Given) -> Option<u64> {
    given.personality.as_ref()?.domain.as_deref().and_then(number)
}

pub fn findings(given: &given::Given) -> Vec<Finding> {
    let Some(given) = &given.personality else { return Vec::new() };
    let at = Pointer::from(PLACE);
    let cure = "the domains are LINUX and LINUX32";
    let mut found = Vec::new();
    match given.domain.as_deref() {
        None => found.push(Finding::error(at.clone(), "the personality has no domain").cure(cure)),
        Some(word) if number(word).is_none() => {
            let message = format!("unknown personality domain {word:?}");
            found.push(Finding::error(at.key("domain"), message).cure(cure));
        }
        Some(_) => {}
    }
    if let Some(flag) = given.flags.iter().flatten().next() {
        let message = format!("no flags of a personality are supported, such as {flag:?}");
        found.push(Finding::error(at.key("flags"), message).cure("leave them out"));
    }
    found
}

/// In the tail.
pub fn steps(domain: Option<u64>, plan: &mut Plan) {
    if let Some(domain) = domain {
        let set = Operation::SetPersonality { domain };
        plan.child(FEATURE, set, "what uname(2) tells about the machine").at(PLACE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_domains_and_no_flags() {
        for (json, number, messages) in [
            (r#"{"domain": "LINUX"}"#, Some(0), &[][..]),
            (r#"{"domain": "LINUX32", "flags": []}"#, Some(8), &[]),
            (r#"{}"#, None, &["the personality has no domain"]),
            (r#"{"domain": "BSD"}"#, None, &[r#"unknown personality domain "BSD""#]),
            (
                r#"{"domain": "LINUX", "flags": ["ADDR_NO_RANDOMIZE"]}"#,
                Some(0),
                &[r#"no flags of a personality are supported, such as "ADDR_NO_RANDOMIZE""#],
            ),
        ] {
            let personality = Some(serde_json::from_str(json).expect("a personality"));
            let given = given::Given { personality, ..given::Given::default() };
            assert_eq!(resolve(&given), number, "{json}");
            let found: Vec<String> = findings(&given).into_iter().map(|f| f.message).collect();
            assert_eq!(found, messages, "{json}");
        }
    }
}
