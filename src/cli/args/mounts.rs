//! The command line of `mounts`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Add mounts to a container that runs, or remove some
#[derive(Args, Debug)]
pub struct Mounts {
    /// What to do: add or remove
    #[arg(value_name = "ACTION", hide_possible_values = true)]
    pub action: MountsAction,

    /// The container's name
    #[arg(value_name = "ID")]
    pub id: String,

    /// A list as `mounts` of config.json is one; to remove some, which must have been added so, their
    /// destinations are enough
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MountsAction {
    Add,
    Remove,
}
