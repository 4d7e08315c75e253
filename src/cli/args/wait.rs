//! The command line of `wait`.

use std::time::Duration;

use clap::Args;

use super::duration;

/// Wait for the end of a container, and print its exit status, or `unknown`
#[derive(Args, Debug)]
pub struct Wait {
    /// The container's name
    #[arg(value_name = "ID")]
    pub id: String,

    /// Give up after this time, with exit status 124: seconds, or a duration such as 1m30s [default: never]
    #[arg(long, short, value_name = "DURATION", value_parser = duration::any)]
    pub timeout: Option<Duration>,
}
