//! What goes wrong before anything is made: the exact words, the exit status, and where they go.
//!
//! Needs no root. What needs a container to go wrong is in the `root_*` tests.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

/// A directory of its own for one test, with a bundle in it; gone when the test is.
struct Place(PathBuf);

impl Place {
    fn new(test: &str) -> Self {
        let place = std::env::temp_dir().join(format!("crate-run-errors-{test}-{}", std::process::id()));
        fs::create_dir_all(place.join("bundle/rootfs")).expect("directories");
        Self(place)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn configure(&self, text: impl AsRef<[u8]>) {
        fs::write(self.file("bundle/config.json"), text).expect("config.json");
    }

    /// crate-run with these words, in this place.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crate-run"));
        command.arg("--root").arg(self.file("root")).args(words).current_dir(&self.0).stdin(Stdio::null());
        command
    }

    /// The first line on standard error of a command that fails with status 1 and an empty standard output.
    #[track_caller]
    fn complaint(&self, words: &[&str]) -> String {
        let said = self.complaints(words);
        said.lines().next().expect("a line").to_owned()
    }

    #[track_caller]
    fn complaints(&self, words: &[&str]) -> String {
        complaints(self.command(words).output().expect("crate-run"))
    }
}

#[track_caller]
fn complaints(output: Output) -> String {
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{said}");
    said
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::set_permissions(self.file("closed"), fs::Permissions::from_mode(0o700));
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A configuration without a fault, as far as one can tell without making the container.
fn config() -> Value {
    json!({
        "ociVersion": "1.2.0",
        "process": { "user": { "uid": 0, "gid": 0 }, "args": ["/bin/true"], "cwd": "/" },
        "root": { "path": "rootfs" },
        "linux": { "namespaces": [{ "type": "mount" }, { "type": "pid" }] }
    })
}

const RUN: [&str; 4] = ["run", "--bundle", "bundle", "x"];

#[test]
fn the_command_line() {
    let place = Place::new("command-line");
    let cases: [(&[&str], &str); 10] = [
        (&[], "missing argument: a command; see crate-run --help"),
        (&["frobnicate"], "unknown command \"frobnicate\"; see crate-run --help"),
        (&["run"], "missing argument: <ID|BUNDLE/>; see crate-run run --help"),
        (&["run", "--frob", "x"], "unknown flag --frob; see crate-run run --help"),
        (&["state", "x", "y"], "one argument too many: \"y\"; see crate-run state --help"),
        (&["--log-format", "xml", "state", "x"], "invalid log-format: xml"),
        (&["--root", "/", "state", "x"], "--root must not be the root directory"),
        (
            &["kill", "x", "FROB"],
            "unknown signal \"FROB\" (a name such as TERM or RTMIN+3, or a number from 0 to 64)",
        ),
        (&["state", "x"], "container does not exist: x"),
        (&["delete", "x"], "container does not exist: x"),
    ];
    for (words, sentence) in cases {
        assert_eq!(place.complaints(words), format!("crate-run: {sentence}\n"));
    }
}

#[test]
fn ids_that_are_none() {
    let place = Place::new("ids");
    place.configure(config().to_string());
    for verb in ["create", "run"] {
        for id in ["a/b", "../x", "a b", "..", "a\nb"] {
            let said = place.complaint(&[verb, "--bundle", "bundle", id]);
            let expected = format!(
                "crate-run: invalid container id format: {id:?} may have letters, digits and _+-. only"
            );
            assert_eq!(said, expected);
        }
        assert_eq!(place.complaint(&[verb, "-b", "bundle", ""]), "crate-run: container id cannot be empty");
        let long = "x".repeat(1025);
        let expected = "crate-run: container id of 1025 bytes is too long: at most 1024";
        assert_eq!(place.complaint(&[verb, "-b", "bundle", &long]), expected);
    }
}

#[test]
fn a_bundle_that_is_not_there() {
    let place = Place::new("bundle");
    let here = place.0.display();
    let said = place.complaint(&["run", "--bundle", "/no/such", "x"]);
    assert_eq!(said, "crate-run: cannot open the bundle /no/such: no such file or directory (ENOENT)");
    let said = place.complaint(&RUN);
    let expected = format!(
        "cannot read the configuration {here}/bundle/config.json: no such file or directory (ENOENT)"
    );
    assert_eq!(said, format!("crate-run: {expected}"));
    place.configure(config().to_string());
    let said = place.complaint(&["run", "bundle/config.json"]);
    assert_eq!(said, "crate-run: cannot open the bundle bundle/config.json: not a directory");
}

/// What is wrong with the text itself.
#[test]
fn a_configuration_that_is_no_json() {
    let place = Place::new("json");
    let cases: [(&[u8], &str); 11] = [
        (b"", "1:1: the text holds no JSON value"),
        (b"{", "1:2: the text ends before this object or array does"),
        (b"{\n  \"ociVersion\": \"1.0.0\",\n}", "3:1: a comma must not stand before a closing brace"),
        (
            b"{\n  \"a\": 1,\n  \"a\": 2\n}",
            "3:3: this name stands in the same object already, at line 2 (/a)",
        ),
        (
            b"{\"a\": tru}",
            "1:7: a value must stand here: an object, array, string in double quotes, number, \
             true, false or null (/a)",
        ),
        (b"{\"a\": 01}", "1:7: this is not a number as JSON writes it (/a)"),
        (b"{\"a\": \"\\ud800\"}", "1:8: this is no escape sequence of JSON (/a)"),
        (b"\xff\xfe{}", "1:1: this byte is not UTF-8, the only encoding of JSON"),
        (b"{} {}", "1:4: nothing may stand after the end of the JSON value"),
        (b"[]", "1:1: the configuration must be a JSON object"),
        (b"null", "1:1: the configuration must be a JSON object"),
    ];
    for (text, sentence) in cases {
        place.configure(text);
        assert_eq!(place.complaint(&RUN), format!("crate-run: config.json:{sentence}"));
    }
}

#[test]
fn a_value_of_the_wrong_type() {
    let place = Place::new("type");
    let mut wrong = config();
    wrong["process"]["args"] = json!("/bin/true");
    place.configure(serde_json::to_string_pretty(&wrong).expect("JSON"));
    let said = place.complaint(&RUN);
    assert!(said.contains("args must be a list, not the string \"/bin/true\" (/process/args)"), "{said}");
    let mut missing = config();
    missing["process"].as_object_mut().expect("an object").remove("cwd");
    place.configure(missing.to_string());
    let said = place.complaint(&RUN);
    assert!(said.ends_with("process has no cwd (/process)"), "{said}");
}

/// One wrong value, one finding: the message and the place.
struct Wrong<'a>(&'a Place);

