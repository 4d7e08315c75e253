//! Links in the image where the runtime mounts, makes devices and makes links.

use std::fs;

use serde_json::json;

use super::canary::{Canary, End, clear, end, link, refused};
use super::world::{World, config};

/// CVE-2019-18837, CVE-2021-30465, CVE-2026-87766: a mount target leads out.
#[test]
fn links_on_the_way_to_a_mount_do_not_lead_out() {
    let Some(world) = World::new("links_on_the_way_to_a_mount_do_not_lead_out") else { return };
    let (canary, root) = (Canary::new(&world), world.own_rootfs());
    let goals = [
        canary.text().to_owned(),
        format!("../../../../../../..{}", canary.text()),
        format!("{}/file", canary.text()),
        format!("{}/missing", canary.text()),
        "/proc/self/root".to_owned(),
        "/proc/1/root".to_owned(),
        "/".to_owned(),
        "..".to_owned(),
        "m".to_owned(),
        "/proc/self/fd/3".to_owned(),
        "/proc/self/cwd".to_owned(),
    ];
    for goal in &goals {
        link(goal, &root.join("m"));
        for target in ["/m", "/m/x", "/m/x/y"] {
            for bind in [false, true] {
                let output = world
                    .container("link", |value| {
                        value["root"] = json!({ "path": root });
                        if bind {
                            config::bind(value, &canary.path.join("file"), target);
                        } else {
                            config::mount(value, target, "tmpfs", "tmpfs", &[]);
                        }
                        config::runs(value, &["/bin/true"]);
                    })
                    .run(&[]);
                let what = format!("{target} through {goal}, bind: {bind}");
                end(&output, &what);
                canary.sings(&what);
            }
        }
    }
}

/// A chain of links longer than the kernel follows (path_resolution(7)) is an error.
#[test]
fn a_chain_of_links_is_an_error() {
    let Some(world) = World::new("a_chain_of_links_is_an_error") else { return };
    let root = world.own_rootfs();
    for number in 0..41 {
        link(&format!("c{}", number + 1), &root.join(format!("c{number}")));
    }
    fs::create_dir(root.join("c41")).expect("a directory");
    let output = world
        .container("chain", |value| {
            value["root"] = json!({ "path": root });
            config::mount(value, "/c0", "tmpfs", "tmpfs", &[]);
        })
        .run(&[]);
    refused(&output, "a chain of 41 links");
}

/// CVE-2019-19921, CVE-2023-27561, CVE-2023-28642, CVE-2025-54867: /proc and its like are links of the image.
#[test]
fn the_kernels_filesystems_are_not_mounted_on_links() {
    let Some(world) = World::new("the_kernels_filesystems_are_not_mounted_on_links") else { return };
    let (canary, root) = (Canary::new(&world), world.own_rootfs());
    for place in ["proc", "sys", "dev"] {
        for goal in [canary.text(), "/", ".", "/proc", "/tmp", "../../canary", "missing"] {
            link(goal, &root.join(place));
            let output = world.container("link", |value| value["root"] = json!({ "path": root })).run(&[]);
            let what = format!("/{place} -> {goal}");
            refused(&output, &what);
            canary.sings(&what);
        }
        clear(&root.join(place));
        fs::create_dir(root.join(place)).expect("a directory");
    }
}

/// The same one level deeper, in a /dev and a /sys of the image's own.
#[test]
fn nor_on_links_below_dev_and_sys() {
    let Some(world) = World::new("nor_on_links_below_dev_and_sys") else { return };
    let (canary, root) = (Canary::new(&world), world.own_rootfs());
    for (place, covered) in
        [("dev/pts", "/dev"), ("dev/shm", "/dev"), ("dev/mqueue", "/dev"), ("sys/fs/cgroup", "/sys")]
    {
        for goal in [canary.text(), "/", "/tmp", "missing"] {
            let path = root.join(place);
            fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
            link(goal, &path);
            let output = world
                .container("link", |value| {
                    value["root"] = json!({ "path": root });
                    config::without_mount(value, covered);
                })
                .run(&[]);
            let what = format!("/{place} -> {goal}");
            refused(&output, &what);
            canary.sings(&what);
            clear(&path);
        }
    }
}

/// CVE-2026-41579, CVE-2026-47766, CVE-2026-88264: no mount covers /dev, so the image's own is used.
#[test]
fn a_dev_of_the_image_leads_nowhere() {
    let Some(world) = World::new("a_dev_of_the_image_leads_nowhere") else { return };
    let (canary, root) = (Canary::new(&world), world.own_rootfs());
    let entries =
        ["", "/console", "/null", "/ptmx", "/fd", "/core", "/shm", "/stdin", "/tty", "/zero", "/pts"];
    for entry in entries {
        for goal in
            [canary.text().to_owned(), format!("{}/file", canary.text()), "../../canary/missing".to_owned()]
        {
            let path = root.join(format!("dev{entry}"));
            link(&goal, &path);
            for (terminal, readonly) in [(false, false), (false, true), (true, false), (true, true)] {
                let container = world.container("dev", |value| {
                    value["root"] = json!({ "path": root, "readonly": readonly });
                    value["mounts"] = json!([]);
                    value["process"]["terminal"] = json!(terminal);
                    config::runs(value, &["/bin/true"]);
                });
                let what = format!("/dev{entry} -> {goal}, terminal {terminal}, read-only {readonly}");
                end(&container.run(&[]), &what);
                canary.sings(&what);
            }
            clear(&root.join("dev"));
            fs::create_dir(root.join("dev")).expect("a directory");
        }
    }
}

/// With a terminal, and pts of our own in a /dev of the image's.
#[test]
fn a_console_of_the_image_leads_nowhere() {
    let Some(world) = World::new("a_console_of_the_image_leads_nowhere") else { return };
    let (canary, root) = (Canary::new(&world), world.own_rootfs());
    for goal in ["file", "missing", "empty", "../canary/file"] {
        for name in ["console", "ptmx", "tty"] {
            clear(&root.join("dev"));
            fs::create_dir(root.join("dev")).expect("a directory");
            link(&format!("{}/{goal}", canary.text()), &root.join("dev").join(name));
            let output = world
                .container("console", |value| {
                    value["root"] = json!({ "path": root });
                    config::without_mount(value, "/dev");
                    value["process"]["terminal"] = json!(true);
                    config::runs(value, &["/bin/sh", "-c", "test -c /dev/console && test -t 0"]);
                })
                .run(&[]);
            let what = format!("/dev/{name} -> {goal}");
            let ended = end(&output, &what);
            assert!(name != "console" || ended == End::Refused, "{what}");
            canary.sings(&what);
        }
    }
}
