//! Open files, standard streams, signals, keys: what a program inherits.

use std::fs::{self, File};
use std::os::fd::OwnedFd;

use serde_json::{Value, json};

use crate::world::runtime::Runtime;
use crate::world::{World, config};

/// `probe fds` in a container whose caller has these redirections of sh(1) in effect.
fn descriptors(world: &World, redirections: &str, flags: &[&str]) -> crate::world::runtime::Output {
    let container = world.container("a", |value| config::runs(value, &["/bin/probe", "fds"]));
    let caller = format!("exec \"$@\" {redirections}");
    let bundle = container.bundle.to_str().expect("UTF-8");
    let runtime = Runtime::within(world, &["sh", "-c", &caller, "sh"]);
    runtime.words(&["run", "--bundle", bundle]).words(flags).words(&["a"]).run()
}

fn numbers(said: &Value) -> Vec<i64> {
    said.as_array().expect("a list").iter().filter_map(|one| one["fd"].as_i64()).collect()
}

#[test]
fn none_of_the_callers_files_come_in() {
    let Some(world) = World::new("none_of_the_callers_files_come_in") else { return };
    // Twenty descriptors that survive execve(2), as a careless engine has them.
    let open: Vec<OwnedFd> = (0..20).map(|_| File::open("/etc").expect("a directory").into()).collect();
    for descriptor in &open {
        rustix::io::fcntl_setfd(descriptor, rustix::io::FdFlags::empty()).expect("a flag");
    }
    let said = descriptors(&world, "3</etc 4</dev/null 9</etc", &[]).ok().json();
    assert_eq!(numbers(&said), [0, 1, 2], "{said}");
}

#[test]
fn preserved_files_come_in_and_no_others() {
    let Some(world) = World::new("preserved_files_come_in_and_no_others") else { return };
    let (first, second) = (world.file("first"), world.file("second"));
    fs::write(&first, "").expect("a file");
    fs::write(&second, "").expect("a file");
    let open = format!("3<{} 4<{} 5</etc 9</etc", first.display(), second.display());
    let said = descriptors(&world, &open, &["--preserve-fds", "2"]).ok().json();
    assert_eq!(numbers(&said), [0, 1, 2, 3, 4], "{said}");
    assert_eq!((&said[3]["target"], &said[4]["target"]), (&json!(first), &json!(second)));
}

#[test]
fn a_promised_file_that_is_not_open_is_an_error() {
    let Some(world) = World::new("a_promised_file_that_is_not_open_is_an_error") else { return };
    let output = descriptors(&world, "3</dev/null 4<&-", &["--preserve-fds", "2"]);
    output.fails("unable to stat preserved-fd 4 (of 2): it is not open");
}

/// Each of the three streams closed or open, in all combinations: the program has all three, and what was
/// closed is the container's own /dev/null.
#[test]
fn closed_streams_are_the_containers_null() {
    let Some(world) = World::new("closed_streams_are_the_containers_null") else { return };
    let seen = world.file("seen");
    fs::create_dir(&seen).expect("a directory");
    let bundle = world.bundle(|value| {
        config::bind(value, &seen, "/mnt");
        config::runs(value, &["/bin/probe", "hook", "/mnt/line"]);
    });
    for combination in 0..8 {
        let closed = |number: i32| combination >> number & 1 == 1;
        let words = [(0, "<&-"), (1, ">&-"), (2, "2>&-")];
        let redirections: Vec<&str> =
            words.iter().filter(|(number, _)| closed(*number)).map(|(_, word)| *word).collect();
        let caller = format!("exec \"$@\" {}", redirections.join(" "));
        let runtime = Runtime::within(&world, &["sh", "-c", &caller, "sh"]);
        runtime.words(&["run", "--bundle", bundle.to_str().expect("UTF-8"), "a"]).run().ok();
        let line = fs::read_to_string(seen.join("line")).expect("the probe's line");
        let said: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(numbers(&said["fds"]), [0, 1, 2], "{redirections:?}: {line}");
        for number in 0..3 {
            let target = said["fds"][number as usize]["target"].as_str().expect("a target");
            // Standard input of the test itself is /dev/null.
            assert_eq!(target == "/dev/null", closed(number) || number == 0, "{redirections:?}: {line}");
        }
        fs::remove_file(seen.join("line")).expect("the line");
    }
}

/// The device behind a stream on /dev/null is the container's own node.
#[test]
fn a_user_can_open_the_standard_streams_anew() {
    let Some(world) = World::new("a_user_can_open_the_standard_streams_anew") else { return };
    let container = world.container("a", |value| {
        config::runs(value, &["sh", "-c", "echo out >/dev/stdout && echo err >/dev/stderr"]);
        value["process"]["user"] = json!({ "uid": 7, "gid": 8 });
    });
    let output = container.run(&[]).ok();
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("out\n", "err\n"));
}

#[test]
fn null_streams_do_not_keep_a_file_of_the_host() {
    let Some(world) = World::new("null_streams_do_not_keep_a_file_of_the_host") else { return };
    let script = "stat -L -c %d /proc/self/fd/0; stat -c %d /dev/null";
    let said = world.says(&["sh", "-c", script], |_| {});
    let devices: Vec<&str> = said.lines().collect();
    assert_eq!(devices[0], devices[1], "the same filesystem");
}

#[test]
fn signals_are_as_a_program_expects_them() {
    let Some(world) = World::new("signals_are_as_a_program_expects_them") else { return };
    let container = world.container("a", |value| config::runs(value, &["/bin/probe", "signals"]));
    let caller = ["sh", "-c", "trap '' PIPE HUP INT QUIT TERM CHLD USR1 XFSZ; exec \"$@\"", "sh"];
    let bundle = container.bundle.to_str().expect("UTF-8");
    // In the foreground the runtime itself has blocked all signals before the birth.
    for verb in ["run", "create"] {
        let runtime = Runtime::within(&world, &caller).words(&[verb, "--bundle", bundle, "a"]).spawn();
        if verb == "create" {
            crate::world::eventually("it is created", || container.state().status == 0);
        }
        if verb == "create" {
            container.becomes("created");
            container.start().ok();
            container.becomes("stopped");
        }
        let said = runtime.wait().ok().json();
        for set in ["blocked", "ignored", "caught", "pending"] {
            assert_eq!(said[set]["names"], json!([]), "{verb}: {set}");
        }
        container.delete(&["--force"]).ok();
    }
}

#[test]
fn the_session_keyring_is_the_containers_own() {
    let Some(world) = World::new("the_session_keyring_is_the_containers_own") else { return };
    let keyring = |flags: &[&str]| {
        let container = world.container("keys", |value| config::runs(value, &["/bin/probe", "keyring"]));
        container.run(flags).ok().json()["session"]["description"].clone()
    };
    assert_eq!(keyring(&[]), "_ses.keys");
    assert_ne!(keyring(&["--no-new-keyring"]), "_ses.keys");
}

#[test]
fn the_program_is_in_a_session_of_its_own() {
    let Some(world) = World::new("the_program_is_in_a_session_of_its_own") else { return };
    let tty = world.report(&["tty"], |_| {})["tty"].clone();
    assert_eq!((&tty["session"], &tty["controlling"]), (&json!(1), &Value::Null));
    assert_eq!(tty["open_dev_tty"], "ENXIO");
}
