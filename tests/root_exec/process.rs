//! What the command line or a file say of the program.

use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixListener;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use serde_json::{Value, json};

use super::world::{World, config};
use super::{exec, living, says};

fn report(world: &World, flags: &[&str], topic: &str) -> Value {
    exec(world, flags, &["probe", topic]).ok().json()
}

#[test]
fn flags_change_the_process_of_the_container() {
    let Some(world) = World::new("flags_change_the_process_of_the_container") else { return };
    let container = living(&world, |value| {
        value["process"]["user"] = json!({ "uid": 3, "gid": 4, "additionalGids": [5] });
        value["process"]["noNewPrivileges"] = json!(false);
    });
    let ids = report(&world, &["--user", "11:12", "--additional-gids", "13", "-g", "14"], "ids");
    assert_eq!((&ids["uid"]["effective"], &ids["gid"]["effective"]), (&json!(11), &json!(12)), "{ids}");
    assert_eq!(ids["groups"], json!([5, 13, 14]), "{ids}");
    assert_eq!(report(&world, &["--user", "11"], "ids")["gid"]["real"], 4);
    let env = report(&world, &["--env", "A=1", "-e", "A=2", "-e", "B=x y"], "env");
    let has = |entry: &str| env.as_array().expect("a list").contains(&json!(entry));
    assert!(has("A=2") && has("B=x y") && !has("A=1"), "{env}");
    assert_eq!(report(&world, &["--cwd", "/etc"], "cwd"), "/etc");
    let power = |flags: &[&str]| report(&world, flags, "caps")["no_new_privs"].clone();
    assert_ne!(power(&[]), power(&["--no-new-privs"]));
    container.finish();
}

#[test]
fn a_container_without_capabilities_has_none_for_exec() {
    let Some(world) = World::new("a_container_without_capabilities_has_none_for_exec") else { return };
    let container = living(&world, |value| value["process"]["capabilities"] = json!({}));
    let file = world.file("process.json");
    let process = json!({ "args": ["probe", "caps"], "cwd": "/", "env": ["PATH=/bin"] });
    fs::write(&file, process.to_string()).expect("process.json");
    let of_file = exec(&world, &["--process", &file.display().to_string()], &[]).ok().json();
    for caps in [report(&world, &[], "caps"), of_file] {
        for set in ["bounding", "effective", "permitted", "inheritable", "ambient"] {
            assert_eq!(caps[set]["names"], json!([]), "{set}: {caps}");
        }
    }
    let added = report(&world, &["--cap", "net_admin"], "caps");
    assert_eq!(added["bounding"]["names"], json!(["CAP_NET_ADMIN"]), "{added}");
    container.finish();
}

/// CVE-2022-29162: a capability that is added must not become inheritable.
#[test]
fn a_capability_that_is_added_is_not_inheritable() {
    let Some(world) = World::new("a_capability_that_is_added_is_not_inheritable") else { return };
    let container = living(&world, |_| ());
    let (before, after) = (report(&world, &[], "caps"), report(&world, &["--cap", "net_admin"], "caps"));
    for set in ["bounding", "permitted", "effective"] {
        let has =
            |caps: &Value| caps[set]["names"].as_array().expect("a set").contains(&json!("CAP_NET_ADMIN"));
        assert!(!has(&before) && has(&after), "{set}: {after}");
    }
    assert_eq!(
        (&after["inheritable"]["names"], &after["ambient"]["names"]),
        (&json!([]), &json!([])),
        "{after}"
    );
    container.finish();
}

#[test]
fn a_file_describes_the_whole_process() {
    let Some(world) = World::new("a_file_describes_the_whole_process") else { return };
    let container = living(&world, |value| {
        value["process"]["rlimits"] = json!([{ "type": "RLIMIT_NOFILE", "soft": 77, "hard": 88 }]);
    });
    let file = world.file("process.json");
    let path = file.to_str().expect("UTF-8");
    let process = json!({
        "args": ["probe", "report", "ids", "caps", "env", "cwd", "rlimits"], "cwd": "/usr",
        "env": [config::PATH, "HOME=/x"], "user": { "uid": 21, "gid": 22 }
    });
    fs::write(&file, process.to_string()).expect("a file");
    let report = exec(&world, &["--process", path], &[]).ok().json();
    assert_eq!((&report["ids"]["uid"]["saved"], &report["cwd"]), (&json!(21), &json!("/usr")));
    assert_eq!(report["env"], json!([config::PATH, "HOME=/x"]));
    // What the file does not mention holds as for the container.
    assert_eq!(report["caps"]["no_new_privs"], json!(true), "{}", report["caps"]);
    assert_eq!(report["rlimits"]["RLIMIT_NOFILE"], json!({ "soft": 77, "hard": 88 }));
    fs::write(&file, "{\n  \"args\": [\"id\", \"-u\"],\n  \"cwd\": \"/\"\n}").expect("a file");
    assert_eq!(says(&world, &["-p", path], &[]), "0\n");
    fs::write(&file, "{\n  \"args\": [\"id\"],\n  \"cwd\": \"etc\"\n}").expect("a file");
    let refused = exec(&world, &["-p", path], &[]);
    let text = "crate-run: process.json:3:10: Cwd must be an absolute path (/process/cwd)";
    assert_eq!((refused.status, refused.stderr.lines().next()), (255, Some(text)));
    container.finish();
}

