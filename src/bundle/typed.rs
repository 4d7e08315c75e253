//! From JSON to the types of the specification.
//!
//! serde_json stops at the first value of a wrong type; somebody who mends a configuration wants to hear of
//! all. So a value that is refused is told, painted over with blanks in a copy of the text, and the rest is
//! read again: every byte keeps its place.

use std::ops::Range;

use oci_spec::runtime::Spec;
use serde_json::Value;

use super::finding::{Finding, Pointer};
use super::span::{Place, Span, error_offset, locate, locate_all, pointer_at};
use super::{names, refusal};
use crate::feature::capabilities;

/// How many bytes are read in all for the sake of further wrong values. It keeps the time in bounds.
const MOST_READ: usize = 64 << 20;
/// How many wrong values are looked for.
const MOST_TRIES: usize = 128;

/// What could be read.
pub(super) struct Typed {
    pub(super) spec: Spec,
    pub(super) findings: Vec<Finding>,
    /// What is in the text and not in `spec`, because its type is wrong.
    pub(super) unread: Vec<Pointer>,
}

/// Reads a text that is strict JSON. The findings of an error are those that were made until nothing could be
/// left out any more.
pub(super) fn read(text: &[u8]) -> Result<Typed, Vec<Finding>> {
    let arrays = names::arrays_for_objects(text);
    let mut error = match serde_json::from_slice(text) {
        Ok(spec) if arrays.is_empty() => return Ok(Typed { spec, findings: Vec::new(), unread: Vec::new() }),
        read => read.err(),
    };
    let mut rest = Rest { text, copy: text.to_vec(), unread: Vec::new(), painted: Vec::new() };
    let mut findings = rest.forget();
    for at in arrays.into_iter().take(MOST_TRIES) {
        findings.push(refusal::array_for_object(&at));
        if rest.leave_out(at).is_none() {
            return Err(findings);
        }
    }
    let mut retry = !findings.is_empty();
    let tries = (MOST_READ / text.len().max(1)).clamp(1, MOST_TRIES);
    for _ in 0..=tries {
        if let Some(error) = error.take().filter(|_| !retry) {
            // Nothing has moved in the copy, so the pointer holds for the text.
            let at = pointer_at(text, error_offset(&rest.copy, &error));
            let said = error.to_string();
            // Of a value that was painted over serde_json says next that it is missing.
            let follows = said.starts_with("missing field") && rest.unread.iter().any(|u| at.has_child(u));
            if !follows {
                findings.push(refusal::finding(&at, &said));
            }
            if rest.leave_out(at).is_none() {
                return Err(findings);
            }
        }
        retry = false;
        match serde_json::from_slice(&rest.copy) {
            Ok(spec) => return Ok(Typed { spec, findings, unread: rest.unread }),
            Err(next) => error = Some(next),
        }
    }
    Err(findings)
}

/// The types of the specification give an absent `pids.limit` the value 0, which is a limit; what is absent
/// asks for nothing.
pub(super) fn with_absent_as_absent(mut spec: Spec, text: &[u8]) -> Spec {
    let resources = spec.linux_mut().as_mut().and_then(|linux| linux.resources_mut().as_mut());
    if let Some(resources) = resources
        && resources.pids().as_ref().is_some_and(|pids| pids.limit() == 0)
    {
        let at = Pointer::from("/linux/resources/pids/limit");
        if locate(text, &at).is_none_or(|place| place.missing > 0) {
            resources.set_pids(None);
        }
    }
    spec
}

/// What is left of the text.
struct Rest<'t> {
    text: &'t [u8],
    copy: Vec<u8>,
    unread: Vec<Pointer>,
    painted: Vec<Range<usize>>,
}

