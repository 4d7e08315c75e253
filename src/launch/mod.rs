//! Carrying out a plan: the host's half, the sealed child, and what comes after.

pub mod failure;
pub mod hook;
pub mod image;
pub mod line;
pub mod perform;
pub mod start;

pub use perform::Launch;
