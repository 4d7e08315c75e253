//! What is known of a container on disk, and what follows from it.
//!
//! `<root>/<id>/` holds: `state.json` (written before anything is made, and again at each change),
//! `config.json` (a copy, for later changes of the bundle must not matter), and `gate`, the socket at
//! which a created container waits. A container is locked by flock(2) on its directory, which the
//! kernel gives back when a command dies.

pub mod ending;
mod id;
mod identity;
pub mod lifecycle;
mod record;
pub mod scope;
pub mod signal;
pub mod stop;
mod store;

pub use id::ContainerId;
pub use identity::{ProcessId, is_killed};
pub use record::{AddedMount, HookState, OCI_VERSION, Record, Stage, Status, Users, Wanted};
pub use store::{Container, Store};
