//! The command line.

pub mod args;
pub mod argv;
pub mod list;
pub mod log;
pub mod signal;
pub mod spec;
pub mod timestamp;
pub mod usage;
pub mod version;
