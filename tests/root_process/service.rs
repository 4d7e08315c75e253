//! What a service manager gives to a service, and wants to hear from it.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use serde_json::{Value, json};

use crate::world::container::Container;
use crate::world::runtime::Runtime;
use crate::world::{DEADLINE, World, config};

/// The socket of a service manager, at this path.
fn manager(world: &World) -> UnixDatagram {
    let socket = UnixDatagram::bind(world.file("manager")).expect("a socket");
    socket.set_read_timeout(Some(DEADLINE)).expect("a deadline");
    socket
}

fn next(socket: &UnixDatagram) -> String {
    let mut message = [0; 4096];
    // What comes along is closed at once, as a barrier wants.
    let length = socket.recv(&mut message).expect("a message in time");
    String::from_utf8_lossy(&message[..length]).into_owned()
}

/// A container whose program says these words to its socket, and lives on.
fn saying<'w>(world: &'w World, words: &str, change: impl FnOnce(&mut Value)) -> Container<'w> {
    let script = format!("probe notify '{words}' && exec sleep 1000000");
    world.container("web", |value| {
        config::runs(value, &["sh", "-c", &script]);
        config::mount(value, "/run", "tmpfs", "tmpfs", &["size=64k"]);
        change(value);
    })
}

fn with_manager<'w>(world: &World, command: Runtime<'w>) -> Runtime<'w> {
    command.variable("NOTIFY_SOCKET", world.file("manager").to_str().expect("UTF-8"))
}

#[test]
fn run_returns_when_the_program_is_ready() {
    let Some(world) = World::new("run_returns_when_the_program_is_ready") else { return };
    let manager = manager(&world);
    let hostile = "STATUS=x\nMAINPID=1\nREADY=1\nFDSTORE=1";
    for (user, words) in [(0, "READY=1"), (1000, hostile)] {
        let container = saying(&world, words, |value| value["process"]["user"]["uid"] = json!(user));
        let running = with_manager(&world, container.running(&["--detach"])).spawn();
        assert_eq!(next(&manager), "READY=1");
        let main = next(&manager);
        assert_eq!(next(&manager), "BARRIER=1");
        running.wait().ok();
        assert_eq!(main, format!("MAINPID={}", container.pid()));
        container.finish();
    }
}

#[test]
fn start_returns_when_the_program_is_ready() {
    let Some(world) = World::new("start_returns_when_the_program_is_ready") else { return };
    let manager = manager(&world);
    let container = saying(&world, "READY=1", config::userns);
    with_manager(&world, container.creating(&[])).run().ok();
    let starting = with_manager(&world, container.command("start", &[])).spawn();
    let said = [next(&manager), next(&manager), next(&manager)];
    assert_eq!(said, ["READY=1".to_owned(), format!("MAINPID={}", container.pid()), "BARRIER=1".to_owned()]);
    starting.wait().ok();
    container.finish();
}

#[test]
fn in_the_foreground_the_runtime_stays_the_service() {
    let Some(world) = World::new("in_the_foreground_the_runtime_stays_the_service") else { return };
    let manager = manager(&world);
    let container = saying(&world, "READY=1", |_| {});
    let running = with_manager(&world, container.running(&[])).spawn();
    assert_eq!(next(&manager), "READY=1");
    container.kill("KILL").ok();
    running.wait().exits(137);
    manager.set_nonblocking(true).expect("a flag");
    assert!(manager.recv(&mut [0; 16]).is_err(), "nothing else is said");
}

#[test]
fn a_program_that_ends_without_a_word_is_no_failure() {
    let Some(world) = World::new("a_program_that_ends_without_a_word_is_no_failure") else { return };
    let _manager = manager(&world);
    let container = world.container("web", |value| {
        config::runs(value, &["/bin/true"]);
        config::mount(value, "/run", "tmpfs", "tmpfs", &["size=64k"]);
    });
    with_manager(&world, container.running(&["--detach"])).run().ok();
    container.becomes("stopped");
    container.finish();
}

