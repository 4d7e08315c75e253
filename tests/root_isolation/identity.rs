//! User namespaces: who the container is inside and outside, and that everything else works in them.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use serde_json::json;

use crate::world::World;
use crate::world::config::{self, FIRST_ID};

#[test]
fn root_inside_is_nobody_special_outside() {
    let Some(world) = World::new("root_inside_is_nobody_special_outside") else { return };
    let container = world.container("a", |value| {
        config::userns(value);
        config::sleeps(value);
    });
    container.run(&["--detach"]).ok();
    assert_eq!(container.process("Uid"), [FIRST_ID; 4].map(|id| id.to_string()).join("\t"));
    assert_eq!(container.process("Gid"), [FIRST_ID; 4].map(|id| id.to_string()).join("\t"));
    container.finish();
    let report = world.report(&["ids", "namespaces", "caps"], config::userns);
    assert_eq!(report["ids"]["uid"]["real"], 0);
    assert_eq!(report["namespaces"]["uid_map"], json!([[0, FIRST_ID, 65536]]));
    assert_eq!(report["namespaces"]["gid_map"], json!([[0, FIRST_ID, 65536]]));
    assert_eq!(report["caps"]["effective"]["names"].as_array().map(Vec::len), Some(config::DOCKER.len()));
}

#[test]
fn several_mappings_and_another_user() {
    let Some(world) = World::new("several_mappings_and_another_user") else { return };
    let report = world.report(&["ids", "namespaces"], |value| {
        config::userns(value);
        let first = json!({ "containerID": 0, "hostID": 200_000, "size": 1000 });
        let second = json!({ "containerID": 1000, "hostID": 300_000, "size": 5 });
        value["linux"]["uidMappings"] = json!([first, second]);
        value["linux"]["gidMappings"] = json!([first, second]);
        value["process"]["user"] = json!({ "uid": 1001, "gid": 1002, "additionalGids": [5, 1004] });
    });
    assert_eq!(report["namespaces"]["uid_map"], json!([[0, 200_000, 1000], [1000, 300_000, 5]]));
    let ids = &report["ids"];
    assert_eq!((&ids["uid"]["real"], &ids["gid"]["real"]), (&json!(1001), &json!(1002)));
    assert_eq!(ids["groups"], json!([5, 1004]));
}

#[test]
fn files_belong_to_the_mapped_ids() {
    let Some(world) = World::new("files_belong_to_the_mapped_ids") else { return };
    let shared = world.file("shared");
    fs::create_dir(&shared).expect("a directory");
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o777)).expect("mode");
    fs::write(shared.join("of-the-host"), "").expect("a file");
    let said = world.says(&["sh", "-c", "touch /mnt/new && stat -c %u /mnt/new /mnt/of-the-host"], |value| {
        config::userns(value);
        value["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
        config::bind(value, &shared, "/mnt");
    });
    assert_eq!(said, "1000\n65534\n");
    let made = fs::metadata(shared.join("new")).expect("the new file");
    assert_eq!((made.uid(), made.gid()), (FIRST_ID + 1000, FIRST_ID + 1000));
}

#[test]
fn namespaces_belong_to_the_user_namespace() {
    let Some(world) = World::new("namespaces_belong_to_the_user_namespace") else { return };
    let words = ["/bin/probe", "try-all", "sethostname", "mount", "settime"];
    let said = world.says(&words, |value| {
        config::userns(value);
        let all = json!(["CAP_SYS_ADMIN", "CAP_SYS_TIME"]);
        value["process"]["capabilities"] = json!({ "bounding": all, "effective": all, "permitted": all });
    });
    let tried: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    // CAP_SYS_ADMIN counts for what the user namespace owns, and for nothing of the machine.
    assert_eq!((&tried["sethostname"], &tried["mount"]), (&json!("ok"), &json!("ok")), "{tried}");
    assert_eq!(tried["settime"], "EPERM", "{tried}");
}

#[test]
fn devices_and_mounts_are_there_in_a_user_namespace() {
    let Some(world) = World::new("devices_and_mounts_are_there_in_a_user_namespace") else { return };
    let report = world.report(&["devices", "mounts", "net"], config::userns);
    let nodes = [
        ("null", "1:3"),
        ("zero", "1:5"),
        ("full", "1:7"),
        ("random", "1:8"),
        ("urandom", "1:9"),
        ("tty", "5:0"),
    ];
    for (name, device) in nodes {
        assert_eq!(report["devices"][format!("/dev/{name}")]["device"], device);
    }
    assert_eq!(report["devices"]["/dev/ptmx"]["link"], "pts/ptmx");
    let targets: Vec<&str> = report["mounts"]
        .as_array()
        .expect("mounts")
        .iter()
        .filter_map(|mount| mount["target"].as_str())
        .collect();
    for target in ["/", "/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys", "/sys/fs/cgroup"] {
        assert!(targets.contains(&target), "{target}: {targets:?}");
    }
    assert_eq!(report["net"]["lo"]["up"], true);
    let said = world.says(&["sh", "-c", "echo x >/dev/null && head -c 2 /dev/zero | wc -c"], config::userns);
    assert_eq!(said, "2\n");
}

#[test]
fn every_command_works_on_a_container_with_a_user_namespace() {
    let Some(world) = World::new("every_command_works_on_a_container_with_a_user_namespace") else { return };
    let container = world.container("a", |value| {
        config::userns(value);
        config::sleeps(value);
        config::namespace(value, "time", None);
        value["process"]["rlimits"] = json!([{ "type": "RLIMIT_NOFILE", "soft": 100, "hard": 200 }]);
        value["process"]["oomScoreAdj"] = json!(500);
    });
    container.create().ok();
    assert_eq!(container.status(), "created");
    container.start().ok();
    assert_eq!(container.status(), "running");
    let score = fs::read_to_string(format!("/proc/{}/oom_score_adj", container.pid())).expect("the score");
    assert_eq!(score, "500\n");
    container.kill("KILL").ok();
    container.becomes("stopped");
    container.delete(&[]).ok();
}

