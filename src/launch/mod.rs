//! Carrying out a plan: the host's half, the sealed child, and what comes after.
//!
//! `perform` goes through the host's program, with `prepare`, `trees`, `birth` and `record` beside it and
//! `undo` for the way back; `image` and `line` are the child as the host sees it; `start` and
//! `foreground` are what comes after.

mod agent;
mod birth;
pub mod caller;
mod cause;
mod connection;
mod copyup;
mod enter;
mod failure;
mod filesystem;
pub mod foreground;
pub mod hook;
mod idmap;
mod image;
mod line;
mod mapper;
mod netdevice;
pub mod notify;
pub mod perform;
mod prepare;
mod record;
mod relay;
mod resctrl;
pub mod start;
pub mod time_limit;
mod trees;
mod undo;
mod unit;

pub use birth::Born;
pub use perform::Launch;
