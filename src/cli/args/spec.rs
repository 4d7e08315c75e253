//! The command line of `spec`.

use std::path::{Path, PathBuf};

use clap::Args;

/// Write a config.json to start from
#[derive(Args, Debug)]
pub struct Spec {
    /// The directory to write it to [default: .]
    #[arg(long, short, value_name = "DIR")]
    pub bundle: Option<PathBuf>,

    /// The name of the file in it [default: config.json]
    #[arg(long, short, value_name = "FILE")]
    file: Option<PathBuf>,

    /// Write it for a user who is not root: with a user namespace, without limits
    #[arg(long)]
    pub rootless: bool,
}

impl Spec {
    /// The file to write.
    pub fn file(&self) -> &Path {
        self.file.as_deref().unwrap_or(Path::new("config.json"))
    }
}
