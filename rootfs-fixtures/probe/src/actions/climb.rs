//! The classic way out of chroot(2): a second chroot leaves the working directory outside, and `..` leads on
//! up.

use std::process::ExitCode;

use super::{Done, argument};

/// More levels than any tree has.
const LEVELS: usize = 64;

/// Prints `outside` when `path`, a file of the host, is there afterwards.
pub fn climb(words: &[String]) -> Done {
    let path = argument::<String>(words, 0, "a path of the host")?;
    let failed = |call: &'static str| move |error: rustix::io::Errno| format!("{call}: {error}");
    rustix::process::chdir("/").map_err(failed("chdir"))?;
    rustix::process::chroot("/tmp").map_err(failed("chroot"))?;
    for _ in 0..LEVELS {
        rustix::process::chdir("..").map_err(failed("chdir"))?;
    }
    rustix::process::chroot(".").map_err(failed("chroot"))?;
    let there = std::path::Path::new(&path).exists();
    println!("{}", if there { "outside" } else { "inside" });
    Ok(ExitCode::SUCCESS)
}
