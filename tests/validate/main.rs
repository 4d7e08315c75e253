//! `crate-run validate`, and what no configuration may do to the runtime: crash it, keep it, or make it leave
//! something behind. Needs no root.

mod bounds;
mod mistakes;
mod place;
mod text;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::place::{Place, config};

/// Two errors and two warnings, one of the errors in the types.
const SEVERAL: &str = r#"{
  "ociVersion": "1.2.0",
  "process": {
    "user": { "uid": 0, "gid": 0 },
    "args": ["/bin/true"],
    "cwd": "here"
  },
  "root": { "path": "rootfs" },
  "mounts": [{ "destination": "data", "type": "tmpfs", "source": "tmpfs" }],
  "Hostname": "x",
  "linux": { "namespaces": [{ "type": "mount" }] },
  "domainname": 5
}
"#;

#[test]
fn the_findings_as_text() {
    let place = Place::new("text");
    place.configure(SEVERAL);
    let expected = format!(
        "error: config.json:6:12: Cwd must be an absolute path (/process/cwd)
  |
6 |     \"cwd\": \"here\"
  |            ^^^^^^
  help: write \"here\" with a leading slash

warning: config.json:9:31: the mount destination \"data\" is relative and is taken from / (/mounts/0/destination)
  |
9 |   \"mounts\": [{{ \"destination\": \"data\", \"type\": \"tmpfs\", \"source\": \"tmpfs\" }}],
  |                               ^^^^^^
  help: write it with a leading slash

warning: config.json:10:15: \"Hostname\" is no member of the specification and is ignored (/Hostname)
   |
10 |   \"Hostname\": \"x\",
   |               ^^^
  help: did you mean \"hostname\"?

error: config.json:12:17: domainname must be a string, not the number 5 (/domainname)
   |
12 |   \"domainname\": 5
   |                 ^
  help: write it in quotes: \"5\"

{}/config.json is not valid: 2 errors, 2 warnings
",
        place.bundle().display()
    );
    let output = place.run(&["validate", "bundle"], "");
    assert_eq!((output.status, output.stdout.as_str(), output.stderr.as_str()), (1, expected.as_str(), ""));
}

#[test]
fn the_findings_as_json() {
    let place = Place::new("json");
    place.configure(SEVERAL);
    for words in [
        ["validate", "--format", "json", "bundle"].as_slice(),
        &["validate", "-format=json", "bundle/"],
        &["validate", "--bundle", "bundle", "--format=json"],
        &["--debug", "validate", "-b", "bundle", "--format", "json"],
        &["validate", "--config", "bundle/config.json", "--format", "json", "bundle"],
    ] {
        let output = place.run(words, "");
        assert_eq!((output.status, output.stderr.as_str()), (1, ""), "{words:?}");
        let report: Value = serde_json::from_str(&output.stdout).expect("JSON");
        assert_eq!(report["valid"], false);
        assert_eq!(
            report["findings"][0],
            json!({
                "severity": "error", "pointer": "/process/cwd", "line": 6, "column": 12,
                "message": "Cwd must be an absolute path", "cure": "write \"here\" with a leading slash"
            })
        );
        let all = report["findings"].as_array().expect("a list");
        let pointers: Vec<&str> = all.iter().filter_map(|finding| finding["pointer"].as_str()).collect();
        assert_eq!(
            pointers,
            ["/process/cwd", "/mounts/0/destination", "/Hostname", "/domainname"],
            "{words:?}"
        );
    }
}

#[test]
fn a_good_bundle_is_valid_also_with_warnings() {
    let place = Place::new("good");
    place.configure(config().to_string());
    let file = place.bundle().join("config.json");
    let output = place.run(&["validate", "bundle"], "");
    let expected = format!("{} is valid\n", file.display());
    assert_eq!((output.status, output.stdout, output.stderr.as_str()), (0, expected, ""));
    let output = place.run(&["validate", "--format", "json", "bundle"], "");
    let report: Value = serde_json::from_str(&output.stdout).expect("JSON");
    assert_eq!((output.status, report), (0, json!({ "valid": true, "findings": [] })));

    let mut risky = config();
    risky["hostnam"] = json!("x");
    place.configure(risky.to_string());
    let output = place.run(&["validate", "bundle"], "");
    assert!(output.stdout.ends_with(" is valid, with 1 warning\n"), "{}", output.stdout);
    assert_eq!(output.status, 0);
}