impl Rest<'_> {
    /// Paints over what the types refuse and a runtime may ignore.
    fn forget(&mut self) -> Vec<Finding> {
        let Ok(value) = serde_json::from_slice::<Value>(self.text) else { return Vec::new() };
        let mut findings = unknown_capabilities(&value);
        let spans = locate_all(self.text, &findings.iter().map(|finding| finding.at.as_str()).collect());
        for Span { start, end, .. } in spans.into_values() {
            paint_over(&mut self.copy, start..end);
        }
        if let Some(finding) = empty_filter(&value) {
            if let Some((_, bytes)) = member_of(self.text, finding.at.clone()) {
                paint_over(&mut self.copy, bytes);
            }
            findings.push(finding);
        }
        findings
    }

    /// Leaves out the innermost member of an object that holds this value: to leave out an element would renumber
    /// those after it. `None` when the value is the whole document.
    fn leave_out(&mut self, at: Pointer) -> Option<()> {
        let (member, bytes) = member_of(self.text, at)?;
        let is_gone = |painted: &Range<usize>| painted.start <= bytes.start && bytes.end <= painted.end;
        if !self.painted.iter().any(is_gone) {
            paint_over(&mut self.copy, bytes.clone());
            self.painted.push(bytes);
            self.unread.push(member);
        }
        Some(())
    }
}

/// The specification wants a warning for a capability that is not known; its types here refuse it.
fn unknown_capabilities(value: &Value) -> Vec<Finding> {
    let known = capabilities::names(u64::MAX);
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let warning = |(at, name): (Pointer, &str)| {
        let near = refusal::nearest(&known, name);
        let cure = near.map(|near| format!("did you mean {near:?}?")).unwrap_or_default();
        Finding::warning(at, format!("unknown capability {name:?} is ignored")).cure(cure)
    };
    let sets = value.pointer("/process/capabilities").and_then(Value::as_object);
    let of_set = |(word, set): (&String, &'_ Value)| {
        let at = Pointer::from("/process/capabilities").key(word);
        let names = set.as_array().into_iter().flatten().enumerate();
        let names = names.filter_map(|(index, name)| Some((at.index(index), name.as_str()?)));
        let unknown = names.filter(|(_, name)| capabilities::bit(name).is_none());
        unknown.map(warning).collect::<Vec<_>>()
    };
    sets.into_iter().flatten().flat_map(of_set).collect()
}

/// An empty action and no calls is how some engines write "no filter", and runc reads it so.
fn empty_filter(value: &Value) -> Option<Finding> {
    let filter = value.get("linux")?.get("seccomp")?;
    let no_calls = filter.get("syscalls").is_none_or(|calls| calls.as_array().is_some_and(Vec::is_empty));
    if filter.get("defaultAction")? != "" || !no_calls {
        return None;
    }
    let message = "defaultAction is empty and there are no syscalls: there will be no filter";
    Some(Finding::warning("/linux/seccomp", message).cure("remove seccomp"))
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

/// Blanks for an element or a member, and for one comma beside it.
fn paint_over(text: &mut [u8], bytes: Range<usize>) {
    let after = text[bytes.end..].iter().position(|byte| !byte.is_ascii_whitespace());
    let before = text[..bytes.start].iter().rposition(|byte| !byte.is_ascii_whitespace());
    let comma = [after.map(|distance| bytes.end + distance), before]
        .into_iter()
        .flatten()
        .find(|&at| text[at] == b',');
    text[bytes].fill(b' ');
    if let Some(comma) = comma {
        text[comma] = b' ';
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
                "/process/capabilities/bounding/0",
                "/process/capabilities/bounding/2",
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
        assert_eq!(typed.findings.len(), 2);
        assert_eq!(typed.spec.domainname().as_deref(), Some("d"));
        let process = typed.spec.process().as_ref().unwrap();
        let set = process.capabilities().as_ref().unwrap().bounding().clone();
        assert_eq!(set.map(|set| set.len()), Some(1));
    }

    #[test]
    fn an_array_is_no_object() {
        let text =
            r#"{"ociVersion": "1.0.0", "root": ["x", []], "mounts": [["/a", []], ["/b"]], "hooks": [[]]}"#;
        let places: Vec<String> = found(text).into_iter().map(|(at, _)| at).collect();
        assert_eq!(places, ["/root", "/mounts/0", "/mounts/1", "/hooks"]);
        assert_eq!(found(text)[0].1, "root must be an object, not a list");
    }

    #[test]
    fn something_that_cannot_be_left_out_ends_it() {
        assert_eq!(found("[1]").len(), 1);
        assert_eq!(found("5")[0].0, "");
    }
}
