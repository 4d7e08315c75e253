//! Many children, and children without a parent: fork(2), pids limits, the duties of pid 1.

use super::{Done, argument};
use crate::errno;
use serde_json::json;
use std::io;
use std::process::{Child, Command, ExitCode, Stdio};

/// All children read from one pipe whose only writer is this process: they end when it ends, however that
/// happens.
pub fn fork_bomb(words: &[String]) -> Done {
    let wanted = argument::<usize>(words, 0, "a number of children")?;
    let (reader, writer) = io::pipe().map_err(|error| format!("pipe: {}", errno::of(&error)))?;
    let mut children: Vec<Child> = Vec::new();
    let mut stopped_by = None;
    while children.len() < wanted && stopped_by.is_none() {
        let child = reader.try_clone().and_then(|reader| {
            Command::new("/proc/self/exe").arg("cat-stdin").stdin(reader).stdout(Stdio::null()).spawn()
        });
        match child {
            Ok(child) => children.push(child),
            Err(error) => stopped_by = Some(errno::of(&error)),
        }
    }
    drop(writer);
    let had = children.len();
    let reaped = children.iter_mut().filter_map(|child| child.wait().ok()).count();
    println!("{}", json!({ "wanted": wanted, "had": had, "stopped_by": stopped_by, "reaped": reaped }));
    Ok(ExitCode::SUCCESS)
}

/// The orphans die after their parent, so only pid 1 of the pid namespace can reap them.
pub fn orphan(words: &[String]) -> Done {
    let count = if words.is_empty() { 1 } else { argument::<usize>(words, 0, "a number of orphans")? };
    let parent = Command::new("/proc/self/exe").args(["orphan-parent", &count.to_string()]).status();
    let status = parent.map_err(|error| format!("starting the parent: {}", errno::of(&error)))?;
    if status.success() {
        Ok(ExitCode::SUCCESS)
    } else {
        Err(format!("the parent of the orphans ended with {status}"))
    }
}

/// Leaves children behind that end when the pipe which they read loses its writer, which is this process.
pub fn orphan_parent(words: &[String]) -> Done {
    let count = argument::<usize>(words, 0, "a number of orphans")?;
    let (reader, _writer) = io::pipe().map_err(|error| format!("pipe: {}", errno::of(&error)))?;
    let mut pids = Vec::new();
    for _ in 0..count {
        let orphan = reader.try_clone().and_then(|reader| {
            Command::new("/proc/self/exe").arg("cat-stdin").stdin(reader).stdout(Stdio::null()).spawn()
        });
        pids.push(orphan.map_err(|error| format!("starting an orphan: {}", errno::of(&error)))?.id());
    }
    println!("{}", json!({ "orphans": pids }));
    Ok(ExitCode::SUCCESS)
}
