//! The rules that the text of `config.json` must keep before anybody believes it.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::ops::Range;

use super::super::finding::Pointer;
use super::remedy;
use super::token::{Token, Tokens, escaped, name_hash, same_name, string_end};
use super::{Span, pointer_at};

/// How many objects and arrays may be open at once: as many as serde_json follows.
pub const MAX_DEPTH: usize = 127;

/// How many values the text may have in all: far more than engines write (a few thousand), and few enough for
/// every later look at them to take a moment and some megabytes.
pub const MOST_VALUES: usize = 1 << 18;

/// A rule of JSON or of the OCI glossary that the text breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub kind: FaultKind,
    /// The innermost value around the fault.
    pub at: Pointer,
    pub span: Span,
    /// One sentence without a full stop, as a finding wants it.
    pub message: String,
}

impl Fault {
    fn new(text: &[u8], kind: FaultKind, at: Pointer, range: Range<usize>) -> Self {
        let message = kind.to_string();
        Self { kind, at, span: Span::new(text, range), message }
    }

    /// What usually mends this fault of the text, in one sentence without a full stop.
    pub fn cure(&self, text: &[u8]) -> &'static str {
        remedy::cure(&self.kind, text, &self.span)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// 4 GiB or more.
    TooLarge,
    /// A byte that belongs to no UTF-8 character.
    NotUtf8,
    /// More than [`MAX_DEPTH`] open objects and arrays.
    TooDeep,
    /// More than [`MOST_VALUES`] values.
    TooMany,
    /// A name that this object has already; `first` is where.
    DuplicateName { first: Span },
    /// Not JSON (RFC 8259): what is wrong.
    Syntax(&'static str),
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => f.write_str("the text is 4 GiB or longer"),
            Self::NotUtf8 => f.write_str("this byte is not UTF-8, the only encoding of JSON"),
            Self::TooMany => {
                write!(f, "the configuration has more than {MOST_VALUES} values, most of them in here")
            }
            Self::TooDeep => write!(f, "objects and arrays are nested deeper than {MAX_DEPTH} levels"),
            Self::DuplicateName { first } => {
                write!(f, "this name stands in the same object already, at line {}", first.line)
            }
            Self::Syntax(wrong) => f.write_str(wrong),
        }
    }
}

/// Checks that `text` is one JSON value (RFC 8259) in UTF-8, nested at most [`MAX_DEPTH`] deep, of at most
/// [`MOST_VALUES`] values, in which no object has a name twice (OCI runtime specification 1.3, glossary,
/// "JSON"). Names are compared unescaped.
///
/// # Errors
/// The first fault; a duplicate name only if there is no other fault.
pub fn strict(text: &[u8]) -> Result<(), Fault> {
    let fault = |kind, range: Range<usize>| Fault::new(text, kind, pointer_at(text, range.start), range);
    if u32::try_from(text.len()).is_err() {
        return Err(fault(FaultKind::TooLarge, 0..0));
    }
    let readable = std::str::from_utf8(text).map_err(|error| {
        let good = error.valid_up_to();
        let bad = good..good + error.error_len().unwrap_or(text.len() - good);
        // The text before it can tell in which string it stands.
        let at = pointer_at(text, good.saturating_sub(1));
        Fault::new(text, FaultKind::NotUtf8, at, bad)
    })?;
    let mut grammar = Grammar::new(readable);
    grammar.check().map_err(|(kind, range)| fault(kind, range))?;
    match grammar.duplicate {
        Some((first, second)) => {
            let name = |start| start..string_end(text, start).0;
            Err(fault(FaultKind::DuplicateName { first: Span::new(text, name(first)) }, name(second)))
        }
        None => Ok(()),
    }
}

/// What the grammar asks for next.
#[derive(Clone, Copy)]
enum Expected {
    Value,
    FirstElement,
    Name,
    FirstName,
    Colon,
    CommaOrEnd,
    Nothing,
}

/// An object or array whose end is still to come.
struct Open {
    kind: Kind,
    start: usize,
    /// How many values came before it.
    values_before: usize,
}

enum Kind {
    Array,
    /// Its names are those of `Grammar::names` from here on.
    Object {
        names_from: usize,
    },
}

