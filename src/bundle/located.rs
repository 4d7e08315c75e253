//! Findings with their places in the text, in the order of the text.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::finding::{Finding, Severity};
use super::span::{Span, locate_all};

/// A finding and where it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    pub finding: Finding,
    /// The value that the pointer leads to; the first byte of the deepest value on the way there when that is
    /// missing; `None` when there is no text.
    pub span: Option<Span>,
}

impl Located {
    pub fn is_error(&self) -> bool {
        self.finding.severity == Severity::Error
    }
}

/// Looks for all places in one pass over the text, and sorts by them. What is found twice is there once.
pub fn in_order(text: &[u8], findings: Vec<Finding>) -> Vec<Located> {
    let wanted: BTreeSet<&str> = findings.iter().flat_map(|finding| prefixes(finding.at.as_str())).collect();
    let spans = locate_all(text, &wanted);
    let place = |pointer: &str| {
        let found = prefixes(pointer).find_map(|prefix| Some((prefix, spans.get(prefix)?)));
        found.map(|(prefix, span)| match prefix == pointer {
            true => span.clone(),
            false => Span { end: span.start + 1, ..span.clone() },
        })
    };
    let mut located: Vec<Located> = findings
        .iter()
        .map(|finding| Located { span: place(finding.at.as_str()), finding: finding.clone() })
        .collect();
    located.sort_by(|a, b| key(a).cmp(&key(b)));
    located.dedup();
    located
}

fn key(located: &Located) -> (Option<usize>, &str, Reverse<Severity>, &str) {
    let Finding { severity, at, message, .. } = &located.finding;
    (located.span.as_ref().map(|span| span.start), at.as_str(), Reverse(*severity), message)
}

/// The pointer itself, then what it leads through: `/a/b`, `/a`, and the whole document.
fn prefixes(pointer: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(pointer), |longer| longer.rfind('/').map(|slash| &longer[..slash]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_come_in_the_order_of_the_file_and_once() {
        let text = b"{\n \"b\": {\"x\": 1},\n \"a\": 2\n}";
        let found = in_order(
            text,
            vec![
                Finding::error("/a", "second"),
                Finding::warning("/b/y/z", "missing, so at its parent"),
                Finding::error("/b/x", "first"),
                Finding::error("/a", "second"),
                Finding::error("", "the whole"),
            ],
        );
        let shown: Vec<(&str, usize, usize)> = found
            .iter()
            .map(|one| (&*one.finding.message, one.span.as_ref().unwrap()))
            .map(|(message, span)| (message, span.line, span.end - span.start))
            .collect();
        let expected = [
            ("the whole", 1, text.len()),
            ("missing, so at its parent", 2, 1),
            ("first", 2, 1),
            ("second", 3, 1),
        ];
        assert_eq!(shown, expected);
    }
}
