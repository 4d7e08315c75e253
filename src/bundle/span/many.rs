//! The places of many pointers in one pass over the text.

use std::collections::{BTreeMap, BTreeSet};

use super::token::{Token, Tokens, unescaped};
use super::valid_part;

/// The first byte of the value of each wanted pointer that leads to one; a name that stands twice leads to
/// its first value. The answer is that of [`super::locate`], without a new look at the text for each pointer.
pub fn locate_all<'w>(text: &[u8], wanted: &BTreeSet<&'w str>) -> BTreeMap<&'w str, usize> {
    let mut search = Search { tokens: Tokens::new(valid_part(text)), wanted, found: BTreeMap::new() };
    if let Some(whole) = search.tokens.value() {
        search.visit(&whole, &mut String::new());
    }
    search.found
}

struct Search<'t, 's, 'w> {
    tokens: Tokens<'t>,
    wanted: &'s BTreeSet<&'w str>,
    found: BTreeMap<&'w str, usize>,
}

impl Search<'_, '_, '_> {
    /// Goes behind the value, and into it only on the way to a wanted pointer: so the depth of the recursion
    /// is that of the longest wanted pointer, whatever the text is.
    fn visit(&mut self, value: &Token, path: &mut String) {
        if let Some(pointer) = self.wanted.get(path.as_str()) {
            self.found.entry(pointer).or_insert(value.start);
        }
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
            assert_eq!(found.get(pointer).copied(), place.map(|place| place.value.start), "{pointer}");
        }
        assert_eq!(found["/a"], 7);
        assert_eq!(found.len(), 8);
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
