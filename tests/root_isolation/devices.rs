//! Nodes and links in /dev.

use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::world::{World, config};

#[test]
fn dev_holds_what_the_specification_lists_and_nothing_else() {
    let Some(world) = World::new("dev_holds_what_the_specification_lists_and_nothing_else") else { return };
    let devices = world.report(&["devices"], |_| {})["devices"].clone();
    let char = |device: &str| json!({ "type": "char", "mode": "0666", "uid": 0, "gid": 0, "device": device });
    let link = |to: &str| json!({ "type": "link", "mode": "0777", "uid": 0, "gid": 0, "link": to });
    let directory = |mode: &str| json!({ "type": "directory", "mode": mode, "uid": 0, "gid": 0 });
    let expected = json!({
        "/dev/null": char("1:3"), "/dev/zero": char("1:5"), "/dev/full": char("1:7"),
        "/dev/random": char("1:8"), "/dev/urandom": char("1:9"), "/dev/tty": char("5:0"),
        "/dev/fd": link("/proc/self/fd"), "/dev/stdin": link("/proc/self/fd/0"),
        "/dev/stdout": link("/proc/self/fd/1"), "/dev/stderr": link("/proc/self/fd/2"),
        "/dev/ptmx": link("pts/ptmx"), "/dev/pts/ptmx": char("5:2"),
        "/dev/pts": directory("0755"), "/dev/shm": directory("1777"), "/dev/mqueue": directory("1777"),
    });
    assert_eq!(devices, expected);
}

#[test]
fn the_nodes_work() {
    let Some(world) = World::new("the_nodes_work") else { return };
    let script = "echo x >/dev/null && head -c 3 /dev/zero | wc -c && head -c 5 /dev/urandom | wc -c && \
                  ! echo x 2>/dev/null >/dev/full && test -e /dev/stdout && cat /dev/fd/0";
    let container = world.container("a", |value| config::runs(value, &["sh", "-c", script]));
    let input = world.file("input");
    std::fs::write(&input, "input\n").expect("a file");
    let output = container.running(&[]).stdin(std::fs::File::open(&input).expect("the file")).run().ok();
    assert_eq!(output.stdout, "3\n5\ninput\n", "{}", output.stderr);
}

