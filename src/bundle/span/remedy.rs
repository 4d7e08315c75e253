//! What mends a text that is no JSON, guessed from what stands there.

use super::{FaultKind, Span};

/// One sentence without a full stop.
pub(super) fn cure(kind: &FaultKind, text: &[u8], span: &Span) -> &'static str {
    match kind {
        FaultKind::TooLarge | FaultKind::TooMany | FaultKind::TooDeep => {
            "was this written by a program that has gone wrong?"
        }
        FaultKind::NotUtf8 if text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff") => {
            "this looks like UTF-16: save the file as UTF-8"
        }
        FaultKind::NotUtf8 => "save the file as UTF-8",
        FaultKind::DuplicateName { .. } => "keep one of the two",
        FaultKind::Syntax(wrong) if wrong.starts_with("nothing may") => {
            "remove it, or is a bracket too early?"
        }
        FaultKind::Syntax(_) => syntax(text, span),
    }
}

/// The habits of other notations: comments of JSON5, quotes of JavaScript, words of Python, YAML, TOML.
fn syntax(text: &[u8], span: &Span) -> &'static str {
    let here = &text[span.start..];
    let word = &text[span.start..span.end];
    let before = text[..span.start].trim_ascii_end();
    match word {
        _ if here.is_empty() && text.trim_ascii().is_empty() => {
            "the file is empty: `crate-run spec` writes a configuration to start from"
        }
        _ if here.is_empty() => "the text ends too early: was the file written completely?",
        _ if text.starts_with("\u{feff}".as_bytes()) && span.start == 0 => {
            "remove the byte order mark (U+FEFF) at the start of the file"
        }
        [b'/', b'/' | b'*', ..] | [b'#', ..] => "JSON has no comments: remove it",
        [b'\'', ..] => "JSON writes strings in double quotes",
        [b'\\', b'u', ..] => {
            "write four hexadecimal digits; a character beyond U+FFFF takes a pair of surrogates"
        }
        [b'\\', ..] => "a backslash is written twice in JSON, as in C:\\\\dir",
        b"True" | b"TRUE" => "JSON writes true",
        b"False" | b"FALSE" => "JSON writes false",
        b"None" | b"undefined" | b"nil" | b"NULL" | b"Null" => "JSON writes null",
        b"NaN" | b"Infinity" | b"-Infinity" | b"inf" => "JSON has no such number: leave it out",
        [b'}' | b']', ..] if before.ends_with(b",") => "remove the last comma",
        [b'}' | b']', ..] => "is a value missing, or a bracket too many?",
        [b',', ..] => "remove the comma, or write what is missing before it",
        [b'"', ..] if before.ends_with(b"\"") || before.ends_with(b"]") || before.ends_with(b"}") => {
            "is a comma missing at the end of the line before?"
        }
        [b'"', ..] if before.last().is_some_and(u8::is_ascii_alphanumeric) => {
            "is a comma missing at the end of the line before?"
        }
        [b'"', ..] => "is a quote or a colon missing?",
        [b'+' | b'-' | b'.' | b'0'..=b'9', ..] => {
            "a number has no leading zero or plus sign, no hexadecimal form, no unit, and a digit on both sides \
             of its point; an octal mode such as 0755 is 493"
        }
        [b'\n' | b'\r', ..] => "is the closing quote missing? A line break inside of a string is written \\n",
        [b'\t', ..] => "write \\t",
        [..=b' ', ..] => "remove it: nothing that a terminal obeys belongs into a configuration",
        _ if span.start == text.len() - text.trim_ascii_start().len() => {
            "this is no JSON: config.json begins with an opening brace"
        }
        _ => "put names and text in double quotes, and a comma between two entries",
    }
}
