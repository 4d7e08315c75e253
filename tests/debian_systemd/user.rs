//! An ordinary user and his own systemd.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::world;
use crate::world::runtime::{Output, Runtime};
use crate::world::{World, config, eventually, tool};

const USER: &str = "rootless";
const DIRECTORY: &str = "XDG_RUNTIME_DIR=/run/user/1000";

/// crate-run as the ordinary user, started where root's processes are and not where his own are.
fn as_user(world: &World, variables: &[&str], words: &[&str]) -> Output {
    let user = ["runuser", "-u", USER, "--", "env", "--ignore-environment", "PATH=/usr/bin:/bin"];
    Runtime::within(world, &[&user, variables].concat()).words(&["--systemd-cgroup"]).words(words).run()
}

/// A bundle that the user may read, and a place for his state.
fn bundle(world: &World) -> PathBuf {
    let name = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    let state = world.root();
    std::fs::create_dir(&state).expect("a directory");
    tool(&["chown", USER, &name(&state)]);
    let bundle = world.bundle(|value| {
        let map = json!([{ "containerID": 0, "hostID": 1000, "size": 1 }]);
        value["linux"]["uidMappings"] = map.clone();
        value["linux"]["gidMappings"] = map;
        value["linux"]["cgroupsPath"] = json!(format!("user.slice:{}:a", world.tag));
        value["linux"]["resources"] =
            json!({ "memory": { "limit": 64 << 20 }, "pids": { "limit": 33 }, "cpu": { "shares": 512 } });
        config::namespace(value, "user", None);
        config::without_mount(value, "/dev/pts");
        config::sleeps(value);
    });
    tool(&["chmod", "-R", "a+rX", &name(&world.file(""))]);
    bundle
}

#[test]
fn a_user_has_limits_by_his_own_systemd() {
    let Some(world) = world("a_user_has_limits_by_his_own_systemd") else { return };
    let bundle = bundle(&world);
    let run = |words: &[&str]| as_user(&world, &[DIRECTORY], words);
    run(&["create", "--bundle", bundle.to_str().expect("UTF-8"), "a"]).ok();
    run(&["start", "a"]).ok();
    let unit = format!("{}-a.scope", world.tag);
    let place = format!("/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/user.slice/{unit}");
    let file = |name: &str| std::fs::read_to_string(format!("{place}/{name}")).expect(name);
    assert_eq!((file("memory.max").trim(), file("pids.max").trim()), ("67108864", "33"));
    // He may not write to what lies above both his scope and root's service, so systemd moves the program.
    assert_eq!(run(&["exec", "a", "cat", "/proc/self/cgroup"]).ok().stdout, "0::/\n");
    run(&["delete", "--force", "a"]).ok();
    eventually("the scope is gone", || !Path::new(&place).exists());
    let list = ["systemctl", "--user", "list-units", "--all", "--no-legend", "--plain", &unit];
    let left = tool(&[&["runuser", "-u", USER, "--", "env", DIRECTORY], &list[..]].concat());
    assert_eq!(left, "");
}

#[test]
fn a_user_without_a_bus_hears_what_to_do() {
    let Some(world) = world("a_user_without_a_bus_hears_what_to_do") else { return };
    let bundle = bundle(&world);
    let said = as_user(&world, &[], &["create", "--bundle", bundle.to_str().expect("UTF-8"), "a"]).exits(1);
    let first =
        "the bus of the user's systemd cannot be found: no DBUS_SESSION_BUS_ADDRESS, no XDG_RUNTIME_DIR";
    assert!(said.sentence().starts_with(first), "{}", said.stderr);
    assert!(said.stderr.contains("install dbus-user-session"), "{}", said.stderr);
}