impl Wrong<'_> {
    #[track_caller]
    fn finds(&self, key: &str, value: Value, message: &str, pointer: &str) {
        let mut wrong = config();
        set(&mut wrong, key, value);
        self.0.configure(serde_json::to_string_pretty(&wrong).expect("JSON"));
        let said = self.0.complaint(&["create", "--bundle", "bundle", "x"]);
        let place =
            said.strip_prefix("crate-run: config.json:").unwrap_or_else(|| panic!("no place: {said}"));
        let (numbers, words) = place.split_once(": ").expect("a message");
        assert!(numbers.split(':').all(|number| number.parse::<u32>().is_ok()), "{said}");
        assert_eq!(words, format!("{message} ({pointer})"));
    }
}

#[test]
fn the_root_filesystem_must_be_there() {
    let place = Place::new("root");
    let wrong = Wrong(&place);
    let at = "/root/path";
    let shown = |name: &str| place.file(&format!("bundle/{name}")).display().to_string();
    let message = format!("the root filesystem {} does not exist: no such file or directory", shown("none"));
    wrong.finds(at, json!("none"), &message, at);
    let message = format!("the root filesystem {} is not a directory", shown("config.json"));
    wrong.finds(at, json!("config.json"), &message, at);
    wrong.finds(at, json!("/"), "the root filesystem is the root of the host", at);
    wrong.finds(
        "/linux/rootfsPropagation",
        json!("loud"),
        "rootfsPropagation=loud is not supported",
        "/linux/rootfsPropagation",
    );
}

