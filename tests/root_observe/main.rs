//! Looking at containers, waiting for their end, and bringing it about: `ps`, `events`, `wait`, `stop`,
//! `run --timeout`, `kill --all`, and many containers at once by an expression.
//!
//! None of this is in the OCI specification: the shapes and texts are those that engines read from runc.

mod at_once;
mod events;
mod kill;
mod ps;
mod script;
mod stop;
mod wait;
#[path = "../world/mod.rs"]
mod world;