type Wrong = (FaultKind, Range<usize>);

/// A member's name, in few bytes: a hostile text can be made of names.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct KnownName {
    hash: u32,
    start: u32,
}

/// The grammar of RFC 8259 as a loop with its own stack.
struct Grammar<'a> {
    tokens: Tokens<'a>,
    expected: Expected,
    open: Vec<Open>,
    values: usize,
    /// The names of all open objects, outermost object first.
    names: Vec<KnownName>,
    key: u64,
    /// Where the earliest name that repeats another starts, and the name it repeats: (first, second).
    duplicate: Option<(usize, usize)>,
}

impl<'a> Grammar<'a> {
    fn new(text: &'a str) -> Self {
        let (open, names) = (Vec::with_capacity(MAX_DEPTH), Vec::with_capacity(64));
        let key = RandomState::new().build_hasher().finish();
        Self {
            tokens: Tokens::new(text),
            expected: Expected::Value,
            open,
            values: 0,
            names,
            key,
            duplicate: None,
        }
    }

    fn check(&mut self) -> Result<(), Wrong> {
        while let Some(token) = self.tokens.next() {
            self.take(&token)?;
        }
        let end = self.tokens.text.len();
        match self.expected {
            Expected::Nothing => Ok(()),
            _ if self.open.is_empty() => Err(syntax("the text holds no JSON value", end..end)),
            _ => Err(syntax("the text ends before this object or array does", end..end)),
        }
    }

    fn take(&mut self, token: &Token) -> Result<(), Wrong> {
        use Expected::*;
        match (self.expected, token.first) {
            (Value | FirstElement, b'{') => {
                let names_from = self.names.len();
                self.enter(Kind::Object { names_from }, FirstName, token)?;
            }
            (Value | FirstElement, b'[') => self.enter(Kind::Array, FirstElement, token)?,
            (Value | FirstElement, b'"') => {
                check_string(self.tokens.text, token)?;
                self.count(token)?;
                self.after_value();
            }
            (FirstElement, b']') => self.leave(),
            (Name | FirstName, b'"') => {
                check_string(self.tokens.text, token)?;
                let hash = name_hash(self.tokens.text, token, self.key);
                self.names.push(KnownName { hash, start: token.start as u32 });
                self.expected = Colon;
            }
            (FirstName, b'}') => self.leave(),
            (Colon, b':') => self.expected = Value,
            (CommaOrEnd, byte) => match (self.open.last().map(|open| &open.kind), byte) {
                (Some(Kind::Array), b',') => self.expected = Value,
                (Some(Kind::Object { .. }), b',') => self.expected = Name,
                (Some(Kind::Array), b']') | (Some(Kind::Object { .. }), b'}') => self.leave(),
                _ => return Err(self.unexpected(token)),
            },
            (Value | FirstElement, byte) if !matches!(byte, b'}' | b']' | b':' | b',') => {
                check_scalar(&self.tokens.text.as_bytes()[token.start..token.end], token)?;
                self.count(token)?;
                self.after_value();
            }
            _ => return Err(self.unexpected(token)),
        }
        Ok(())
    }

    fn enter(&mut self, kind: Kind, expected: Expected, token: &Token) -> Result<(), Wrong> {
        if self.open.len() == MAX_DEPTH {
            return Err((FaultKind::TooDeep, token.start..token.end));
        }
        self.count(token)?;
        self.open.push(Open { kind, start: token.start, values_before: self.values });
        self.expected = expected;
        Ok(())
    }

    /// Another value. When there are too many, the innermost open value with more than half of them is to
    /// blame.
    fn count(&mut self, token: &Token) -> Result<(), Wrong> {
        self.values += 1;
        if self.values <= MOST_VALUES {
            return Ok(());
        }
        let has_most = |open: &&Open| self.values - open.values_before > MOST_VALUES / 2;
        let start = self.open.iter().rev().find(has_most).map_or(token.start, |open| open.start);
        Err((FaultKind::TooMany, start..start + 1))
    }

    fn leave(&mut self) {
        if let Some(Open { kind: Kind::Object { names_from }, .. }) = self.open.pop() {
            self.compare_names(names_from);
            self.names.truncate(names_from);
        }
        self.after_value();
    }

