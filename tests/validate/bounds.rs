//! Configurations and files beyond measure: `create` says one sentence about each, and leaves nothing behind.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::place::{Place, config};

/// The configuration with one more member, of `count` times the same.
fn many(path: &str, element: &Value, count: usize) -> String {
    const MARK: &str = "@";
    let mut config = config();
    *config.pointer_mut(path.rsplit_once('/').map_or("", |(parent, _)| parent)).expect("its object") = {
        let mut object =
            config.pointer(path.rsplit_once('/').map_or("", |(p, _)| p)).expect("an object").clone();
        object[path.rsplit('/').next().expect("a name")] = json!(MARK);
        object
    };
    let list = vec![element.to_string(); count].join(",");
    config.to_string().replace(&format!("\"{MARK}\""), &format!("[{list}]"))
}

#[test]
fn sizes() {
    let place = Place::new("sizes");
    let file = place.bundle().join("config.json");
    // A sparse file: 100 MiB that nobody has to write.
    fs::File::create(&file).expect("a file").set_len(100 << 20).expect("its length");
    assert_eq!(
        place.refusal(),
        format!(
            "cannot read the configuration {}: 104857600 bytes are more than the 33554432 bytes that a \
             configuration may have",
            file.display()
        )
    );
    fs::File::create(&file).expect("a file").set_len(32 << 20).expect("its length");
    assert!(place.refusal().contains("a value must stand here"));
    let long = config().to_string() + &" ".repeat((31 << 20) + 1);
    place.configure(long);
    assert_eq!(place.run(&["validate", "bundle"], "").status, 0, "a long text of few values is no fault");
}

#[test]
fn numbers_of_entries() {
    let place = Place::new("entries");
    let too_many =
        |at: &str| format!("the configuration has more than 262144 values, most of them in here ({at})");
    for (at, element) in [
        ("/mounts", json!({ "destination": "/a" })),
        ("/process/env", json!("A")),
        ("/process/args", json!("a")),
        ("/linux/maskedPaths", json!("a")),
        ("/unknown", json!([])),
    ] {
        place.configure(many(at, &element, 1_000_000));
        let said = place.refusal();
        assert!(said.ends_with(&format!(": {}", too_many(at))), "{said}");
    }
    let said = |at: &str, element: Value, count| {
        place.configure(many(at, &element, count));
        place.refusal()
    };
    let mounts = said("/mounts", json!({ "destination": "/a" }), 20_000);
    assert!(mounts.contains("are more than the 8192 of one container (/mounts)"), "{mounts}");
    let wrong = said("/process/env", json!("A"), 100_000);
    assert!(wrong.ends_with("config.json has 100000 faults"), "{wrong}");
    let hooks = said("/hooks", json!([]), 1);
    assert!(hooks.ends_with("hooks must be an object, not a list (/hooks)"), "{hooks}");
}

#[test]
fn depth() {
    let place = Place::new("depth");
    let sentence = "objects and arrays are nested deeper than 127 levels";
    for text in ["[".repeat(100_000), "{\"a\":".repeat(100_000), "[{\"a\":".repeat(100_000)] {
        place.configure(&text);
        assert!(place.refusal().contains(sentence));
        let mut inside = config().to_string();
        inside.pop();
        place.configure(format!("{inside},\"x\":{text}"));
        assert!(place.refusal().contains(sentence));
    }
}

/// A sentence that names the kind of file; most of these would keep a careless reader for ever.
#[test]
fn files_that_are_none() {
    let place = Place::new("files");
    let file = place.bundle().join("config.json");
    let cannot = format!("cannot read the configuration {}: ", file.display());
    let refused = |what: &str| {
        assert_eq!(place.refusal(), format!("{cannot}{what}"));
        let _ = fs::remove_file(&file);
    };
    fs::create_dir(&file).expect("a directory");
    assert_eq!(place.refusal(), format!("{cannot}it is a directory, and must be a regular file"));
    fs::remove_dir(&file).expect("an empty directory");

    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mkfifoat(rustix::fs::CWD, &file, mode).expect("a FIFO");
    refused("it is a FIFO, and must be a regular file");
    for device in ["/dev/zero", "/dev/null", "/dev/tty"] {
        symlink(device, &file).expect("a link");
        let said = place.refusal();
        // Without a terminal, /dev/tty cannot even be opened.
        let known =
            said == format!("{cannot}it is a device, and must be a regular file") || said.contains("ENXIO");
        assert!(known, "{said}");
        fs::remove_file(&file).expect("the link");
    }
    symlink(&file, &file).expect("a link");
    refused("too many levels of symbolic links (ELOOP)");
    let listener = UnixListener::bind(&file).expect("a socket");
    refused("no such device or address (ENXIO)");
    drop(listener);
    symlink("/proc/self/mem", &file).expect("a link");
    let said = place.refusal();
    assert!(said.starts_with(&cannot), "{said}");
}

/// A file that grows as fast as somebody can write comes to an end all the same.
#[test]
fn a_file_that_grows_while_it_is_read() {
    let place = Place::new("growing");
    place.configure("[");
    let mut file =
        fs::OpenOptions::new().append(true).open(place.bundle().join("config.json")).expect("the file");
    let stop = Arc::new(AtomicBool::new(false));
    let writer = {
        let stop = stop.clone();
        std::thread::spawn(move || {
            // The disk has an end, too.
            for _ in 0..(64 << 20) / 4096 {
                if stop.load(Ordering::Relaxed) || file.write_all(&[b' '; 4096]).is_err() {
                    break;
                }
            }
        })
    };
    for _ in 0..5 {
        let said = place.refusal();
        let known = ["the text ends before", "bytes that a configuration may have"];
        assert!(known.iter().any(|known| said.contains(known)), "{said}");
    }
    stop.store(true, Ordering::Relaxed);
    writer.join().expect("the writer");
}
