//! What a configuration may say without changing anything: unknown members, null for what is absent,
//! annotations; and what it may not say twice.

use crate_run::bundle::Source;
use serde_json::{Value, json};

use crate::bundles::{Wish, minimal};
use crate::random::rich;

/// Objects whose members have names of the user's own.
const MAPS: [&str; 6] = ["annotations", "sysctl", "unified", "timeOffsets", "netDevices", "rdma"];

/// Adds a member that nobody knows to every object, at its beginning and with every kind of value.
fn sprinkle(value: &mut Value, name: &str, count: &mut usize) {
    match value {
        Value::Object(members) => {
            members.iter_mut().for_each(|(name, member)| sprinkle(member, name, count));
            if !MAPS.contains(&name) {
                let kinds =
                    [json!({ "policy": [[{}]] }), json!([1, null]), json!("x"), json!(-1.5), Value::Null];
                members.insert("aUnknown".to_owned(), kinds[*count % kinds.len()].clone());
                *count += 1;
            }
        }
        Value::Array(entries) => entries.iter_mut().for_each(|entry| sprinkle(entry, name, count)),
        _ => {}
    }
}

#[test]
fn unknown_members_change_nothing() {
    let mut count = 0;
    for wish in rich() {
        let mut config: Value = serde_json::from_str(&wish.config).expect("JSON");
        sprinkle(&mut config, "", &mut count);
        let other = Wish { config: config.to_string(), ..wish.clone() };
        assert_eq!(other.plan().steps, wish.plan().steps, "{}", other.config);
    }
    assert!(count > 1000, "{count} objects");
}

/// The pointers of all members that are optional: every member of these objects but the named ones.
fn optional(config: &Value) -> Vec<String> {
    let required: [(&str, &[&str]); 5] = [
        ("", &["ociVersion", "root", "process", "linux"]),
        ("/root", &["path"]),
        ("/process", &["user", "cwd", "args"]),
        ("/process/user", &["uid", "gid"]),
        ("/linux", &["namespaces"]),
    ];
    let members = |(object, required): (&str, &[&str])| {
        let names = config.pointer(object).and_then(Value::as_object).expect("an object").keys();
        let names = names.filter(|name| !required.contains(&name.as_str()));
        names.map(|name| format!("{object}/{name}")).collect::<Vec<_>>()
    };
    required.into_iter().flat_map(members).collect()
}

#[test]
fn null_is_as_good_as_absent() {
    let mut config = minimal();
    let whole = json!({
        "process": {
            "terminal": false, "consoleSize": { "height": 1, "width": 1 }, "env": ["A=1"],
            "user": { "umask": 7, "additionalGids": [5] }, "capabilities": { "bounding": [] },
            "rlimits": [{ "type": "RLIMIT_CORE", "soft": 0, "hard": 0 }], "noNewPrivileges": true,
            "oomScoreAdj": 5, "apparmorProfile": "", "selinuxLabel": "",
            "ioPriority": { "class": "IOPRIO_CLASS_BE", "priority": 4 },
            "scheduler": { "policy": "SCHED_BATCH" }, "execCPUAffinity": { "initial": "0" }
        },
        "root": { "readonly": true }, "mounts": [], "hooks": {}, "annotations": {},
        "linux": {
            "devices": [], "uidMappings": [], "gidMappings": [], "sysctl": {}, "resources": {},
            "rootfsPropagation": "private", "seccomp": { "defaultAction": "SCMP_ACT_ALLOW" },
            "maskedPaths": ["/x"], "readonlyPaths": ["/y"], "mountLabel": "",
            "memoryPolicy": { "mode": "MPOL_DEFAULT" }, "personality": { "domain": "LINUX" },
            "timeOffsets": {}
        }
    });
    merge(&mut config, &whole);
    for pointer in optional(&config) {
        let (object, name) = pointer.rsplit_once('/').expect("a member");
        let change = |value: Option<Value>| {
            let mut config = config.clone();
            let members = config.pointer_mut(object).and_then(Value::as_object_mut).expect("an object");
            match value {
                Some(value) => drop(members.insert(name.to_owned(), value)),
                None => drop(members.remove(name)),
            }
            Wish::new(config.to_string()).plan().steps
        };
        assert_eq!(change(Some(Value::Null)), change(None), "{pointer}");
    }
}

fn merge(into: &mut Value, from: &Value) {
    let (Some(into), Some(from)) = (into.as_object_mut(), from.as_object()) else { return };
    for (name, value) in from {
        match into.get_mut(name) {
            Some(known) if known.is_object() => merge(known, value),
            _ => drop(into.insert(name.clone(), value.clone())),
        }
    }
}

/// config.md, Annotations: those of the specification say something about the image, and those of other
/// runtimes are unknown here.
#[test]
fn annotations_of_others_change_nothing() {
    let plain = Wish::new(minimal().to_string()).plan();
    let mut config = minimal();
    config["annotations"] = json!({
        "org.opencontainers.image.os": "plan9", "org.opencontainers.image.stopSignal": "SIGQUIT",
        "org.opencontainers.runc.nobody.knows": "x", "run.oci.keep_original_groups": "1",
        "run.oci.handler": "krun", "org.criu.config": "/x", "bundle": "/y"
    });
    assert_eq!(Wish::new(config.to_string()).plan().steps, plain.steps);
}

fn parse(text: String) -> Result<Source, String> {
    let parsed = Source::parse("/bundle".into(), "/bundle/config.json".into(), text.into_bytes());
    parsed.map_err(|error| error.to_string())
}

/// glossary.md, Configuration: names of members are unique. Also where nobody reads them.
#[test]
fn no_member_stands_twice() {
    let text = minimal().to_string();
    for (once, twice) in [
        (r#""cwd":"/""#, r#""cwd":"/","cwd":"/""#),
        (r#""cwd":"/""#, r#""cwd":"/","\u0063wd":"/""#),
        (r#""root":{"#, r#""root":{"unknown":1,"unknown":1,"#),
    ] {
        assert!(text.contains(once), "{text}");
        let error = parse(text.replace(once, twice)).expect_err("a member that stands twice");
        assert!(error.contains("stands in the same object already"), "{error}");
    }
}

/// config.md: keys of annotations must not be empty; values are strings, also empty ones.
#[test]
fn annotations_are_strings_with_names() {
    let with = |annotations: Value| {
        let mut config = minimal();
        config["annotations"] = annotations;
        let source = parse(config.to_string())?;
        let found = source.findings.into_iter().map(|finding| format!("{}: {}", finding.at, finding.message));
        Ok::<Vec<String>, String>(found.collect())
    };
    assert_eq!(with(json!({ "a.b": "" })), Ok(vec![]));
    let empty = "/annotations/: the key of an annotation must not be empty".to_owned();
    assert_eq!(with(json!({ "": "x" })), Ok(vec![empty]));
    for wrong in [json!(5), json!(null), json!(["x"]), json!({ "x": "y" })] {
        let found = with(json!({ "a": wrong })).unwrap_or_else(|error| vec![error]);
        assert!(found.len() == 1 && found[0].contains("/annotations/a"), "{wrong}: {found:?}");
    }
}
