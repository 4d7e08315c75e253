//! Pods with a user namespace of their own: the containers join that of the first one.

use serde_json::{Value, json};

use crate::Checked;
use crate::container::{Container, binary};
use crate::host::Host;

const CONFIG: &str = include_str!("../../rootfs-fixtures/configs/podman-userns.json");

/// `podman run --userns=container:ID`, with more namespaces of that container.
fn joins(name: &str, kinds: &[&str]) -> Checked {
    let Some(binary) = binary(name) else { return Ok(()) };
    let mut config: Value = serde_json::from_str(CONFIG)?;
    for entry in config["linux"]["namespaces"].as_array_mut().ok_or("the config has namespaces")? {
        if entry["type"].as_str().is_some_and(|kind| kinds.contains(&kind)) {
            entry["path"] = json!("a container's");
        }
    }
    // A network namespace that is shared has its parameters set already.
    config["linux"]["sysctl"] = json!({});
    let mut host = Host::new(name, &binary, config)?;
    host.supply()?;
    let container = Container::new(&host)?;
    container.run_and_compare(&host)?;
    container.live_and_die(&host)?;
    host.nothing_is_left()
}

#[test]
fn a_shared_user_namespace() -> Checked {
    joins("a_shared_user_namespace", &["user"])
}

#[test]
fn a_pod_with_own_users() -> Checked {
    joins("a_pod_with_own_users", &["user", "network", "ipc", "uts"])
}

#[test]
fn a_pod_with_own_users_and_one_pid_namespace() -> Checked {
    joins("a_pod_with_own_users_and_one_pid_namespace", &["user", "network", "ipc", "uts", "pid"])
}