#[test]
fn standard_input_is_read_for_a_dash() {
    let place = Place::new("stdin");
    let good = config().to_string();
    let output = place.run(&["validate", "--config", "-", "bundle"], &good);
    assert_eq!(
        (output.status, output.stdout.as_str()),
        (0, "(standard input) is valid\n"),
        "{}",
        output.stderr
    );
    let output = place.run(&["validate", "-f", "-", "bundle"], "");
    assert_eq!(output.status, 1);
    assert!(output.stdout.starts_with("error: (standard input):1:1: the text holds no JSON value\n"));
    let endless = format!("{good}{}", " ".repeat(33 << 20));
    let output = place.run(&["validate", "-f", "-", "bundle"], &endless);
    let expected = "crate-run: cannot read the configuration from standard input: this is more than the 33554432 \
                    bytes that a configuration may have\n";
    assert_eq!((output.status, output.stderr.as_str()), (1, expected));
}

/// What `create` says is what `validate` says, but for warnings.
#[test]
fn create_finds_the_same() {
    let place = Place::new("same");
    place.configure(SEVERAL);
    let said = place.run(&["create", "--bundle", "bundle", "x"], "").stderr;
    let validated = place.run(&["validate", "bundle"], "").stdout;
    let lines = |text: &str, mark: &str| -> BTreeSet<String> {
        text.lines().filter_map(|line| line.strip_prefix(mark)).map(str::to_owned).collect()
    };
    let errors = lines(&validated, "error: ");
    assert_eq!(errors.len(), 2);
    let told: BTreeSet<String> =
        said.lines().filter(|line| line.starts_with("config.json:")).map(str::to_owned).collect();
    assert_eq!(told, errors);
}

#[test]
fn a_file_that_cannot_be_read_is_told_in_both_forms() {
    let place = Place::new("unreadable");
    let file = place.bundle().join("config.json");
    let sentence =
        format!("cannot read the configuration {}: no such file or directory (ENOENT)", file.display());
    let output = place.run(&["validate", "bundle"], "");
    assert_eq!((output.status, output.stdout.as_str()), (1, ""));
    assert_eq!(output.stderr, format!("crate-run: {sentence}\n"));
    let output = place.run(&["validate", "--format", "json", "bundle"], "");
    assert_eq!(output.stderr, format!("crate-run: {sentence}\n"));
    let report: Value = serde_json::from_str(&output.stdout).expect("JSON");
    let finding = json!({
        "severity": "error", "pointer": "", "line": null, "column": null, "message": sentence, "cure": ""
    });
    assert_eq!((output.status, report), (1, json!({ "valid": false, "findings": [finding] })));
}

#[test]
fn a_wrong_command_line_is_told_as_for_other_verbs() {
    let place = Place::new("line");
    for (words, sentence) in [
        (&["validate", "a", "b"][..], "one argument too many: \"b\"; see crate-run validate --help"),
        (
            &["validate", "a", "--bundle", "b"],
            "[BUNDLE] and --bundle <DIR> exclude each other; see crate-run validate --help",
        ),
        (
            &["validate", "--format", "xml", "a"],
            "--format must be one of text, json, not \"xml\"; see crate-run validate --help",
        ),
    ] {
        let output = place.run(words, "");
        assert_eq!((output.status, output.stdout.as_str()), (1, ""));
        assert_eq!(output.stderr, format!("crate-run: {sentence}\n"));
    }
    let help = place.run(&["validate", "-h"], "");
    assert_eq!(help.status, 0);
    assert!(help.stdout.contains("Usage: crate-run validate [OPTIONS] [BUNDLE]"), "{}", help.stdout);
}
