//! The kinds of steps that rules speak about.

mod child;
mod host;

pub use child::*;
pub use host::*;
