//! How signals will be met: signal(7). The masks are those that execve(2) left.

use super::Answer;
use crate::{before_main, procfs};
use nix::sys::signal::Signal;
use serde_json::{Map, Value, json};

const MASKS: [(&str, &str); 5] = [
    ("blocked", "SigBlk"),
    ("ignored", "SigIgn"),
    ("caught", "SigCgt"),
    ("pending", "SigPnd"),
    ("pending_for_process", "ShdPnd"),
];

pub fn answer() -> Answer {
    let status = before_main::birth().status.as_ref()?;
    let mut answer = Map::new();
    for (name, key) in MASKS {
        let hex = procfs::field(status, key).ok_or_else(|| format!("/proc/self/status has no line {key}"))?;
        answer.insert(name.to_owned(), json!({ "hex": hex, "names": names(hex)? }));
    }
    Ok(Value::Object(answer))
}

fn names(hex: &str) -> Result<Vec<String>, String> {
    let mask = u64::from_str_radix(hex, 16).map_err(|error| format!("signal mask {hex}: {error}"))?;
    Ok((1..=64).filter(|number| mask >> (number - 1) & 1 == 1).map(name).collect())
}

/// `SIGTERM`; a real-time signal, which has no name, is called by its number, such as `SIG34`.
pub fn name(number: i32) -> String {
    Signal::try_from(number).map_or_else(|_| format!("SIG{number}"), |signal| signal.as_str().to_owned())
}

/// The signal with that name, with or without `SIG`, in any case, or with that number.
pub fn parse(word: &str) -> Result<Signal, String> {
    let upper = word.to_ascii_uppercase();
    let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
    let by_number = bare.parse::<i32>().ok().and_then(|number| Signal::try_from(number).ok());
    by_number.or_else(|| format!("SIG{bare}").parse().ok()).ok_or_else(|| format!("no such signal: {word}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bit_zero_is_signal_one() {
        assert_eq!(names("0000000000001001").unwrap(), ["SIGHUP", "SIGPIPE"]);
        assert_eq!(names("0000000200000000").unwrap(), ["SIG34"]);
    }

    #[test]
    fn signals_are_known_by_name_and_number() {
        for word in ["SIGTERM", "term", "15"] {
            assert_eq!(parse(word), Ok(Signal::SIGTERM));
        }
        assert!(parse("NOSUCH").is_err());
        assert!(parse("0").is_err());
    }
}
