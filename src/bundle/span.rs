//! Where something stands in the text of `config.json`.
//!
//! serde_json reads the values; this scanner answers what serde_json does not: at which bytes the value of a
//! JSON pointer (RFC 6901) stands, which pointer leads to a byte, and whether the text keeps the rules that
//! the OCI glossary adds to RFC 8259 (UTF-8, no member name twice in one object).
//!
//! The text is hostile input. Every function is one loop over it: no recursion, time linear in the length
//! (sorting of member hashes aside), no allocation for a token but names with escapes.

mod many;
mod remedy;
mod strict;
mod token;

use std::ops::Range;

use self::token::{Token, Tokens, unescaped};
use super::finding::Pointer;

pub use self::many::{Seen, locate_all, walk};
pub use self::strict::{Fault, FaultKind, MAX_DEPTH, MOST_VALUES, strict};

/// A stretch of the text: bytes `start..end`, and where it begins for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    pub start: usize,
    pub end: usize,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

impl Span {
    /// The span of the bytes `range`; a range beyond the text is cut to the text.
    pub fn new(text: &[u8], range: Range<usize>) -> Self {
        let end = range.end.min(text.len());
        let start = range.start.min(end);
        let above = &text[..start];
        let line_start = above.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
        let starts_character = |byte: &&u8| **byte & 0b1100_0000 != 0b1000_0000;
        Self {
            start,
            end,
            line: 1 + above.iter().filter(|&&byte| byte == b'\n').count(),
            column: 1 + text[line_start..start].iter().filter(starts_character).count(),
        }
    }
}

/// Where a pointer led.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The value, or the deepest existing value on the way to it when `missing` is not 0.
    pub value: Span,
    /// The name of that value with its quotes, when it is a member of an object.
    pub key: Option<Span>,
    /// How many components of the pointer were followed.
    pub found: usize,
    /// How many components of the pointer lead to nothing.
    pub missing: usize,
}

/// Finds the value to which `pointer` leads, or the deepest value on the way.
///
/// `None` only for a text that holds no value at all. A name that stands twice leads to its first value.
pub fn locate(text: &[u8], pointer: &Pointer) -> Option<Place> {
    let readable = valid_part(text);
    let mut tokens = Tokens::new(readable);
    let (mut key, mut value) = (None, tokens.value()?);
    let components = || pointer.as_str().split('/').skip(1);
    let mut found = 0;
    for component in components() {
        let step = match value.first {
            b'{' => tokens.member(component).map(|(name, value)| (Some(name), value)),
            b'[' => tokens.element(component).map(|value| (None, value)),
            _ => None,
        };
        let Some(step) = step else { break };
        (key, value) = step;
        found += 1;
    }
    let mut rest = Tokens { text: readable, at: value.end };
    rest.pass(&value);
    Some(Place {
        value: Span::new(text, value.start..rest.at),
        key: key.map(|name| Span::new(text, name.start..name.end)),
        found,
        missing: components().count() - found,
    })
}

/// The pointer of the innermost value at byte `offset`; the name of a member counts as its value.
///
/// The text may be cut off or malformed anywhere. Where it nests deeper than [`MAX_DEPTH`] (which
/// [`strict()`] refuses) the answer is the first value that does.
pub fn pointer_at(text: &[u8], offset: usize) -> Pointer {
    let text = valid_part(text);
    let mut tokens = Tokens::new(text);
    let mut path: Vec<Step> = Vec::new();
    // Whether the last step of `path` belongs to the answer.
    let mut inside = true;
    while let Some(token) = tokens.next().filter(|token| token.start <= offset) {
        let here = offset < token.end;
        inside = match token.first {
            b'{' | b'[' if here || path.len() == MAX_DEPTH => {
                inside = true;
                break;
            }
            b'{' => {
                path.push(Step::Member(None));
                false
            }
            b'[' => {
                path.push(Step::Element(0));
                false
            }
            b'}' | b']' => {
                if !here {
                    path.pop();
                }
                false
            }
            b',' => {
                path.last_mut().map(Step::advance);
                false
            }
            b':' => true,
            b'"' => path.last_mut().is_some_and(|step| step.name(&token)) || here,
            _ => here,
        };
    }
    if !inside {
        path.pop();
    }
    written(text, &path)
}

/// The byte that an error of serde_json is about, fit for [`pointer_at`].
///
/// serde_json counts lines from 1 and columns in bytes, and names the last byte it took. Of an object or
/// array in place of another type it has taken nothing, so that the byte after is meant.
pub fn error_offset(text: &[u8], error: &serde_json::Error) -> usize {
    let mut lines = text.split(|&byte| byte == b'\n');
    let above: usize = lines.by_ref().take(error.line().saturating_sub(1)).map(|line| line.len() + 1).sum();
    let last = (above + error.column()).saturating_sub(1);
    let before_value = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b':' | b',' | b'[');
    match text.get(last + 1) {
        Some(b'{' | b'[') if error.is_data() && text.get(last).is_some_and(before_value) => last + 1,
        _ => last,
    }
}

/// One step from a container to what is in it.
enum Step {
    /// The name with its quotes, once it was read.
    Member(Option<Range<usize>>),
    Element(usize),
}

impl Step {
    fn advance(&mut self) {
        match self {
            Self::Member(name) => *name = None,
            Self::Element(index) => *index += 1,
        }
    }

    /// Of the strings in a member the first is its name.
    fn name(&mut self, token: &Token) -> bool {
        let Self::Member(name @ None) = self else { return false };
        *name = Some(token.start..token.end);
        true
    }
}

/// Writes the pointer in one go: `Pointer::key` would copy what is there at every step.
fn written(text: &str, path: &[Step]) -> Pointer {
    let mut pointer = String::new();
    for step in path {
        match step {
            Step::Member(None) => break,
            Step::Element(index) => pointer.push_str(&format!("/{index}")),
            Step::Member(Some(name)) => {
                pointer.push('/');
                for c in unescaped(&text[name.start + 1..name.end]) {
                    match c {
                        '~' => pointer.push_str("~0"),
                        '/' => pointer.push_str("~1"),
                        c => pointer.push(c),
                    }
                }
            }
        }
    }
    Pointer::from(pointer.as_str())
}

/// The text up to its first byte that is not UTF-8.
fn valid_part(text: &[u8]) -> &str {
    text.utf8_chunks().next().map_or("", |chunk| chunk.valid())
}