/// Until the program runs, nothing of the child can be read or traced by a user whom its ids are mapped to.
#[test]
fn the_program_in_a_user_namespace_is_dumpable_and_the_child_before_it_is_not() {
    let name = "the_program_in_a_user_namespace_is_dumpable_and_the_child_before_it_is_not";
    let Some(world) = World::new(name) else { return };
    let container = world.container("a", |value| {
        config::userns(value);
        config::sleeps(value);
    });
    container.create().ok();
    let owner = |pid: i64| fs::metadata(format!("/proc/{pid}/environ")).expect("environ").uid();
    assert_eq!(owner(container.pid()), 0, "not dumpable: its files in /proc are root's");
    container.start().ok();
    assert_eq!(owner(container.pid()), FIRST_ID);
    container.finish();
}

/// The kernel reads a map from one page, and takes 340 lines (user_namespaces(7)).
#[test]
fn a_map_may_have_as_many_lines_as_fit_into_a_page() {
    let Some(world) = World::new("a_map_may_have_as_many_lines_as_fit_into_a_page") else { return };
    let lines: Vec<[u32; 3]> = (0..300).map(|id| [id, FIRST_ID + 2 * id, 1]).collect();
    let report = world.report(&["namespaces"], |value| {
        config::userns(value);
        let entry = |[inside, outside, size]: &[u32; 3]| {
            json!({ "containerID": inside, "hostID": outside, "size": size })
        };
        for list in ["uidMappings", "gidMappings"] {
            value["linux"][list] = lines.iter().map(entry).collect();
        }
    });
    for map in ["uid_map", "gid_map"] {
        assert_eq!(report["namespaces"][map], json!(lines), "{map}");
    }
}

/// As many as fit into one write: the kernel keeps them sorted.
#[test]
fn many_mappings_are_all_there() {
    let Some(world) = World::new("many_mappings_are_all_there") else { return };
    let lines: Vec<Vec<u32>> = (0..250).map(|n| vec![n * 2, 200_000 + n * 3, 2]).collect();
    let mappings = |lines: &[Vec<u32>]| -> serde_json::Value {
        let one = |line: &Vec<u32>| json!({ "containerID": line[0], "hostID": line[1], "size": line[2] });
        lines.iter().map(one).collect()
    };
    let report = world.report(&["namespaces"], |value| {
        config::userns(value);
        value["linux"]["uidMappings"] = mappings(&lines);
    });
    assert_eq!(report["namespaces"]["uid_map"], json!(lines));
    let finds = |list: serde_json::Value, message: &str, at: &str| {
        let container = world.container("a", |value| {
            config::userns(value);
            value["linux"]["uidMappings"] = list;
        });
        container.create().finds(message, at);
    };
    let at = "/linux/uidMappings";
    let long: Vec<Vec<u32>> = (0..340).map(|n| vec![n * 2, 2_000_000_000 + n * 3, 2]).collect();
    let limit = rustix::param::page_size() - 1;
    if limit == 4095 {
        let message = "these uid mappings are longer than the 4095 bytes that the kernel takes";
        finds(mappings(&long), message, at);
    }
    let many: Vec<Vec<u32>> = (0..341).map(|n| vec![n, n, 1]).collect();
    finds(mappings(&many), "341 uid mappings are more than the 340 that the kernel takes", at);
    let incomplete = json!([{ "hostID": 100_000, "size": 10 }]);
    finds(incomplete, "a mapping needs \"containerID\"", &format!("{at}/0/containerID"));
}

/// The maps of a user namespace that is joined are read, also where no process is left in it.
#[test]
fn the_maps_of_a_joined_user_namespace_count() {
    let Some(world) = World::new("the_maps_of_a_joined_user_namespace_count") else { return };
    let owner = world.container("owner", |value| {
        config::userns(value);
        config::sleeps(value);
    });
    owner.run(&["--detach"]).ok();
    let by_process = format!("/proc/{}/ns/user", owner.pid());
    let kept = world.file("user");
    fs::write(&kept, "").expect("a file");
    let kept = kept.to_str().expect("UTF-8");
    crate::world::tool(&["mount", "--bind", &by_process, kept]);
    let check = |path: &str| {
        let joins = |value: &mut serde_json::Value| config::namespace(value, "user", Some(path));
        let container = world.container("a", |value| {
            config::userns(value);
            joins(value);
            value["process"]["args"] = json!(["cat", "/proc/self/uid_map"]);
        });
        let output = container.run(&[]).ok();
        let map: Vec<&str> = output.stdout.split_whitespace().collect();
        assert_eq!(map, ["0", &FIRST_ID.to_string(), "65536"], "{path}");
        assert_eq!(output.stderr, "", "who repeats the mappings of a pod is not warned");
        let container = world.container("a", |value| {
            config::userns(value);
            joins(value);
            value["linux"]["gidMappings"][0]["size"] = json!(1000);
        });
        let message = "the user namespace that is joined has other id mappings";
        container.create().finds(message, "/linux/uidMappings");
        let container = world.container("a", |value| {
            joins(value);
            value["process"]["user"]["uid"] = json!(65536);
        });
        let message = "cannot setuid to unmapped uid 65536 in user namespace";
        container.create().finds(message, "/process/user/uid");
    };
    check(&by_process);
    check(kept);
    owner.finish();
    check(kept);
    crate::world::tool(&["umount", kept]);
}
