//! One trial: a plan with one more step in it, carried out by a runtime of its own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use crate_run::bundle::finding::Pointer;
use crate_run::bundle::path::OutsidePath;
use crate_run::bundle::{Bundle, Source};
use crate_run::cgroup::Driver;
use crate_run::feature::hooks::Hook;
use crate_run::feature::terminal::Master;
use crate_run::host::Host;
use crate_run::launch::Launch;
use crate_run::plan::compile::compile;
use crate_run::plan::request::{Gate, Request};
use crate_run::plan::{Action, HostAction, Plan, Step};
use crate_run::state::{ContainerId, Store};
use crate_run_plan::Operation;
use crate_run_plan::slot::Slot;
use crate_run_sys::namespaces::flag;
use serde_json::{Value, json};

use super::edit::Edit;
use super::world::World;

/// The variable through which a runtime learns of its trial.
const VARIABLE: &str = "CRATE_RUN_TRIAL";
pub const ID: &str = "trial";
/// What a failing step looks for. The error must name it.
pub const NOWHERE: &str = "/there/is/no/such/file";

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    HostFails,
    ChildFails,
    RuntimeDies,
    ContainerDies,
}

impl Fault {
    pub const ALL: [Fault; 4] =
        [Fault::HostFails, Fault::ChildFails, Fault::RuntimeDies, Fault::ContainerDies];

    fn action(self) -> Action {
        let path = OutsidePath::new("/".as_ref(), NOWHERE.as_ref()).expect("no NUL");
        match self {
            Fault::HostFails => {
                Action::Host(HostAction::OpenNamespace { path, kind: flag::NETWORK, slot: Slot(9999) })
            }
            Fault::ChildFails => {
                let path = path.text();
                Action::Child(Operation::EnterDirectory { path, attempt: 0 })
            }
            Fault::RuntimeDies => hook("kill -9 $PPID"),
            // The state on standard input says who the container's first process is.
            Fault::ContainerDies => {
                hook(r#"read -r state; pid=${state##*\"pid\":}; kill -9 "${pid%%[!0-9]*}""#)
            }
        }
    }
}

fn hook(script: &str) -> Action {
    let hook = Hook {
        path: "/bin/sh".into(),
        arguments: ["sh", "-c", script].map(str::to_owned).to_vec(),
        environment: vec!["PATH=/usr/bin:/bin".to_owned()],
        timeout: Some(Duration::from_secs(60)),
        at: Pointer::from("/hooks"),
    };
    Action::Host(HostAction::RunHook { hook, kind: "createRuntime", index: 0 })
}

/// How a runtime has ended, and what it said.
pub struct Ended {
    pub status: ExitStatus,
    pub error: String,
}

/// What one runtime is to do.
#[derive(Clone, Debug)]
pub struct Trial {
    root: PathBuf,
    bundle: PathBuf,
    gate: Gate,
    driver: Driver,
    /// The fault, and the index of the step before which it happens.
    pub injected: Option<(Fault, usize)>,
    /// What the plan does not do as it says.
    edit: Option<Edit>,
}

impl Trial {
    pub fn new(world: &World, bundle: &Path, gate: Gate) -> Self {
        let driver = Driver::Cgroupfs;
        Self { root: world.root(), bundle: bundle.to_owned(), gate, driver, injected: None, edit: None }
    }

    /// The same with a cgroup that this driver makes.
    #[allow(dead_code)] // The tests in the Debian machine take systemd.
    pub fn by(self, driver: Driver) -> Self {
        Self { driver, ..self }
    }

    /// The same with a plan that is wrong in this.
    pub fn edited(&self, edit: Edit) -> Self {
        Self { edit: Some(edit), ..self.clone() }
    }

    /// The same with a fault in it.
    pub fn with(&self, fault: Fault, place: usize) -> Self {
        Self { injected: Some((fault, place)), ..self.clone() }
    }

    fn request(&self) -> Request {
        let id = ContainerId::new(ID).expect("a good id");
        let pid_file = OutsidePath::new(&self.root, "../pid".as_ref());
        // The mount point is made where it is missing: not in the root filesystem that all tests share.
        let config = std::fs::read_to_string(self.bundle.join("config.json")).expect("config.json");
        let notify = OutsidePath::new(&self.root, format!("{ID}/notify").as_ref());
        let notify = notify.filter(|_| config.contains("\"destination\": \"/run\""));
        let cgroup_driver = self.driver;
        Request { pid_file, notify, cgroup_driver, ..Request::new(id, self.gate, Master::None) }
    }

    fn load(&self) -> (Source, Bundle) {
        let request = self.request();
        let source = Source::load(&self.bundle, None).expect("config.json");
        let bundle = Bundle::check(&source, &Host::probe(), &request);
        let bundle = bundle.unwrap_or_else(|error| panic!("{error}"));
        (source, bundle)
    }

