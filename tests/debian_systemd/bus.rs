//! When nobody answers, or another one does.

use std::os::unix::net::UnixListener;

use serde_json::json;

use crate::{living, making, no_unit_is_left, world};

const BUS: &str = "DBUS_SYSTEM_BUS_ADDRESS";

/// At the address of the bus somebody listens, and never answers.
#[test]
fn a_bus_that_never_answers_ends_in_an_error() {
    let Some(world) = world("a_bus_that_never_answers_ends_in_an_error") else { return };
    let path = world.file("silent");
    let _silent = UnixListener::bind(&path).expect("a socket");
    let container = living(&world, "a", |_| ());
    let address = format!("unix:path={}", path.display());
    let said = making(&world, "create", &container).variable(BUS, &address).run().exits(1);
    let words = "systemd has not answered within 30 s (signing in)";
    assert!(said.sentence().starts_with(words), "{}", said.stderr);
    assert!(!container.directory().exists());
    no_unit_is_left(&world);
}

/// Without a bus systemd itself is asked, at its own socket.
#[test]
fn without_a_bus_systemd_is_asked_directly() {
    let Some(world) = world("without_a_bus_systemd_is_asked_directly") else { return };
    let container = living(&world, "a", |_| ());
    let address = format!("unix:path={}", world.file("nobody").display());
    making(&world, "create", &container).variable(BUS, &address).run().ok();
    container.command("delete", &["--force"]).variable(BUS, &address).run().ok();
    no_unit_is_left(&world);
}

#[test]
fn another_form_of_path_is_refused() {
    let Some(world) = world("another_form_of_path_is_refused") else { return };
    let container = living(&world, "a", |value| value["linux"]["cgroupsPath"] = json!("/a/b"));
    let message = "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got \"/a/b\" \
                   instead";
    making(&world, "create", &container).run().finds(message, "/linux/cgroupsPath");
}
