//! What a container sees, and what it does not: asserted on facts that the probe reports from inside.
//!
//! OCI: config.md (mounts, hostname, root), config-linux.md (namespaces, mappings, devices, sysctl, masked
//! and read-only paths). One file for each feature, under the name that it has in `src/feature/`.

mod devices;
mod identity;
mod masks;
mod mounts;
mod mounts_changes;
mod mounts_idmap;
mod mounts_words;
mod names;
mod namespaces;
mod network;
mod no_pivot;
mod propagation;
mod rootfs;
#[path = "../world/mod.rs"]
mod world;
