//! crate-run as the ordinary user of the Debian machine: subordinate ids by newuidmap(1) and newgidmap(1), a
//! user manager that delegates cgroups, and what is told where one of them is missing.
//!
//! What needs none of them is in tests/root_rootless.

mod cgroup;
mod ids;
mod machine;
