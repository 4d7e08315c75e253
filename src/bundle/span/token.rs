//! The tokens of JSON and the characters of its strings.

use std::str::Chars;

/// A token, known by its first byte: one of `{}[]:,"`, or else a number, a literal name or rubbish.
pub(super) struct Token {
    pub(super) first: u8,
    pub(super) start: usize,
    pub(super) end: usize,
    /// A string with its closing quote, without escapes and control characters: nothing to check in it.
    pub(super) plain: bool,
}

/// The tokens of a text. Any text has some: grammar is not its business.
pub(super) struct Tokens<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    // Inlined, a token stays in registers; this halves the time of `strict`.
    #[inline(always)]
    fn next(&mut self) -> Option<Token> {
        let bytes = self.text.as_bytes();
        let start = space_end(bytes, self.at);
        let first = *bytes.get(start)?;
        let (end, plain) = match first {
            b'{' | b'}' | b'[' | b']' | b':' | b',' => (start + 1, false),
            b'"' => string_end(bytes, start),
            _ => (word_end(bytes, start), false),
        };
        self.at = end;
        Some(Token { first, start, end, plain })
    }
}

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The first token of a value.
    pub(super) fn value(&mut self) -> Option<Token> {
        self.next().filter(|token| !matches!(token.first, b'}' | b']' | b':' | b','))
    }

    fn expect(&mut self, first: u8) -> Option<Token> {
        self.next().filter(|token| token.first == first)
    }

    /// Goes behind the value whose first token was taken.
    pub(super) fn pass(&mut self, value: &Token) {
        let mut open = usize::from(matches!(value.first, b'{' | b'['));
        while open > 0 {
            match self.next().map(|token| token.first) {
                Some(b'{' | b'[') => open += 1,
                Some(b'}' | b']') => open -= 1,
                Some(_) => {}
                None => return,
            }
        }
    }

    /// In an object whose brace was taken: the member that a component of a pointer names.
    pub(super) fn member(&mut self, component: &str) -> Option<(Token, Token)> {
        loop {
            let name = self.expect(b'"')?;
            self.expect(b':')?;
            let value = self.value()?;
            if unescaped(&self.text[name.start + 1..name.end]).eq(component_chars(component)) {
                return Some((name, value));
            }
            self.pass(&value);
            self.expect(b',')?;
        }
    }

    /// In an array whose bracket was taken: the element that a component of a pointer numbers.
    pub(super) fn element(&mut self, component: &str) -> Option<Token> {
        let is_index = component == "0" || component.starts_with(|digit| matches!(digit, '1'..='9'));
        let index: usize = component.parse().ok().filter(|_| is_index)?;
        for _ in 0..index {
            let value = self.value()?;
            self.pass(&value);
            self.expect(b',')?;
        }
        self.value()
    }
}

fn space_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(at) {
        at += 1;
        // Indentation.
        while word(bytes, at) == Some(EACH * b' ' as u64) {
            at += 8;
        }
    }
    at
}

fn word_end(bytes: &[u8], start: usize) -> usize {
    let ends = |byte: &u8| {
        matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | b'{' | b'}' | b'[' | b']' | b':' | b',' | b'"')
    };
    bytes[start..].iter().position(ends).map_or(bytes.len(), |length| start + length)
}

/// Behind the closing quote of the string that starts at `start` (or the end of the text), and whether the
/// string is plain.
pub(super) fn string_end(bytes: &[u8], start: usize) -> (usize, bool) {
    let (mut at, mut plain) = (start + 1, true);
    loop {
        while let Some(eight) = word(bytes, at) {
            let hits = special_bytes(eight);
            at += if hits == 0 { 8 } else { hits.trailing_zeros() as usize / 8 };
            if hits != 0 {
                break;
            }
        }
        match bytes.get(at) {
            None => return (bytes.len(), false),
            Some(b'"') => return (at + 1, plain),
            Some(b'\\') => (at, plain) = (at + 2, false),
            Some(0..b' ') => (at, plain) = (at + 1, false),
            Some(_) => at += 1,
        }
    }
}

