//! Hooks: six moments, each with the state on standard input.
//!
//! OCI: config.md ("POSIX-platform Hooks"), runtime.md ("Lifecycle"). The probe writes one line for each
//! hook: what it read, and where it ran.

mod world;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::{Value, json};

use world::container::Container;
use world::{World, config, inventory};

const KINDS: [&str; 6] =
    ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];

/// Where the hooks of a world write, on the host and (as /mnt) in the container.
struct Book {
    directory: PathBuf,
    probe: String,
}

impl Book {
    fn new(world: &World) -> Self {
        let directory = world.file("book");
        fs::create_dir(&directory).expect("a directory");
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o777)).expect("mode");
        Self { directory, probe: world.shared_rootfs().join("bin/probe").display().to_string() }
    }

    /// A hook that writes its line, and ends with this exit status.
    fn hook(&self, kind: &str, name: &str, status: u8) -> Value {
        let inside = kind == "startContainer";
        let file = if inside { "/mnt".to_owned() } else { self.directory.display().to_string() };
        let path = if inside { "/bin/probe" } else { &self.probe };
        let args = ["the-hook", "hook", &format!("{file}/lines"), &status.to_string()].map(str::to_owned);
        json!({ "path": path, "args": args, "env": [format!("NAME={name}")] })
    }

    /// A container with these hooks, (kind, exit status), named by kind and number.
    fn container<'w>(&self, world: &'w World, hooks: &[(&str, u8)]) -> Container<'w> {
        world.container("a", |value| {
            config::sleeps(value);
            config::bind(value, &self.directory, "/mnt");
            value["annotations"] = json!({ "color": "blue" });
            value["hooks"] = json!({});
            for (kind, status) in hooks {
                let list = &mut value["hooks"][kind];
                let number = list.as_array().map_or(0, Vec::len);
                let hook = self.hook(kind, &format!("{kind}-{number}"), *status);
                *list = list.as_array().cloned().unwrap_or_default().into_iter().chain([hook]).collect();
            }
        })
    }

    fn lines(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.directory.join("lines")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// The names of the hooks that have run, in order.
    fn names(&self) -> Vec<String> {
        let name = |line: &Value| line["env"][0].as_str().expect("a name")["NAME=".len()..].to_owned();
        self.lines().iter().map(name).collect()
    }
}

fn all_kinds() -> Vec<(&'static str, u8)> {
    KINDS.map(|kind| (kind, 0)).to_vec()
}

#[test]
fn each_kind_has_its_moment() {
    let Some(world) = World::new("each_kind_has_its_moment") else { return };
    let book = Book::new(&world);
    let container = book.container(&world, &all_kinds());
    container.create().ok();
    assert_eq!(book.names(), ["prestart-0", "createRuntime-0", "createContainer-0"]);
    container.start().ok();
    assert_eq!(book.names()[3..], ["startContainer-0", "poststart-0"]);
    container.kill("KILL").ok();
    container.becomes("stopped");
    assert_eq!(book.names().len(), 5);
    container.delete(&[]).ok();
    assert_eq!(book.names()[5..], ["poststop-0"]);
}

#[test]
fn run_runs_all_of_them() {
    let Some(world) = World::new("run_runs_all_of_them") else { return };
    let book = Book::new(&world);
    let container = book.container(&world, &all_kinds());
    container.configure(|value| config::runs(value, &["/bin/probe", "exit", "3"]));
    container.run(&[]).exits(3);
    assert_eq!(book.names(), KINDS.map(|kind| format!("{kind}-0")));
}

#[test]
fn each_reads_the_state_of_its_moment() {
    let Some(world) = World::new("each_reads_the_state_of_its_moment") else { return };
    let book = Book::new(&world);
    let container = book.container(&world, &all_kinds());
    container.create().ok();
    let pid = container.pid();
    container.start().ok();
    container.finish();
    let lines = book.lines();
    let facts = |fact: &str| lines.iter().map(|line| line["state"][fact].clone()).collect::<Vec<_>>();
    assert_eq!(facts("status"), ["creating", "creating", "creating", "created", "running", "stopped"]);
    // Inside, the container's own pid namespace counts.
    let pids: Vec<i64> = facts("pid").iter().map(|pid| pid.as_i64().unwrap_or(0)).collect();
    assert_eq!(pids, [pid, pid, 1, 1, pid, 0]);
    for line in &lines {
        let state = &line["state"];
        assert_eq!((&state["id"], &state["bundle"]), (&json!("a"), &json!(container.bundle)));
        assert_eq!(state["annotations"], json!({ "color": "blue" }));
        assert!(state["ociVersion"].as_str().is_some_and(|version| version.starts_with("1.")), "{state}");
    }
}

