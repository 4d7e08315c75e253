//! A /proc that the image or a volume has prepared (CVE-2019-16884, CVE-2025-52881, CVE-2025-62596).

use std::fs;

use serde_json::json;

use super::canary::{Canary, End, end, refused};
use super::world::{World, config};

/// What is written to procfs arrives in the real one, or nothing runs; the fake files stay as they are.
#[test]
fn a_fake_proc_receives_nothing() {
    let Some(world) = World::new("a_fake_proc_receives_nothing") else { return };
    let canary = Canary::new(&world);
    let container = world.container("fake", |value| {
        config::without_mount(value, "/proc");
        config::bind(value, &canary.path, "/proc");
        value["linux"]["sysctl"] = json!({ "kernel.shmmax": "4096" });
        value["process"]["oomScoreAdj"] = json!(321);
        config::runs(value, &["/bin/busybox", "sleep", "1000"]);
    });
    let created = container.create();
    if end(&created, "create") == End::Ran {
        let pid = container.pid();
        let score = fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).expect("a score");
        assert_eq!(score.trim(), "321");
        let words =
            ["--target", &pid.to_string(), "--ipc", "cat", "/proc/sys/kernel/shmmax"].map(str::to_owned);
        let words: Vec<&str> = ["nsenter"].into_iter().chain(words.iter().map(String::as_str)).collect();
        assert_eq!(super::world::tool(&words), "4096");
        container.finish();
    }
    canary.sings("a fake /proc");
}

/// Only a procfs belongs on /proc, and only a few files on a procfs.
#[test]
fn nothing_covers_proc() {
    let Some(world) = World::new("nothing_covers_proc") else { return };
    let (canary, root) = (Canary::new(&world), world.own_rootfs());
    for name in ["in", "deep"] {
        super::canary::link("/proc/sys", &root.join(name));
    }
    let tries = [
        ("/proc", "tmpfs"),
        ("/proc/self", "bind"),
        ("/proc/self/attr", "tmpfs"),
        ("/proc/sys/kernel", "bind"),
        ("/in", "tmpfs"),
        ("/deep/kernel", "bind"),
        ("/tmp/../proc/self/fd", "bind"),
    ];
    for (target, kind) in tries {
        let container = world.container("cover", |value| {
            value["root"] = json!({ "path": root });
            match kind {
                "bind" => config::bind(value, &canary.path, target),
                other => config::mount(value, target, other, other, &[]),
            }
        });
        refused(&container.run(&[]), target);
        canary.sings(target);
    }
}
