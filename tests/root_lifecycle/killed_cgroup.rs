//! A cgroup that was killed once stays good for the next container.
//!
//! Linux 6.14 to 7.2 kill at once who is born into such a cgroup from another one, or out of one into a fresh
//! one (docs/adr/0017-spurned-newborn.md). Elsewhere these tests show that it makes no difference.

use std::fs;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use crate_run::cgroup::devices::attached::name_for;
use crate_run::cgroup::{Cgroup, CgroupPath, Hierarchy};
use crate_run_sys::{Fd, bpf};

use crate::world::container::Container;
use crate::world::runtime::{Output, Runtime};
use crate::world::{CGROUPS, World, config, eventually};

/// A cgroup of the test's own, and of nobody in it, in which everybody was killed.
fn killed(world: &World, name: &str) -> PathBuf {
    let cgroup = world.cgroup(name);
    fs::create_dir(&cgroup).expect("a cgroup");
    kill(&cgroup);
    cgroup
}

fn kill(cgroup: &Path) {
    fs::write(cgroup.join("cgroup.kill"), "1").expect("cgroup.kill");
}

/// crate-run as a process of this cgroup.
fn from_within<'w>(world: &'w World, cgroup: &Path, words: &[&str]) -> Runtime<'w> {
    let script = r#"echo $$ >"$1/cgroup.procs" && shift && exec "$@""#;
    let cgroup = cgroup.to_str().expect("UTF-8");
    Runtime::within(world, &["sh", "-c", script, "sh", cgroup]).words(words)
}

/// Who is in a cgroup.
fn members(cgroup: &Path) -> Vec<i64> {
    let text = fs::read_to_string(cgroup.join("cgroup.procs")).expect("cgroup.procs");
    text.lines().map(|line| line.parse().expect("a number")).collect()
}

/// The container's first process and a program that comes in later are in `cgroup` and see it as their root.
fn lives_in(container: &Container, cgroup: &Path, exec: impl Fn(&[&str]) -> Output) {
    assert_eq!(members(cgroup), [container.pid()]);
    let seen = exec(&["grep", "-h", "^0::", "/proc/1/cgroup", "/proc/self/cgroup"]).ok().stdout;
    assert_eq!(seen, "0::/\n0::/\n");
}

/// The container whose cgroup is the test's, again and again.
fn is_used_again(world: &World, change: impl FnOnce(&mut serde_json::Value)) {
    let cgroup = killed(world, "kept");
    let container = world.container("kept", |config| {
        config::sleeps(config);
        change(config);
    });
    let exec = |words: &[&str]| world.runtime().words(&["exec", "kept"]).words(words).run();
    for verb in ["run", "create"] {
        match verb {
            "run" => drop(container.run(&["--detach"]).ok()),
            _ => drop((container.create().ok(), container.start().ok())),
        }
        lives_in(&container, &cgroup, exec);
        // That kills the cgroup, this time with somebody in it.
        container.delete(&["--force"]).ok();
        assert!(cgroup.exists(), "it is the test's");
    }
    eventually("the dead have left", || fs::remove_dir(&cgroup).is_ok());
}

#[test]
fn a_cgroup_that_was_killed_is_used_again() {
    let Some(world) = World::new("a_cgroup_that_was_killed_is_used_again") else { return };
    is_used_again(&world, |_| {});
}

/// The newborn waits twice then: until it is moved, and for its maps.
#[test]
fn so_it_is_for_a_user_namespace() {
    let Some(world) = World::new("so_it_is_for_a_user_namespace") else { return };
    is_used_again(&world, |config| {
        config::userns(config);
        config::without_mount(config, "/sys/fs/cgroup");
    });
}

#[test]
fn a_runtime_whose_own_cgroup_was_killed_makes_containers() {
    let Some(world) = World::new("a_runtime_whose_own_cgroup_was_killed_makes_containers") else { return };
    let own = killed(&world, "own");
    let container = world.container("a", config::sleeps);
    let bundle = container.bundle.to_str().expect("UTF-8");
    from_within(&world, &own, &["run", "--detach", "--bundle", bundle, "a"]).run().ok();
    lives_in(&container, &world.cgroup("a"), |words| {
        from_within(&world, &own, &["exec", "a"]).words(words).run()
    });
    assert_eq!(members(&own), [0; 0], "the runtime leaves nobody behind where it stands");
    container.delete(&["--force"]).ok();
    fs::remove_dir(&own).expect("nobody is in it");
}