#[test]
fn each_runs_in_the_namespaces_of_its_kind() {
    let Some(world) = World::new("each_runs_in_the_namespaces_of_its_kind") else { return };
    let book = Book::new(&world);
    let container = book.container(&world, &all_kinds());
    container.create().ok();
    let link = |pid: &str, file: &str| {
        let link = fs::read_link(format!("/proc/{pid}/ns/{file}")).expect("a namespace");
        json!(link.to_str())
    };
    let pid = container.pid().to_string();
    let kinds = ["pid", "net", "mnt", "ipc", "uts", "cgroup"];
    let inside = kinds.map(|file| link(&pid, file));
    let outside = kinds.map(|file| link("self", file));
    container.start().ok();
    container.finish();
    let places =
        book.lines().into_iter().map(|line| kinds.map(|file| line["namespaces"][file]["link"].clone()));
    let is_inside: Vec<bool> = places
        .map(|place| {
            assert!(place == inside || place == outside, "{place:?}");
            place == inside
        })
        .collect();
    assert_eq!(is_inside, [false, false, true, true, false, false]);
}

#[test]
fn each_gets_its_own_words_and_nothing_of_ours() {
    let Some(world) = World::new("each_gets_its_own_words_and_nothing_of_ours") else { return };
    let book = Book::new(&world);
    let container = book.container(&world, &all_kinds());
    container.creating(&[]).variable("SECRET", "of the engine").run().ok();
    container.command("start", &[]).variable("SECRET", "of the engine").run().ok();
    container.finish();
    for (line, kind) in book.lines().iter().zip(KINDS) {
        assert_eq!(line["args"][0], "the-hook", "{kind}");
        assert_eq!(line["env"], json!([format!("NAME={kind}-0")]));
        let open: Vec<i64> =
            line["fds"].as_array().expect("files").iter().filter_map(|file| file["fd"].as_i64()).collect();
        assert_eq!(open, [0, 1, 2], "{kind}: {}", line["fds"]);
    }
    let cwd = |index: usize| book.lines()[index]["cwd"].as_str().expect("a directory").to_owned();
    assert_eq!(cwd(0), container.bundle.display().to_string(), "hooks of the runtime start in the bundle");
}

