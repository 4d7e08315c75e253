//! The operations of the specification without what they need, and configurations that lack what is required.
//!
//! Needs no root. OCI: runtime.md (Operations), config.md, bundle.md.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// A directory of its own for one test, with a bundle in it; gone when the test is.
struct Place(PathBuf);

impl Place {
    fn new(test: &str) -> Self {
        let place = std::env::temp_dir().join(format!("crate-run-operations-{test}-{}", std::process::id()));
        fs::create_dir_all(place.join("bundle/rootfs")).expect("directories");
        Self(place)
    }

    fn configure(&self, config: &Value) {
        fs::write(self.0.join("bundle/config.json"), config.to_string()).expect("config.json");
    }

    /// What crate-run says with these words: standard output if it succeeds, else its complaints.
    fn run(&self, words: &[&str]) -> Result<String, String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crate-run"));
        command.arg("--root").arg(self.0.join("root")).args(words).current_dir(&self.0).stdin(Stdio::null());
        let output = command.output().expect("crate-run");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        match output.status.code() {
            Some(0) => Ok(text(output.stdout)),
            Some(1) => Err(text(output.stderr)),
            _ => panic!("{words:?}: {output:?}"),
        }
    }

    /// The complaints about a configuration; nothing is made of it.
    #[track_caller]
    fn refuses(&self, config: &Value) -> String {
        self.configure(config);
        let said = self.run(&["create", "--bundle", "bundle", "x"]).expect_err("it is refused");
        assert!(!self.0.join("root/x").exists(), "{said}");
        said
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn config() -> Value {
    json!({
        "ociVersion": "1.2.0",
        "process": { "user": { "uid": 0, "gid": 0 }, "args": ["/bin/true"], "cwd": "/" },
        "root": { "path": "rootfs" },
        "linux": { "namespaces": [{ "type": "mount" }, { "type": "pid" }] }
    })
}

/// The configuration without the member that the pointer leads to.
fn without(pointer: &str) -> Value {
    let mut config = config();
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    let object = config.pointer_mut(parent).and_then(Value::as_object_mut).expect("an object");
    object.remove(name).expect("a member");
    config
}

fn with(pointer: &str, value: Value) -> Value {
    let mut config = config();
    let mut place = &mut config;
    for name in pointer.split('/').skip(1) {
        place = &mut place[name];
    }
    *place = value;
    config
}

#[test]
fn each_operation_asks_for_its_container() {
    let place = Place::new("ids");
    place.configure(&config());
    for verb in ["state", "start", "kill", "stop", "wait", "ps", "events", "delete"] {
        let said = place.run(&[verb]).expect_err("no id");
        assert!(said.starts_with("crate-run: missing argument: <ID>"), "{verb}: {said}");
        let said = place.run(&[verb, "nobody"]).expect_err("no such container");
        assert_eq!(said, "crate-run: container does not exist: nobody\n");
    }
    let said = place.run(&["create", "--bundle", "bundle"]).expect_err("no id");
    assert!(said.starts_with("crate-run: missing argument: <ID>"), "{said}");
}

/// A bundle that is not named is the working directory.
#[test]
fn create_asks_for_a_bundle() {
    let place = Place::new("bundle");
    let said = place.run(&["create", "x"]).expect_err("no bundle");
    let expected = format!("cannot read the configuration {}/config.json: ", place.0.display());
    assert!(said.strip_prefix("crate-run: ").is_some_and(|said| said.starts_with(&expected)), "{said}");
    fs::write(place.0.join("bundle/Config.json"), config().to_string()).expect("a file");
    assert!(place.run(&["create", "--bundle", "bundle", "x"]).is_err(), "the name is config.json");
}

#[test]
fn what_is_required_is_missed() {
    let place = Place::new("required");
    let cases = [
        ("/ociVersion", "(/ociVersion)"),
        ("/root", "(/root)"),
        ("/root/path", "(/root/path)"),
        ("/process/cwd", "process has no cwd (/process)"),
        ("/process/args", "args must not be empty (/process/args)"),
    ];
    for (pointer, end) in cases {
        let said = place.refuses(&without(pointer));
        let first = said.lines().next().expect("a line");
        assert!(first.starts_with("crate-run: config.json:") && first.ends_with(end), "{pointer}: {said}");
    }
}

#[test]
fn annotations_are_words_under_names() {
    let place = Place::new("annotations");
    for wrong in [json!([]), json!("x"), json!({ "a": 1 }), json!({ "a": null }), json!({ "a": {} })] {
        let said = place.refuses(&with("/annotations", wrong.clone()));
        assert!(said.contains("(/annotations"), "{wrong}: {said}");
    }
    let said = place.refuses(&with("/annotations", json!({ "": "x" })));
    assert!(said.contains("the key of an annotation must not be empty (/annotations"), "{said}");
}

/// The steps of a configuration in words, without their places in the text.
fn steps(place: &Place, text: &str) -> Vec<String> {
    fs::write(place.0.join("bundle/config.json"), text).expect("config.json");
    let said = place.run(&["explain", "--format", "json", "bundle"]).expect("a plan");
    let steps: Vec<Value> = serde_json::from_str(&said).expect("a list of steps");
    let what = |step: &Value| step["what"].as_str().expect("words").to_owned();
    steps.iter().map(what).collect()
}

#[test]
fn the_order_of_members_means_nothing() {
    let place = Place::new("order");
    let one = r#"{"ociVersion":"1.2.0","hostname":"x","root":{"path":"rootfs","readonly":true},
        "process":{"cwd":"/","args":["a","b"],"user":{"uid":1,"gid":2}},
        "linux":{"sysctl":{"net.core.somaxconn":"1"},
                 "namespaces":[{"type":"mount"},{"type":"uts"},{"type":"network"}]}}"#;
    let other = r#"{"linux":{"namespaces":[{"type":"mount"},{"type":"uts"},{"type":"network"}],
                 "sysctl":{"net.core.somaxconn":"1"}},
        "process":{"user":{"gid":2,"uid":1},"args":["a","b"],"cwd":"/"},
        "root":{"readonly":true,"path":"rootfs"},"hostname":"x","ociVersion":"1.2.0"}"#;
    let steps = [steps(&place, one), steps(&place, other)];
    assert!(steps[0].len() > 10 && steps[0] == steps[1]);
}

