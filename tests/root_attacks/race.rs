//! A neighbour who shares a volume swaps a directory for a link while the runtime walks through it.
//!
//! CVE-2019-19921, CVE-2021-30465, CVE-2024-45310, CVE-2025-52881.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde_json::{Value, json};

use super::canary::{Canary, End, clear, end, link};
use super::world::{World, config};

/// Swaps two names again and again, until it is told to stop; answers how often it did.
fn swap(one: &Path, other: &Path, stop: &AtomicBool, done: &AtomicUsize) {
    while !stop.load(Ordering::Relaxed) {
        renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).expect("an exchange");
        done.fetch_add(1, Ordering::Relaxed);
    }
}

/// Starts containers while `volume/d` is now a directory, now a link to the canary.
fn race(test: &'static str, containers: usize, mounts: &[(&str, &str)], change: impl Fn(&mut Value)) {
    let Some(world) = World::new(test) else { return };
    let (canary, volume) = (Canary::new(&world), world.file("volume"));
    let (directory, trap) = (volume.join("d"), volume.join("trap"));
    let (stop, swaps) = (AtomicBool::new(false), AtomicUsize::new(0));
    fs::create_dir_all(&directory).expect("a directory");
    link(canary.text(), &trap);
    let container = world.container("race", |value| {
        value["root"] = json!({ "path": world.own_rootfs() });
        config::bind(value, &volume, "/vol");
        for (target, kind) in mounts {
            config::mount(value, target, kind, kind, if *kind == "bind" { &["bind"] } else { &[] });
            if *kind == "bind" {
                let last = value["mounts"].as_array_mut().and_then(|all| all.last_mut()).expect("a mount");
                last["source"] = json!(canary.path.join("file"));
            }
        }
        change(value);
    });
    let (mut ran, mut refused) = (0, 0);
    thread::scope(|scope| {
        let racer = scope.spawn(|| swap(&directory, &trap, &stop, &swaps));
        for _ in 0..containers {
            let output = container.run(&[]);
            match end(&output, "a race") {
                End::Ran => ran += 1,
                End::Refused => refused += 1,
            }
        }
        stop.store(true, Ordering::Relaxed);
        racer.join().expect("the racer");
    });
    println!("{test}: {ran} ran, {refused} were refused, {} swaps", swaps.load(Ordering::Relaxed));
    canary.sings(test);
    assert!(swaps.load(Ordering::Relaxed) > containers, "the race was no race");
    clear(&volume);
}

#[test]
fn mounts_below_a_directory_that_changes() {
    let mounts =
        [("/vol/d", "tmpfs"), ("/vol/d/empty", "tmpfs"), ("/vol/d/file", "bind"), ("/vol/d/self", "proc")];
    race("mounts_below_a_directory_that_changes", 60, &mounts, |_| {});
}

#[test]
fn missing_targets_below_a_directory_that_changes() {
    let mounts = [("/vol/d/new/x/y", "tmpfs"), ("/vol/d/other/file", "bind"), ("/vol/d/cg", "cgroup")];
    race("missing_targets_below_a_directory_that_changes", 60, &mounts, |_| {});
}

#[test]
fn masks_devices_and_directories_where_everything_changes() {
    race("masks_devices_and_directories_where_everything_changes", 60, &[], |value| {
        value["linux"]["maskedPaths"] = json!(["/vol/d/file", "/vol/d/empty"]);
        value["linux"]["readonlyPaths"] = json!(["/vol/d", "/vol/d/pts"]);
        value["linux"]["devices"] = json!([{ "path": "/vol/d/node", "type": "c", "major": 1, "minor": 3 }]);
        value["process"]["cwd"] = json!("/vol/d/made/here");
    });
}
