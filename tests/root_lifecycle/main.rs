//! The life of a container, seen from outside: every state, every command, every way to die.
//!
//! OCI: runtime.md, "Lifecycle" and "Operations". The texts of errors are part of what engines rely on, so
//! they are compared word by word.

mod at_once;
mod creator;
mod delete;
mod disabled;
mod killed_cgroup;
mod operations;
mod run;
mod states;
mod tolerance;
#[path = "../world/mod.rs"]
mod world;