/// config.md, Linux mount options: the table.
const OPTIONS: &str = "async atime bind defaults dev diratime dirsync exec iversion lazytime loud mand noatime \
    nodev nodiratime noexec noiversion nolazytime nomand norelatime nostrictatime nosuid nosymfollow private \
    ratime rbind rdev rdiratime relatime remount rexec rnoatime rnodiratime rnoexec rnorelatime \
    rnostrictatime rnosuid rnosymfollow ro rprivate rrelatime rro rrw rshared rslave rstrictatime rsuid \
    rsymfollow runbindable rw shared silent slave strictatime suid symfollow sync tmpcopyup unbindable idmap \
    ridmap";

#[test]
fn features_name_every_option_word_of_the_specification() {
    let said = Place::new("options").run(&["features"]).expect("features");
    let features: Value = serde_json::from_str(&said).expect("JSON");
    let known = features["mountOptions"].as_array().expect("a list");
    let missing: Vec<&str> = OPTIONS.split(' ').filter(|word| !known.contains(&json!(word))).collect();
    assert_eq!((OPTIONS.split(' ').count(), missing), (61, Vec::<&str>::new()));
}

#[test]
fn paths_in_the_container_are_absolute() {
    let place = Place::new("paths");
    for list in ["/linux/maskedPaths", "/linux/readonlyPaths"] {
        let said = place.refuses(&with(list, json!(["/proc/keys", "proc/keys"])));
        assert!(said.contains(&format!("is not absolute ({list}/1)")), "{said}");
    }
}

#[test]
fn a_mapping_has_three_numbers() {
    let place = Place::new("mappings");
    let whole = json!([{ "containerID": 0, "hostID": 100_000, "size": 65536 }]);
    for list in ["/linux/uidMappings", "/linux/gidMappings"] {
        for name in ["containerID", "hostID", "size"] {
            let mut config = with("/linux/uidMappings", whole.clone());
            config["linux"]["gidMappings"] = whole.clone();
            config["linux"]["namespaces"] = json!([{ "type": "mount" }, { "type": "user" }]);
            let entry = config.pointer_mut(list).expect("a list")[0].as_object_mut().expect("an entry");
            entry.remove(name).expect("a number");
            let said = place.refuses(&config);
            assert!(said.contains(name) && said.contains(&format!("({list}/0")), "{said}");
        }
    }
}

#[test]
fn words_of_single_fields_are_known() {
    let place = Place::new("words");
    let device = |kind: &str| json!([{ "path": "/dev/x", "type": kind, "major": 1, "minor": 3 }]);
    let seccomp = |change: fn(&mut Value)| {
        let mut profile = json!({
            "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
            "syscalls": [{ "names": ["read"], "action": "SCMP_ACT_ERRNO",
                           "args": [{ "index": 0, "value": 1, "op": "SCMP_CMP_EQ" }] }]
        });
        change(&mut profile);
        profile
    };
    let cases = [
        ("/linux/devices", device("x"), "/linux/devices/0"),
        ("/linux/devices", device(""), "/linux/devices/0"),
        ("/linux/timeOffsets", json!({ "realtime": { "secs": 1 } }), "/linux/timeOffsets"),
        ("/linux/namespaces", json!([{ "type": "mount" }, { "type": "disk" }]), "/linux/namespaces/1"),
        (
            "/linux/seccomp",
            seccomp(|profile| drop(profile.as_object_mut().expect("an object").remove("defaultAction"))),
            "/linux/seccomp",
        ),
        ("/linux/seccomp", seccomp(|profile| profile["defaultAction"] = json!("ALLOW")), "/linux/seccomp"),
        (
            "/linux/seccomp",
            seccomp(|profile| profile["syscalls"][0]["action"] = json!("SCMP_ACT_ASK")),
            "/linux/seccomp",
        ),
        (
            "/linux/seccomp",
            seccomp(|profile| profile["syscalls"][0]["args"][0]["op"] = json!("SCMP_CMP_NOT")),
            "/linux/seccomp",
        ),
        ("/linux/seccomp", seccomp(|profile| profile["architectures"][0] = json!("X86")), "/linux/seccomp"),
        ("/linux/seccomp", seccomp(|profile| profile["flags"] = json!(["TSYNC"])), "/linux/seccomp"),
    ];
    for (pointer, value, at) in cases {
        let said = place.refuses(&with(pointer, value.clone()));
        assert!(said.contains(&format!("({at}")), "{value}: {said}");
    }
}
