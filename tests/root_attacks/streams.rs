//! Standard streams, /dev/null and the way of the terminal to its owner.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;

use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, connect, listen, socket};
use serde_json::json;

use super::canary::{Canary, End, clear, end, link, refused};
use super::world::{World, config, tool};

/// CVE-2026-88265: the streams are replaced by something that is only called /dev/null.
#[test]
fn streams_are_never_a_null_of_the_image() {
    let Some(world) = World::new("streams_are_never_a_null_of_the_image") else { return };
    let (canary, root) = (Canary::new(&world), world.own_rootfs());
    let null = root.join("dev/null");
    let shown = null.to_str().expect("UTF-8");
    let variants: [(&str, &dyn Fn()); 4] = [
        ("link", &|| link(&format!("{}/file", canary.text()), &null)),
        ("file", &|| fs::write(&null, "fake").expect("a file")),
        ("block device", &|| drop(tool(&["mknod", shown, "b", "1", "3"]))),
        ("another device", &|| drop(tool(&["mknod", shown, "c", "1", "5"]))),
    ];
    for (what, prepare) in variants {
        clear(&null);
        prepare();
        let container = world.container("null", |value| {
            value["root"] = json!({ "path": root });
            value["mounts"] = json!([{ "destination": "/proc", "type": "proc" }]);
            value["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
            config::runs(value, &["/bin/true"]);
        });
        refused(&container.run(&[]), what);
        canary.sings(what);
    }
    let host = fs::metadata("/dev/null").expect("the host's null");
    assert_eq!((host.uid(), host.mode() & 0o777), (0, 0o666));
}

/// Whatever waits at --console-socket, `create` ends.
#[test]
fn a_console_socket_that_is_none_is_an_error() {
    let Some(world) = World::new("a_console_socket_that_is_none_is_an_error") else { return };
    let canary = Canary::new(&world);
    let container = world.container("console", |value| value["process"]["terminal"] = json!(true));
    let deaf = world.file("deaf");
    drop(UnixListener::bind(&deaf).expect("a socket"));
    let paths = [
        deaf,
        canary.path.join("file"),
        canary.path.join("empty"),
        world.file("missing"),
        world.file(&"x".repeat(200)),
    ];
    for path in paths {
        let output = container.create_with(&["--console-socket", path.to_str().expect("UTF-8")]);
        refused(&output, &path.display().to_string());
        canary.sings("a console socket");
    }
}

/// One who listens and never accepts, with a queue that is full: connect(2) would wait for ever.
#[test]
fn a_console_socket_that_nobody_serves_is_an_error() {
    let Some(world) = World::new("a_console_socket_that_nobody_serves_is_an_error") else { return };
    let container = world.container("console", |value| value["process"]["terminal"] = json!(true));
    let path = world.file("busy");
    let busy = socket(AddressFamily::UNIX, SocketType::STREAM, None).expect("a socket");
    let address = SocketAddrUnix::new(&path).expect("an address");
    bind(&busy, &address).expect("a name");
    listen(&busy, 0).expect("a queue");
    let first = socket(AddressFamily::UNIX, SocketType::STREAM, None).expect("a socket");
    connect(&first, &address).expect("the one place in the queue");
    let output = container.create_with(&["--console-socket", path.to_str().expect("UTF-8")]);
    refused(&output, "a queue that is full");
}

/// CVE-2017-5226: without a terminal of its own the program has no way to the caller's.
#[test]
fn the_callers_terminal_is_out_of_reach() {
    let Some(world) = World::new("the_callers_terminal_is_out_of_reach") else { return };
    let container = world.container("tty", |value| {
        config::runs(value, &["/bin/sh", "-c", "echo x >/dev/tty || echo none"]);
    });
    let (command, bundle) = (world.binary().display(), container.bundle.display());
    let line = format!("{command} --root {} run --bundle {bundle} tty </dev/null", world.root().display());
    // script(1) gives the runtime a terminal as its controlling one.
    let output = tool(&["setsid", "sh", "-c", &format!("{line} 2>&1; :")]);
    assert!(output.contains("none"), "{output}");
}

/// CVE-2025-52565, CVE-2026-88264: pts and console on a volume that somebody has prepared.
#[test]
fn a_terminal_never_comes_from_a_prepared_pts() {
    let Some(world) = World::new("a_terminal_never_comes_from_a_prepared_pts") else { return };
    let (canary, root) = (Canary::new(&world), world.own_rootfs());
    let pts = root.join("dev/pts");
    let shown = pts.to_str().expect("UTF-8").to_owned();
    let variants: [(&str, &dyn Fn()); 4] = [
        ("files", &|| {
            fs::create_dir(&pts).expect("a directory");
            fs::write(pts.join("ptmx"), "").expect("a file");
        }),
        ("a link to the host's", &|| {
            fs::create_dir(&pts).expect("a directory");
            link("/dev/ptmx", &pts.join("ptmx"));
        }),
        ("a FIFO", &|| {
            fs::create_dir(&pts).expect("a directory");
            tool(&["mkfifo", &format!("{shown}/ptmx")]);
        }),
        ("a link to the canary", &|| link(&format!("{}/pts", canary.text()), &pts)),
    ];
    for (what, prepare) in variants {
        clear(&pts);
        prepare();
        let container = world.container("pts", |value| {
            value["root"] = json!({ "path": root });
            config::without_mount(value, "/dev");
            config::without_mount(value, "/dev/pts");
            value["process"]["terminal"] = json!(true);
            config::runs(value, &["/bin/true"]);
        });
        assert_eq!(end(&container.run(&[]), what), End::Refused, "{what}");
        canary.sings(what);
    }
}
