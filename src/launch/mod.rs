//! Carrying out a plan: the host's half, the sealed child, and what comes after.

pub mod caller;
mod copyup;
pub mod failure;
pub mod foreground;
pub mod hook;
pub mod image;
pub mod line;
pub mod perform;
mod relay;
pub mod start;

pub use perform::Launch;
