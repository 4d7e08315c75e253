//! Which container is meant: where the state of containers lies, and the name.

use std::path::{Path, PathBuf};

use crate::cli::args::Global;
use crate::cli::paths;
use crate::error::Error;
use crate::host::in_user_namespace;
use crate::state::{ContainerId, Store};

/// The store that the command line names, or the default one: below /run for root, below XDG_RUNTIME_DIR for
/// everybody else, also for a user who is root of a user namespace of his own.
pub fn of(global: &Global) -> Result<Store, Error> {
    // An empty or relative one is none (XDG Base Directory Specification).
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    let root = match (&global.root, runtime) {
        (Some(root), _) => paths::absolute(root)?.as_path().to_owned(),
        (None, Some(runtime)) if !is_root_of_machine() => {
            return Ok(Store::of_user(runtime.join("crate-run")));
        }
        (None, None) if !rustix::process::geteuid().is_root() => {
            return Err(Error::Usage(
                "there is no place for the state of containers: XDG_RUNTIME_DIR is not set, as it is where a \
                 user logs in; set it, or give --root DIR"
                    .to_owned(),
            ));
        }
        _ => Path::new("/run/crate-run").to_owned(),
    };
    if root == Path::new("/") {
        return Err(Error::Usage("--root must not be the root directory".to_owned()));
    }
    Ok(Store::new(root))
}

/// Is this root, and if in a user namespace, then one who logged in as root (the rule of runc)? Podman runs
/// some commands with USER and some without.
fn is_root_of_machine() -> bool {
    let logged_in = || std::env::var_os("USER").is_some_and(|user| user == "root");
    rustix::process::geteuid().is_root() && (logged_in() || !in_user_namespace())
}

/// An id, checked before its first use.
pub fn id(name: &str) -> Result<ContainerId, Error> {
    ContainerId::new(name).map_err(Error::Usage)
}
