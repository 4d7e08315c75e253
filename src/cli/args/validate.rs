//! The command line of `validate`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

/// Check a bundle without making anything, and print all that is wrong or risky in it
#[derive(Args, Debug)]
pub struct Validate {
    /// The directory with config.json and the root filesystem [default: .]
    #[arg(value_name = "BUNDLE")]
    operand: Option<PathBuf>,

    /// The same as BUNDLE
    #[arg(long = "bundle", short = 'b', value_name = "DIR", conflicts_with = "operand")]
    flag: Option<PathBuf>,

    /// Read the configuration from FILE, or from standard input for -, instead of the bundle's config.json
    #[arg(long, short = 'f', value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// As text or as json
    #[arg(long, value_name = "FORMAT", default_value = "text", hide_possible_values = true)]
    pub format: ValidateFormat,
}

impl Validate {
    /// Where the bundle lies; relative paths start at the working directory.
    pub fn bundle(&self) -> &Path {
        self.operand.as_deref().or(self.flag.as_deref()).unwrap_or(Path::new("."))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ValidateFormat {
    Text,
    Json,
}
