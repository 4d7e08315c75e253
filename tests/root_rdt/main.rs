//! `linux.intelRdt`, on a processor that does not exist: the tests show a resctrl file system of their own.
//!
//! No machine of ours has the hardware. So a FUSE server (`fuse.rs`) with the files and rules of resctrl
//! (`fake.rs`) stands in for the kernel's, and the runtime runs where /proc/self/mountinfo calls that mount
//! `resctrl`. Everything on the runtime's side is real: the mount is found, groups are made by mkdir(2), lines
//! and process numbers are written to files.
//!
//! OCI: config-linux.md, IntelRdt. Kernel: resctrl.rst.

#[path = "../world/mod.rs"]
mod world;

mod fake;
mod fuse;
mod machine;

use std::fs;

use serde_json::json;

use fake::Fake;
use machine::Machine;
use world::World;

const NONE: [&str; 0] = [];

#[test]
fn a_container_has_a_class_of_its_own_until_it_is_deleted() {
    let test = "a_container_has_a_class_of_its_own_until_it_is_deleted";
    let Some(world) = World::new(test) else { return };
    let Some(machine) = Machine::new(test, &world, Fake::new()) else { return };
    let rdt = json!({
        "schemata": ["L2:0=f", "MB:1=71"], "memBwSchema": "MB:0=20;1=70", "l3CacheSchema": "L3:0=7f0;1=1f",
        "enableMonitoring": true
    });
    machine.create("web", rdt).ok();
    assert_eq!(
        machine.log(),
        [
            "make web",
            "schemata web L3:0=7f0;1=1f",
            "schemata web MB:0=20;1=70",
            "schemata web L2:0=f",
            "schemata web MB:1=71",
            "make web/mon_groups/web",
            "join web",
            "join web/mon_groups/web",
        ]
    );
    let pid = machine.pid("web");
    assert_eq!(machine.resctrl.files().tasks("web"), [pid]);
    assert_eq!(machine.resctrl.files().tasks("web/mon_groups/web"), [pid]);
    machine.delete("web");
    assert_eq!(machine.log(), ["remove web/mon_groups/web", "remove web"]);
}

#[test]
fn the_class_is_in_the_statistics() {
    let test = "the_class_is_in_the_statistics";
    let Some(world) = World::new(test) else { return };
    let Some(machine) = Machine::new(test, &world, Fake::new()) else { return };
    machine.create("web", json!({ "memBwSchema": "MB:0=20;1=70" })).ok();
    let rdt = |words: &[&str]| {
        let event = machine.runtime().words(words).run().ok().json();
        event["data"]["intel_rdt"].clone()
    };
    let told = rdt(&["events", "--stats", "web"]);
    assert_eq!(told["mem_bw_schema"], "MB:0=  20;1=  70");
    assert_eq!(told["mem_bw_schema_root"], "MB:0= 100;1= 100");
    assert_eq!(told["mem_bw_info"], json!({ "bandwidth_gran": 10 }));
    machine.delete("web");
}

#[test]
fn a_class_by_name_is_made_once_and_stays() {
    let test = "a_class_by_name_is_made_once_and_stays";
    let Some(world) = World::new(test) else { return };
    let Some(machine) = Machine::new(test, &world, Fake::new()) else { return };
    let gold = |schema: &str| json!({ "closID": "gold", "memBwSchema": schema, "enableMonitoring": true });
    machine.create("a", gold("MB:0=15")).ok();
    let made = ["make gold", "schemata gold MB:0=15", "make gold/mon_groups/a", "join gold"];
    assert_eq!(machine.log()[..4], made);
    // The hardware has rounded it up to 20; the same request, in whatever form, is the same class.
    machine.create("b", gold("MB:0=15")).ok();
    machine.create("c", gold("MB:00=20")).ok();
    assert!(!machine.log().contains(&"make gold".to_owned()));
    assert_eq!(machine.resctrl.files().tasks("gold").len(), 3);
    let output = machine.create("d", gold("MB:0=30")).exits(1);
    let sentence = "the resctrl group gold exists, and MB:0=30 is asked for, but it has MB:0=  20;1= 100";
    let output = output.fails_at(sentence, "/linux/intelRdt/closID");
    output.helps("name another closID, or ask for what the group has");
    ["a", "b", "c"].iter().for_each(|id| machine.delete(id));
    let files = machine.resctrl.files();
    assert!(files.has("gold"), "a named class is not ours to remove");
    assert!(!files.has("gold/mon_groups/a"), "a monitoring group is");
}

