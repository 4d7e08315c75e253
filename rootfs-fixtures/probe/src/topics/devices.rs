//! What lies in /dev. The specification lists the device nodes and links that a container always has.

use super::{Answer, fds};
use crate::errno;
use rustix::fs::{major, minor};
use serde_json::{Map, Value, json};
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// /dev, its directories, and what is in those: deeper trees are a host's business.
const DEPTH: usize = 3;

pub fn answer() -> Answer {
    let mut answer = Map::new();
    walk(Path::new("/dev"), DEPTH, &mut answer)
        .map_err(|error| format!("listing /dev: {}", errno::of(&error)))?;
    Ok(Value::Object(answer))
}

fn walk(directory: &Path, depth: usize, answer: &mut Map<String, Value>) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)?.flatten() {
        let path = entry.path();
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        let mut value = describe(&metadata);
        if let Ok(target) = fs::read_link(&path) {
            value["link"] = json!(target.to_string_lossy());
        }
        answer.insert(path.to_string_lossy().into_owned(), value);
        if metadata.is_dir() && depth > 1 {
            // A directory that may not be listed is still reported itself.
            let _ = walk(&path, depth - 1, answer);
        }
    }
    Ok(())
}

/// Type, permission bits, owner and, for a device node, its numbers.
pub fn describe(metadata: &Metadata) -> Value {
    let mut value = json!({
        "type": fds::file_type(metadata.file_type()),
        "mode": format!("{:04o}", metadata.mode() & 0o7777),
        "uid": metadata.uid(),
        "gid": metadata.gid(),
    });
    if matches!(value["type"].as_str(), Some("char" | "block")) {
        value["device"] = json!(format!("{}:{}", major(metadata.rdev()), minor(metadata.rdev())));
    }
    value
}
