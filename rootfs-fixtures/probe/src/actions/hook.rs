//! An OCI hook that writes down how it was called: which state it got, when, where and with what
//! surroundings.

use super::{Done, argument};
use crate::errno;
use crate::topics::{self, or_error};
use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::process::ExitCode;

/// One line of JSON, appended in one write, so that several hooks can share a file and their order is seen.
pub fn hook(words: &[String]) -> Done {
    let path = argument::<String>(words, 0, "the file to append to")?;
    let status = if words.len() > 1 { argument::<u8>(words, 1, "an exit status from 0 to 255")? } else { 0 };
    let stdin =
        io::read_to_string(io::stdin()).map_err(|error| format!("reading stdin: {}", errno::of(&error)))?;
    let state: Value = serde_json::from_str(&stdin)
        .unwrap_or_else(|error| json!({ "error": format!("stdin is no JSON: {error}"), "stdin": stdin }));
    let topic = |name: &str| topics::ask(name, &[]).map_or(Value::Null, or_error);
    let line = json!({
        "state": state,
        "args": topic("args"),
        "env": topic("env"),
        "cwd": topic("cwd"),
        "fds": topic("fds"),
        "namespaces": topic("namespaces"),
        "ids": topic("ids"),
        "process": topic("process"),
    });
    let file = OpenOptions::new().append(true).create(true).open(&path);
    let written = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
    written.map_err(|error| format!("appending to {path}: {}", errno::of(&error)))?;
    Ok(ExitCode::from(status))
}