    fn after_value(&mut self) {
        self.expected = if self.open.is_empty() { Expected::Nothing } else { Expected::CommaOrEnd };
    }

    /// Looks for equal names in the object that ends here: they have equal hashes, which sorting brings
    /// together. The hash is keyed, so that no text can be written to make different names meet.
    fn compare_names(&mut self, from: usize) {
        let text = self.tokens.text;
        let names = &mut self.names[from..];
        names.sort_unstable();
        for mut alike in names.chunk_by(|a, b| a.hash == b.hash) {
            while let [first, later @ ..] = alike {
                let first = first.start as usize;
                let second = later
                    .iter()
                    .map(|name| name.start as usize)
                    .find(|&second| same_name(text, first, second));
                alike = if second.is_some() { &[] } else { later };
                let known = self.duplicate.map_or(usize::MAX, |(_, known)| known);
                if let Some(second) = second.filter(|&second| second < known) {
                    self.duplicate = Some((first, second));
                }
            }
        }
    }

    fn unexpected(&self, token: &Token) -> Wrong {
        let wrong = match (self.expected, token.first) {
            (Expected::Value, b']') => "a comma must not stand before a closing bracket",
            (Expected::Name, b'}') => "a comma must not stand before a closing brace",
            (Expected::Value | Expected::FirstElement, _) => "a value must stand here",
            (Expected::Name | Expected::FirstName, _) => "a name in double quotes must stand here",
            (Expected::Colon, _) => "a colon must stand between a name and its value",
            (Expected::CommaOrEnd, _) => match self.open.last().map(|open| &open.kind) {
                Some(Kind::Array) => "a comma or the closing bracket of the array must stand here",
                _ => "a comma or the closing brace of the object must stand here",
            },
            (Expected::Nothing, _) => "nothing may stand after the end of the JSON value",
        };
        syntax(wrong, token.start..token.end)
    }
}

fn syntax(wrong: &'static str, range: Range<usize>) -> Wrong {
    (FaultKind::Syntax(wrong), range)
}

/// RFC 8259 section 7.
fn check_string(text: &str, token: &Token) -> Result<(), Wrong> {
    if token.plain {
        return Ok(());
    }
    let mut chars = text[token.start + 1..token.end].chars();
    loop {
        let at = token.end - chars.as_str().len();
        match chars.next() {
            Some('"') => return Ok(()),
            Some('\\') if escaped(&mut chars).is_none() => {
                let end = token.end - chars.as_str().len();
                return Err(syntax("this is no escape sequence of JSON", at..end));
            }
            Some(control) if control < ' ' => {
                return Err(syntax("a control character must be written as an escape sequence", at..at + 1));
            }
            Some(_) => {}
            None => return Err(syntax("this string has no closing quote", token.start..token.end)),
        }
    }
}

/// RFC 8259 section 3 (literal names) and section 6 (numbers).
fn check_scalar(word: &[u8], token: &Token) -> Result<(), Wrong> {
    let wrong = match word {
        b"true" | b"false" | b"null" => return Ok(()),
        _ if is_number(word) => return Ok(()),
        [b'-' | b'+' | b'.' | b'0'..=b'9', ..] => "this is not a number as JSON writes it",
        _ => {
            "a value must stand here: an object, array, string in double quotes, number, true, false or null"
        }
    };
    Err(syntax(wrong, token.start..token.end))
}

fn is_number(word: &[u8]) -> bool {
    fn digits(word: &[u8]) -> (usize, &[u8]) {
        let count = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
        (count, &word[count..])
    }
    let word = word.strip_prefix(b"-").unwrap_or(word);
    let (whole, mut rest) = digits(word);
    let mut good = whole == 1 || (whole > 1 && word[0] != b'0');
    if let [b'.', fraction @ ..] = rest {
        let (count, after) = digits(fraction);
        good &= count > 0;
        rest = after;
    }
    if let [b'e' | b'E', b'+' | b'-', exponent @ ..] | [b'e' | b'E', exponent @ ..] = rest {
        let (count, after) = digits(exponent);
        good &= count > 0;
        rest = after;
    }
    good && rest.is_empty()
}
