//! The command line of `ps`.

use clap::{Args, ValueEnum};

/// Show the processes of a container, as the host sees them
#[derive(Args, Debug)]
pub struct Ps {
    /// The container's name
    #[arg(value_name = "ID")]
    pub id: String,

    /// Options for the host's ps, which makes the table [default: -ef]
    #[arg(value_name = "PS OPTION", num_args = 0.., allow_hyphen_values = true, trailing_var_arg = true)]
    pub options: Vec<String>,

    /// As a table, or as json: the pids and nothing else
    #[arg(long, short, value_name = "FORMAT", default_value = "table", hide_possible_values = true)]
    pub format: PsFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PsFormat {
    Table,
    Json,
}
