//! Configs as Docker, Podman, containerd and Kubernetes write them (`rootfs-fixtures/configs`): each is run,
//! and what the probe tells from inside is compared with what the config asks for, field by field.
//!
//! Each config goes through `run`, and through `create`, `start`, `kill` and `delete`. What it names on the
//! host is supplied by `host`; what this host cannot supply is taken out of the config, and said.

mod container;
mod facts;
mod host;
mod mounts;
mod pod;
mod podman;

use std::error::Error;

use container::{Container, binary};
use host::Host;

pub type Checked = Result<(), Box<dyn Error>>;

/// Runs one config in every way there is.
fn check(name: &str, text: &str) -> Checked {
    let Some(binary) = binary(name) else { return Ok(()) };
    let mut host = Host::new(name, &binary, serde_json::from_str(text)?)?;
    host.supply()?;
    let container = Container::new(&host)?;
    container.run_and_compare(&host)?;
    container.live_and_die(&host)?;
    host.nothing_is_left()
}

macro_rules! configs {
    ($($test:ident $file:literal)*) => { $(
        #[test]
        fn $test() -> Checked {
            check($file, include_str!(concat!("../../rootfs-fixtures/configs/", $file, ".json")))
        }
    )* };
}

configs! {
    docker_run "docker-run"
    docker_limits "docker-limits"
    docker_privileged "docker-privileged"
    docker_join "docker-join"
    docker_host "docker-host"
    podman_run "podman-run"
    podman_limits "podman-limits"
    podman_userns "podman-userns"
    podman_keep_id "podman-keep-id"
    ctr_run "ctr-run"
    ctr_limits "ctr-limits"
    cri_sandbox "cri-sandbox"
    cri_container "cri-container"
}
