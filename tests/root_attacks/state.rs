//! The state directory, the id, and the files that are written for others.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;

use super::canary::{Canary, clear, end, link, refused};
use super::world::{CGROUPS, World, config, tool};

/// CVE-2015-1331: whoever owns the directory of states says what root kills and removes.
#[test]
fn a_state_directory_of_somebody_else_is_refused() {
    let Some(world) = World::new("a_state_directory_of_somebody_else_is_refused") else { return };
    let canary = Canary::new(&world);
    let container = world.container("victim", |_| {});
    let verbs: [&[&str]; 11] = [
        &["create"],
        &["run"],
        &["state"],
        &["kill"],
        &["kill", "--regex"],
        &["stop"],
        &["wait"],
        &["ps"],
        &["delete", "--force"],
        &["delete", "--force", "--regex"],
        &["list"],
    ];
    let root = world.root();
    let variants: [(&str, &dyn Fn()); 3] = [
        ("owned by another user", &|| {
            fs::create_dir(&root).expect("a directory");
            chown(&root, Some(1000), Some(1000)).expect("another owner");
        }),
        ("open to everybody", &|| {
            fs::create_dir(&root).expect("a directory");
            fs::set_permissions(&root, Permissions::from_mode(0o1777)).expect("another mode");
        }),
        ("a link of another user", &|| {
            symlink(&canary.path, &root).expect("a link");
            tool(&["chown", "-h", "1000:1000", root.to_str().expect("UTF-8")]);
        }),
    ];
    for (what, prepare) in variants {
        prepare();
        for verb in verbs {
            let mut runtime = world.runtime().words(verb);
            if matches!(verb[0], "create" | "run") {
                runtime = runtime.words(&["--bundle"]).path(&container.bundle);
            }
            let id: &[&str] = if verb[0] == "list" { &[] } else { &["victim"] };
            refused(&runtime.words(id).run(), &format!("{verb:?} in a directory {what}"));
            canary.sings(what);
        }
        clear(&root);
    }
}

/// A link in the place of a container's directory leads no command out.
#[test]
fn a_link_in_the_state_directory_is_no_container() {
    let Some(world) = World::new("a_link_in_the_state_directory_is_no_container") else { return };
    let canary = Canary::new(&world);
    let other = world.container("victim", |_| {});
    fs::create_dir(world.root()).expect("a directory");
    for goal in [canary.path.clone(), canary.path.join("empty"), canary.path.join("file"), "/missing".into()]
    {
        link(goal.to_str().expect("UTF-8"), &world.root().join("victim"));
        for verb in ["create", "state", "start", "kill", "stop", "wait", "ps", "events", "delete"] {
            let output = if verb == "create" { other.create() } else { other.command(verb, &[]).run() };
            refused(&output, &format!("{verb} through a link to {}", goal.display()));
            canary.sings(verb);
        }
        end(&other.delete(&["--force"]), "delete --force through a link");
        canary.sings("delete --force");
        clear(&world.root().join("victim"));
    }
}

/// An id is a name. No verb takes one that leads elsewhere, `delete --force` least of all.
#[test]
fn an_id_that_is_a_path_is_refused_by_every_verb() {
    let Some(world) = World::new("an_id_that_is_a_path_is_refused_by_every_verb") else { return };
    let canary = Canary::new(&world);
    let bundle = world.bundle(|_| {});
    let bundle = bundle.to_str().expect("UTF-8");
    fs::create_dir(world.root()).expect("a directory");
    let long = "x".repeat(1025);
    let up = format!("../{}", canary.path.file_name().expect("a name").to_string_lossy());
    for id in ["", ".", "..", "a/b", &up, &long, "a\nb", "ü", "a b", "*"] {
        for words in [
            &["create", "--bundle", bundle, "--", id][..],
            &["start", "--", id],
            &["state", "--", id],
            &["kill", "--", id, "KILL"],
            &["kill", "--all", "--", id, "KILL"],
            &["stop", "--", id],
            &["ps", "--", id],
            &["delete", "--", id],
            &["delete", "--force", "--", id],
        ] {
            refused(&world.run(words), &format!("{words:?}"));
            canary.sings(id);
        }
    }
    assert_eq!(fs::read_dir(world.root()).expect("the root").count(), 0);
}

/// A record that cannot be read: the processes are found by the cgroup that the configuration names.
#[test]
fn a_broken_record_hides_no_process() {
    let Some(world) = World::new("a_broken_record_hides_no_process") else { return };
    for garbage in ["", "{", "null", "{\"id\":\"victim\"}"] {
        let container = world.container("victim", config::sleeps);
        container.create().ok();
        container.start().ok();
        fs::write(container.directory().join("state.json"), garbage).expect("state.json");
        container.delete(&["--force"]).ok();
        let left = world.differences();
        assert!(left.is_empty(), "{garbage:?}: {left:?}");
    }
}

/// Without a record nothing was made: a cgroup that only has the name of the container is somebody else's.
#[test]
fn without_a_record_nobody_is_killed() {
    let Some(world) = World::new("without_a_record_nobody_is_killed") else { return };
    let cgroup = Path::new(CGROUPS).join(format!("{}-neighbour", world.tag));
    fs::create_dir(&cgroup).expect("a cgroup");
    let mut neighbour = Command::new("sleep").arg("1000").spawn().expect("a neighbour");
    fs::write(cgroup.join("cgroup.procs"), neighbour.id().to_string()).expect("the neighbour moves");
    let id = cgroup.file_name().expect("a name").to_string_lossy().into_owned();
    fs::create_dir_all(world.root().join(&id)).expect("a state directory");
    world.run(&["delete", "--force", &id]).ok();
    let lives = neighbour.try_wait().expect("a look").is_none();
    neighbour.kill().expect("the neighbour is ours");
    neighbour.wait().expect("the end of the neighbour");
    super::world::eventually("its cgroup goes", || fs::remove_dir(&cgroup).is_ok());
    assert!(lives, "the neighbour was killed");
}

/// The file with the pid and the log never write through a link, and never wait.
#[test]
fn files_for_others_follow_no_link() {
    let Some(world) = World::new("files_for_others_follow_no_link") else { return };
    let canary = Canary::new(&world);
    let container = world.container("files", |value| config::runs(value, &["/bin/true"]));
    let (file, fifo) = (world.file("file"), world.file("fifo"));
    tool(&["mkfifo", fifo.to_str().expect("UTF-8")]);
    for (option, place) in [("--pid-file", "after"), ("--log", "before")] {
        for goal in [
            canary.path.join("file"),
            canary.path.join("missing"),
            fifo.clone(),
            canary.path.join("empty"),
            "/dev/full".into(),
        ] {
            clear(&file);
            let direct = goal == fifo || goal.starts_with("/dev");
            let shown = if direct && option == "--log" { goal.clone() } else { file.clone() };
            if !direct {
                link(goal.to_str().expect("UTF-8"), &file);
            }
            let shown = shown.to_str().expect("UTF-8");
            let output = if place == "after" {
                container.create_with(&[option, shown])
            } else {
                let bad = world.runtime().words(&[option, shown, "create", "--bundle"]).path(&canary.path);
                bad.words(&["files"]).run()
            };
            end(&output, &format!("{option} {shown}, a link to {}", goal.display()));
            container.delete(&["--force"]).ok();
            canary.sings(option);
        }
    }
    clear(&file);
}