#[test]
fn the_process_must_make_sense() {
    let place = Place::new("process");
    let wrong = Wrong(&place);
    let mut at = "/process/cwd";
    wrong.finds(at, json!("relative"), "Cwd must be an absolute path", at);
    at = "/process/args";
    wrong.finds(at, json!([]), "args must not be empty", at);
    at = "/process/oomScoreAdj";
    wrong.finds(at, json!(2000), "oomScoreAdj must lie between -1000 and 1000", at);
    at = "/process/terminal";
    let message = "cannot allocate tty if the container will detach without setting console socket";
    wrong.finds(at, json!(true), message, at);
    let message = "invalid environment variable \"NONSENSE\"";
    wrong.finds("/process/env", json!(["PATH=/bin", "NONSENSE"]), message, "/process/env/1");
    at = "/ociVersion";
    wrong.finds(at, json!("2.0.0"), "ociVersion 2.0.0 is not supported", at);
    wrong.finds(at, json!("nonsense"), "ociVersion \"nonsense\" is not a semantic version", at);
}

#[test]
fn what_would_change_the_host_needs_a_namespace() {
    let place = Place::new("namespaces");
    let wrong = Wrong(&place);
    let mut at = "/linux/netDevices";
    let message = "network devices are moved into a network namespace of the container's own";
    wrong.finds(at, json!({ "eth0": {} }), message, at);
    at = "/hostname";
    wrong.finds(at, json!("x"), "unable to set hostname without a private UTS namespace", at);
    at = "/linux/uidMappings";
    let map = json!([{ "containerID": 0, "hostID": 1, "size": 1 }]);
    wrong.finds(at, map, "id mappings need a user namespace of the container's own", at);
    at = "/linux/timeOffsets";
    let offsets = json!({ "monotonic": { "secs": 1 } });
    wrong.finds(at, offsets, "time offsets need a new time namespace", at);
    at = "/linux/sysctl/vm.swappiness";
    let message = "sysctl \"vm.swappiness\" is not in a separate kernel namespace";
    wrong.finds("/linux/sysctl", json!({ "vm.swappiness": "1" }), message, at);
    at = "/linux/sysctl/net.core.somaxconn";
    let message = "sysctl \"net.core.somaxconn\" would change the host: it needs a network namespace of the \
                   container's own";
    wrong.finds("/linux/sysctl", json!({ "net.core.somaxconn": "1" }), message, at);
}

#[test]
fn hooks_and_mounts_must_make_sense() {
    let place = Place::new("hooks");
    let wrong = Wrong(&place);
    let hooks = json!({ "poststop": [{ "path": "relative" }] });
    let message = "the path \"relative\" of the poststop hook is not absolute";
    wrong.finds("/hooks", hooks, message, "/hooks/poststop/0/path");
    let hooks = json!({ "createContainer": [{ "path": "/x\u{0}y" }] });
    let message = "a NUL character in the path, args or env of a hook";
    wrong.finds("/hooks", hooks, message, "/hooks/createContainer/0");
    let hooks = json!({ "prestart": [{ "path": "/x", "timeout": 0 }] });
    let message = "the timeout of a hook must be greater than zero";
    wrong.finds("/hooks", hooks, message, "/hooks/prestart/0/timeout");
    let mounts = json!([{ "destination": "/proc/sys", "type": "tmpfs", "source": "x" }]);
    let message = "/proc/sys lies inside /proc, where nothing else may be mounted";
    wrong.finds("/mounts", mounts, message, "/mounts/0/destination");
}

/// Sets what a JSON pointer leads to.
fn set(config: &mut Value, pointer: &str, value: Value) {
    let mut place = config;
    for name in pointer.split('/').skip(1) {
        place = &mut place[name];
    }
    *place = value;
}

#[test]
fn the_place_is_shown_with_the_cure() {
    let place = Place::new("excerpt");
    place.configure(
        "{\n  \"ociVersion\": \"1.2.0\",\n  \"process\": {\n    \"user\": { \"uid\": 0, \"gid\": 0 },\n    \
         \"args\": [\"/bin/true\"],\n    \"cwd\": \"here\"\n  },\n  \"root\": { \"path\": \"rootfs\" },\n  \
         \"linux\": { \"namespaces\": [{ \"type\": \"mount\" }] }\n}\n",
    );
    let expected = "crate-run: config.json:6:12: Cwd must be an absolute path (/process/cwd)\n  \
                    |\n\
                    6 |     \"cwd\": \"here\"\n  \
                    |            ^^^^^^\n  \
                    help: write \"here\" with a leading slash\n";
    assert_eq!(place.complaints(&RUN), expected);
}

