//! A tree beside the bundle into which every hostile link points. Nothing in it may ever change.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use super::world::runtime::Output;
use super::world::{World, inventory};

pub struct Canary {
    pub path: PathBuf,
    before: BTreeMap<String, String>,
}

/// Names that a runtime might make, replace or remove in a /dev, /proc or /sys that is not what it seems.
const FILES: [&str; 12] = [
    "file",
    "null",
    "zero",
    "console",
    "ptmx",
    "pts/ptmx",
    "pts/0",
    "core",
    "self/attr/exec",
    "sys/kernel/shmmax",
    "kcore",
    "self/oom_score_adj",
];
const DIRECTORIES: [&str; 9] =
    ["empty", "pts", "shm", "mqueue", "fd", "self/attr", "sys/kernel", "fs/cgroup", "self/fd"];

impl Canary {
    pub fn new(world: &World) -> Self {
        let path = world.file("canary");
        for directory in DIRECTORIES {
            fs::create_dir_all(path.join(directory)).expect("a directory");
        }
        for file in FILES {
            fs::write(path.join(file), format!("canary {file}\n")).expect("a file");
        }
        symlink("file", path.join("stdin")).expect("a link");
        let before = described(&path);
        Self { path, before }
    }

    pub fn text(&self) -> &str {
        self.path.to_str().expect("UTF-8")
    }

    /// Nothing in the tree has changed, and nothing was mounted on it.
    #[track_caller]
    pub fn sings(&self, after: &str) {
        assert_eq!(self.before, described(&self.path), "{after}");
        let mounted: Vec<String> =
            inventory::mounts().into_iter().filter(|mount| mount.contains(self.text())).collect();
        assert_eq!(mounted, [""; 0], "{after}");
    }
}

/// Everything about every file but the time of its last access.
fn described(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for path in inventory::files_below(root).into_iter().chain([root.display().to_string()]) {
        let status = fs::symlink_metadata(&path).expect("a file of the canary");
        let content = fs::read(&path).unwrap_or_default();
        let facts = format!(
            "{} {:o} {}:{} {} {} {}.{} {:?}",
            status.ino(),
            status.mode(),
            status.uid(),
            status.gid(),
            status.nlink(),
            status.rdev(),
            status.mtime(),
            status.mtime_nsec(),
            String::from_utf8_lossy(&content),
        );
        found.insert(path, facts);
    }
    found
}

/// How an attack has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The command has refused, in a sentence.
    Refused,
    /// The container has run.
    Ran,
}

/// The command neither crashed nor hung: it refused in one sentence, or the container ran to its end.
#[track_caller]
pub fn end(output: &Output, what: &str) -> End {
    match output.status {
        0 => End::Ran,
        1 => {
            let says = output.stderr.starts_with("crate-run: ") && !output.stderr.contains("panicked");
            assert!(says, "{what}: {}", output.stderr);
            End::Refused
        }
        status => panic!("{what}: ended with {status}: {}{}", output.stdout, output.stderr),
    }
}

/// Like [`end`], and it must have been refused.
#[track_caller]
pub fn refused(output: &Output, what: &str) {
    assert_eq!(end(output, what), End::Refused, "{what}: {}", output.stdout);
}

/// Replaces what is at `path` by a link.
pub fn link(goal: &str, path: &Path) {
    clear(path);
    symlink(goal, path).expect("a link");
}

/// Removes what is at `path`, whatever it is.
pub fn clear(path: &Path) {
    match fs::symlink_metadata(path) {
        Ok(status) if status.is_dir() => fs::remove_dir_all(path).expect("a directory is removed"),
        Ok(_) => fs::remove_file(path).expect("a file is removed"),
        Err(_) => {}
    }
}
