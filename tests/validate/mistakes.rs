//! Mistakes that people make, and what they are told. The page of all answers is tests/snapshots/mistakes.txt; after
//! a change that is meant, `UPDATE_SNAPSHOTS=1 cargo test --test validate` writes it anew.

use std::fmt::Write;
use std::path::PathBuf;

use crate::place::Place;

const BASE: &str = r#"{
  "ociVersion": "1.2.0",
  "process": {
    "user": { "uid": 0, "gid": 0 },
    "args": ["/bin/true"],
    "env": ["A=b"],
    "cwd": "/"
  },
  "root": { "path": "rootfs" },
  "mounts": [{ "destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["ro"] }],
  "linux": {
    "cgroupsPath": "/example",
    "namespaces": [{ "type": "mount" }, { "type": "pid" }]
  }
}
"#;

/// What stands in `BASE`, and what somebody wrote instead.
#[rustfmt::skip]
const MISTAKES: &[(&str, &str)] = &[
    (r#"["/bin/true"]"#, r#""/bin/true""#),
    (r#"["/bin/true"]"#, "[]"),
    (r#"["/bin/true"]"#, r#"["sleep", 5]"#),
    (r#""args""#, r#""arg""#),
    (r#""args""#, r#""command""#),
    (r#"["A=b"]"#, r#"{ "A": "b" }"#),
    (r#""A=b""#, r#""A""#),
    (",\n    \"cwd\": \"/\"", ""),
    (r#""cwd": "/""#, r#""cwd": "app""#),
    (r#""uid": 0"#, r#""uid": "root""#),
    (r#""uid": 0"#, r#""uid": -1"#),
    (r#""uid": 0"#, r#""uid": 1.5"#),
    (r#""uid": 0"#, r#""uid": 1e999"#),
    (r#""gid": 0 }"#, r#""gid": 0, "umask": "022" }"#),
    (r#""env""#, r#""terminal": "true", "env""#),
    (r#""env""#, r#""capabilities": ["CAP_KILL"], "env""#),
    (r#""env""#, r#""rlimits": [{ "type": "NOFILE", "soft": 1, "hard": 1 }], "env""#),
    (r#""1.2.0""#, "1.2"),
    (r#""1.2.0""#, r#""v1.2""#),
    (r#""root""#, r#""rootfs""#),
    (r#"{ "path": "rootfs" }"#, r#""rootfs""#),
    (r#""rootfs""#, r#""image""#),
    (r#""rootfs""#, r#""C:\dir""#),
    (r#"[{ "destination""#, r#"[{ "target""#),
    (r#"{ "destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["ro"] }"#, r#""/a:/b:ro""#),
    (r#"["ro"]"#, r#""ro""#),
    (r#""tmpfs", "source": "tmpfs""#, r#""bind", "source": "/no/such""#),
    (r#""mounts""#, r#""volumes""#),
    (r#""type": "pid""#, r#""type": "PID""#),
    (r#""type": "pid""#, r#""type": "net""#),
    (r#"{ "type": "pid" }"#, r#""pid""#),
    (r#""type": "pid""#, r#""type": "mount""#),
    (r#"{ "type": "mount" }, "#, ""),
    (r#""pid" }"#, r#""network", "path": "/no/such" }"#),
    (r#""cgroupsPath""#, r#""resources": { "memory": { "limit": "64M" } }, "cgroupsPath""#),
    (r#""cgroupsPath""#, r#""resources": { "cpu": { "cpus": 2 } }, "cgroupsPath""#),
    (r#""cgroupsPath""#, r#""resources": { "devices": [{ "allow": true, "access": "rx" }] }, "cgroupsPath""#),
    (r#""cgroupsPath""#, r#""sysctl": { "net.core.somaxconn": 1 }, "cgroupsPath""#),
    (r#""cgroupsPath""#, r#""seccomp": "profile.json", "cgroupsPath""#),
    (r#""cgroupsPath""#, r#""seccomp": { "defaultAction": "ALLOW" }, "cgroupsPath""#),
    (r#""/example""#, r#""../x""#),
    (r#""cgroupsPath""#, r#""cgroupPath""#),
    (r#""mounts""#, r#""hooks": { "prestart": ["/bin/x"] }, "mounts""#),
    (r#""mounts""#, r#""hooks": { "poststop": [{ "path": "/x", "timeout": "5s" }] }, "mounts""#),
    (r#""mounts""#, r#""annotations": { "a": 1 }, "mounts""#),
    (r#""mounts""#, r#""Hostname": "x", "mounts""#),
    (r#""root""#, "// where the files are\n  \"root\""),
    (r#""cwd": "/""#, r#""cwd": "/","#),
    (r#""1.2.0","#, r#""1.2.0""#),
    (r#""/bin/true""#, "'/bin/true'"),
    (r#""/bin/true""#, r#""/bin/true"#),
    (r#""env""#, r#""terminal": True, "env""#),
    (r#""gid": 0 }"#, r#""gid": 0, "umask": 0022 }"#),
    ("{\n  \"oci", "\u{feff}{\n  \"oci"),
    (r#""cwd": "/""#, "\"cwd\": \"/\",\n    \"cwd\": \"/x\""),
    (BASE, ""),
    (BASE, "ociVersion: 1.2.0\n"),
    ("true", r#"\ud800"#),
    ("{\n  \"ociVersion\": \"1.2.0\"", "{\n  \"version\": \"3\", \"services\": {}"),
];

#[test]
fn every_mistake_is_answered_with_what_and_where_and_how() {
    let place = Place::new("mistakes");
    assert_eq!(
        {
            place.configure(BASE);
            place.run(&["validate", "bundle"], "").status
        },
        0
    );
    let mut page = String::new();
    for (is, wrong) in MISTAKES {
        assert!(BASE.contains(is), "{is}");
        place.configure(BASE.replacen(is, wrong, 1));
        let output = place.run(&["validate", "bundle"], "");
        let (answers, _) = output.stdout.rsplit_once("\n\n").expect("a finding and the verdict");
        assert!(!answers.is_empty() && output.stderr.is_empty(), "{wrong}: {}", output.stderr);
        let bundle = place.bundle().display().to_string();
        let shown = match *is {
            BASE => format!("instead of all: {wrong:?}"),
            is => format!("instead of {}: {}", is.escape_debug(), wrong.escape_debug()),
        };
        let _ = writeln!(page, "==== {shown}\n{}\n", answers.replace(&bundle, "bundle").trim_end());
    }
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots/mistakes.txt");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&file, &page).expect("the page can be written");
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    for (is, was) in page.split("==== ").zip(expected.split("==== ")) {
        assert_eq!(is, was, "the answer has changed; if that is meant, run with UPDATE_SNAPSHOTS=1");
    }
    assert_eq!(page, expected);
}
