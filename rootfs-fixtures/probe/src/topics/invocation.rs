//! How we were called: environment, arguments and working directory, environ(7), execve(2).

use super::Answer;
use crate::errno;
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

/// From /proc because that shows the memory which execve(2) filled, also entries without `=`; without /proc,
/// what the C library knows.
pub fn env() -> Answer {
    let entries: Vec<Vec<u8>> = match fs::read("/proc/self/environ") {
        Ok(bytes) => bytes.split_inclusive(|byte| *byte == 0).map(without_end).collect(),
        Err(_) => std::env::vars_os()
            .map(|(key, value)| [key.as_bytes(), b"=", value.as_bytes()].concat())
            .collect(),
    };
    Ok(entries.iter().map(|entry| text(OsStr::from_bytes(entry))).collect())
}

fn without_end(entry: &[u8]) -> Vec<u8> {
    entry.strip_suffix(b"\0").unwrap_or(entry).to_vec()
}

pub fn args() -> Answer {
    Ok(std::env::args_os().map(|argument| text(&argument)).collect())
}

/// getcwd(2) fails, or answers `(unreachable)`, when the directory lies outside of our root.
pub fn cwd() -> Answer {
    let path = std::env::current_dir().map_err(|error| format!("getcwd: {}", errno::of(&error)))?;
    Ok(text(path.as_os_str()))
}

/// A JSON string, or an array of bytes for what is no UTF-8: nothing is lost.
fn text(raw: &OsStr) -> Value {
    raw.to_str().map_or_else(|| json!(raw.as_bytes()), Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_kept() {
        assert_eq!(text(OsStr::new("a=b")), json!("a=b"));
        assert_eq!(text(OsStr::from_bytes(b"a=\xff")), json!([97, 61, 255]));
    }
}