#[test]
fn a_class_that_is_only_named_must_be_there() {
    let test = "a_class_that_is_only_named_must_be_there";
    let Some(world) = World::new(test) else { return };
    let Some(machine) = Machine::new(test, &world, Fake::new().with("gold", &["L3:0=f"])) else { return };
    machine.create("a", json!({ "closID": "gold" })).ok();
    assert_eq!(machine.log(), ["join gold"], "and nothing is written to its schemata");
    machine.delete("a");
    assert_eq!(machine.log(), NONE);
    let output = machine.create("a", json!({ "closID": "silver" })).exits(1);
    let output = output.fails_at("there is no resctrl group silver", "/linux/intelRdt/closID");
    output.helps("make the group first, or say in schemata what it is to be");
    assert_eq!(machine.log(), NONE);
}

#[test]
fn a_slash_is_the_root_group() {
    let test = "a_slash_is_the_root_group";
    let Some(world) = World::new(test) else { return };
    let Some(machine) = Machine::new(test, &world, Fake::new()) else { return };
    machine.create("a", json!({ "closID": "/", "enableMonitoring": true })).ok();
    assert_eq!(machine.log(), ["make mon_groups/a", "join ", "join mon_groups/a"]);
    machine.delete("a");
    assert_eq!(machine.log(), ["remove mon_groups/a"]);
    machine.create("a", json!({ "closID": "/", "l3CacheSchema": "L3:0=7ff" })).ok();
    machine.delete("a");
    let output = machine.create("a", json!({ "closID": "/", "l3CacheSchema": "L3:0=f" })).exits(1);
    assert!(
        output.sentence().starts_with("the resctrl group / exists, and L3:0=f is asked for, but it has ")
    );
    assert_eq!(machine.resctrl.files().line("", "L3"), "L3:0=7ff;1=7ff", "it belongs to everybody");
}

#[test]
fn a_group_with_the_containers_name_that_was_there_stays() {
    let test = "a_group_with_the_containers_name_that_was_there_stays";
    let Some(world) = World::new(test) else { return };
    let Some(machine) = Machine::new(test, &world, Fake::new().with("web", &["L3:0=f"])) else { return };
    machine.create("web", json!({ "schemata": ["L3:0=f"] })).ok();
    assert_eq!(machine.resctrl.files().tasks("web"), [machine.pid("web")]);
    machine.delete("web");
    assert!(machine.resctrl.files().has("web"));
    let output = machine.create("web", json!({ "schemata": ["L3:0=1"] })).exits(1);
    let sentence = "the resctrl group web exists, and L3:0=1 is asked for, but it has L3:0=00f;1=7ff";
    output.fails_at(sentence, "/linux/intelRdt");
}

#[test]
fn without_intel_rdt_nothing_is_touched() {
    let test = "without_intel_rdt_nothing_is_touched";
    let Some(world) = World::new(test) else { return };
    let Some(machine) = Machine::new(test, &world, Fake::new()) else { return };
    let before = machine.resctrl.files().touched.get();
    machine.create_with("a", |_| {}).ok();
    machine.delete("a");
    assert_eq!(machine.resctrl.files().touched.get(), before);
    machine.create("a", json!({})).ok();
    machine.delete("a");
    assert_ne!(machine.resctrl.files().touched.get(), before, "an empty object asks for a class");
    assert_eq!(machine.log(), ["make a", "join a", "remove a"]);
}

#[test]
fn what_the_kernel_refuses_is_told_in_its_words_and_undone() {
    let test = "what_the_kernel_refuses_is_told_in_its_words_and_undone";
    let Some(world) = World::new(test) else { return };
    let full = Fake::new().with("one", &[]).with("two", &[]);
    let Some(machine) = Machine::new(test, &world, full) else { return };
    let output = machine.create("a", json!({ "schemata": ["L3:0=f", "L4:0=f"] })).exits(1);
    let sentence = "cannot write the schemata of the resctrl group a: invalid argument (EINVAL) \
                    (Unknown or unsupported resource name 'L4')";
    output.fails_at(sentence, "/linux/intelRdt/schemata/1");
    assert_eq!(machine.log().last().map(String::as_str), Some("remove a"));
    machine.create("a", json!({})).ok();
    let output = machine.create("b", json!({})).exits(1);
    let sentence = "cannot make the resctrl group b: no space left on device (ENOSPC) (Out of CLOSIDs)";
    output.fails_at(sentence, "/linux/intelRdt");
    machine.delete("a");
}

#[test]
fn a_monitoring_group_of_somebody_else_is_an_error() {
    let test = "a_monitoring_group_of_somebody_else_is_an_error";
    let Some(world) = World::new(test) else { return };
    let taken = Fake::new().with("gold", &[]).with("gold/mon_groups/a", &[]);
    let Some(machine) = Machine::new(test, &world, taken) else { return };
    let output = machine.create("a", json!({ "closID": "gold", "enableMonitoring": true })).exits(1);
    let sentence = "the resctrl group gold/mon_groups/a exists already";
    output.fails_at(sentence, "/linux/intelRdt/enableMonitoring");
    assert!(machine.resctrl.files().has("gold/mon_groups/a"));
}

