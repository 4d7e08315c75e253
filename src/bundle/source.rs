//! From where a configuration is read: the bundle, a file, standard input.

use std::fs::{File, FileType, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::error::Error;

/// The largest configuration in bytes. Those that engines write have some hundred KiB at most, and the kernel
/// takes no more than 6 MiB of arguments and environment (execve(2)).
const LARGEST: usize = 32 << 20;

/// The absolute path of a bundle, which must be a directory.
pub(super) fn bundle(directory: &Path) -> Result<PathBuf, Error> {
    let failed = |error| Error::file("open the bundle", directory, error);
    // By components, so that `bundle/` and `bundle` are told by one name.
    let path: PathBuf = std::path::absolute(directory).map_err(failed)?.components().collect();
    if !std::fs::metadata(&path).map_err(failed)?.is_dir() {
        return Err(failed(ErrorKind::NotADirectory.into()));
    }
    Ok(path)
}

/// All of a regular file. Anything else might never end, or never begin.
pub(crate) fn read(file: &Path) -> Result<Vec<u8>, Error> {
    let failed = |error| Error::file("read the configuration", file, error);
    // A FIFO would make open(2) wait for its writer, a terminal would become ours.
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32;
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(file).map_err(failed)?;
    let status = opened.metadata().map_err(failed)?;
    if let Some(kind) = irregular(status.file_type()) {
        let message = format!("it is {kind}, and must be a regular file");
        return Err(failed(io::Error::new(ErrorKind::InvalidInput, message)));
    }
    if status.len() > LARGEST as u64 {
        return Err(failed(too_large(&format!("{} bytes are", status.len()))));
    }
    // The file may grow while it is read.
    whole(opened, status.len() as usize).map_err(failed)
}

/// All that comes until the end.
pub(crate) fn read_standard_input() -> Result<Vec<u8>, Error> {
    let failed = |error| Error::file("read the configuration", Path::new("from standard input"), error);
    let input = rustix::io::dup(std::io::stdin()).map_err(|errno| failed(errno.into()))?;
    whole(File::from(input), 0).map_err(failed)
}

fn whole(from: File, expected: usize) -> io::Result<Vec<u8>> {
    let mut text = Vec::with_capacity(expected + 1);
    from.take(LARGEST as u64 + 1).read_to_end(&mut text)?;
    if text.len() > LARGEST { Err(too_large("this is")) } else { Ok(text) }
}

fn too_large(what: &str) -> io::Error {
    let message = format!("{what} more than the {LARGEST} bytes that a configuration may have");
    io::Error::new(ErrorKind::FileTooLarge, message)
}

fn irregular(kind: FileType) -> Option<&'static str> {
    match kind {
        _ if kind.is_file() => None,
        _ if kind.is_dir() => Some("a directory"),
        _ if kind.is_fifo() => Some("a FIFO"),
        _ if kind.is_socket() => Some("a socket"),
        _ => Some("a device"),
    }
}
