//! Configurations that are no configurations.

use std::fs;
use std::time::Instant;

use serde_json::{Value, json};

use super::canary::refused;
use super::world::{World, config};

/// Every beginning of a configuration is refused; none crashes the command.
#[test]
fn a_configuration_cut_off_anywhere_is_refused() {
    let Some(world) = World::new("a_configuration_cut_off_anywhere_is_refused") else { return };
    let root = world.own_rootfs();
    let container = world.container("cut", |value| value["root"] = json!({ "path": root }));
    let file = container.bundle.join("config.json");
    let whole: Value = serde_json::from_slice(&fs::read(&file).expect("config.json")).expect("JSON");
    let text = json!({ "ociVersion": "1.2.0", "root": whole["root"], "process": whole["process"],
        "linux": { "namespaces": [{ "type": "mount" }] } });
    let text = text.to_string();
    for end in (0..text.len()).step_by(7) {
        fs::write(&file, &text[..end]).expect("config.json");
        refused(&container.create(), &text[..end]);
    }
    for tail in ["", " ", "\n"] {
        fs::write(&file, format!("{text}{tail}")).expect("config.json");
        container.create().ok();
        container.finish();
    }
}

/// Numbers that are none, names twice, bytes that are no text, depth without end.
#[test]
fn malformed_text_is_refused() {
    let Some(world) = World::new("malformed_text_is_refused") else { return };
    let container = world.container("malformed", |_| {});
    let file = container.bundle.join("config.json");
    let text = fs::read_to_string(&file).expect("config.json");
    let with = |what: &str| text.replacen('{', &format!("{{{what},"), 1).into_bytes();
    let deep =
        |open: &str, close: &str| format!("{{\"x\":{}{}}}", open.repeat(100_000), close.repeat(100_000));
    let variants: [(&str, Vec<u8>); 9] = [
        ("1e400", text.replace("\"uid\": 0", "\"uid\": 1e400").into_bytes()),
        ("2^64", text.replace("\"uid\": 0", "\"uid\": 18446744073709551616").into_bytes()),
        ("-0.5", text.replace("\"uid\": 0", "\"uid\": -0.5").into_bytes()),
        ("a name twice", with("\"hostname\": \"a\"")),
        ("no UTF-8", [&text.as_bytes()[..10], b"\xff\xfe", &text.as_bytes()[10..]].concat()),
        ("lists", deep("[", "]").into_bytes()),
        ("objects", deep("{\"a\":", "1}").into_bytes()),
        ("no end", b"[".repeat(100_000)),
        ("empty", Vec::new()),
    ];
    for (what, bytes) in variants {
        assert_ne!(bytes, text.as_bytes(), "{what}");
        fs::write(&file, bytes).expect("config.json");
        refused(&container.create(), what);
    }
}

/// Lists of a length that nobody means: an answer in time, and never an overflow.
#[test]
fn long_lists_are_refused_in_time() {
    let Some(world) = World::new("long_lists_are_refused_in_time") else { return };
    const MANY: usize = 150_000;
    let list = |entry: &dyn Fn(usize) -> Value| -> Value { (0..MANY).map(entry).collect() };
    let lists: [(&str, Value); 8] = [
        ("/mounts", list(&|n| json!({ "destination": format!("/m{n}"), "type": "tmpfs" }))),
        ("/linux/maskedPaths", list(&|n| json!(format!("/m{n}")))),
        ("/linux/readonlyPaths", list(&|n| json!(format!("/m{n}")))),
        (
            "/linux/devices",
            list(&|n| json!({ "path": format!("/dev/d{n}"), "type": "c", "major": 1, "minor": n })),
        ),
        ("/linux/namespaces", list(&|_| json!({ "type": "pid" }))),
        ("/process/rlimits", list(&|_| json!({ "type": "RLIMIT_CORE", "soft": 0, "hard": 0 }))),
        ("/hooks/prestart", list(&|_| json!({ "path": "/bin/true" }))),
        ("/linux/sysctl", (0..MANY).map(|n| (format!("net.x.y{n}"), json!("1"))).collect()),
    ];
    for (place, entries) in lists {
        let container = world.container("long", |value| {
            let (above, name) = place.rsplit_once('/').expect("a pointer");
            if above == "/hooks" {
                value["hooks"] = json!({});
            }
            value.pointer_mut(above).expect("the object above")[name] = entries;
        });
        let began = Instant::now();
        refused(&container.create(), place);
        println!("{place}: refused in {} ms", began.elapsed().as_millis());
    }
    // As many binds as descriptors fit nowhere.
    let container = world.container("binds", |value| {
        for number in 0..70_000 {
            config::mount(value, &format!("/m{number}"), "bind", "/tmp", &["bind"]);
        }
    });
    refused(&container.create(), "70000 binds");
}

/// Many variables and one large one are what they are: too long for execve(2), and said so.
#[test]
fn an_environment_too_large_is_an_error() {
    let Some(world) = World::new("an_environment_too_large_is_an_error") else { return };
    let container = world.container("large", |value| {
        value["process"]["env"] = json!([format!("A={}", "x".repeat(3 << 20))]);
        config::runs(value, &["/bin/true"]);
    });
    refused(&container.run(&[]), "3 MiB in one variable");
}