#[test]
fn the_managers_own_socket_does_not_come_in() {
    let Some(world) = World::new("the_managers_own_socket_does_not_come_in") else { return };
    let _manager = manager(&world);
    let script = "echo $NOTIFY_SOCKET; ls -A /run/notify; touch /run/notify/x 2>/dev/null || echo closed";
    let container = world.container("web", |value| {
        config::runs(value, &["sh", "-c", script]);
        config::mount(value, "/run", "tmpfs", "tmpfs", &["size=64k"]);
        value["process"]["env"] = json!([config::PATH, "NOTIFY_SOCKET=/elsewhere"]);
    });
    let said = with_manager(&world, container.running(&[])).run().ok().stdout;
    assert_eq!(said, "/run/notify/notify.sock\nnotify.sock\nclosed\n");
    let said = container.run(&[]).ok().stdout;
    assert!(said.starts_with("/elsewhere\n"), "without a manager nothing changes: {said}");
}

#[test]
fn an_abstract_socket_and_one_that_is_not_there() {
    let Some(world) = World::new("an_abstract_socket_and_one_that_is_not_there") else { return };
    let address = SocketAddr::from_abstract_name(world.tag.as_bytes()).expect("a name");
    let manager = UnixDatagram::bind_addr(&address).expect("a socket");
    manager.set_read_timeout(Some(DEADLINE)).expect("a deadline");
    let container = saying(&world, "READY=1", |_| {});
    let name = format!("@{}", world.tag);
    let running = container.running(&[]).variable("NOTIFY_SOCKET", &name).spawn();
    assert_eq!(next(&manager), "READY=1");
    container.kill("KILL").ok();
    running.wait().exits(137);
    for (name, said) in [("/no/such", "no such file or directory"), ("vsock:2", "neither a path nor")] {
        let refused = container.running(&["--detach"]).variable("NOTIFY_SOCKET", name).run().exits(1);
        assert!(refused.sentence().contains(said), "{}", refused.stderr);
    }
}

/// `run` below a shell that has these descriptors open; its number is that of the shell.
fn activated(world: &World, variables: &str, flags: &[&str], change: impl FnOnce(&mut Value)) -> String {
    let words = ["sh", "-c", "echo $LISTEN_FDS $LISTEN_PID $LISTEN_FDNAMES; ls /proc/self/fd | tr '\\n' ' '"];
    let container = world.container("web", |value| {
        config::runs(value, &words);
        change(value);
    });
    let caller = format!("export {variables}; exec \"$@\" 3</dev/null 4</dev/null 5</dev/null");
    let bundle = container.bundle.to_str().expect("UTF-8");
    let runtime = Runtime::within(world, &["sh", "-c", &caller, "sh"]);
    runtime.words(&["run", "--bundle", bundle]).words(flags).words(&["web"]).run().ok().stdout
}

#[test]
fn sockets_that_are_meant_for_the_runtime_are_the_programs() {
    let Some(world) = World::new("sockets_that_are_meant_for_the_runtime_are_the_programs") else { return };
    // ls itself has one more open, for the directory.
    let said = activated(&world, "LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=http:admin", &[], |_| {});
    assert_eq!(said, "2 1 http:admin\n0 1 2 3 4 5 ");
    let said = activated(&world, "LISTEN_PID=$$ LISTEN_FDS=2", &["--preserve-fds", "1"], |value| {
        value["process"]["env"] = json!([config::PATH, "LISTEN_FDS=9", "LISTEN_FDNAMES=x"]);
    });
    assert_eq!(said, "2 1\n0 1 2 3 4 5 6 ");
}

#[test]
fn sockets_that_are_meant_for_others_stay_outside() {
    let Some(world) = World::new("sockets_that_are_meant_for_others_stay_outside") else { return };
    let said = activated(&world, "LISTEN_PID=1 LISTEN_FDS=2", &[], |_| {});
    assert_eq!(said, "\n0 1 2 3 ");
    let container = world.container("web", |_| {});
    let words = ["sh", "-c", "export LISTEN_PID=$$ LISTEN_FDS=many; exec \"$@\"", "sh"];
    let bundle = container.bundle.to_str().expect("UTF-8");
    let refused = Runtime::within(&world, &words).words(&["run", "--bundle", bundle, "web"]).run().exits(1);
    assert!(
        refused.sentence().starts_with("LISTEN_FDS of the environment must be a number"),
        "{}",
        refused.stderr
    );
}