#[test]
fn listed_devices_have_their_type_mode_and_owner() {
    let Some(world) = World::new("listed_devices_have_their_type_mode_and_owner") else { return };
    let devices = world.report(&["devices"], |value| {
        value["linux"]["devices"] = json!([
            { "path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o600,
              "uid": 7, "gid": 8 },
            { "path": "/dev/deep/er/disk", "type": "b", "major": 8, "minor": 300, "fileMode": 0o640 },
            { "path": "/dev/pipe", "type": "p", "fileMode": 0o622 },
            { "path": "/dev/unbuffered", "type": "u", "major": 1, "minor": 5 },
            { "path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o444 }
        ]);
    })["devices"]
        .clone();
    let facts = |path: &str| ["type", "mode", "uid", "gid", "device"].map(|fact| devices[path][fact].clone());
    assert_eq!(facts("/dev/fuse"), [json!("char"), json!("0600"), json!(7), json!(8), json!("10:229")]);
    assert_eq!(
        facts("/dev/deep/er/disk"),
        [json!("block"), json!("0640"), json!(0), json!(0), json!("8:300")]
    );
    assert_eq!(facts("/dev/pipe"), [json!("fifo"), json!("0622"), json!(0), json!(0), Value::Null]);
    assert_eq!(facts("/dev/unbuffered")[4], "1:5");
    assert_eq!(facts("/dev/null")[1], "0444", "the listed one replaces the default");
}

#[test]
fn something_else_in_the_place_of_a_device_is_an_error() {
    let Some(world) = World::new("something_else_in_the_place_of_a_device_is_an_error") else { return };
    let rootfs = world.own_rootfs();
    std::fs::write(rootfs.join("dev/null"), "").expect("a file");
    let container = world.container("a", |value| {
        value["root"]["path"] = json!(rootfs);
        for target in ["/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"] {
            config::without_mount(value, target);
        }
    });
    let output = container.create();
    let expected = "cannot make the device /dev/null (1:3): mknodat(2) answered: file exists (EEXIST) \
                    (something else than this device is there already)";
    output.fails(expected);
}

#[test]
fn devices_of_the_image_itself_are_accepted_and_links_corrected() {
    let Some(world) = World::new("devices_of_the_image_itself_are_accepted_and_links_corrected") else {
        return;
    };
    let rootfs = world.own_rootfs();
    crate::world::tool(&[
        "mknod",
        "-m",
        "666",
        rootfs.join("dev/null").to_str().expect("UTF-8"),
        "c",
        "1",
        "3",
    ]);
    symlink("/somewhere/else", rootfs.join("dev/stdin")).expect("a link");
    let devices = world.report(&["devices"], |value| {
        value["root"]["path"] = json!(rootfs);
        for target in ["/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"] {
            config::without_mount(value, target);
        }
    })["devices"]
        .clone();
    assert_eq!(devices["/dev/null"]["device"], "1:3");
    assert_eq!(devices["/dev/stdin"]["link"], "/proc/self/fd/0");
}

#[test]
fn a_bound_dev_is_left_alone() {
    let Some(world) = World::new("a_bound_dev_is_left_alone") else { return };
    let own = world.file("dev");
    std::fs::create_dir(&own).expect("a directory");
    std::fs::write(own.join("only"), "").expect("a file");
    let devices = world.report(&["devices"], |value| {
        for target in ["/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"] {
            config::without_mount(value, target);
        }
        config::bind(value, &own, "/dev");
    })["devices"]
        .clone();
    let names: Vec<&String> = devices.as_object().expect("devices").keys().collect();
    assert_eq!(names, ["/dev/only"]);
}

#[test]
fn a_device_may_lie_anywhere() {
    let Some(world) = World::new("a_device_may_lie_anywhere") else { return };
    let said = world.says(&["stat", "-c", "%F %t:%T", "/mnt/below/full", "/mnt/zero"], |value| {
        crate::world::config::mount(value, "/mnt", "tmpfs", "tmpfs", &[]);
        value["linux"]["devices"] = json!([
            { "path": "/mnt/below/full", "type": "c", "major": 1, "minor": 7 },
            { "path": "/mnt/zero", "type": "c", "major": 1, "minor": 5 }
        ]);
    });
    assert_eq!(said, "character special file 1:7\ncharacter special file 1:5\n");
}

/// The image itself carries what lies in the way.
fn with_own_dev(world: &World, value: &mut Value, name: &str) {
    let rootfs = world.own_rootfs();
    std::fs::write(rootfs.join(name), "").expect("a file");
    value["root"]["path"] = json!(rootfs);
}

#[test]
fn a_listed_device_does_not_replace_another_file() {
    let Some(world) = World::new("a_listed_device_does_not_replace_another_file") else { return };
    let fuse = json!([{ "path": "/srv-node", "type": "c", "major": 1, "minor": 5 }]);
    let container = world.container("a", |value| {
        with_own_dev(&world, value, "srv-node");
        value["linux"]["devices"] = fuse.clone();
    });
    let expected = "cannot make the device /srv-node (1:5): mknodat(2) answered: file exists (EEXIST) \
                    (something else than this device is there already)";
    let output = container.create().fails_at(expected, "/linux/devices/0");
    output.helps("remove it from the image, or choose another path");
    let container = world.container("a", |value| {
        with_own_dev(&world, value, "srv-node");
        value["linux"]["devices"] = fuse.clone();
        config::userns(value);
    });
    let expected = "cannot lend the host's device at /srv-node: mknodat(2) answered: file exists (EEXIST) \
                    (something else than this device is there already)";
    container.create().fails_at(expected, "/linux/devices/0");
}

#[test]
fn a_user_namespace_gets_nodes_of_the_host_by_their_number_and_fifos_of_its_own() {
    let name = "a_user_namespace_gets_nodes_of_the_host_by_their_number_and_fifos_of_its_own";
    let Some(world) = World::new(name) else { return };
    let devices = world.report(&["devices"], |value| {
        config::userns(value);
        value["linux"]["devices"] = json!([
            { "path": "/dev/zero", "type": "c", "major": 1, "minor": 5 },
            { "path": "/dev/pipe", "type": "p", "fileMode": 0o622, "uid": 3, "gid": 4 }
        ]);
    })["devices"]
        .clone();
    assert_eq!(devices["/dev/zero"]["device"], "1:5");
    assert_eq!(devices["/dev/pipe"]["type"], "fifo");
    assert_eq!((&devices["/dev/pipe"]["uid"], &devices["/dev/pipe"]["gid"]), (&json!(3), &json!(4)));
    let container = world.container("a", |value| {
        config::userns(value);
        value["linux"]["devices"] = json!([{ "path": "/dev/null", "type": "c", "major": 1, "minor": 250 }]);
    });
    container.create().finds("/dev/null of the host is another device", "/linux/devices/0");
}

#[test]
fn type_bits_of_the_mode_change_nothing() {
    let Some(world) = World::new("type_bits_of_the_mode_change_nothing") else { return };
    let devices = world.report(&["devices"], |value| {
        value["linux"]["devices"] = json!([
            { "path": "/dev/one", "type": "c", "major": 1, "minor": 5, "fileMode": 0o060640 },
            { "path": "/dev/two", "type": "b", "major": 7, "minor": 9, "fileMode": 0o020600 },
            { "path": "/dev/stdin", "type": "c", "major": 1, "minor": 7 }
        ]);
    })["devices"]
        .clone();
    let facts = |path: &str| (devices[path]["type"].clone(), devices[path]["mode"].clone());
    assert_eq!(facts("/dev/one"), (json!("char"), json!("0640")));
    assert_eq!(facts("/dev/two"), (json!("block"), json!("0600")));
    assert_eq!(devices["/dev/stdin"]["device"], "1:7", "no link takes the place of what is listed");
}

#[test]
fn beside_a_bound_dev_listed_devices_are_made() {
    let Some(world) = World::new("beside_a_bound_dev_listed_devices_are_made") else { return };
    let own = world.file("dev");
    std::fs::create_dir(&own).expect("a directory");
    let said = world.says(&["sh", "-c", "ls /dev; test -c /tmp/nodes/zero && echo made"], |value| {
        for target in ["/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"] {
            config::without_mount(value, target);
        }
        config::bind(value, &own, "/dev");
        config::mount(value, "/tmp", "tmpfs", "tmpfs", &[]);
        value["linux"]["devices"] = json!([
            { "path": "/tmp/nodes/zero", "type": "c", "major": 1, "minor": 5 },
            { "path": "/dev/zero", "type": "c", "major": 1, "minor": 7 }
        ]);
    });
    assert_eq!(said, "made\n");
}

#[test]
fn wrong_devices_are_findings() {
    let Some(world) = World::new("wrong_devices_are_findings") else { return };
    let finds = |devices: Value, message: &str, place: &str| {
        let container = world.container("a", |value| value["linux"]["devices"] = devices);
        container.create().finds(message, &format!("/linux/devices/{place}"));
    };
    let device = |path: &str, major: i64, minor: i64| json!({ "path": path, "type": "c", "major": major, "minor": minor });
    finds(json!([device("dev/x", 1, 5)]), "the device path \"dev/x\" is not absolute", "0/path");
    finds(json!([device("/", 1, 5)]), "the root of the container cannot be a device", "0/path");
    finds(json!([device("/dev/x", 4096, 5)]), "4096 is no major number of a device", "0/major");
    finds(json!([device("/dev/x", 1, -1)]), "-1 is no minor number of a device", "0/minor");
    let incomplete = json!([{ "path": "/dev/x", "type": "c", "major": 1 }]);
    finds(incomplete, "the device has no minor number", "0/minor");
    let two = json!([device("/dev/x", 1, 5), device("/dev/x", 1, 7)]);
    finds(two, "another device is listed at /dev/x", "1/path");
    let all = json!([{ "path": "/dev/x", "type": "a", "major": 1, "minor": 5 }]);
    finds(all, "a device node is of type c, u, b or p", "0/type");
    // One device under two names is a warning only; of one path, the later entry counts.
    let container = world.container("a", |value| {
        let mut again = device("/dev/x", 1, 5);
        again["fileMode"] = json!(0o600);
        value["linux"]["devices"] = json!([device("/dev/x", 1, 5), device("/dev/y", 1, 5), again]);
        config::runs(value, &["stat", "-c", "%a", "/dev/x"]);
    });
    let output = container.run(&[]).ok();
    assert_eq!(output.stdout, "600\n");
    assert!(output.stderr.contains("/dev/y is the same device as /dev/x"), "{}", output.stderr);
}
