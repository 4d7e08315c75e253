//! Which files are open: proc_pid_fd(5), proc_pid_fdinfo(5). A descriptor that the runtime forgot to close is
//! a way out of the container.

use super::Answer;
use crate::{before_main, errno, procfs};
use rustix::fs::{Dir, Mode, OFlags};
use serde_json::{Map, Value, json};
use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileTypeExt;

/// The descriptors as execve(2) left them.
pub fn answer() -> Answer {
    before_main::birth().fds.clone()
}

/// The descriptors that are open now, without the one which this needs to look at them.
pub fn list() -> Answer {
    let failed =
        |error: rustix::io::Errno| format!("listing /proc/self/fd: {}", errno::name(error.raw_os_error()));
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open("/proc/self/fd", flags, Mode::empty()).map_err(failed)?;
    let own = directory.as_raw_fd();
    let mut numbers = Vec::new();
    for entry in Dir::new(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if let Ok(number) = entry.file_name().to_string_lossy().parse::<i32>()
            && number != own
        {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    Ok(numbers.into_iter().map(describe).collect())
}

fn describe(number: i32) -> Value {
    let path = format!("/proc/self/fd/{number}");
    let target =
        fs::read_link(&path).map_or_else(|error| errno::of(&error), |it| it.to_string_lossy().into_owned());
    let mut entry = Map::new();
    entry.insert("fd".to_owned(), json!(number));
    entry.insert("type".to_owned(), json!(kind(&path, &target)));
    entry.insert("target".to_owned(), json!(target));
    if let Ok(info) = procfs::read(&format!("/proc/self/fdinfo/{number}"))
        && let Some(flags) = procfs::field(&info, "flags").and_then(|text| u32::from_str_radix(text, 8).ok())
    {
        entry.insert("flags".to_owned(), json!(flag_names(flags)));
        entry.insert("close_on_exec".to_owned(), json!(flags & OFlags::CLOEXEC.bits() != 0));
    }
    Value::Object(entry)
}

/// What the link names as `pipe:[7]` has no path; the rest is told by stat(2).
fn kind(path: &str, target: &str) -> String {
    if let Some(kind) = target.strip_prefix("anon_inode:") {
        return kind.trim_matches(['[', ']']).to_owned();
    }
    if let Some((kind, _)) = target.split_once(":[") {
        return kind.to_owned();
    }
    if target.starts_with("/memfd:") {
        return "memfd".to_owned();
    }
    fs::metadata(path).map_or_else(|error| errno::of(&error), |it| file_type(it.file_type()).to_owned())
}

/// The word for a file type that topics use.
pub fn file_type(kind: fs::FileType) -> &'static str {
    match kind {
        _ if kind.is_dir() => "directory",
        _ if kind.is_symlink() => "link",
        _ if kind.is_char_device() => "char",
        _ if kind.is_block_device() => "block",
        _ if kind.is_fifo() => "fifo",
        _ if kind.is_socket() => "socket",
        _ => "file",
    }
}

/// The names of open(2) flags; the access mode is two bits and not a set.
fn flag_names(bits: u32) -> Vec<&'static str> {
    let access = match bits & 3 {
        0 => "O_RDONLY",
        1 => "O_WRONLY",
        _ => "O_RDWR",
    };
    let others = [
        (OFlags::APPEND, "O_APPEND"),
        (OFlags::NONBLOCK, "O_NONBLOCK"),
        (OFlags::PATH, "O_PATH"),
        (OFlags::DIRECTORY, "O_DIRECTORY"),
        (OFlags::NOFOLLOW, "O_NOFOLLOW"),
        (OFlags::CLOEXEC, "O_CLOEXEC"),
    ];
    let set = others.into_iter().filter(|(flag, _)| bits & flag.bits() != 0).map(|(_, name)| name);
    std::iter::once(access).chain(set).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_have_one_access_mode_and_any_others() {
        assert_eq!(flag_names(0o2), ["O_RDWR"]);
        assert_eq!(flag_names(OFlags::CLOEXEC.bits() | OFlags::WRONLY.bits()), ["O_WRONLY", "O_CLOEXEC"]);
    }

    #[test]
    fn nameless_objects_are_told_by_their_link() {
        assert_eq!(kind("", "pipe:[123]"), "pipe");
        assert_eq!(kind("", "anon_inode:[eventfd]"), "eventfd");
        assert_eq!(kind("", "/memfd:crate (deleted)"), "memfd");
    }
}