/// Whatever fails after the groups are made, and whoever dies.
#[test]
fn a_failed_create_leaves_no_group() {
    let test = "a_failed_create_leaves_no_group";
    let Some(world) = World::new(test) else { return };
    let Some(machine) = Machine::new(test, &world, Fake::new()) else { return };
    for class in ["", "gold"] {
        let with_hook = |script: &str| {
            machine.create_with("a", |config| {
                let schemata = json!(["L3:0=f"]);
                config["linux"]["intelRdt"] =
                    json!({ "closID": class, "schemata": schemata, "enableMonitoring": true });
                let hook = json!([{ "path": "/bin/sh", "args": ["sh", "-c", script] }]);
                config["hooks"] = json!({ "createRuntime": hook });
            })
        };
        with_hook("exit 3").exits(1);
        assert!(machine.log().contains(&format!("make {}", if class.is_empty() { "a" } else { class })));
        let left = || ["a", "gold"].iter().any(|group| machine.resctrl.files().has(group));
        assert!(!left(), "{class:?}");
        with_hook("kill -9 $PPID").exits(137);
        assert!(left(), "the runtime had no time for it");
        machine.delete("a");
        assert!(!left(), "{class:?}");
        machine.log();
    }
}

/// A record that cannot be read: the copy of the configuration tells what to look for.
#[test]
fn a_container_with_a_garbled_record_leaves_no_group() {
    let test = "a_container_with_a_garbled_record_leaves_no_group";
    let Some(world) = World::new(test) else { return };
    let Some(machine) = Machine::new(test, &world, Fake::new()) else { return };
    machine.create("a", json!({ "enableMonitoring": true })).ok();
    fs::write(world.root().join("a/state.json"), "garbage").expect("the record");
    machine.delete("a");
    assert!(!machine.resctrl.files().has("a"));
    machine.create("a", json!({ "closID": "gold", "schemata": ["L3:0=f"], "enableMonitoring": true })).ok();
    fs::write(world.root().join("a/state.json"), "garbage").expect("the record");
    machine.delete("a");
    let files = machine.resctrl.files();
    assert!(files.has("gold") && !files.has("gold/mon_groups/a"), "a named class is not ours to remove");
}

#[test]
fn a_machine_without_resctrl_is_told_so() {
    let test = "a_machine_without_resctrl_is_told_so";
    let Some(world) = World::new(test) else { return };
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("the mounts");
    if mounts.contains(" - resctrl ") {
        return world::skip(test, "this host has a resctrl");
    }
    let container = world.container("a", |config| config["linux"]["intelRdt"] = json!({ "closID": "a/b" }));
    let output = container.create().exits(1);
    for words in [
        "intelRdt needs a resctrl file system, and none is mounted (/linux/intelRdt)",
        "closID \"a/b\" holds a slash (/linux/intelRdt/closID)",
        "help: mount -t resctrl resctrl /sys/fs/resctrl; the processor and the kernel must offer it",
    ] {
        assert!(output.stderr.contains(words), "{}", output.stderr);
    }
}

#[test]
fn a_program_that_enters_is_in_the_class() {
    let test = "a_program_that_enters_is_in_the_class";
    let Some(world) = World::new(test) else { return };
    let Some(machine) = Machine::new(test, &world, Fake::new()) else { return };
    machine.create("web", json!({ "memBwSchema": "MB:0=20", "enableMonitoring": true })).ok();
    world.run(&["start", "web"]).ok();
    machine.log();
    machine.runtime().words(&["exec", "web", "/bin/true"]).run().ok();
    assert_eq!(machine.log(), ["join web", "join web/mon_groups/web"]);
    machine.delete("web");
}

#[test]
fn an_update_changes_the_class() {
    let test = "an_update_changes_the_class";
    let Some(world) = World::new(test) else { return };
    let Some(machine) = Machine::new(test, &world, Fake::new()) else { return };
    machine.create("web", json!({ "memBwSchema": "MB:0=20", "l3CacheSchema": "L3:0=7f0" })).ok();
    machine.log();
    let update = |flags: &[&str]| machine.runtime().words(&["update", "web"]).words(flags).run();
    update(&["--l3-cache-schema", "L3:0=f", "--mem-bw-schema", "MB:0=40"]).ok();
    assert_eq!(machine.log(), ["schemata web L3:0=f", "schemata web MB:0=40"]);
    // The second line is refused, and the first one taken back.
    let before = machine.resctrl.files().line("web", "L3");
    update(&["--l3-cache-schema", "L3:0=ff", "--mem-bw-schema", "MB:0=x"]).exits(1);
    assert!(machine.log().contains(&"schemata web L3:0=ff".to_owned()), "it was written first");
    assert_eq!(machine.resctrl.files().line("web", "L3"), before);
    machine.delete("web");
}
