//! The command lines of what ends a container: `kill`, `stop`, `delete`.

use std::time::Duration;

use clap::Args;

use super::duration;
use crate::signals;

/// Send a signal to the first process of a container, or to all of them
#[derive(Args, Debug)]
pub struct Kill {
    /// The container's name, or with --regex an extended regular expression
    #[arg(value_name = "ID")]
    pub id: String,

    /// The signal, by name or number: KILL, SIGTERM, RTMIN+3, 9
    #[arg(value_name = "SIGNAL", default_value = "TERM")]
    #[arg(value_parser = signals::number, allow_hyphen_values = true)]
    pub signal: i32,

    /// Send it to all processes of the container
    #[arg(long, short)]
    pub all: bool,

    /// To every container in whose name ID, a regular expression, is found
    #[arg(long, short)]
    pub regex: bool,
}

/// End a container: its stop signal, some time to say goodbye, then SIGKILL
#[derive(Args, Debug)]
pub struct Stop {
    /// The container's name
    #[arg(value_name = "ID")]
    pub id: String,

    /// How long it may take to end by itself: seconds, or a duration such as 1m30s
    #[arg(long, short, value_name = "SECONDS", value_parser = duration::any, default_value = "10")]
    pub timeout: Duration,

    /// The first signal [default: the annotation org.opencontainers.image.stopSignal, or else TERM]
    #[arg(long, short, value_name = "SIGNAL", value_parser = signals::number)]
    pub signal: Option<i32>,
}

/// Remove a stopped container and everything that belongs to it
#[derive(Args, Debug)]
pub struct Delete {
    /// The container's name, or with --regex an extended regular expression
    #[arg(value_name = "ID")]
    pub id: String,

    /// Kill the container first if it runs; no error if it does not exist
    #[arg(long, short)]
    pub force: bool,

    /// Every container in whose name ID, a regular expression, is found
    #[arg(long, short)]
    pub regex: bool,
}
