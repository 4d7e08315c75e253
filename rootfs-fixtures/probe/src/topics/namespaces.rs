//! Which namespaces we live in: namespaces(7), user_namespaces(7), time_namespaces(7).

use super::{Answer, or_error};
use crate::{errno, procfs};
use serde_json::{Map, Value, json};
use std::fs;

pub fn answer() -> Answer {
    let mut answer = Map::new();
    let directory = "/proc/self/ns";
    let entries =
        fs::read_dir(directory).map_err(|error| format!("listing {directory}: {}", errno::of(&error)))?;
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        answer.insert(name.clone(), or_error(link(&name)));
    }
    answer.insert("pid_seen_inside".to_owned(), json!(std::process::id()));
    answer.insert(
        "pids_from_outside_in".to_owned(),
        or_error(procfs::own_status("NSpid").map(|ids| numbers(&ids))),
    );
    for name in ["uid_map", "gid_map"] {
        let map = procfs::read(&format!("/proc/self/{name}"));
        answer.insert(name.to_owned(), or_error(map.map(|text| rows(&text))));
    }
    let setgroups = procfs::read("/proc/self/setgroups");
    answer.insert("setgroups".to_owned(), or_error(setgroups.map(|text| text.trim().to_owned())));
    let offsets = procfs::read("/proc/self/timens_offsets");
    answer.insert("timens_offsets".to_owned(), or_error(offsets.map(|text| time_offsets(&text))));
    Ok(Value::Object(answer))
}

/// A link such as `pid:[4026531836]` with the inode number that is the identity of the namespace.
pub fn link(name: &str) -> Answer {
    let path = format!("/proc/self/ns/{name}");
    let target = fs::read_link(&path).map_err(|error| format!("reading {path}: {}", errno::of(&error)))?;
    let target = target.to_string_lossy().into_owned();
    let inode = inode(&target).ok_or_else(|| format!("{path} points to {target}, which names no inode"))?;
    Ok(json!({ "link": target, "inode": inode }))
}

fn inode(target: &str) -> Option<u64> {
    target.split_once(":[")?.1.strip_suffix(']')?.parse().ok()
}

fn numbers(text: &str) -> Value {
    text.split_whitespace()
        .map(|word| word.parse::<i64>().map_or_else(|_| json!(word), Value::from))
        .collect()
}

fn rows(text: &str) -> Value {
    text.lines().map(numbers).collect()
}

/// `monotonic  SECONDS  NANOSECONDS`, one clock a line.
fn time_offsets(text: &str) -> Value {
    let mut clocks = Map::new();
    for line in text.lines() {
        if let Some((clock, offset)) = line.split_once(char::is_whitespace) {
            clocks.insert(clock.to_owned(), numbers(offset));
        }
    }
    Value::Object(clocks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inode_stands_in_brackets() {
        assert_eq!(inode("pid:[4026531836]"), Some(4026531836));
        assert_eq!(inode("pid:4026531836"), None);
    }

    #[test]
    fn maps_and_offsets_are_tables() {
        assert_eq!(rows("  0 100000 65536\n1 1 1\n"), json!([[0, 100000, 65536], [1, 1, 1]]));
        let offsets = time_offsets("monotonic  86400  0\nboottime  -1  5\n");
        assert_eq!(offsets, json!({ "monotonic": [86400, 0], "boottime": [-1, 5] }));
    }
}
