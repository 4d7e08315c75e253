//! From JSON to the types of the specification.
//!
//! serde_json stops at the first value of a wrong type; somebody who mends a configuration wants to hear of
//! all. So a value that is refused is told, painted over with blanks in a copy of the text, and the rest is
//! read again: every byte keeps its place.

use std::ops::Range;

use oci_spec::runtime::Spec;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::finding::{Finding, Pointer};
use super::given::{self, Given};
use super::span::{Place, error_offset, locate, pointer_at};
use super::{names, refusal};

/// How many bytes are read in all for the sake of further wrong values. It keeps the time in bounds.
const MOST_READ: usize = 64 << 20;
/// How many wrong values are looked for.
const MOST_TRIES: usize = 128;

/// What could be read.
pub(super) struct Typed {
    pub(super) spec: Spec,
    pub(super) given: Given,
    pub(super) findings: Vec<Finding>,
    /// What is in the text and not in `spec` or `given`, because its type is wrong.
    pub(super) unread: Vec<Pointer>,
}

/// Reads a text that is strict JSON. The findings of an error are those that were made until nothing could be
/// left out any more.
pub(super) fn read(text: &[u8]) -> Result<Typed, Vec<Finding>> {
    let arrays = names::arrays_for_objects(text);
    if let (Ok(spec), Ok(given), true) =
        (serde_json::from_slice(text), serde_json::from_slice(text), arrays.is_empty())
    {
        return Ok(Typed { spec, given, findings: Vec::new(), unread: Vec::new() });
    }
    let tries = (MOST_READ / text.len().max(1)).clamp(1, MOST_TRIES);
    let (copy, unread, painted) = (text.to_vec(), Vec::new(), Vec::new());
    let mut rest = Rest { text, copy, tries, findings: Vec::new(), unread, painted };
    rest.forget_empty_filter();
    rest.shorten_page_limits();
    for at in arrays.into_iter().take(MOST_TRIES) {
        rest.findings.push(refusal::array_for_object(&at));
        if rest.leave_out(at).is_none() {
            return Err(rest.findings);
        }
    }
    let Some(given) = rest.read() else { return Err(rest.findings) };
    rest.forget_given();
    let Some(spec) = rest.read() else { return Err(rest.findings) };
    Ok(Typed { spec, given, findings: rest.findings, unread: rest.unread })
}

/// What is left of the text.
struct Rest<'t> {
    text: &'t [u8],
    copy: Vec<u8>,
    /// How many more wrong values are looked for.
    tries: usize,
    findings: Vec<Finding>,
    unread: Vec<Pointer>,
    painted: Vec<Range<usize>>,
}

impl Rest<'_> {
    /// Reads what is left, and leaves out what cannot be read. `None` when nothing can be left out any more.
    fn read<T: DeserializeOwned>(&mut self) -> Option<T> {
        loop {
            let error = match serde_json::from_slice(&self.copy) {
                Ok(value) => return Some(value),
                Err(error) => error,
            };
            // Nothing has moved in the copy, so the pointer holds for the text.
            let at = pointer_at(self.text, error_offset(&self.copy, &error));
            let said = error.to_string();
            // Of a value that was painted over serde_json says next that it is missing.
            let follows = said.starts_with("missing field") && self.unread.iter().any(|u| at.has_child(u));
            if !follows {
                self.findings.push(refusal::finding(&at, &said));
            }
            self.leave_out(at)?;
            self.tries = self.tries.checked_sub(1)?;
        }
    }

    /// An empty action and no calls is how some engines write "no filter", and runc reads it so.
    fn forget_empty_filter(&mut self) {
        let Ok(value) = serde_json::from_slice::<Value>(self.text) else { return };
        let Some(filter) = value.pointer("/linux/seccomp") else { return };
        let no_calls = filter.get("syscalls").is_none_or(|calls| calls.as_array().is_some_and(Vec::is_empty));
        if filter.get("defaultAction").is_some_and(|action| action == "") && no_calls {
            let at = Pointer::from("/linux/seccomp");
            self.forget(at.clone());
            let message = "defaultAction is empty and there are no syscalls: there will be no filter";
            self.findings.push(Finding::warning(at, message).cure("remove seccomp"));
        }
    }

    /// `limit` of huge pages is unsigned in the specification and signed in its types here. What only fits
    /// into the first, such as a "no limit" of all ones, is beyond any machine, and so is the largest that
    /// fits both.
    fn shorten_page_limits(&mut self) {
        let Ok(value) = serde_json::from_slice::<Value>(self.text) else { return };
        let list = Pointer::from("/linux/resources/hugepageLimits");
        let entries = value.pointer(list.as_str()).and_then(Value::as_array).into_iter().flatten();
        for (index, entry) in entries.enumerate() {
            let bytes = entry.get("limit").and_then(Value::as_u64);
            let Some(bytes) = bytes.filter(|bytes| i64::try_from(*bytes).is_err()) else { continue };
            let at = list.index(index).key("limit");
            if let Some(Place { value, missing: 0, .. }) = locate(self.text, &at) {
                let number = format!("{:<1$}", i64::MAX, value.end - value.start);
                self.copy[value.start..value.end].copy_from_slice(number.as_bytes());
            }
            let message = format!("a limit of {bytes} bytes of huge pages is taken as {}", i64::MAX);
            self.findings.push(Finding::warning(at, message).cure("leave the entry out"));
        }
    }

    /// What has types of its own, in which words are words.
    fn forget_given(&mut self) {
        for member in given::MEMBERS {
            self.forget(Pointer::from(member));
        }
    }

    /// Paints over a member, if it is there.
    fn forget(&mut self, at: Pointer) {
        if let Some((found, bytes)) = member_of(self.text, at.clone())
            && found == at
        {
            self.paint_over(bytes);
        }
    }

    /// Leaves out the innermost member of an object that holds this value: to leave out an element would
    /// renumber those after it. `None` when the value is the whole document.
    fn leave_out(&mut self, at: Pointer) -> Option<()> {
        let (member, bytes) = member_of(self.text, at)?;
        if self.paint_over(bytes) {
            self.unread.push(member);
        }
        Some(())
    }

    /// Blanks for a member, and for one comma beside it; false when it is gone already.
    fn paint_over(&mut self, bytes: Range<usize>) -> bool {
        if self.painted.iter().any(|gone| gone.start <= bytes.start && bytes.end <= gone.end) {
            return false;
        }
        let is_text = |byte: &u8| !byte.is_ascii_whitespace();
        let after = self.copy[bytes.end..].iter().position(is_text).map(|distance| bytes.end + distance);
        let before = self.copy[..bytes.start].iter().rposition(is_text);
        let comma = [after, before].into_iter().flatten().find(|&at| self.copy[at] == b',');
        self.copy[bytes.clone()].fill(b' ');
        if let Some(comma) = comma {
            self.copy[comma] = b' ';
        }
        self.painted.push(bytes);
        true
    }
}

