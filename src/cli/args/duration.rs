//! Lengths of time as Go writes them, `1h2m3.5s`, and as people do, `90`.

use std::time::Duration;

/// The units of Go's `time.ParseDuration`, in nanoseconds. `m` comes after `ms`, which begins with it.
const UNITS: [(&str, f64); 8] = [
    ("ns", 1.0),
    ("us", 1e3),
    ("\u{b5}s", 1e3),
    ("\u{3bc}s", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 60e9),
    ("h", 3600e9),
];

/// The longest time that is understood: a year. No clock of the kernel overflows before.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// A length of time, zero included; a number without a unit counts seconds.
pub(super) fn any(text: &str) -> Result<Duration, String> {
    read(text).filter(|length| *length <= LONGEST).ok_or_else(|| {
        format!(
            "invalid duration {text:?} (seconds, or a duration such as 1m30s or 500ms, of a year at most)"
        )
    })
}

/// A length of time that is longer than nothing.
pub(super) fn positive(text: &str) -> Result<Duration, String> {
    match any(text)? {
        Duration::ZERO => Err(format!("invalid duration {text:?}: it must be greater than 0")),
        length => Ok(length),
    }
}

fn read(text: &str) -> Option<Duration> {
    let text = text.strip_prefix('+').unwrap_or(text);
    if let Some(seconds) = number(text) {
        return nanoseconds(seconds * 1e9);
    }
    let (mut rest, mut sum) = (text, 0.0);
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let (figure, tail) = rest.split_at(end);
        let (unit, worth) = UNITS.iter().find(|(unit, _)| tail.starts_with(unit))?;
        sum += number(figure)? * worth;
        rest = &tail[unit.len()..];
    }
    if text.is_empty() { None } else { nanoseconds(sum) }
}

/// Digits with at most one point among them: `f64` would also take `inf` and `1e9`.
fn number(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    plain.then(|| text.parse().ok()).flatten()
}

fn nanoseconds(count: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(count / 1e9).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_and_people_are_understood() {
        for (text, milliseconds) in [
            ("0", 0),
            ("10", 10_000),
            ("2.5", 2_500),
            ("5s", 5_000),
            ("100ms", 100),
            ("1m30s", 90_000),
            ("1h0.5m", 3_630_000),
            ("+3s", 3_000),
            ("2000us", 2),
            ("3000\u{b5}s", 3),
            (".5s", 500),
        ] {
            assert_eq!(any(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_length_of_time() {
        for text in
            ["", "s", "-1", "-5s", "5x", "1e9", "inf", "NaN", "1..5s", "5 s", "5s5", "9999999999h", "1d", "."]
        {
            assert!(any(text).is_err(), "{text:?} is {:?}", any(text));
        }
        assert!(positive("0s").unwrap_err().ends_with("it must be greater than 0"));
        assert!(positive("1ns").is_ok());
    }
}
