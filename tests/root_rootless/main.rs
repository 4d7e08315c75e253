//! crate-run as an ordinary user: the tests are root, and let a user without any privilege run it.
//!
//! What takes newuidmap(1), a login session or systemd is in tests/debian_rootless.

#[path = "../world/mod.rs"]
mod world;

mod cgroup;
mod ids;
mod life;
mod namespace_root;
mod places;
mod refusals;
mod sockets;
mod user;
mod view;
