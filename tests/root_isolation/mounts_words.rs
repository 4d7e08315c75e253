//! Every option word that `features` lists, in a real container, with its effect read back.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::mounts::{mount_at, words};
use crate::mounts_idmap::idmappable;
use crate::world::{self, World, config, inventory};

/// Where a word can be seen to work.
enum Effect {
    /// A bind mount of a tree without attributes gains this one at its top; so does a new tmpfs.
    Sets(&'static str),
    /// The same at its top and below.
    SetsAll(&'static str),
    /// A bind mount of a tree with all attributes loses this one at its top.
    Clears(&'static str),
    /// The same at its top and below.
    ClearsAll(&'static str),
    /// A bind mount of a tree that has this access time policy has the default in its place.
    Unsets,
    UnsetsAll,
    /// A new superblock has it.
    Superblock(&'static str),
    /// It takes back this word before it.
    TakesBack(&'static str),
    /// What the optional fields of mountinfo begin with, at the top and below.
    Propagates(&'static str, &'static str),
    /// Does a bind mount show the mount below?
    Binds(bool),
    /// It makes a mount no different.
    Invisible,
    /// It has a test of its own.
    ShownBy(fn(&World)),
}

const ALL: &str = "ro,nosuid,nodev,noexec,nosymfollow,nodiratime,noatime";

fn effect(word: &str) -> Option<Effect> {
    use Effect::*;
    Some(match word {
        "ro" | "nosuid" | "nodev" | "noexec" | "nosymfollow" | "nodiratime" | "noatime" => {
            Sets(ALL.split(',').find(|name| *name == word)?)
        }
        "rro" | "rnosuid" | "rnodev" | "rnoexec" | "rnosymfollow" | "rnodiratime" | "rnoatime" => {
            SetsAll(ALL.split(',').find(|name| *name == &word[1..])?)
        }
        "rw" => Clears("ro"),
        "suid" => Clears("nosuid"),
        "dev" => Clears("nodev"),
        "exec" => Clears("noexec"),
        "symfollow" => Clears("nosymfollow"),
        "diratime" => Clears("nodiratime"),
        "relatime" | "atime" => Clears("noatime"),
        "rrw" => ClearsAll("ro"),
        "rsuid" => ClearsAll("nosuid"),
        "rdev" => ClearsAll("nodev"),
        "rexec" => ClearsAll("noexec"),
        "rsymfollow" => ClearsAll("nosymfollow"),
        "rdiratime" => ClearsAll("nodiratime"),
        "rrelatime" | "ratime" => ClearsAll("noatime"),
        // Neither relatime nor noatime.
        "strictatime" => Clears("relatime"),
        "rstrictatime" => ClearsAll("relatime"),
        "nostrictatime" | "norelatime" => Unsets,
        "rnostrictatime" | "rnorelatime" => UnsetsAll,
        "sync" | "rsync" => Superblock("sync"),
        "dirsync" | "rdirsync" => Superblock("dirsync"),
        "lazytime" => Superblock("lazytime"),
        "mand" | "rmand" => Superblock("mand"),
        "async" | "rasync" => TakesBack("sync"),
        "nolazytime" => TakesBack("lazytime"),
        "nomand" | "rnomand" => TakesBack("mand"),
        "noiversion" => TakesBack("iversion"),
        "loud" => TakesBack("silent"),
        // The kernel counts, and is quiet: neither can be read back.
        "iversion" | "silent" => Invisible,
        "private" => Propagates("", "master:"),
        "rprivate" => Propagates("", ""),
        "slave" | "rslave" => Propagates("master:", "master:"),
        "shared" => Propagates("shared:", "master:"),
        "rshared" => Propagates("shared:", "shared:"),
        "unbindable" => Propagates("unbindable", "master:"),
        "runbindable" => Propagates("unbindable", "unbindable"),
        "bind" => Binds(false),
        "rbind" => Binds(true),
        "user" | "users" => Sets("nosuid"),
        "owner" | "group" => Sets("nodev"),
        "defaults" | "auto" | "noauto" | "nofail" | "nouser" | "nousers" | "noowner" | "nogroup"
        | "_netdev" => Invisible,
        "remount" => ShownBy(remount),
        "tmpcopyup" => ShownBy(tmpcopyup),
        "idmap" => ShownBy(|world| idmap(world, "idmap")),
        "ridmap" => ShownBy(|world| idmap(world, "ridmap")),
        "copy-symlink" => ShownBy(copy_symlink),
        "src-nofollow" => ShownBy(src_nofollow),
        "dest-nofollow" => ShownBy(dest_nofollow),
        _ => return None,
    })
}

/// Trees of the host, each a shared mount with another below it.
struct Trees {
    open: String,
    sealed: String,
    strict: String,
}

fn tree(world: &World, name: &str, options: &str) -> String {
    let top = world.file(name);
    let below = top.join("below");
    for place in [&top, &below] {
        fs::create_dir(place).expect("a directory");
        world::tool(&["mount", "-t", "tmpfs", "tree", place.to_str().expect("UTF-8")]);
    }
    for place in [&below, &top] {
        let place = place.to_str().expect("UTF-8");
        world::tool(&["mount", "--make-shared", place]);
        world::tool(&["mount", "-o", &format!("remount,bind,{options}"), place]);
    }
    top.to_str().expect("UTF-8").to_owned()
}

impl Trees {
    fn new(world: &World) -> Self {
        Self {
            open: tree(world, "open", "rw,relatime"),
            sealed: tree(world, "sealed", ALL),
            strict: tree(world, "strict", "rw,strictatime"),
        }
    }
}

/// The mounts by which the word is looked at: the kind, the source, and the words before it.
fn mounts<'t>(effect: &Effect, trees: &'t Trees) -> Vec<(&'static str, &'t str, &'static str)> {
    let bind = |source: &'t str| vec![("bind", source, "rbind")];
    match effect {
        Effect::Sets(_) | Effect::SetsAll(_) => {
            vec![("bind", trees.open.as_str(), "rbind"), ("tmpfs", "tmpfs", "")]
        }
        Effect::Clears("relatime") | Effect::ClearsAll("relatime") => bind(&trees.open),
        Effect::Clears(_) | Effect::ClearsAll(_) => bind(&trees.sealed),
        Effect::Unsets | Effect::UnsetsAll => bind(&trees.strict),
        Effect::Propagates(..) => bind(&trees.open),
        Effect::Binds(_) => vec![("bind", &trees.open, "")],
        Effect::TakesBack(before) => vec![("tmpfs", "tmpfs", *before)],
        Effect::Superblock(_) | Effect::Invisible => {
            vec![("tmpfs", "tmpfs", ""), ("bind", &trees.open, "rbind")]
        }
        Effect::ShownBy(_) => Vec::new(),
    }
}

fn has(report: &Value, target: &str, list: &str, option: &str) -> bool {
    words(&mount_at(report, target)[list]).contains(&option)
}

/// What is seen of the word at `/mnt/N`, and at `/mnt/N/below` where that is part of it.
fn check(word: &str, effect: &Effect, report: &Value, at: &str, kind: &str) {
    let below = format!("{at}/below");
    let top = |option| has(report, at, "options", option);
    let deep = |option| kind == "bind" && has(report, &below, "options", option);
    let begins = |target: &str| {
        let fields = mount_at(report, target)["propagation"].clone();
        words(&fields).first().map(|field| (*field).to_owned()).unwrap_or_default()
    };
    match effect {
        Effect::Sets(option) => assert!(top(option) && !deep(option), "{word}: {report}"),
        Effect::SetsAll(option) => {
            assert!(top(option) && (kind != "bind" || deep(option)), "{word}: {report}");
        }
        Effect::Clears(option) => assert!(!top(option) && deep(option), "{word}: {report}"),
        Effect::ClearsAll(option) => assert!(!top(option) && !deep(option), "{word}: {report}"),
        Effect::Unsets => assert!(top("relatime") && !deep("relatime"), "{word}: {report}"),
        Effect::UnsetsAll => assert!(top("relatime") && deep("relatime"), "{word}: {report}"),
        Effect::Superblock(option) => {
            // The superblock of a bind mount is the host's, and stays as it is.
            assert_eq!(has(report, at, "super_options", option), kind == "tmpfs", "{word}: {report}");
        }
        Effect::TakesBack(option) => assert!(!has(report, at, "super_options", option), "{word}"),
        Effect::Propagates(first, then) => {
            for (target, expected) in [(at, first), (below.as_str(), then)] {
                let found = begins(target);
                assert!(
                    found.starts_with(expected) && found.is_empty() == expected.is_empty(),
                    "{word}: {found}"
                );
            }
        }
        Effect::Binds(whole) => {
            let all = report["mounts"].as_array().expect("mounts");
            assert_eq!(all.iter().any(|mount| mount["target"] == below.as_str()), *whole, "{word}");
            assert_eq!(mount_at(report, at)["source"], "tree", "{word}");
        }
        Effect::Invisible => {
            let mut options = mount_at(report, at)["options"].clone();
            options.as_array_mut().expect("a list").sort_by_key(Value::to_string);
            assert_eq!(words(&options), ["relatime", "rw"], "{word}");
        }
        Effect::ShownBy(show) => unreachable!("{word} has no mount of its own here: {show:p}"),
    }
}

#[test]
fn every_word_that_features_lists_does_what_it_says() {
    let Some(world) = World::new("every_word_that_features_lists_does_what_it_says") else { return };
    let trees = Trees::new(&world);
    let features = world.run(&["features"]).ok().json();
    let listed = words(&features["mountOptions"]);
    let known = |word| effect(word).unwrap_or_else(|| panic!("nobody looks at the word {word}"));
    let mut cases = Vec::new();
    for word in &listed {
        let effect = known(word);
        if let Effect::ShownBy(show) = effect {
            show(&world);
            continue;
        }
        for (kind, source, before) in mounts(&effect, &trees) {
            cases.push((*word, known(word), kind, source, before));
        }
    }
    let report = world.report(&["mounts"], |value| {
        config::mount(value, "/mnt", "tmpfs", "tmpfs", &[]);
        for (number, (word, _, kind, source, before)) in cases.iter().enumerate() {
            let options: Vec<&str> =
                before.split(',').chain([*word]).filter(|word| !word.is_empty()).collect();
            config::mount(value, &format!("/mnt/{number}"), kind, source, &options);
        }
    });
    for (number, (word, effect, kind, ..)) in cases.iter().enumerate() {
        check(word, effect, &report, &format!("/mnt/{number}"), kind);
    }
    for place in [&trees.open, &trees.sealed, &trees.strict] {
        inventory::unmount_below(Path::new(place));
    }
}

fn remount(world: &World) {
    let report = world.report(&["mounts"], |value| {
        config::mount(value, "/mnt", "tmpfs", "tmpfs", &["nosuid", "size=64k", "sync"]);
        config::mount(value, "/mnt", "tmpfs", "tmpfs", &["remount", "ro", "size=128k", "async", "lazytime"]);
    });
    let mount = mount_at(&report, "/mnt");
    assert!(has(&report, "/mnt", "options", "ro") && has(&report, "/mnt", "options", "nosuid"), "{mount}");
    let superblock = words(&mount["super_options"]).join(" ");
    assert!(superblock.contains("size=128k") && superblock.contains("lazytime"), "{mount}");
    assert!(!superblock.contains("sync"), "{mount}");
}

fn tmpcopyup(world: &World) {
    let said = world.says(&["sh", "-c", "stat -f -c %T /etc; ls /etc/passwd"], |value| {
        config::mount(value, "/etc", "tmpfs", "tmpfs", &["tmpcopyup"]);
    });
    assert_eq!(said, "tmpfs\n/etc/passwd\n");
}

fn idmap(world: &World, word: &str) {
    let source = world.file(&format!("source of {word}"));
    fs::create_dir(&source).expect("a directory");
    let container = world.container("a", |value| {
        config::mount(value, "/mnt", "bind", source.to_str().expect("UTF-8"), &["rbind", word]);
        let mount = value["mounts"].as_array_mut().expect("mounts").last_mut().expect("a mount");
        let map = json!([{ "containerID": 0, "hostID": 7, "size": 1 }]);
        (mount["uidMappings"], mount["gidMappings"]) = (map.clone(), map);
        config::runs(value, &["stat", "-c", "%u:%g", "/mnt"]);
    });
    let output = container.run(&[]);
    match idmappable(&source) {
        Ok(()) => assert_eq!(output.ok().stdout, "7:7\n", "{word}"),
        Err(filesystem) => assert!(output.exits(1).sentence().contains(&filesystem), "{word}"),
    }
}

fn copy_symlink(world: &World) {
    let link = world.file("link to copy");
    std::os::unix::fs::symlink("/etc/passwd", &link).expect("a link");
    let said = world.says(&["readlink", "/mnt/new/link"], |value| {
        config::mount(value, "/mnt", "tmpfs", "tmpfs", &[]);
        let source = link.to_str().expect("UTF-8");
        config::mount(value, "/mnt/new/link", "bind", source, &["bind", "copy-symlink"]);
    });
    assert_eq!(said, "/etc/passwd\n");
}

fn src_nofollow(world: &World) {
    let link = world.file("link to take");
    std::os::unix::fs::symlink("/nowhere", &link).expect("a link");
    let said = world.says(&["readlink", "/mnt/link"], |value| {
        config::mount(value, "/mnt", "tmpfs", "tmpfs", &[]);
        let source = link.to_str().expect("UTF-8");
        config::mount(value, "/mnt/link", "bind", source, &["bind", "src-nofollow"]);
    });
    assert_eq!(said, "/nowhere\n");
}

fn dest_nofollow(world: &World) {
    let (rootfs, file) = (world.own_rootfs(), world.file("file to mount"));
    fs::write(&file, "of the host\n").expect("a file");
    std::os::unix::fs::symlink("passwd", rootfs.join("etc/link")).expect("a link");
    let script = "cat /etc/link; readlink /etc/link || echo no link; head -c 4 /etc/passwd";
    let said = world.says(&["sh", "-c", script], |value| {
        value["root"]["path"] = json!(rootfs);
        let source = file.to_str().expect("UTF-8");
        config::mount(value, "/etc/link", "bind", source, &["bind", "dest-nofollow"]);
    });
    assert_eq!(said, "of the host\nno link\nroot");
}