#[test]
fn all_faults_are_told_at_once() {
    let place = Place::new("all");
    let mut wrong = config();
    wrong["process"]["cwd"] = json!("here");
    wrong["process"]["args"] = json!([]);
    wrong["root"]["path"] = json!("none");
    wrong["hostname"] = json!("x");
    place.configure(wrong.to_string());
    let said = place.complaints(&RUN);
    let first = format!("crate-run: {} has 4 faults", place.file("bundle/config.json").display());
    assert_eq!(said.lines().next(), Some(first.as_str()));
    for pointer in ["/process/cwd", "/process/args", "/root/path", "/hostname"] {
        let lines = said.lines().filter(|line| line.ends_with(&format!(" ({pointer})")));
        assert_eq!(lines.count(), 1, "{pointer}: {said}");
    }
    assert_eq!(said.lines().filter(|line| line.starts_with("  help: ")).count(), 4, "{said}");
}

/// Podman reads the whole file as one object, containerd the last line.
/// Scripts pass variables that are empty; with runc these flags are not given then.
#[test]
fn flags_with_an_empty_value_are_not_given() {
    let place = Place::new("empty");
    let without = place.complaints(&["create", "nobody"]);
    let empty =
        ["--log", "", "--log-format=", "create", "--bundle", "", "--pid-file=", "--console-socket", ""];
    assert_eq!(place.complaints(&[&empty[..], &["nobody"]].concat()), without);
    assert_eq!(fs::read_dir(&place.0).expect("the place").count(), 1, "no log, no pid file, no state");
    let root = place.complaint(&["--root", "", "state", "nobody"]);
    assert!(!root.contains("does not exist"), "an empty root is no root: {root}");
}

#[test]
fn a_working_directory_that_was_removed_matters_to_relative_paths_alone() {
    let place = Place::new("removed-directory");
    let there = |root: &str| {
        let script = r#"mkdir gone && cd gone && rmdir ../gone && exec "$0" --root "$1" delete --force web"#;
        let mut command = Command::new("sh");
        command.args(["-c", script, env!("CARGO_BIN_EXE_crate-run"), root]).current_dir(&place.0);
        command.output().expect("a shell")
    };
    let root = place.file("root");
    let absolute = there(root.to_str().expect("UTF-8"));
    assert!(absolute.status.success(), "{absolute:?}");
    let said = complaints(there("root"));
    assert!(said.starts_with("crate-run: cannot find the working directory of crate-run"), "{said}");
}

#[test]
fn the_log_has_one_line_of_json() {
    let place = Place::new("log");
    let mut wrong = config();
    wrong["process"]["cwd"] = json!("here");
    wrong["process"]["args"] = json!([]);
    wrong["process"]["capabilities"] = json!({ "bounding": ["CAP_UNKNOWN"] });
    place.configure(wrong.to_string());
    let said = place.complaints(&[&["--log", "log", "--log-format", "json"], &RUN[..]].concat());
    assert!(said.starts_with("crate-run: "), "people see it too: {said}");
    let text = fs::read_to_string(place.file("log")).expect("the log");
    assert_eq!(text.matches('\n').count(), 1, "{text}");
    let entry: Value = serde_json::from_str(&text).expect("one object");
    assert_eq!(entry["level"], "error");
    let message = entry["msg"].as_str().expect("a message");
    assert!(message.contains("(/process/cwd)") && message.contains("(/process/args)"), "{message}");
    assert!(entry["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{entry}");
}

/// `--log` of a descriptor that the caller has opened, by its well-known names.
#[test]
fn the_log_is_a_descriptor_of_the_caller() {
    let place = Place::new("log-descriptor");
    let told = |log: &str, redirection: &str| {
        let script = format!(r#""$0" --root root --log {log} --log-format json state nobody {redirection}"#);
        let mut command = Command::new("sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_crate-run")]).current_dir(&place.0);
        let output = command.output().expect("sh");
        assert_eq!(output.status.code(), Some(1));
        [output.stdout, output.stderr].map(|text| String::from_utf8(text).expect("UTF-8"))
    };
    let sentence = "container does not exist: nobody";
    for name in ["/dev/fd/7", "/proc/self/fd/7"] {
        fs::write(place.file("log"), "before\n").expect("a file");
        let [_, people] = told(name, "7>>log");
        assert_eq!(people, format!("crate-run: {sentence}\n"), "{name}");
        let log = fs::read_to_string(place.file("log")).expect("the log");
        assert!(log.starts_with("before\n{") && log.contains(sentence), "{name}: {log}");
    }
    for name in ["/dev/fd/1", "/dev/stdout"] {
        let [piped, people] = told(name, "");
        assert!(piped.starts_with('{') && piped.contains(sentence), "{name}: {piped}");
        assert!(people.contains(sentence), "{name}: {people}");
    }
    // As without --log: on standard error, and not somewhere else that the runtime has opened.
    for name in ["/dev/fd/2", "/dev/stderr", "/dev/fd/7"] {
        let [piped, people] = told(name, "");
        assert_eq!((piped.as_str(), people.matches(sentence).count()), ("", 1), "{name}: {people}");
    }
}

