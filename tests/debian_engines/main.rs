//! crate-run under real engines: containerd, Docker, Podman, Buildah.
//!
//! `make test-engines` runs these tests in the Debian machine. Most of them do the same with runc and with
//! crate-run, and compare what the engine then says: its output and its exit status. After each test the host
//! must be as it was before, with the engine still up.

mod buildah;
mod containerd;
mod cri;
mod cri_pods;
mod docker;
mod docker_daemon;
mod docker_network;
mod host;
mod podman;
mod podman_pods;
mod podman_rootless;
mod podman_systemd;
mod tool;
