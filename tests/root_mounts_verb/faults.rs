//! Every step of `mounts add` and `mounts remove` made the last one: the container has the mounts that it
//! had.

use std::process::{Command, Stdio};

use crate_run::bundle::finding::Pointer;
use crate_run::bundle::path::{InsidePath, OutsidePath};
use crate_run::bundle::{Bundle, Source, entry};
use crate_run::feature::namespaces;
use crate_run::feature::terminal::Master;
use crate_run::host::Host;
use crate_run::launch::Launch;
use crate_run::plan::enter::{Door, Entrance, Root};
use crate_run::plan::mounting::{self, Leaving, Way};
use crate_run::plan::request::{Gate, Request};
use crate_run::plan::{Action, HostAction, Plan, Step};
use crate_run::state::{ContainerId, Store};
use crate_run_plan::Operation;
use crate_run_plan::slot::Slot;
use crate_run_sys::namespaces::flag;
use serde_json::{Value, json};

use super::world::World;
use super::{bind, living, mounts, points, volume};

/// The variable through which a runtime learns of its trial.
const VARIABLE: &str = "CRATE_RUN_MOUNTS_TRIAL";
const NOWHERE: &str = "/there/is/no/such/file";

/// Who fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Host,
    Child,
}

impl Fault {
    fn action(self) -> Action {
        let path = OutsidePath::new("/".as_ref(), NOWHERE.as_ref()).expect("no NUL");
        match self {
            Fault::Host => {
                Action::Host(HostAction::OpenNamespace { path, kind: flag::NETWORK, slot: Slot(9999) })
            }
            Fault::Child => Action::Child(Operation::FindMount { target: path.text(), known: Vec::new() }),
        }
    }

    /// The host has no step after the birth, and the child can fail from its first step inside to its last
    /// word.
    fn possible(self, plan: &Plan, place: usize) -> bool {
        let position = |which: fn(&Action) -> bool| {
            plan.steps.iter().position(|step| which(&step.action)).expect("such a step")
        };
        let enters = position(|it| matches!(it, Action::Child(Operation::EnterContainer { .. })));
        let detaches = |step: &Step| matches!(step.action, Action::Child(Operation::DetachMounts {}));
        let announces = position(|it| matches!(it, Action::Child(Operation::Announce {})));
        // What is detached is detached: the last step that can fail is that one.
        let last = plan.steps.iter().position(detaches).unwrap_or(announces);
        let birth = position(|it| matches!(it, Action::Host(HostAction::GiveBirth { .. })));
        match self {
            Fault::Host => place <= birth,
            Fault::Child => place > enters && place <= last,
        }
    }
}

/// What one runtime is to do, as the words of its variable.
fn trial(world: &World, action: &str, list: &Value, fault: Fault, place: usize) -> Value {
    let by_host = fault == Fault::Host;
    json!({ "root": world.root(), "action": action, "list": list, "host": by_host, "place": place })
}

