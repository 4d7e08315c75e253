//! Trying what a container should not be able to do. The list of operations is in `attempts`.

use super::attempts::{ATTEMPTS, Attempt, Reach};
use super::{Done, argument};
use crate::errno;
use crate::topics::namespaces;
use serde_json::{Map, Value, json};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, Output};

/// The inode number of the machine's first pid namespace, PROC_PID_INIT_INO of linux/proc_ns.h.
const FIRST_PID_NAMESPACE: u64 = 0xEFFF_FFFC;

pub fn one(words: &[String]) -> Done {
    let attempt = find(&argument::<String>(words, 0, "the name of an operation")?)?;
    if matches!(attempt.reach, Reach::Machine) && outside_of_containers() {
        let name = attempt.name;
        return Err(format!(
            "{name} could change this machine, and we are not in a pid namespace of our own"
        ));
    }
    println!("{}", errno::verdict((attempt.act)()));
    Ok(ExitCode::SUCCESS)
}

/// Each in its own process: an attempt may succeed and change the process, and a filter may kill it.
pub fn all(words: &[String]) -> Done {
    let mut chosen = Vec::new();
    for word in words {
        chosen.push(find(word)?);
    }
    if chosen.is_empty() {
        chosen.extend(ATTEMPTS);
    }
    let mut answer = Map::new();
    for attempt in chosen {
        let output = Command::new("/proc/self/exe").args(["try", attempt.name]).output();
        let verdict =
            output.map_or_else(|error| json!({ "error": errno::of(&error) }), |output| read_verdict(&output));
        answer.insert(attempt.name.to_owned(), verdict);
    }
    println!("{}", Value::Object(answer));
    Ok(ExitCode::SUCCESS)
}

fn find(name: &str) -> Result<&'static Attempt, String> {
    let known = || ATTEMPTS.iter().map(|attempt| attempt.name).collect::<Vec<_>>().join(" ");
    ATTEMPTS
        .iter()
        .find(|attempt| attempt.name == name)
        .ok_or_else(|| format!("no operation {name}; known: {}", known()))
}

fn read_verdict(output: &Output) -> Value {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    match output.status.signal() {
        Some(signal) => json!(format!("killed by {}", crate::topics::signals::name(signal))),
        None if output.status.success() => json!(text(&output.stdout)),
        None => json!({ "error": text(&output.stderr) }),
    }
}

/// Without /proc there is nothing to compare, and nobody runs the machine itself without /proc.
fn outside_of_containers() -> bool {
    namespaces::link("pid").is_ok_and(|link| link["inode"] == FIRST_PID_NAMESPACE)
}