#[test]
fn command_lines_that_make_no_sense() {
    let Some(world) = World::new("command_lines_that_make_no_sense") else { return };
    let container = living(&world, |_| ());
    let first = |flags: &[&str], words: &[&str]| {
        let output = exec(&world, flags, words);
        assert_eq!(output.status, 255, "{output:?}");
        output.stderr.lines().next().unwrap_or_default().to_owned()
    };
    let needs = "crate-run: exec needs a program, or --process with a file that describes one";
    assert_eq!(first(&[], &[]), needs);
    let tty = "crate-run: exec: cannot allocate tty if the container will detach without setting console \
               socket (/process/terminal)";
    assert_eq!(first(&["--tty", "--detach"], &["true"]), tty);
    let relative = "crate-run: exec: Cwd must be an absolute path (/process/cwd)";
    assert_eq!(first(&["--cwd", "etc"], &["true"]), relative);
    container.finish();
}

#[test]
fn ids_are_those_of_the_user_namespace() {
    let Some(world) = World::new("ids_are_those_of_the_user_namespace") else { return };
    let container = living(&world, config::userns);
    assert_eq!(report(&world, &["--user", "1000:1000"], "ids")["uid"]["real"], 1000);
    let refused = exec(&world, &["--user", "65536"], &["true"]);
    assert!(refused.stderr.contains("unmapped uid 65536"), "{refused:?}");
    container.finish();
}

/// config.md, execCPUAffinity: `final` counts in the end, and without it what the runtime had at first.
#[test]
fn an_added_program_runs_where_the_configuration_says() {
    let test = "an_added_program_runs_where_the_configuration_says";
    let Some(world) = World::new(test) else { return };
    if std::thread::available_parallelism().map_or(1, usize::from) < 2 {
        return super::world::skip(test, "this host has one processor");
    }
    let cases = [
        (json!({ "initial": "0", "final": "1" }), "1"),
        (json!({ "initial": "1" }), "1"),
        (json!({ "final": "0" }), "0"),
        (json!({ "initial": "0", "final": "" }), "0"),
    ];
    for (affinity, expected) in cases {
        let container = living(&world, |config| config["process"]["execCPUAffinity"] = affinity.clone());
        let first = fs::read_to_string(format!("/proc/{}/status", container.pid())).expect("its status");
        let allowed = |status: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
            line.expect("a list").trim().to_owned()
        };
        assert_ne!(allowed(&first), expected, "the first process is not concerned");
        let added = exec(&world, &[], &["cat", "/proc/self/status"]).ok().stdout;
        assert_eq!(allowed(&added), expected, "{affinity}");
        container.finish();
    }
}

#[test]
fn what_confines_the_container_confines_what_a_file_describes() {
    let Some(world) = World::new("what_confines_the_container_confines_what_a_file_describes") else {
        return;
    };
    let container = living(&world, |value| {
        value["process"]["scheduler"] = json!({ "policy": "SCHED_BATCH", "nice": 5 });
        value["process"]["ioPriority"] = json!({ "class": "IOPRIO_CLASS_IDLE", "priority": 0 });
    });
    let file = world.file("process.json");
    let path = file.to_str().expect("UTF-8");
    let words = ["probe", "report", "process", "caps"];
    fs::write(&file, json!({ "args": words, "cwd": "/" }).to_string()).expect("a file");
    let bare = exec(&world, &["-p", path], &[]).ok().json();
    let same = exec(&world, &[], &words).ok().json();
    assert_eq!(bare["caps"], same["caps"]);
    for key in ["scheduler", "nice", "io_priority"] {
        assert_eq!(bare["process"][key], same["process"][key], "{key}");
    }
    let policy = &bare["process"]["scheduler"]["policy"];
    assert_eq!((policy, &bare["process"]["nice"]), (&json!("SCHED_BATCH"), &json!(5)));
    container.finish();
}

/// The descriptor that comes is of the program itself, seen from the host.
#[test]
fn a_descriptor_of_the_program_goes_to_the_caller() {
    let Some(world) = World::new("a_descriptor_of_the_program_goes_to_the_caller") else { return };
    let container = living(&world, |_| {});
    let listener = UnixListener::bind(world.file("socket")).expect("a socket");
    let (socket, pid) = (world.file("socket"), world.file("pid"));
    let flags = ["--detach", "--pidfd-socket", socket.to_str().expect("UTF-8"), "--pid-file"];
    let flags = [&flags[..], &[pid.to_str().expect("UTF-8")]].concat();
    exec(&world, &flags, &["sleep", "1000000"]).ok();
    let (stream, _) = listener.accept().expect("a connection");
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = [0; 64];
    let mut parts = [std::io::IoSliceMut::new(&mut bytes)];
    recvmsg(&stream, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC).expect("a message");
    let pidfd = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    let pidfd = pidfd.expect("a descriptor");
    let told = fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())).expect("of the pidfd");
    let number = told.lines().find_map(|line| line.strip_prefix("Pid:")).expect("a pid").trim();
    assert_eq!(number, fs::read_to_string(&pid).expect("the number"));
    container.finish();
}

#[test]
fn a_cgroup_of_the_first_version_is_refused() {
    let Some(world) = World::new("a_cgroup_of_the_first_version_is_refused") else { return };
    let container = living(&world, |_| {});
    let refused = exec(&world, &["--cgroup", "cpu,memory:/x"], &["true"]).exits(255);
    assert!(refused.sentence().contains("is for cgroup v1"), "{}", refused.stderr);
    container.finish();
}
