//! The command lines of `run` and `create`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::duration;

/// What `run` and `create` have in common.
#[derive(Args, Debug)]
pub struct Making {
    /// The directory with config.json and the root filesystem [default: .]
    #[arg(long, short, value_name = "DIR")]
    bundle: Option<PathBuf>,

    /// Read the configuration from FILE instead of the bundle's config.json
    #[arg(long, short = 'f', value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Send the master of the container's terminal to this Unix socket
    #[arg(long, value_name = "SOCKET")]
    pub console_socket: Option<PathBuf>,

    /// Send a pidfd of the container's first process to this Unix socket
    #[arg(long, value_name = "SOCKET")]
    pub pidfd_socket: Option<PathBuf>,

    /// Write the pid of the container's first process to FILE
    #[arg(long, value_name = "FILE")]
    pub pid_file: Option<PathBuf>,

    /// Move the root mount instead of pivot_root: for a root filesystem on a ramdisk
    #[arg(long)]
    pub no_pivot: bool,

    /// Keep the caller's session keyring instead of making one for the container
    #[arg(long)]
    pub no_new_keyring: bool,

    /// Hand N open descriptors, counted from 3, down to the container
    #[arg(long, value_name = "N", default_value = "0", value_parser = count)]
    pub preserve_fds: u32,

    /// Accepted for runc's callers; changes nothing
    #[arg(long)]
    no_subreaper: bool,
}

/// Make a container and run its program: create and start in one
#[derive(Args, Debug)]
pub struct Run {
    /// A name for the container; or a bundle, with a slash, to run under a generated name
    #[arg(value_name = "ID|BUNDLE/")]
    subject: OsString,

    /// Return as soon as the program runs, instead of waiting for its end
    #[arg(long, short)]
    pub detach: bool,

    /// Keep the container when its program has ended, instead of deleting it
    #[arg(long)]
    pub keep: bool,

    /// Stop the container after this time as `stop` does, and exit with status 124: 90, 1m30s
    #[arg(long, value_name = "DURATION", value_parser = duration::positive, conflicts_with = "detach")]
    pub timeout: Option<Duration>,

    #[command(flatten)]
    pub making: Making,
}

impl Run {
    /// The name of the new container; `None` when the argument names a bundle and the name is to be made up.
    pub fn id(&self) -> Option<String> {
        (!self.names_bundle()).then(|| self.subject.to_string_lossy().into_owned())
    }

    /// Where the bundle lies; relative paths start at the working directory.
    pub fn bundle(&self) -> &Path {
        if self.names_bundle() { Path::new(&self.subject) } else { self.making.bundle() }
    }

    /// A name of a container cannot contain a slash. With `--bundle` the argument can be nothing but a name.
    fn names_bundle(&self) -> bool {
        self.making.bundle.is_none() && self.subject.as_encoded_bytes().contains(&b'/')
    }
}

impl Making {
    fn bundle(&self) -> &Path {
        self.bundle.as_deref().unwrap_or(Path::new("."))
    }
}

/// Make a container that is ready to run its program: start runs it
#[derive(Args, Debug)]
pub struct Create {
    /// The new container's name
    #[arg(value_name = "ID")]
    pub id: String,

    // go-runc may send it: a created container is detached anyhow.
    #[arg(long, short, hide = true)]
    detach: bool,

    #[command(flatten)]
    pub making: Making,
}

impl Create {
    /// Where the bundle lies; relative paths start at the working directory.
    pub fn bundle(&self) -> &Path {
        self.making.bundle()
    }
}

/// How many descriptors are preserved.
pub(super) fn count(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("--preserve-fds must be a number from 0 on, not {text:?}"))
}
