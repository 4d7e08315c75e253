//! What a path is and what opening it says: how masks, read-only paths and read-only mounts are seen from
//! inside.

use super::devices;
use crate::errno;
use serde_json::{Map, Value, json};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

pub fn answer(paths: &[String]) -> Value {
    let entries = paths.iter().map(|path| (path.clone(), look(Path::new(path))));
    Value::Object(entries.collect::<Map<_, _>>())
}

fn look(path: &Path) -> Value {
    let metadata = fs::metadata(path);
    let is_directory = metadata.as_ref().is_ok_and(Metadata::is_dir);
    let write = if is_directory { create_inside(path) } else { open_to_write(path) };
    let mut answer = json!({
        "lstat": describe(fs::symlink_metadata(path)),
        "stat": describe(metadata),
        "write": errno::verdict(write),
    });
    if is_directory {
        let entries = fs::read_dir(path).map(Iterator::count);
        answer["entries"] = json!(entries.as_ref().ok());
        answer["read"] = json!(errno::verdict(entries));
    } else {
        let bytes = read_some(path);
        answer["bytes"] = json!(bytes.as_ref().ok());
        answer["read"] = json!(errno::verdict(bytes));
    }
    if let Ok(target) = fs::read_link(path) {
        answer["link"] = json!(target.to_string_lossy());
    }
    answer
}

fn describe(metadata: io::Result<Metadata>) -> Value {
    let metadata = match metadata {
        Ok(metadata) => metadata,
        Err(error) => return json!(errno::of(&error)),
    };
    let mut value = devices::describe(&metadata);
    value["size"] = json!(metadata.size());
    value["inode"] = json!(metadata.ino());
    value
}

/// How many bytes come, at most 4096: a masked file gives 0. Never waits for a writer, never takes a
/// terminal.
fn read_some(path: &Path) -> io::Result<usize> {
    let mut file = File::options().read(true).custom_flags(careful()).open(path)?;
    file.read(&mut [0; 4096])
}

fn open_to_write(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).custom_flags(careful()).open(path).map(drop)
}

fn careful() -> i32 {
    (nix::fcntl::OFlag::O_NONBLOCK | nix::fcntl::OFlag::O_NOCTTY).bits()
}

fn create_inside(directory: &Path) -> io::Result<()> {
    let path = directory.join(format!(".probe-{}", std::process::id()));
    OpenOptions::new().write(true).create_new(true).open(&path)?;
    fs::remove_file(path)
}
