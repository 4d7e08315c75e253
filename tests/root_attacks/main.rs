//! A hostile image, a hostile neighbour, a hostile program: what others have fallen for, tried on crate-run.
//!
//! Every test names the published holes it comes from (docs/threat-model.md lists them). An attack has failed
//! when the command refuses in a sentence or makes a container that is whole, when the canary tree beside the
//! bundle is untouched, and when the host is as it was before (the world sees to that).

#[path = "../world/mod.rs"]
mod world;

mod canary;
mod inputs;
mod kernel;
mod leaks;
mod locks;
mod masks;
mod mounts;
mod places;
mod procfs;
mod race;
mod state;
mod streams;
mod targets;
