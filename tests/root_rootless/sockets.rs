//! Descriptors that leave the container for a socket of the user: the terminal, a pidfd, a seccomp listener.

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::chown;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::thread::{JoinHandle, spawn};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use serde_json::json;

use crate::user::{ID, User, set};
use crate::world::World;

/// A socket to which the user may connect. The descriptor that arrives there comes out of the thread, with
/// what the kernel calls the file behind it.
fn listens(user: &User, name: &str) -> (PathBuf, JoinHandle<(OwnedFd, String)>) {
    let path = user.home.join(name);
    let socket = UnixListener::bind(&path).expect("a socket");
    chown(&path, Some(ID), Some(ID)).expect("it is his");
    let thread = spawn(move || {
        let (stream, _) = socket.accept().expect("a connection");
        let mut text = vec![0; 65536];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let parts = &mut [IoSliceMut::new(&mut text)];
        recvmsg(&stream, parts, &mut control, RecvFlags::CMSG_CLOEXEC).expect("a message");
        let rights = control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut rights) => rights.next(),
            _ => None,
        });
        let descriptor = rights.expect("a descriptor");
        let link = format!("/proc/self/fd/{}", descriptor.as_raw_fd());
        let kind = std::fs::read_link(link).expect("an open descriptor").display().to_string();
        (descriptor, kind)
    });
    (path, thread)
}

#[test]
fn a_terminal_goes_to_the_console_socket() {
    let Some(world) = World::new("a_terminal_goes_to_the_console_socket") else { return };
    let user = User::new(&world);
    user.configure(|config| {
        set(config, "/process/args", json!(["sleep", "1000000"]));
        set(config, "/process/terminal", json!(true));
    });
    let (path, thread) = listens(&user, "console");
    user.runtime().words(&["create", "--console-socket"]).path(&path).words(&["a"]).run().ok();
    let (_master, kind) = thread.join().expect("a terminal");
    assert!(kind.ends_with("ptmx"), "{kind}");
    user.run(&["delete", "--force", "a"]).ok();
}

#[test]
fn a_pidfd_goes_to_its_socket() {
    let Some(world) = World::new("a_pidfd_goes_to_its_socket") else { return };
    let user = User::new(&world);
    user.configure(|config| set(config, "/process/args", json!(["sleep", "1000000"])));
    let (path, thread) = listens(&user, "pidfd");
    user.runtime().words(&["create", "--pidfd-socket"]).path(&path).words(&["a"]).run().ok();
    let (_pidfd, kind) = thread.join().expect("a pidfd");
    assert!(kind.contains("pidfd"), "{kind}");
    user.run(&["delete", "--force", "a"]).ok();
}

/// To take it from the container's process is the right of who has made its user namespace. An agent that
/// hangs up answers with ENOSYS (seccomp_unotify(2)).
#[test]
fn a_listener_goes_to_the_agent() {
    let Some(world) = World::new("a_listener_goes_to_the_agent") else { return };
    let user = User::new(&world);
    let (path, thread) = listens(&user, "agent");
    user.configure(|config| {
        set(config, "/process/args", json!(["sh", "-c", "mkdir /tmp/made 2>&1 || echo refused"]));
        crate::world::config::deny(config, "mkdir", 1);
        config["linux"]["seccomp"]["syscalls"] = json!([{ "names": ["mkdir"], "action": "SCMP_ACT_NOTIFY" }]);
        config["linux"]["seccomp"]["listenerPath"] = json!(path);
    });
    let agent = spawn(move || drop(thread.join().expect("a listener")));
    let said = user.run(&["run", "a"]).ok().stdout;
    agent.join().expect("the agent");
    assert!(said.ends_with("refused\n"), "{said}");
}
