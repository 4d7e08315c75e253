//! Names of signals, as callers write them.
//!
//! The numbers are those of signal(7), table "Signal numbering", column x86/ARM: the same on every
//! architecture that crate-run supports.

use thiserror::Error;

/// In the order of their numbers, from 1 on.
const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
    "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
    "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

/// Second names (signal(7), "Standard signals").
const ALIASES: [(&str, i32); 4] = [("IOT", 6), ("CLD", 17), ("POLL", 29), ("UNUSED", 31)];

/// The first real-time signal that a program may use. The kernel's first is 32, but glibc keeps two for
/// itself (signal(7), "Real-time signals"); that `SIGRTMIN+3` is 37 is what systemd and the engines agree on.
const REALTIME_FIRST: i32 = 34;

/// The last signal of all (`_NSIG` of the kernel).
const LAST: i32 = 64;

/// A word that names no signal.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("unknown signal {0:?} (a name such as TERM or RTMIN+3, or a number from 0 to {LAST})")]
pub struct UnknownSignal(String);

/// The number of the signal that `text` names: with or without `SIG`, in any case, `RTMIN+n` and `RTMAX-n`
/// included, or a number. Zero is allowed: kill(2) then sends nothing and only looks whether it could.
///
/// A dash in front is taken off, for those who are used to kill(1).
///
/// # Errors
/// [`UnknownSignal`] for any other word and for numbers above 64.
pub fn number(text: &str) -> Result<i32, UnknownSignal> {
    let name = text.strip_prefix('-').unwrap_or(text).to_ascii_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    by_number(name)
        .or_else(|| by_name(name))
        .or_else(|| realtime(name))
        .ok_or_else(|| UnknownSignal(text.to_owned()))
}

fn by_number(name: &str) -> Option<i32> {
    digits(name).filter(|number| *number <= LAST)
}

fn by_name(name: &str) -> Option<i32> {
    let standard = NAMES.iter().zip(1..).find(|(known, _)| **known == name).map(|(_, number)| number);
    standard.or_else(|| ALIASES.iter().find(|(known, _)| *known == name).map(|(_, number)| *number))
}

fn realtime(name: &str) -> Option<i32> {
    let (start, distance) = match (name.strip_prefix("RTMIN"), name.strip_prefix("RTMAX")) {
        (Some(""), _) => (REALTIME_FIRST, 0),
        (_, Some("")) => (LAST, 0),
        (Some(rest), _) => (REALTIME_FIRST, digits(rest.strip_prefix('+')?)?),
        (_, Some(rest)) => (LAST, -digits(rest.strip_prefix('-')?)?),
        (None, None) => return None,
    };
    let number = start.checked_add(distance)?;
    (REALTIME_FIRST..=LAST).contains(&number).then_some(number)
}

/// Digits and nothing else: `str::parse` would take a sign as well.
fn digits(text: &str) -> Option<i32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_all_spellings() {
        for (text, expected) in [
            ("TERM", 15),
            ("SIGTERM", 15),
            ("sigterm", 15),
            ("Kill", 9),
            ("-KILL", 9),
            ("HUP", 1),
            ("USR1", 10),
            ("STKFLT", 16),
            ("STOP", 19),
            ("URG", 23),
            ("WINCH", 28),
            ("PWR", 30),
            ("SYS", 31),
            ("SIGCLD", 17),
            ("poll", 29),
            ("iot", 6),
            ("9", 9),
            ("-9", 9),
            ("0", 0),
            ("64", 64),
            ("RTMIN", 34),
            ("SIGRTMIN+3", 37),
            ("rtmin+30", 64),
            ("RTMAX", 64),
            ("SIGRTMAX-1", 63),
            ("SIGRTMAX-30", 34),
        ] {
            assert_eq!(number(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_names_no_signal() {
        for text in [
            "",
            "-",
            "SIG",
            "NOPE",
            "65",
            "--9",
            "+9",
            "9 ",
            "1e1",
            "RTMIN+31",
            "RTMIN-1",
            "RTMIN+",
            "RTMAX+1",
            "RTMAX-31",
            "RTMIN++1",
            "99999999999999999999",
            "RTMIN+2147483647",
            "SIGSIGTERM",
            "--all",
        ] {
            assert_eq!(number(text), Err(UnknownSignal(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn the_error_says_what_would_do() {
        assert_eq!(
            number("NOPE").unwrap_err().to_string(),
            "unknown signal \"NOPE\" (a name such as TERM or RTMIN+3, or a number from 0 to 64)"
        );
    }
}
