//! The command line of `events`.

use std::time::Duration;

use clap::Args;

use super::duration;

/// Tell what a container uses, again and again, and when it runs out of memory; one JSON object on a line
#[derive(Args, Debug)]
pub struct Events {
    /// The container's name
    #[arg(value_name = "ID")]
    pub id: String,

    /// The time between two statistics
    #[arg(long, value_name = "DURATION", value_parser = duration::positive, default_value = "5s")]
    pub interval: Duration,

    /// Tell also when processes wait long for the processor, memory or disks
    #[arg(long)]
    pub pressure: bool,

    /// Print the statistics once, and exit
    #[arg(long)]
    pub stats: bool,
}