    /// The plan without the fault.
    pub fn plan(&self) -> Plan {
        compile(&self.load().1, &self.request())
    }

    fn position(plan: &Plan, which: impl Fn(&Action) -> bool) -> usize {
        plan.steps.iter().position(|step| which(&step.action)).unwrap_or(plan.steps.len())
    }

    /// Can this fault happen here? Not to a container before its birth, nor after the host's last word: what
    /// the child does behind the gate, only the child can fail to do. Nothing fits between birth and id maps:
    /// a newborn that waits for its maps meets nobody.
    pub fn possible(plan: &Plan, fault: Fault, place: usize) -> bool {
        let birth =
            Self::position(plan, |action| matches!(action, Action::Host(HostAction::GiveBirth { .. })));
        let maps =
            Self::position(plan, |action| matches!(action, Action::Host(HostAction::WriteIdMaps { .. })));
        let running = Self::position(plan, |action| matches!(action, Action::Child(_)));
        let park = Self::position(plan, |action| matches!(action, Action::Child(Operation::Park { .. })));
        let announce = Self::position(plan, |action| matches!(action, Action::Child(Operation::Announce {})));
        match fault {
            _ if place == maps => false,
            Fault::HostFails | Fault::RuntimeDies => place <= park.min(announce),
            Fault::ChildFails => place >= running && place < plan.steps.len(),
            Fault::ContainerDies => place > birth && place <= park.min(announce),
        }
    }

    /// Does the fault lie behind the gate, where only `start` comes to it?
    pub fn behind_the_gate(&self) -> bool {
        let park =
            Self::position(&self.plan(), |action| matches!(action, Action::Child(Operation::Park { .. })));
        self.gate == Gate::Closed && self.injected.is_some_and(|(_, place)| place > park)
    }

    fn faulty_plan(&self) -> Plan {
        let mut plan = self.plan();
        if let Some((fault, place)) = self.injected {
            let neighbour = &plan.steps[place.min(plan.steps.len() - 1)];
            let why = "the fault of this trial".into();
            let step = Step { action: fault.action(), alternative: None, why, at: None, ..neighbour.clone() };
            plan.steps.insert(place, step);
        }
        if let Some(edit) = self.edit {
            edit.apply(&mut plan);
        }
        plan
    }

    /// Carries out the trial in another process. Its outputs are files: a pipe would stay open as long as the
    /// container lives.
    pub fn run(&self) -> Ended {
        let injected = self.injected.map(|(fault, place)| json!([format!("{fault:?}"), place]));
        let closed = self.gate == Gate::Closed;
        let edit = self.edit.map(|edit| format!("{edit:?}"));
        let words = json!({
            "root": self.root, "bundle": self.bundle, "closed": closed, "injected": injected, "edit": edit,
            "driver": self.driver,
        });
        let own = std::env::current_exe().expect("a path");
        let mut command = Command::new(own);
        command.args(["--exact", "the_runtime_of_a_trial", "--nocapture", "--test-threads=1"]);
        let errors = self.root.with_file_name("errors");
        let file = File::create(&errors).expect("a file for the errors");
        command.env(VARIABLE, words.to_string()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
        let status = command.status().expect("this program once more");
        Ended { status, error: String::from_utf8_lossy(&std::fs::read(errors).expect("the errors")).into() }
    }

    /// The trial for which this process was started.
    pub fn of_this_process() -> Option<Self> {
        let words: Value = serde_json::from_str(&std::env::var(VARIABLE).ok()?).expect("a trial");
        let path = |name: &str| PathBuf::from(words[name].as_str().expect("a path"));
        let fault = |word: &Value| Fault::ALL.into_iter().find(|fault| *word == format!("{fault:?}"));
        let injected = fault(&words["injected"][0]).zip(words["injected"][1].as_u64());
        Some(Self {
            root: path("root"),
            bundle: path("bundle"),
            gate: if words["closed"] == true { Gate::Closed } else { Gate::Open },
            injected: injected.map(|(fault, place)| (fault, place as usize)),
            driver: serde_json::from_value(words["driver"].clone()).expect("a driver"),
            edit: Edit::ALL.into_iter().find(|edit| words["edit"] == format!("{edit:?}")),
        })
    }

    /// What `create` and `run --detach` do, with the faulty plan; then the process ends, with 1 for an error.
    pub fn perform(&self) -> ! {
        let (source, bundle) = self.load();
        let (plan, request, store) = (self.faulty_plan(), self.request(), Store::new(self.root.clone()));
        let mut launch = Launch::new(&store, &source, &bundle, &plan, &request);
        match launch.perform().and_then(|()| launch.conclude()) {
            Ok(()) => std::process::exit(0),
            Err(error) => {
                eprintln!("crate-run: {error}");
                std::process::exit(1)
            }
        }
    }
}