/// The innermost member of an object that holds the value, with the bytes of its name and value.
fn member_of(text: &[u8], mut at: Pointer) -> Option<(Pointer, Range<usize>)> {
    loop {
        let Place { value, key, missing, .. } = locate(text, &at)?;
        match key {
            Some(key) if missing == 0 => return Some((at, key.start..value.end)),
            _ => at = at.parent()?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(String, String)> {
        let findings = read(text.as_bytes()).map_or_else(|findings| findings, |typed| typed.findings);
        findings.into_iter().map(|finding| (finding.at.to_string(), finding.message)).collect()
    }

    #[test]
    fn every_value_of_a_wrong_type_is_told() {
        let text = r#"{
            "ociVersion": 1,
            "process": {"cwd": 2, "user": {"uid": "x", "gid": -1}, "args": ["a", 3, "b"],
                        "capabilities": {"bounding": ["CAP_X", "CAP_KILL", "CAP_Y"], "effective": "CAP_KILL"}},
            "mounts": [{"destination": "/a"}, {"source": "x"}, {"destination": []}],
            "hostname": ["é"]
        }"#;
        let places: Vec<String> = found(text).into_iter().map(|(at, _)| at).collect();
        let mut sorted = places.clone();
        sorted.sort();
        assert_eq!(
            sorted,
            [
                "/hostname",
                "/mounts/1",
                "/ociVersion",
                "/process/args/1",
                "/process/capabilities/effective",
                "/process/cwd",
                "/process/user/gid",
                "/process/user/uid",
            ]
        );
    }

    #[test]
    fn what_has_the_right_type_is_kept() {
        let text = r#"{"ociVersion": "1.0.0", "hostname": 5, "domainname": "d",
            "process": {"cwd": "/", "user": {"uid": 1, "gid": 2},
                        "capabilities": {"bounding": ["CAP_NO", "CAP_KILL"]}}}"#;
        let typed = read(text.as_bytes()).ok().unwrap();
        assert_eq!(typed.unread, [Pointer::from("/hostname")]);
        assert_eq!(typed.findings.len(), 1);
        assert_eq!(typed.spec.domainname().as_deref(), Some("d"));
        assert!(typed.given.capabilities.is_some(), "a word that nobody knows is no wrong type");
    }

    #[test]
    fn an_unsigned_limit_on_huge_pages_is_read() {
        let limit = |limit: &str| {
            let pages = format!(r#"[{{"limit": {limit}, "pageSize": "2MB"}}]"#);
            let resources = format!(r#"{{"hugepageLimits": {pages}}}"#);
            let text = format!(r#"{{"ociVersion": "1.3.0", "linux": {{"resources": {resources}}}}}"#);
            let typed = read(text.as_bytes()).ok().unwrap();
            let resources = typed.spec.linux().as_ref().unwrap().resources().clone().unwrap();
            (resources.hugepage_limits().as_ref().map(|list| list[0].limit()), typed.findings.len())
        };
        assert_eq!(limit("18446744073709551615"), (Some(i64::MAX), 1));
        assert_eq!(limit("9223372036854775808"), (Some(i64::MAX), 1));
        assert_eq!(limit("4096"), (Some(4096), 0));
        assert_eq!(limit("18446744073709551616").1, 1, "of no type");
    }

    #[test]
    fn an_array_is_no_object() {
        let text =
            r#"{"ociVersion": "1.0.0", "root": ["x", []], "mounts": [["/a", []], ["/b"]], "hooks": [[]]}"#;
        let places: Vec<String> = found(text).into_iter().map(|(at, _)| at).collect();
        assert_eq!(places, ["/root", "/mounts/0", "/mounts/1", "/hooks"]);
        assert_eq!(found(text)[0].1, "root must be an object, not a list");
        let text = r#"{"process": {"capabilities": [1], "cwd": "/", "user": {}, "rlimits": {}, "args": []}}"#;
        let places: Vec<String> = found(text).into_iter().map(|(at, _)| at).collect();
        assert_eq!(places, ["/process/capabilities", "/process/rlimits"], "and what is left is JSON");
    }

    #[test]
    fn something_that_cannot_be_left_out_ends_it() {
        assert_eq!(found("[1]").len(), 1);
        assert_eq!(found("5")[0].0, "");
    }
}
