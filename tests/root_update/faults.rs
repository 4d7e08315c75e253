//! Every change of an update made the last one: nothing of it is left.

use std::collections::BTreeMap;
use std::fs;

use crate_run::bundle::Source;
use crate_run::bundle::finding::Pointer;
use crate_run::cgroup::{Cgroup, CgroupPath, Hierarchy, Setting};
use crate_run::state::{ContainerId, Store};
use crate_run::update::given::Given;
use crate_run::update::perform::Changing;
use crate_run::update::{Action, Change, compile};
use serde_json::{Value, json};

use super::world::{CGROUPS, World};
use super::{core, limited};

/// As many limits as this host can give.
fn everything(first: bool) -> Value {
    let offered = fs::read_to_string(format!("{CGROUPS}/cgroup.controllers")).unwrap_or_default();
    let has = |name: &str| offered.split_whitespace().any(|one| one == name);
    let mut resources = if first { core("5", "6") } else { core("7", "8") };
    let pick = |before: u64, after: u64| if first { before } else { after };
    if has("memory") {
        resources["memory"] =
            json!({ "limit": pick(64 << 20, 96 << 20), "reservation": pick(1 << 20, 2 << 20) });
    }
    if has("pids") {
        resources["pids"] = json!({ "limit": pick(20, 30) });
    }
    if has("cpu") {
        let quota = pick(50_000, 20_000);
        resources["cpu"] = json!({ "quota": quota, "period": 100_000, "burst": pick(10_000, 0) });
        resources["cpu"]["shares"] = json!(pick(512, 2048));
    }
    if has("cpuset") && !first {
        resources["cpu"]["cpus"] = json!("0");
    }
    resources
}

/// Every file of the cgroup that can be written and read, and the saved configuration.
fn state(world: &World) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(world.cgroup("web")).expect("the cgroup") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("UTF-8");
        let is_limit = ["max", "low", "weight", "idle", "burst", "cpus", "mems", "depth", "descendants"]
            .iter()
            .any(|end| name.ends_with(&format!(".{end}")));
        if is_limit {
            files.insert(name, fs::read_to_string(entry.path()).unwrap_or_default());
        }
    }
    let config = world.root().join("web/config.json");
    files.insert("config".to_owned(), fs::read_to_string(config).expect("the copy"));
    files
}

#[test]
fn whatever_fails_nothing_of_the_update_is_left() {
    let test = "whatever_fails_nothing_of_the_update_is_left";
    let Some(world) = World::new(test) else { return };
    let container = limited(&world, &everything(true));
    let id = ContainerId::new("web").expect("an id");
    let given = everything(false).to_string().into_bytes();
    let given = Given::parse("given.json".into(), given).expect("JSON");
    let opened = Store::new(world.root()).open(&id).expect("the container");
    let text = opened.config().expect("the copy");
    let saved = Source::parse("/".into(), "config.json".into(), text).expect("JSON");
    let changes = compile(&given, &saved, &id, None, &[]).unwrap_or_else(|error| panic!("{error}")).changes;
    assert!(changes.len() >= 3, "{changes:?}");
    let setting = Setting::new("cgroup.no-such-file", "1", "the fault of this trial", Pointer::root());
    let fault = Change { action: Action::WriteCgroup(setting), why: "the fault".into(), at: None };
    let path = CgroupPath::absolute(&format!("/{}/web", world.tag)).expect("a path");
    let perform = |changes: &[Change]| {
        let cgroup = Cgroup::open(&Hierarchy::find().expect("cgroup2"), &path).expect("the cgroup");
        Changing::new(&opened, &given, cgroup).perform(changes)
    };
    let before = state(&world);
    for place in 0..=changes.len() {
        let mut faulty = changes.clone();
        faulty.insert(place, fault.clone());
        let said = perform(&faulty).expect_err("the fault").to_string();
        assert!(said.contains("cgroup.no-such-file") && !said.contains("left behind"), "{said}");
        let mut after = state(&world);
        // The files of a controller that was enabled meanwhile stay, and say that nothing is set.
        after.retain(|name, value| before.contains_key(name) || !value.trim().is_empty());
        after.retain(|name, _| before.contains_key(name) || !name.starts_with("cpuset."));
        assert_eq!(after, before, "a fault before change {place}");
    }
    println!("faults survived: {0} of {0} ({test}, {1} changes)", changes.len() + 1, changes.len());
    perform(&changes).unwrap_or_else(|error| panic!("{error}"));
    assert_ne!(state(&world), before, "without a fault it does change something");
    drop(opened);
    container.finish();
}