/// Carries the plan out in another process; answers its status and what it said.
fn run(words: &Value) -> (i32, String) {
    let own = std::env::current_exe().expect("a path");
    let mut command = Command::new(own);
    command.args(["--exact", "faults::the_runtime_of_a_trial", "--nocapture", "--test-threads=1"]);
    let output =
        command.env(VARIABLE, words.to_string()).stdin(Stdio::null()).output().expect("this program");
    (output.status.code().unwrap_or(128), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Adds the mounts to a container whose process has gone to another user namespace unseen.
pub fn too_late(world: &World, list: &Value) -> (i32, String) {
    let mut words = trial(world, "add", list, Fault::Child, 0);
    words["unseen"] = flag::USER.into();
    // The fault comes after the last step, and so not at all.
    words["place"] = planned(&words).3.steps.len().into();
    run(&words)
}

/// Source, bundle, request and plan of a trial, without its fault.
fn planned(words: &Value) -> (Source, Bundle, Request, Plan) {
    let id = ContainerId::new("web").expect("an id");
    let container = Store::new(words["root"].as_str().expect("a path").into()).look(&id).expect("there");
    let record = container.record().expect("a record");
    let process = record.process.expect("a process");
    let text = container.config().expect("the copy");
    let saved = Source::parse("/".into(), "config.json".into(), text).expect("JSON");
    let unseen = words["unseen"].as_u64().unwrap_or(0);
    let way = Way { process, kinds: namespaces::foreign(process.pid) & !unseen };
    let (root, cgroup) = (Root::OfNamespace, Entrance::Stays);
    let door = Door { process, kinds: way.kinds, root, cgroup, groups: vec![], bound: vec![] };
    let adds = words["action"] == "add";
    let list = if adds { words["list"].to_string() } else { "[]".to_owned() };
    let source = entry::with_mounts(&saved, "list".as_ref(), list.as_bytes(), &door).expect("a list");
    let request = Request::new(id, Gate::Open, Master::None);
    let bundle = Bundle::check(&source, &Host::probe(), &request).unwrap_or_else(|error| panic!("{error}"));
    let target = |entry: &Value| {
        let target = InsidePath::new(entry["destination"].as_str().expect("a text")).expect("a path");
        let known = record.mounts_added_at(target.as_str());
        Leaving { target, known, at: Pointer::root() }
    };
    let targets: Vec<_> = words["list"].as_array().expect("a list").iter().map(target).collect();
    let plan = if adds { mounting::add(&bundle, way) } else { mounting::remove(&targets, way) };
    (source, bundle, request, plan)
}

/// Not a test by itself: the other starts this program once more, as the runtime of one trial.
#[test]
fn the_runtime_of_a_trial() {
    let Ok(words) = std::env::var(VARIABLE) else { return };
    let words: Value = serde_json::from_str(&words).expect("a trial");
    let (source, bundle, request, mut plan) = planned(&words);
    let place = words["place"].as_u64().expect("a number") as usize;
    let fault = if words["host"] == true { Fault::Host } else { Fault::Child };
    let neighbour = plan.steps[place.min(plan.steps.len() - 1)].clone();
    let step = Step { action: fault.action(), alternative: None, at: None, ..neighbour };
    plan.steps.insert(place, step);
    let store = Store::new(words["root"].as_str().expect("a path").into());
    let mut launch = Launch::new(&store, &source, &bundle, &plan, &request);
    if let Err(error) = launch.perform().and_then(|()| launch.conclude()) {
        eprintln!("crate-run: {error}");
        std::process::exit(7);
    }
    std::process::exit(0);
}

#[test]
fn whatever_fails_the_mounts_are_as_before() {
    let test = "whatever_fails_the_mounts_are_as_before";
    let Some(world) = World::new(test) else { return };
    let container = living(&world, |_| {});
    let list = json!([
        bind(&volume(&world, "one"), "/a", &["ro"]),
        bind(&volume(&world, "two").join("file"), "/b", &[]),
        { "destination": "/c", "type": "tmpfs", "source": "tmpfs" },
    ]);
    let mut trials = 0;
    for action in ["add", "remove"] {
        let before = points(&container);
        let (.., plan) = planned(&trial(&world, action, &list, Fault::Host, 0));
        for fault in [Fault::Host, Fault::Child] {
            for place in (0..plan.steps.len()).filter(|place| fault.possible(&plan, *place)) {
                let (status, said) = run(&trial(&world, action, &list, fault, place));
                assert!(status == 7 && said.contains(NOWHERE), "{action}, {fault:?} at {place}: {said}");
                assert_eq!(points(&container), before, "{action}, {fault:?} at {place}");
                trials += 1;
            }
        }
        mounts(&world, action, &list).ok();
        assert_ne!(points(&container), before, "without a fault it does change something");
    }
    println!("faults survived: {trials} of {trials} ({test})");
    container.finish();
}
