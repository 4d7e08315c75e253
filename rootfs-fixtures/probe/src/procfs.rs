//! Reading proc(5): the text files in which the kernel describes a process.

use crate::errno;
use std::fs;

/// The text of a file. Bytes that are no UTF-8 become U+FFFD.
pub fn read(path: &str) -> Result<String, String> {
    match fs::read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) => Err(format!("reading {path}: {}", errno::of(&error))),
    }
}

/// The value behind `key:` in the text of /proc/PID/status, see proc_pid_status(5).
pub fn field<'a>(status: &'a str, key: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).map(str::trim)
}

/// One field of our own /proc/self/status.
pub fn own_status(key: &str) -> Result<String, String> {
    let status = read("/proc/self/status")?;
    field(&status, key).map(str::to_owned).ok_or_else(|| format!("/proc/self/status has no line {key}"))
}

/// One field of our own /proc/self/stat, counted from 1 as proc_pid_stat(5) does; fields 1 and 2 are not
/// offered because the second, the command, may contain blanks and parentheses.
pub fn own_stat(number: usize) -> Result<String, String> {
    let text = read("/proc/self/stat")?;
    stat_field(&text, number)
        .map(str::to_owned)
        .ok_or_else(|| format!("/proc/self/stat has no field {number}"))
}

fn stat_field(text: &str, number: usize) -> Option<&str> {
    let (_, behind_command) = text.rsplit_once(')')?;
    behind_command.split_whitespace().nth(number.checked_sub(3)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_key_is_matched_whole() {
        let status = "Seccomp_filters:\t3\nSeccomp:\t2\n";
        assert_eq!(field(status, "Seccomp"), Some("2"));
        assert_eq!(field(status, "Sec"), None);
    }

    #[test]
    fn stat_fields_are_counted_behind_the_command_even_when_it_contains_parentheses() {
        let text = "42 (a) R (b) S 1 42 42 34816 42 4194304";
        assert_eq!(stat_field(text, 3), Some("S"));
        assert_eq!(stat_field(text, 7), Some("34816"));
        assert_eq!(stat_field(text, 2), None);
        assert_eq!(stat_field(text, 99), None);
    }
}
