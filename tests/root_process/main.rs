//! The program: with which powers, limits, files, variables and signals it starts.
//!
//! OCI: config.md (process), config-linux.md (seccomp, personality). One file for each feature.

mod agent;
mod capabilities;
mod clocks;
mod descriptors;
mod identity;
mod limits;
mod program;
mod scheduling;
mod seccomp;
mod seccomp_notify;
mod seccomp_profile;
mod service;
#[path = "../world/mod.rs"]
mod world;
