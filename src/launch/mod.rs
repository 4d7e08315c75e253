//! Carrying out a plan: the host's half, the sealed child, and what comes after.
//!
//! `perform` goes through the host's program, with `prepare`, `birth` and `record` beside it and
//! `undo` for the way back; `image` and `line` are the child as the host sees it; `start` and
//! `foreground` are what comes after.

pub mod birth;
pub mod caller;
pub mod cause;
pub mod connection;
mod copyup;
pub mod failure;
pub mod foreground;
pub mod hook;
pub mod image;
pub mod line;
pub mod perform;
pub mod prepare;
pub mod record;
mod relay;
pub mod start;
pub mod undo;

pub use perform::Launch;