/// A program comes into a cgroup in which others were killed, as a container's first process is spared by
/// nobody: this one was put there later.
#[test]
fn a_program_enters_a_cgroup_that_was_killed() {
    let Some(world) = World::new("a_program_enters_a_cgroup_that_was_killed") else { return };
    let container = world.container("a", config::sleeps);
    container.run(&["--detach"]).ok();
    let (cgroup, pid) = (world.cgroup("a"), container.pid().to_string());
    fs::write(Path::new(CGROUPS).join("cgroup.procs"), &pid).expect("out of it");
    kill(&cgroup);
    fs::write(cgroup.join("cgroup.procs"), &pid).expect("and back");
    lives_in(&container, &cgroup, |words| world.runtime().words(&["exec", "a"]).words(words).run());
    container.delete(&["--force"]).ok();
}

/// Hooks run once, and what they do stands once.
#[test]
fn hooks_run_once() {
    let Some(world) = World::new("hooks_run_once") else { return };
    let cgroup = killed(&world, "kept");
    let (log, script) =
        (world.file("hooks"), |kind| format!("echo {kind} >>{}", world.file("hooks").display()));
    let container = world.container("kept", |config| {
        for kind in ["createRuntime", "createContainer", "poststart", "poststop"] {
            config["hooks"][kind] =
                serde_json::json!([{ "path": "/bin/sh", "args": ["sh", "-c", script(kind)] }]);
        }
    });
    container.run(&[]).ok();
    let ran = fs::read_to_string(log).expect("the hooks have run");
    assert_eq!(ran, "createRuntime\ncreateContainer\npoststart\npoststop\n");
    eventually("the dead have left", || fs::remove_dir(&cgroup).is_ok());
}

/// A start that fails is undone also where somebody else, such as systemd, was faster to remove the cgroup.
#[test]
fn a_cgroup_that_is_gone_has_no_device_filter() {
    let Some(world) = World::new("a_cgroup_that_is_gone_has_no_device_filter") else { return };
    let place = world.cgroup("gone");
    fs::create_dir(&place).expect("a cgroup");
    let hierarchy = Hierarchy::find().expect("cgroup2");
    let below = place.strip_prefix(CGROUPS).expect("below the mount").display();
    let path = CgroupPath::absolute(&format!("/{below}")).expect("a path");
    let cgroup = Cgroup::open(&hierarchy, &path).expect("it opens").expect("it is there");
    fs::remove_dir(&place).expect("nobody is in it");
    cgroup.forget_filter("gone").expect("nothing is left of it");
}

/// What a filter has denied to one container it does not deny to the next.
#[test]
fn no_device_filter_stays_in_a_cgroup_that_stays() {
    let Some(world) = World::new("no_device_filter_stays_in_a_cgroup_that_stays") else { return };
    let cgroup = world.cgroup("kept");
    fs::create_dir(&cgroup).expect("a cgroup");
    let filters_of = |id: &str| {
        let directory = fs::File::open(&cgroup).expect("the cgroup");
        bpf::detach_device_programs(Fd(directory.as_raw_fd()), name_for(id)).expect("a list of programs")
    };
    let container = world.container("kept", |_| {});
    container.create().ok();
    assert_eq!(filters_of("other"), 0, "nobody takes that of another container");
    assert_eq!(filters_of("kept"), 1, "this way they are found");
    container.delete(&["--force"]).ok();
    container.run(&[]).ok();
    assert_eq!(filters_of("kept"), 0, "when it was deleted");
    let failing = world.container("kept", |config| {
        config["hooks"] = serde_json::json!({ "createRuntime": [{ "path": "/bin/false" }] });
    });
    failing.run(&[]).exits(1);
    assert_eq!(filters_of("kept"), 0, "when it could not be made");
    eventually("the dead have left", || fs::remove_dir(&cgroup).is_ok());
}