const EACH: u64 = 0x0101_0101_0101_0101;

/// Eight bytes at once, the first as the lowest.
fn word(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|eight| u64::from_le_bytes(*eight))
}

/// Bit 7 of each byte that is a quote, a backslash or a control character. The lowest bit is exact; a borrow
/// may set bits above it.
fn special_bytes(eight: u64) -> u64 {
    let below = |word: u64, limit: u64| word.wrapping_sub(EACH * limit) & !word;
    let equal = |byte: u8| below(eight ^ (EACH * u64::from(byte)), 1);
    (below(eight, 0x20) | equal(b'"') | equal(b'\\')) & (EACH * 0x80)
}

/// Whether the strings that start at `a` and `b`, both with a closing quote, have the same characters.
pub(super) fn same_name(text: &str, a: usize, b: usize) -> bool {
    unescaped(&text[a + 1..]).eq(unescaped(&text[b + 1..]))
}

/// A hash of the unescaped characters of a string, keyed against texts that are written to collide.
pub(super) fn name_hash(text: &str, name: &Token, key: u64) -> u32 {
    let decoded: String;
    let bytes = if name.plain {
        &text.as_bytes()[name.start + 1..name.end - 1]
    } else {
        decoded = unescaped(&text[name.start + 1..name.end]).collect();
        decoded.as_bytes()
    };
    // Multiplies in 128 bits and folds the halves, so that each bit of the word reaches each bit of the hash.
    let fold = |hash: u64, word: u64| {
        let product = u128::from(hash ^ word) * u128::from(0x9e37_79b9_7f4a_7c15 ^ key.rotate_left(32));
        product as u64 ^ (product >> 64) as u64
    };
    let (words, rest) = bytes.as_chunks::<8>();
    let hash = words.iter().fold(key, |hash, eight| fold(hash, u64::from_le_bytes(*eight)));
    let rest = rest.iter().fold(rest.len() as u64, |word, &byte| word << 8 | u64::from(byte));
    fold(fold(hash, rest), key) as u32
}

/// The characters of a string, up to its closing quote.
pub(super) fn unescaped(body: &str) -> impl Iterator<Item = char> {
    let mut chars = body.chars();
    std::iter::from_fn(move || match chars.next()? {
        '"' => None,
        '\\' => Some(escaped(&mut chars).unwrap_or(char::REPLACEMENT_CHARACTER)),
        c => Some(c),
    })
}

/// The character that the escape sequence after a backslash stands for; `None` when it stands for none, as
/// half of a surrogate pair does.
pub(super) fn escaped(chars: &mut Chars<'_>) -> Option<char> {
    match chars.next()? {
        c @ ('"' | '\\' | '/') => Some(c),
        'b' => Some('\u{8}'),
        'f' => Some('\u{c}'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'u' => {
            let unit = hex_unit(chars)?;
            if let Some(c) = char::from_u32(unit.into()) {
                return Some(c);
            }
            let mut ahead = chars.as_str().strip_prefix("\\u")?.chars();
            let c = char::decode_utf16([unit, hex_unit(&mut ahead)?]).next()?.ok()?;
            *chars = ahead;
            Some(c)
        }
        _ => None,
    }
}

fn hex_unit(chars: &mut Chars<'_>) -> Option<u16> {
    let (digits, rest) = chars.as_str().split_at_checked(4)?;
    let unit = digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(digits)?;
    *chars = rest.chars();
    u16::from_str_radix(unit, 16).ok()
}

/// The characters of one component of a pointer (RFC 6901 section 4).
fn component_chars(component: &str) -> impl Iterator<Item = char> {
    let mut chars = component.chars();
    std::iter::from_fn(move || match chars.next()? {
        '~' => Some(match chars.next() {
            Some('0') | None => '~',
            Some('1') => '/',
            Some(c) => c,
        }),
        c => Some(c),
    })
}