#[test]
fn without_words_of_its_own_a_hook_gets_those_of_its_side() {
    let Some(world) = World::new("without_words_of_its_own_a_hook_gets_those_of_its_side") else { return };
    let book = Book::new(&world);
    let mut of_process = Value::Null;
    let container = world.container("a", |value| {
        config::sleeps(value);
        config::bind(value, &book.directory, "/mnt");
        value["process"]["env"] = json!(["PATH=/bin:/of/the/image", "LD_PRELOAD=./of-the-image.so"]);
        of_process = json!(["PATH=/bin:/of/the/image", "LD_PRELOAD=./of-the-image.so", "HOME=/root"]);
        value["hooks"] = json!({});
        for kind in KINDS {
            let mut hook = book.hook(kind, kind, 0);
            hook.as_object_mut().expect("a hook").remove("env");
            value["hooks"][kind] = json!([hook]);
        }
    });
    container.create().ok();
    container.start().ok();
    container.finish();
    let of_host = json!(["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]);
    let lines = book.lines();
    assert_eq!(lines.len(), KINDS.len());
    for (line, kind) in lines.iter().zip(KINDS) {
        let expected = if kind == "startContainer" { &of_process } else { &of_host };
        assert_eq!(&line["env"], expected, "{kind}");
    }
}

#[test]
fn a_list_runs_in_order() {
    let Some(world) = World::new("a_list_runs_in_order") else { return };
    let book = Book::new(&world);
    for kind in KINDS {
        let _ = fs::remove_file(book.directory.join("lines"));
        let container = book.container(&world, &[(kind, 0), (kind, 0), (kind, 0)]);
        container.run(&["--detach"]).ok();
        container.finish();
        assert_eq!(book.names(), [0, 1, 2].map(|number| format!("{kind}-{number}")));
    }
}

/// What is left of a failed creation is what the world looks for at the end.
#[test]
fn a_failing_hook_before_start_undoes_everything() {
    let Some(world) = World::new("a_failing_hook_before_start_undoes_everything") else { return };
    let book = Book::new(&world);
    for kind in &KINDS[..3] {
        let _ = fs::remove_file(book.directory.join("lines"));
        let container = book.container(&world, &[(kind, 0), (kind, 7), (kind, 0), ("poststop", 0)]);
        let output = container.create().exits(1);
        assert!(output.sentence().contains("exit status 7"), "{}", output.stderr);
        assert!(output.sentence().contains(&format!("(/hooks/{kind}/1)")), "{}", output.stderr);
        let names = [format!("{kind}-0"), format!("{kind}-1"), "poststop-0".to_owned()];
        assert_eq!(book.names(), names, "what was begun is ended");
        container.state().fails("container does not exist: a");
        assert!(!world.cgroup("a").exists());
        assert!(inventory::descendants().is_empty());
    }
}

#[test]
fn a_failing_hook_tells_its_words() {
    let Some(world) = World::new("a_failing_hook_tells_its_words") else { return };
    let container = world.container("a", |value| {
        let script = "echo to-stdout; echo to-stderr >&2; exit 5";
        value["hooks"] = json!({ "createRuntime": [{ "path": "/bin/sh", "args": ["sh", "-c", script] }] });
    });
    let expected = "cannot run createRuntime hook #0, /bin/sh: error running createRuntime hook #0: \
                    exit status 5, stdout: to-stdout, stderr: to-stderr";
    container.create().fails_at(expected, "/hooks/createRuntime/0");
}

#[test]
fn a_failing_start_container_hook_fails_start() {
    let Some(world) = World::new("a_failing_start_container_hook_fails_start") else { return };
    let book = Book::new(&world);
    let container = book.container(&world, &[("startContainer", 4), ("poststart", 0), ("poststop", 0)]);
    container.create().ok();
    let output = container.start();
    let expected =
        "cannot run startContainer hook #0, /bin/probe: error running startContainer hook #0: exit status 4";
    output.fails_at(expected, "/hooks/startContainer/0");
    assert_eq!(book.names(), ["startContainer-0", "poststop-0"]);
    container.state().fails("container does not exist: a");
}

#[test]
fn a_failing_poststart_hook_stops_the_container() {
    let Some(world) = World::new("a_failing_poststart_hook_stops_the_container") else { return };
    let book = Book::new(&world);
    let container = book.container(&world, &[("poststart", 6), ("poststart", 0), ("poststop", 0)]);
    container.create().ok();
    let output = container.start().exits(1);
    let expected = "error running poststart hook #0: exit status 6, stdout: , stderr: ";
    assert_eq!(output.sentence().trim_end(), expected.trim_end());
    assert_eq!(book.names(), ["poststart-0", "poststop-0"]);
    container.state().fails("container does not exist: a");
    container.run(&[]).exits(1);
    container.state().fails("container does not exist: a");
}

#[test]
fn a_failing_poststop_hook_is_a_warning() {
    let Some(world) = World::new("a_failing_poststop_hook_is_a_warning") else { return };
    let book = Book::new(&world);
    let container = book.container(&world, &[("poststop", 9), ("poststop", 0)]);
    container.create().ok();
    let output = container.delete(&["--force"]).ok();
    let warning = "crate-run: warning: error running poststop hook #0: exit status 9";
    assert!(output.stderr.starts_with(warning), "{}", output.stderr);
    assert_eq!(book.names(), ["poststop-0", "poststop-1"], "the others still run");
    container.state().fails("container does not exist: a");
}

#[test]
fn a_failing_poststop_hook_of_a_failed_command_is_a_warning_too() {
    let Some(world) = World::new("a_failing_poststop_hook_of_a_failed_command_is_a_warning_too") else {
        return;
    };
    let book = Book::new(&world);
    let warning = "crate-run: warning: error running poststop hook #0: exit status 9";
    for kind in ["createRuntime", "startContainer", "poststart"] {
        let container = book.container(&world, &[(kind, 1), ("poststop", 9), ("poststop", 0)]);
        let output = container.run(&["--detach"]).exits(1);
        assert!(output.stderr.lines().any(|line| line.starts_with(warning)), "{kind}: {}", output.stderr);
        if kind != "createRuntime" {
            container.create().ok();
            let output = container.start().exits(1);
            assert!(output.stderr.lines().any(|line| line.starts_with(warning)), "{kind}: {}", output.stderr);
        }
    }
    assert_eq!(book.names().iter().filter(|name| *name == "poststop-1").count(), 5);
}

/// Podman reads the log of `create` as one object.
#[test]
fn the_log_of_a_failed_command_is_its_error_alone() {
    let Some(world) = World::new("the_log_of_a_failed_command_is_its_error_alone") else { return };
    let book = Book::new(&world);
    let container = book.container(&world, &[("createRuntime", 1), ("poststop", 9)]);
    let (log, bundle) = (world.file("log"), container.bundle.to_str().expect("UTF-8").to_owned());
    let words =
        ["--log", log.to_str().expect("UTF-8"), "--log-format", "json", "create", "--bundle", &bundle, "a"];
    let said = world.run(&words).exits(1).stderr;
    assert!(said.contains("crate-run: warning: error running poststop hook #0"), "{said}");
    let text = fs::read_to_string(log).expect("the log");
    let only: Value = serde_json::from_str(&text).expect("one object");
    assert_eq!(only["level"], "error", "{text}");
}

/// A hook of the shell: `pid` is the process that its state names, `out` appends a line.
fn script(world: &World, text: &str) -> Value {
    let out = format!("out() {{ echo \"$@\" >>{}; }}", world.file("said").display());
    let pid = "pid=$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/')";
    json!({ "path": "/bin/sh", "args": ["sh", "-c", format!("{out}; {pid}; {text}")] })
}

fn said(world: &World) -> String {
    fs::read_to_string(world.file("said")).unwrap_or_default()
}

#[test]
fn the_first_three_come_between_the_mounts_and_pivot_root() {
    let Some(world) = World::new("the_first_three_come_between_the_mounts_and_pivot_root") else { return };
    let root = world.shared_rootfs().display().to_string();
    let look = "test /proc/$pid/root/ -ef / && out host";
    let outside = script(&world, &format!("{look}; out $(grep -c ' {root}/dev/shm ' /proc/$pid/mountinfo)"));
    let inside = script(&world, &format!("out $(grep -c ' {root}/dev/shm ' /proc/self/mountinfo)"));
    let container = world.container("a", |value| {
        config::sleeps(value);
        value["hooks"] =
            json!({ "prestart": [outside], "createRuntime": [outside], "createContainer": [inside] });
    });
    container.create().ok();
    assert_eq!(said(&world), "host\n1\nhost\n1\n1\n", "root of the process, and the mount on /dev/shm");
    let later = fs::read_to_string(format!("/proc/{}/mountinfo", container.pid())).expect("its mounts");
    assert!(later.contains(" /dev/shm ") && !later.contains(&format!("{root}/")), "{later}");
    container.finish();
}

#[test]
fn start_container_comes_before_the_program_and_poststart_after_it() {
    let Some(world) = World::new("start_container_comes_before_the_program_and_poststart_after_it") else {
        return;
    };
    let book = Book::new(&world);
    let container = book.container(&world, &[("startContainer", 0)]);
    container.configure(|value| {
        let program = "wc -l </mnt/lines >/mnt/seen; exec sleep 1000000";
        config::runs(value, &["sh", "-c", program]);
        value["hooks"]["poststart"] = json!([script(&world, "out $(tr '\\0' ' ' </proc/$pid/cmdline)")]);
    });
    container.create().ok();
    assert_eq!((book.names().len(), said(&world).as_str()), (0, ""));
    container.start().ok();
    // The hook may come before or after the shell's own execve.
    assert!(said(&world).contains("sleep 1000000"), "{}", said(&world));
    let seen = book.directory.join("seen");
    world::eventually("the program has looked", || fs::read_to_string(&seen).is_ok_and(|text| text == "1\n"));
    container.finish();
}

#[test]
fn poststop_comes_when_everything_is_gone() {
    let Some(world) = World::new("poststop_comes_when_everything_is_gone") else { return };
    let container = world.container("a", config::sleeps);
    let (state, cgroup) = (container.directory(), world.cgroup("a"));
    let look = |path: &std::path::Path| format!("test -e {}; out $?", path.display());
    container.configure(|value| {
        let text = format!("{}; {}; out $pid", look(&state), look(&cgroup));
        value["hooks"] = json!({ "poststop": [script(&world, &text)] });
    });
    container.create().ok();
    assert!(state.exists() && cgroup.exists());
    container.start().ok();
    container.kill("KILL").ok();
    container.becomes("stopped");
    container.delete(&[]).ok();
    assert_eq!(said(&world), "1\n1\n0\n");
}

#[test]
fn a_hook_past_its_timeout_is_killed_with_its_group() {
    let Some(world) = World::new("a_hook_past_its_timeout_is_killed_with_its_group") else { return };
    let script = "sleep 1000000 & sleep 1000000 & wait";
    let cases = [
        ("createRuntime", "error running createRuntime hook #0: hook ran past specified timeout of 1.0s"),
        ("createContainer", "it ran past its timeout and was killed"),
    ];
    for (kind, reason) in cases {
        let container = world.container("a", |value| {
            let hook = json!({ "path": "/bin/sh", "args": ["sh", "-c", script], "timeout": 1 });
            value["hooks"] = json!({ kind: [hook] });
        });
        let output = container.create().exits(1);
        assert!(output.sentence().contains(reason), "{}", output.stderr);
        world::eventually("all of its processes end", || {
            inventory::bury();
            inventory::descendants().is_empty()
        });
    }
}

#[test]
fn a_hook_need_not_read_and_may_leave_a_daemon() {
    let Some(world) = World::new("a_hook_need_not_read_and_may_leave_a_daemon") else { return };
    let container = world.container("a", |value| {
        // More than a pipe holds: who writes to a pipe that nobody reads would wait for ever.
        value["annotations"] = json!({ "large": "x".repeat(300_000) });
        let script = json!(["sh", "-c", "sleep 1000000 & echo $! >&2; exit 0"]);
        value["hooks"] = json!({ "createRuntime": [{ "path": "/bin/sh", "args": script }] });
    });
    container.create().ok();
    assert_eq!(inventory::descendants().len(), 2, "the child and the daemon");
    container.finish();
    inventory::descendants().into_iter().for_each(inventory::kill);
}

#[test]
fn a_large_state_arrives_whole() {
    let Some(world) = World::new("a_large_state_arrives_whole") else { return };
    let book = Book::new(&world);
    let container = book.container(&world, &all_kinds());
    let large = "\u{e4}\"\\".repeat(50_000);
    container.configure(|value| value["annotations"] = json!({ "large": large }));
    container.run(&["--detach"]).ok();
    container.finish();
    let lines = book.lines();
    assert_eq!(lines.len(), 6);
    assert!(lines.iter().all(|line| line["state"]["annotations"]["large"] == json!(large)));
}

#[test]
fn a_missing_hook_is_an_error() {
    let Some(world) = World::new("a_missing_hook_is_an_error") else { return };
    for kind in ["createRuntime", "createContainer"] {
        let container =
            world.container("a", |value| value["hooks"] = json!({ kind: [{ "path": "/no/such/hook" }] }));
        let output = container.create().exits(1);
        assert!(output.sentence().contains("/no/such/hook"), "{}", output.stderr);
        assert!(output.sentence().contains(&format!("(/hooks/{kind}/0)")), "{}", output.stderr);
    }
}
