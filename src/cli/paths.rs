//! Paths of the command line. They are made absolute at once: later the runtime leaves its working directory.

use std::path::{Path, PathBuf};

use crate::bundle::path::OutsidePath;
use crate::error::Error;

/// The path as it is from everywhere. Where it says that itself, no working directory is needed: the one of a
/// caller may have been removed.
pub fn absolute(path: &Path) -> Result<OutsidePath, Error> {
    let failed = |error| Error::file("find the working directory of", Path::new("crate-run"), error);
    let here = match path.is_absolute() {
        true => PathBuf::from("/"),
        false => std::env::current_dir().map_err(failed)?,
    };
    OutsidePath::new(&here, path).ok_or_else(|| Error::Usage("a path holds a NUL character".to_owned()))
}

/// The same for a flag that need not be there.
pub fn given(path: &Option<PathBuf>) -> Result<Option<OutsidePath>, Error> {
    path.as_deref().map(absolute).transpose()
}