#[test]
fn the_log_as_text_has_the_keys_of_logrus() {
    let place = Place::new("log-text");
    place.complaints(&["--log", "log", "state", "nobody"]);
    let text = fs::read_to_string(place.file("log")).expect("the log");
    assert!(text.starts_with("time=\"2"), "{text}");
    assert!(text.ends_with("level=error msg=\"container does not exist: nobody\"\n"), "{text}");
}

/// As somebody who may not write to the state directory; root becomes nobody first.
#[test]
fn no_permission() {
    let place = Place::new("permission");
    let status = fs::metadata("/proc/self").expect("this process");
    let (uid, gid) = if is_root() { (65534, 65534) } else { (status.uid(), status.gid()) };
    let mut config = config();
    config["linux"]["namespaces"] = json!([{ "type": "mount" }, { "type": "user" }]);
    config["linux"]["uidMappings"] = json!([{ "containerID": 0, "hostID": uid, "size": 1 }]);
    config["linux"]["gidMappings"] = json!([{ "containerID": 0, "hostID": gid, "size": 1 }]);
    place.configure(config.to_string());
    let closed = place.file("closed");
    fs::create_dir(&closed).expect("a directory");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).expect("a mode");
    let program = copy_for_everybody(&place.0);
    let mut command = Command::new(program);
    command.arg("--root").arg(&closed).args(RUN).current_dir(&place.0);
    if is_root() {
        command.uid(65534).gid(65534);
    }
    let said = complaints(command.output().expect("crate-run"));
    let expected =
        format!("cannot make the container's directory {}/x: permission denied (EACCES)", closed.display());
    assert_eq!(said.lines().next(), Some(format!("crate-run: {expected}").as_str()), "{said}");
}

/// Nobody has no power over the namespaces of the host, and is told before anything is made.
#[test]
fn nobody_cannot_run_a_container_of_root() {
    let place = Place::new("nobody");
    place.configure(config().to_string());
    let program = copy_for_everybody(&place.0);
    fs::set_permissions(&place.0, fs::Permissions::from_mode(0o777)).expect("a mode");
    let mut command = Command::new(program);
    command.arg("--root").arg(place.file("root")).args(RUN).current_dir(&place.0);
    if is_root() {
        command.uid(65534).gid(65534);
    }
    let said = complaints(command.output().expect("crate-run"));
    let words =
        "an ordinary user makes containers in a user namespace, and this one has none (/linux/namespaces)";
    assert!(said.lines().next().is_some_and(|first| first.ends_with(words)), "{said}");
    assert!(said.contains("help: add {\"type\": \"user\"}"), "{said}");
    assert!(!place.file("root").exists(), "nothing is made");
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|status| status.uid() == 0)
}

/// The build's own directory may be closed to others.
/// Copied by another process: a descriptor open for writing here would be inherited by what another test starts
/// at this moment, and execve(2) would answer ETXTBSY.
fn copy_for_everybody(directory: &Path) -> PathBuf {
    let copy = directory.join("crate-run");
    let made = Command::new("cp").arg(env!("CARGO_BIN_EXE_crate-run")).arg(&copy).status();
    assert!(made.expect("cp").success());
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).expect("a mode");
    copy
}
