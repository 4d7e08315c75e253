//! What the two halves of a container's birth say to each other.
//!
//! The runtime computes the child's half of a plan as a list of [`Operation`]s, writes it as flat bytes
//! ([`wire`]), and seals it together with the child program. The child reads the bytes in place, runs one
//! operation after the other, and answers with [`report`]s. Nothing here allocates on the reading side, and
//! nothing points: the bytes mean the same wherever they lie.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(feature = "host")]
extern crate alloc;

pub mod operation;
pub mod report;
pub mod slot;
pub mod wire;

#[cfg(feature = "host")]
pub use operation::Operation;
pub use operation::Sealed;
