//! crate-run: a container runtime that computes the container as a plan, then executes it.

#![forbid(unsafe_code)]

pub mod bundle;
pub mod cgroup;
pub mod cli;
pub mod error;
pub mod feature;
pub mod host;
pub mod launch;
pub mod plan;
pub mod state;
