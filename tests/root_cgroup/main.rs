//! The cgroup v2 driver on a real hierarchy: made, limited, frozen, killed, removed, and nothing left behind.
//!
//! Needs root and cgroup2 at /sys/fs/cgroup (or beside v1). Each test works below a cgroup of its own, which
//! is removed at the end also when the test fails. What a test cannot show on this host is said as
//! `SKIP <name>: <reason>`.

mod devices;
mod life;
mod limits;
mod place;
