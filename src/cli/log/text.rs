//! How a message is written: as a line of the log, or as a sentence for people.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::SystemTime;

use super::{Format, Level};
use crate::timestamp::rfc3339;

/// The most bytes of one message that are written. A pipe holds 64 KiB: more than that would make the writer
/// wait for a reader who perhaps waits for the writer's end.
pub(super) const LONGEST_MESSAGE: usize = 16 * 1024;

/// One line of the log, its end included.
pub(super) fn line(format: Format, level: Level, message: &str, now: SystemTime) -> String {
    let (level, message, time) = (level.word(), quoted(message), rfc3339(now));
    match format {
        Format::Text => format!("time=\"{time}\" level={level} msg={message}\n"),
        Format::Json => format!("{{\"level\":\"{level}\",\"msg\":{message},\"time\":\"{time}\"}}\n"),
    }
}

/// The message in double quotes, with the escapes of JSON (RFC 8259 section 7) for what is not plain text.
/// Go's `strconv.Unquote`, by which the lines of runc's text format are read, knows all of them.
fn quoted(message: &str) -> String {
    let mut text = String::with_capacity(message.len() + 2);
    text.push('"');
    for letter in bounded(message).chars() {
        match letter {
            '"' | '\\' => text.extend(['\\', letter]),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            letter => push_visible(&mut text, letter),
        }
    }
    text.push('"');
    text
}

/// The message for people, as a line that names the program.
pub(super) fn sentence(message: &str) -> String {
    format!("crate-run: {}\n", readable(message))
}

/// The message for a terminal: lines stay lines, but nothing that steers the terminal gets through. Parts of
/// a message can come from a configuration that a stranger wrote.
pub(super) fn readable(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    for letter in bounded(message).chars() {
        match letter {
            '\n' | '\t' => text.push(letter),
            letter => push_visible(&mut text, letter),
        }
    }
    text
}

/// Appends the letter, or its number when it is a control character or turns the direction of writing.
pub(in crate::cli) fn push_visible(text: &mut String, letter: char) {
    let turns = matches!(letter, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if letter.is_control() || turns {
        write!(text, "\\u{:04x}", u32::from(letter)).expect("a String takes everything");
    } else {
        text.push(letter);
    }
}

/// The message, or its beginning when it is too long to be written whole.
pub(super) fn bounded(message: &str) -> Cow<'_, str> {
    if message.len() <= LONGEST_MESSAGE {
        return Cow::Borrowed(message);
    }
    let end = (0..=LONGEST_MESSAGE).rev().find(|end| message.is_char_boundary(*end)).unwrap_or_default();
    Cow::Owned(format!("{} [{} more bytes]", &message[..end], message.len() - end))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_have_the_shape_that_engines_read() {
        let moment = UNIX_EPOCH + Duration::new(1_709_251_199, 5);
        assert_eq!(
            line(Format::Json, Level::Error, "exec: \"sh\": no", moment),
            r#"{"level":"error","msg":"exec: \"sh\": no","time":"2024-02-29T23:59:59.000000005Z"}"#
                .to_owned()
                + "\n"
        );
        assert_eq!(
            line(Format::Text, Level::Warning, "one\ntwo", moment),
            "time=\"2024-02-29T23:59:59.000000005Z\" level=warning msg=\"one\\ntwo\"\n"
        );
    }

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(sentence("a\x1b[2Jb\r\u{202e}\n\tc"), "crate-run: a\\u001b[2Jb\\u000d\\u202e\n\tc\n");
    }

    proptest! {
        #[test]
        fn json_gives_back_what_was_said(message in any::<String>()) {
            let line = line(Format::Json, Level::Error, &message, SystemTime::now());
            let entry: serde_json::Value = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(entry["msg"].as_str(), Some(message.as_str()));
            prop_assert_eq!(line.matches('\n').count(), 1);
        }

        #[test]
        fn lines_are_bounded(letter in any::<char>(), length in LONGEST_MESSAGE / 4..LONGEST_MESSAGE * 2) {
            let message = letter.to_string().repeat(length);
            let line = line(Format::Json, Level::Error, &message, SystemTime::now());
            prop_assert!(line.len() < 6 * LONGEST_MESSAGE + 200);
            prop_assert!(serde_json::from_str::<serde_json::Value>(&line).is_ok());
        }
    }
}
