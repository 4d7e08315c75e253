//! The command line of `list`.

use clap::{Args, ValueEnum};

/// List the containers
#[derive(Args, Debug)]
pub struct List {
    /// As a table or as json
    #[arg(long, short, value_name = "FORMAT", default_value = "table", hide_possible_values = true)]
    pub format: ListFormat,

    /// Print nothing but their names
    #[arg(long, short)]
    pub quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    Table,
    Json,
}
