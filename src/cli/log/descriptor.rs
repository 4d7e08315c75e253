//! A log that is a descriptor of the caller's: `/dev/stdout`, `/dev/stderr`, `/dev/fd/N`, `/proc/self/fd/N`.
//!
//! These names are links to links (proc_pid_fd(5)), and with other runtimes they work because links are
//! followed. Here they are known by their words, and what they lead to is opened anew: a file is added to, a
//! pipe makes nobody wait. A socket cannot be opened so, as with other runtimes.

use std::path::{Path, PathBuf};

use crate_run_sys::{Fd, files};

const STANDARD_OUTPUT: u32 = 1;
const STANDARD_ERROR: u32 = 2;

/// The number of the descriptor that a path names by its words.
pub(super) fn named(path: &Path) -> Option<u32> {
    let text = path.to_str()?;
    match text {
        "/dev/stdout" => return Some(STANDARD_OUTPUT),
        "/dev/stderr" => return Some(STANDARD_ERROR),
        _ => {}
    }
    let number = text.strip_prefix("/dev/fd/").or_else(|| text.strip_prefix("/proc/self/fd/"))?;
    let is_number = number.bytes().all(|digit| digit.is_ascii_digit());
    number.parse().ok().filter(|number| is_number && i32::try_from(*number).is_ok())
}

/// Where the descriptor can be opened anew; `None` for standard error, and for one that is not open: what is
/// opened later under this number is ours. None either for one that may only be read: opened anew by root, it
/// would give the caller of a privileged command what the caller himself may not write. To be asked before we
/// open anything.
pub(super) fn path_of(number: u32) -> Option<PathBuf> {
    let may_be_written = files::may_write(Fd(number as i32));
    (number != STANDARD_ERROR && may_be_written).then(|| PathBuf::from(format!("/proc/self/fd/{number}")))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn descriptors_are_known_by_their_words() {
        let number = |text: &str| named(Path::new(text));
        assert_eq!(number("/dev/stderr"), Some(2));
        assert_eq!(number("/dev/stdout"), Some(1));
        assert_eq!(number("/dev/fd/7"), Some(7));
        assert_eq!(number("/proc/self/fd/12"), Some(12));
        for other in
            ["/dev/fd/", "/dev/fd/+1", "/dev/fd/1/x", "/dev/fd/-1", "/dev/fd/4294967295", "/proc/1/fd/1"]
        {
            assert_eq!(number(other), None, "{other}");
        }
    }

    #[test]
    fn one_that_is_not_open_for_writing_has_no_path() {
        assert_eq!(path_of(1_000_000), None);
        assert_eq!(path_of(STANDARD_ERROR), None);
        let number = |file: &File| file.as_raw_fd() as u32;
        let read = File::open("/dev/null").expect("open for reading");
        assert_eq!(path_of(number(&read)), None);
        let written = File::options().append(true).open("/dev/null").expect("open for writing");
        let path = format!("/proc/self/fd/{}", number(&written));
        assert_eq!(path_of(number(&written)), Some(path.into()));
    }
}
