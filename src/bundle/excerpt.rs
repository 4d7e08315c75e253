//! Shows a place of `config.json` to a person:
//!
//! ```text
//! config.json:12:15
//!    |
//! 12 |     "limit": "64M",
//!    |              ^^^^^
//! ```

use super::span::Span;

/// How many columns of a long line stand left of the place, and from the place on.
const LEFT: usize = 60;
const RIGHT: usize = 60;
/// So many bytes hold `LEFT` or `RIGHT` columns at any rate: a character has at most four.
const REACH: usize = 4 * RIGHT;

/// Renders four lines without a line break at the end.
///
/// The text is hostile: whatever a terminal could obey or not show (escape codes, text direction, bytes that
/// are not UTF-8) is written as an escape sequence of Rust, and a long line is cut around the place.
pub fn excerpt(text: &[u8], span: &Span) -> String {
    let start = span.start.min(text.len());
    let line_start = text[..start].iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
    let rest = text[start..].split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line_end = start + rest.strip_suffix(b"\r").unwrap_or(rest).len();
    let end = span.end.clamp(start, line_end);

    let from = character_start(text, start.saturating_sub(REACH).max(line_start), start);
    let mark_to = character_start(text, end.min(start + REACH), end);
    let to = character_start(text, line_end.min(mark_to + REACH), line_end);
    let left = visible(&text[from..start]);
    let mark = visible(&text[start..mark_to]);
    let right = visible(&text[mark_to..to]);

    let hidden = left.chars().count().saturating_sub(LEFT);
    let left = match (hidden, from > line_start) {
        (0, false) => left,
        _ => std::iter::once('…').chain(left.chars().skip(hidden + 1)).collect(),
    };
    let carets = columns(&mark).clamp(1, RIGHT);
    let mut shown: String = mark.chars().chain(right.chars()).take(RIGHT).collect();
    if to < line_end || mark.chars().count() + right.chars().count() > RIGHT {
        shown.push('…');
    }

    let number = span.line.to_string();
    let gutter = " ".repeat(number.len());
    let (indent, carets) = (" ".repeat(columns(&left)), "^".repeat(carets));
    let head = format!("config.json:{}:{}", span.line, span.column);
    format!("{head}\n{gutter} |\n{number} | {left}{shown}\n{gutter} | {indent}{carets}")
}

/// The first byte from `at` on that starts a character, or `end`.
fn character_start(text: &[u8], at: usize, end: usize) -> usize {
    (at..end).find(|&at| text[at] & 0b1100_0000 != 0b1000_0000).unwrap_or(end)
}

/// The text with nothing in it that a terminal would not print as it is.
pub fn visible(text: &[u8]) -> String {
    let mut shown = String::new();
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' | '\'' | '\\' => shown.push(c),
                '\t' => shown.push_str("    "),
                c => shown.extend(c.escape_debug()),
            }
        }
        for byte in chunk.invalid() {
            shown.push_str(&format!("\\x{byte:02x}"));
        }
    }
    shown
}

/// How many columns of a terminal the text takes: two for a wide character (Unicode Standard Annex 11).
pub fn columns(text: &str) -> usize {
    let wide = |c: &char| {
        matches!(c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}')
            || matches!(c, '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}')
            || matches!(c, '\u{ffe0}'..='\u{ffe6}' | '\u{1f300}'..='\u{1faff}' | '\u{20000}'..='\u{3fffd}')
    };
    text.chars().count() + text.chars().filter(wide).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &[u8], range: std::ops::Range<usize>) -> String {
        excerpt(text, &Span::new(text, range))
    }

    #[test]
    fn a_value_in_its_line() {
        let text = b"{\n\t\"limit\": \"64M\",\r\n\t\"cpu\": 1\n}";
        assert_eq!(
            shown(text, 12..17),
            "config.json:2:11\n  |\n2 |     \"limit\": \"64M\",\n  |              ^^^^^"
        );
    }

    #[test]
    fn an_object_of_many_lines_is_marked_to_the_end_of_its_first() {
        let text = b"{\"a\": {\r\n  \"b\": 1\r\n}}";
        assert_eq!(shown(text, 6..21), "config.json:1:7\n  |\n1 | {\"a\": {\n  |       ^");
    }

    #[test]
    fn the_end_of_the_text_has_one_caret() {
        assert_eq!(shown(b"[1,", 3..3), "config.json:1:4\n  |\n1 | [1,\n  |    ^");
        assert_eq!(shown(b"", 7..9), "config.json:1:1\n  |\n1 | \n  | ^");
        assert_eq!(shown(b"[1,\n", 4..4), "config.json:2:1\n  |\n2 | \n  | ^");
    }

    #[test]
    fn a_long_line_is_cut_on_both_sides() {
        let text = format!("[{}\"here\"{}]", "1234567, ".repeat(100_000), ", 1".repeat(100_000));
        let start = text.find('"').unwrap();
        let shown = shown(text.as_bytes(), start..start + 6);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[0], format!("config.json:1:{}", start + 1));
        let caret = lines[3].find('^').unwrap();
        let cut: Vec<char> = lines[2].chars().collect();
        assert_eq!(cut[caret..caret + 6].iter().collect::<String>(), "\"here\"");
        assert_eq!(cut.iter().filter(|&&c| c == '\u{2026}').count(), 2);
        assert!(cut.len() < 130 && lines[3].ends_with(" ^^^^^^"), "{shown}");
    }

    #[test]
    fn nothing_that_a_terminal_obeys_gets_through() {
        let text = b"[\"\x1b]0;x\x07\xc2\x9b\xe2\x80\xae\xff\x00\x7f\r\", 1]";
        let shown = shown(text, 1..text.len());
        assert!(shown.chars().all(|c| c == '\n' || (' '..='~').contains(&c)), "{shown:?}");
        assert!(shown.contains(r#"["\u{1b}]0;x\u{7}\u{9b}\u{202e}\xff\0\u{7f}\r", 1]"#), "{shown}");
    }

    #[test]
    fn wide_characters_move_the_caret_by_two() {
        let text = "[\"\u{6f22}\u{5b57}\", 5]".as_bytes();
        assert_eq!(shown(text, 11..12).lines().last(), Some("  |          ^"));
    }

    #[test]
    fn any_span_of_any_bytes_is_shown() {
        let text = "{\"\u{e9}\u{1f980}\":\n\t[\"\r\n\u{1b}\"]".as_bytes();
        for start in 0..text.len() + 2 {
            for end in 0..text.len() + 2 {
                let span = Span { start, end, line: 1, column: 1 };
                assert_eq!(excerpt(text, &span).lines().count(), 4);
            }
        }
    }
}
