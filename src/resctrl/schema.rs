//! The lines of a `schemata` file: `L3:0=7f0;1=1f`, a resource, and a value for each of its domains.
//!
//! The kernel shows them in a form of its own (`    L3:0=7f0;1=01f`), so lines are compared by value: masks
//! of caches are hexadecimal, bandwidth is decimal, and a bandwidth in percent is rounded up to the next step
//! of the hardware when it is written.
//!
//! Kernel: resctrl.rst, "Schemata files - general concepts".

use std::fmt;

/// One line: the resource, and pairs of a domain (a cache, or the processors behind one) and its value.
struct Line<'a> {
    resource: &'a str,
    domains: Vec<(&'a str, &'a str)>,
}

impl<'a> Line<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let (resource, domains) = text.split_once(':')?;
        let pair = |pair: &'a str| pair.split_once('=').map(|(id, value)| (id.trim(), value.trim()));
        Some(Self { resource: resource.trim(), domains: domains.split(';').filter_map(pair).collect() })
    }

    fn value(&self, domain: &str) -> Option<&'a str> {
        let is_same =
            |id: &str| id == domain || number(id, 10).is_some_and(|id| number(domain, 10) == Some(id));
        self.domains.iter().find(|(id, _)| is_same(id)).map(|(_, value)| *value)
    }
}

/// Memory bandwidth, of Intel or AMD; everything else is a mask.
fn is_bandwidth(resource: &str) -> bool {
    matches!(resource, "MB" | "SMBA")
}

fn number(text: &str, base: u32) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x").unwrap_or(text), base).ok()
}

/// What a group has in place of a line that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// This line of the same resource.
    Other(String),
    /// No line of this resource.
    Nothing,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(line) => write!(f, "it has {line}"),
            Self::Nothing => f.write_str("it has no line for that resource"),
        }
    }
}

/// How the group whose `schemata` file says this differs from the line `asked`; domains that the line does
/// not name may have any value. `step` is the granularity of bandwidth in percent
/// (`info/MB/bandwidth_gran`), 1 where it is not known.
pub fn difference(asked: &str, schemata: &str, step: u64) -> Option<Difference> {
    let asked = Line::read(asked)?;
    let mut lines = schemata.lines().filter_map(|text| Some((text, Line::read(text)?)));
    let Some((text, has)) = lines.find(|(_, line)| line.resource == asked.resource) else {
        return Some(Difference::Nothing);
    };
    let is_same = |value: &str, other: &str| match is_bandwidth(asked.resource) {
        false => number(value, 16).is_some() && number(value, 16) == number(other, 16),
        true => match (number(value, 10), number(other, 10)) {
            (Some(value), Some(other)) => value == other || value.next_multiple_of(step.max(1)) == other,
            _ => false,
        },
    };
    let mut domains = asked.domains.iter();
    let agrees = domains.all(|(id, value)| has.value(id).is_some_and(|other| is_same(value, other)));
    (!agrees).then(|| Difference::Other(text.trim().to_owned()))
}

/// The line of this `schemata` file for the resource of `like`, in the form in which it can be written.
pub fn line_for(like: &str, schemata: &str) -> Option<String> {
    let resource = Line::read(like)?.resource;
    let is_it = |text: &&str| Line::read(text).is_some_and(|line| line.resource == resource);
    // The kernel fills its columns with blanks.
    schemata.lines().find(is_it).map(|text| text.replace(' ', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMATA: &str = "    MB:0= 20;1= 70\n    L3:0=7f0;1=01f\n    L2:0=0f;1=ff\n";

    fn agrees(asked: &str) -> bool {
        difference(asked, SCHEMATA, 10).is_none()
    }

    #[test]
    fn lines_are_compared_by_value() {
        for asked in ["L3:0=7f0;1=1f", "L3:1=1F;0=7f0", "L3:00=0x7f0", "MB:0=20;1=70", "L2:0=f"] {
            assert!(agrees(asked), "{asked}");
        }
        for asked in ["L3:0=7f0;1=1e", "L3:2=1f", "MB:0=20;1=80", "L2:0=f;1=f;2=f", "L3:0=", "MB:0=x"] {
            assert!(!agrees(asked), "{asked}");
        }
    }

    #[test]
    fn bandwidth_is_rounded_up_to_the_step_of_the_hardware() {
        assert!(agrees("MB:0=11;1=61"));
        assert!(!agrees("MB:0=10"));
        assert!(!agrees("MB:0=21"));
        assert_eq!(difference("MB:0=20", SCHEMATA, 0), None, "an unknown step");
    }

    #[test]
    fn the_difference_is_told() {
        let has = |asked| difference(asked, SCHEMATA, 10).map(|has| has.to_string());
        assert_eq!(has("L3:0=1").as_deref(), Some("it has L3:0=7f0;1=01f"));
        assert_eq!(has("L3CODE:0=1").as_deref(), Some("it has no line for that resource"));
    }
}
