//! The places of many pointers in one pass over the text.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::Range;

use super::token::{Token, Tokens, unescaped};
use super::{MAX_DEPTH, Span, valid_part};

/// The value of each wanted pointer that leads to one; a name that stands twice leads to its first value. The
/// answer is that of [`super::locate`], without a new look at the text for each pointer.
pub fn locate_all<'w>(text: &[u8], wanted: &BTreeSet<&'w str>) -> BTreeMap<&'w str, Span> {
    let mut search = Search { tokens: Tokens::new(valid_part(text)), wanted, found: BTreeMap::new() };
    if let Some(whole) = search.tokens.value() {
        search.visit(&whole, &mut String::new());
    }
    with_lines(text, search.found)
}

/// What [`walk`] comes by.
pub enum Seen<'a> {
    /// The pointer of an object, and the name of a member.
    Member(&'a str, &'a str),
    /// The pointer of an array.
    Array(&'a str),
}

/// Tells every member and every array, in the order of the text.
///
/// Ends where the text is no JSON, or nests deeper than [`MAX_DEPTH`].
pub fn walk(text: &[u8], mut tell: impl FnMut(Seen)) {
    let text = valid_part(text);
    let mut tokens = Tokens::new(text);
    // For each open value: the length of its own pointer, and the next index when it is an array.
    let mut open: Vec<(usize, Option<usize>)> = Vec::new();
    let mut path = String::new();
    while let Some(token) = tokens.next() {
        let Some((length, index)) = open.last_mut() else {
            match token.first {
                b'{' => open.push((0, None)),
                b'[' => open.push((0, Some(0))),
                _ => return,
            }
            continue;
        };
        path.truncate(*length);
        let value = match (token.first, index) {
            (b'}' | b']', _) => {
                open.pop();
                continue;
            }
            (b',', _) => continue,
            (_, Some(index)) => {
                let _ = write!(path, "/{index}");
                *index += 1;
                token
            }
            (b'"', None) => {
                let name: Cow<str> = match token.plain {
                    true => text[token.start + 1..token.end - 1].into(),
                    false => unescaped(&text[token.start + 1..token.end]).collect(),
                };
                tell(Seen::Member(&path, &name));
                path.push('/');
                match name.contains(['~', '/']) {
                    true => path.push_str(&name.replace('~', "~0").replace('/', "~1")),
                    false => path.push_str(&name),
                }
                let colon = tokens.next().filter(|token| token.first == b':');
                let Some(value) = colon.and_then(|_| tokens.value()) else { return };
                value
            }
            _ => return,
        };
        match value.first {
            _ if open.len() == MAX_DEPTH => return,
            b'{' => open.push((path.len(), None)),
            b'[' => {
                tell(Seen::Array(&path));
                open.push((path.len(), Some(0)));
            }
            _ => {}
        }
    }
}

/// Counts lines and columns in one pass over the text.
fn with_lines<'w>(text: &[u8], found: BTreeMap<&'w str, Range<usize>>) -> BTreeMap<&'w str, Span> {
    let mut found: Vec<(&str, Range<usize>)> = found.into_iter().collect();
    found.sort_by_key(|(_, range)| range.start);
    let (mut line, mut column, mut at) = (1, 1, 0);
    let mut spans = BTreeMap::new();
    for (pointer, Range { start, end }) in found {
        for &byte in &text[at..start] {
            match byte {
                b'\n' => (line, column) = (line + 1, 1),
                // The later bytes of a character in UTF-8.
                0x80..=0xbf => {}
                _ => column += 1,
            }
        }
        at = start;
        spans.insert(pointer, Span { start, end, line, column });
    }
    spans
}

struct Search<'t, 's, 'w> {
    tokens: Tokens<'t>,
    wanted: &'s BTreeSet<&'w str>,
    found: BTreeMap<&'w str, Range<usize>>,
}

impl Search<'_, '_, '_> {
    /// Goes behind the value, and into it only on the way to a wanted pointer: so the depth of the recursion
    /// is that of the longest wanted pointer, whatever the text is.
    fn visit(&mut self, value: &Token, path: &mut String) {
        let known = |pointer: &&str| self.found.contains_key(pointer);
        let wanted = self.wanted.get(path.as_str()).copied().filter(|pointer| !known(pointer));
        // The first of its name, from now on; its end is known when it was passed.
        self.found.extend(wanted.map(|pointer| (pointer, value.start..value.end)));
        let length = path.len();
        path.push('/');
        let leads_on =
            self.wanted.range(path.as_str()..).next().is_some_and(|next| next.starts_with(path.as_str()));
        match value.first {
            b'{' if leads_on => while self.member(path, length + 1) {},
            b'[' if leads_on => self.elements(path, length + 1),
            _ => self.tokens.pass(value),
        }
        path.truncate(length);
        self.found.extend(wanted.map(|pointer| (pointer, value.start..self.tokens.at)));
    }

    /// One member of an object; false at the object's end. `path` up to `here` is that of the object.
    fn member(&mut self, path: &mut String, here: usize) -> bool {
        let Some(name) = self.tokens.next().filter(|token| token.first == b'"') else { return false };
        path.truncate(here);
        for c in unescaped(&self.tokens.text[name.start + 1..name.end]) {
            match c {
                '~' => path.push_str("~0"),
                '/' => path.push_str("~1"),
                c => path.push(c),
            }
        }
        if self.tokens.next().is_none_or(|token| token.first != b':') {
            return false;
        }
        let Some(value) = self.tokens.value() else { return false };
        self.visit(&value, path);
        self.tokens.next().is_some_and(|token| token.first == b',')
    }

    fn elements(&mut self, path: &mut String, here: usize) {
        let mut index = 0;
        while let Some(value) = self.tokens.value() {
            path.truncate(here);
            path.push_str(&index.to_string());
            self.visit(&value, path);
            index += 1;
            if self.tokens.next().is_none_or(|token| token.first != b',') {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Pointer, locate};
    use super::*;

    #[test]
    fn many_are_found_as_one_is() {
        let text = br#" {"a": [1, {"b/c": "x", "~": {}}, []], "d": {"a": 2}, "a": 3, "e": null} "#;
        let wanted =
            ["", "/a", "/a/0", "/a/1/b~1c", "/a/1/~0", "/a/2", "/a/2/0", "/d/a", "/d/x", "/e", "/e/f", "/f"];
        let found = locate_all(text, &wanted.into_iter().collect());
        for pointer in wanted {
            let place = locate(text, &Pointer::from(pointer)).filter(|place| place.missing == 0);
            assert_eq!(found.get(pointer), place.map(|place| place.value).as_ref(), "{pointer}");
        }
        assert_eq!(&text[found["/a"].start..found["/a"].end], br#"[1, {"b/c": "x", "~": {}}, []]"#);
        assert_eq!(found.len(), 8);
    }

    #[test]
    fn columns_count_characters() {
        let text = "{\n \"ä\": 1, \"b\": 2}".as_bytes();
        let found = locate_all(text, &["", "/ä", "/b"].into_iter().collect());
        let place = |pointer: &str| (found[pointer].line, found[pointer].column);
        assert_eq!([place(""), place("/ä"), place("/b")], [(1, 1), (2, 7), (2, 15)]);
    }

    #[test]
    fn text_that_is_cut_off_ends_the_search() {
        let text = br#"{"a": [1, {"b": "x"#;
        for end in 0..text.len() {
            let found = locate_all(&text[..end], &["/a/1/b", "/a/0"].into_iter().collect());
            assert!(found.len() <= 2);
        }
    }
}
