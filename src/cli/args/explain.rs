//! The command line of `explain`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Print, step by step, what crate-run would do to run a bundle
#[derive(Args, Debug)]
pub struct Explain {
    /// The directory with config.json and the root filesystem
    #[arg(value_name = "BUNDLE", default_value = ".")]
    pub bundle: PathBuf,

    /// As text, as json, or as a mermaid diagram of host and child
    #[arg(long, value_name = "FORMAT", default_value = "text", hide_possible_values = true)]
    pub format: ExplainFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExplainFormat {
    Text,
    Json,
    Mermaid,
}
