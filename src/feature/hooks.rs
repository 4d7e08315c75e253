//! # Hooks: programs of the engine at six moments
//!
//! | hook | when | where |
//! |---|---|---|
//! | prestart, createRuntime | namespaces and mounts are made, before pivot_root | runtime's namespaces |
//! | createContainer | directly after them | container's namespaces, path of the host |
//! | startContainer | after `start`, before the program | container's namespaces, path of the container |
//! | poststart | the program runs, before `start` returns | runtime's namespaces |
//! | poststop | the container is gone, before `delete` returns | runtime's namespaces |
//!
//! Each reads the container's state as JSON from its standard input. A hook that fails ends the container; a
//! failing poststop hook is a warning.
//!
//! OCI: config.md, POSIX-platform Hooks; runtime.md, Lifecycle.

use std::path::PathBuf;
use std::time::Duration;

use crate_run_plan::Operation;
use oci_spec::runtime::{Hook as HookEntry, Spec};

use crate::bundle::finding::{Finding, Pointer};
use crate::bundle::text::c_text;
use crate::plan::{HostAction, Plan};
use crate::state::{HookState, Status};

const FEATURE: &str = "hooks";

/// One hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    pub path: PathBuf,
    /// argv, from its zeroth entry; the path when the configuration gives none.
    pub arguments: Vec<String>,
    /// Exactly the hook's environment. When the configuration gives none: for a program of the image that of
    /// the process, for a program of the host a PATH alone. The runtime's own environment is not handed down:
    /// it may hold secrets of the engine; nor is the image's to the host's programs, for it may hold loader
    /// variables (CVE-2025-23266).
    pub environment: Vec<String>,
    pub timeout: Option<Duration>,
    pub at: Pointer,
}

/// All hooks of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hooks {
    pub prestart: Vec<Hook>,
    pub create_runtime: Vec<Hook>,
    pub create_container: Vec<Hook>,
    pub start_container: Vec<Hook>,
    pub poststart: Vec<Hook>,
    pub poststop: Vec<Hook>,
}

/// The PATH of a hook of the host without an environment of its own, so that a shell script finds its tools.
const HOOK_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The hooks by their names in config.json, in the order of a container's life.
pub const KINDS: [&str; 6] =
    ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];

type Lists<'a> = [(&'static str, &'a [HookEntry]); 6];

fn lists(spec: &Spec) -> Lists<'_> {
    let hooks = spec.hooks().as_ref();
    macro_rules! list {
        ($name:literal, $get:ident) => {
            ($name, hooks.and_then(|hooks| hooks.$get().as_deref()).unwrap_or_default())
        };
    }
    [
        list!("prestart", prestart),
        list!("createRuntime", create_runtime),
        list!("createContainer", create_container),
        list!("startContainer", start_container),
        list!("poststart", poststart),
        list!("poststop", poststop),
    ]
}

fn hook(entry: &HookEntry, without: &[String], at: Pointer) -> Hook {
    let path = entry.path().clone();
    let arguments = entry.args().clone().filter(|args| !args.is_empty());
    Hook {
        arguments: arguments.unwrap_or_else(|| vec![path.display().to_string()]),
        environment: entry.env().clone().unwrap_or_else(|| without.to_vec()),
        timeout: entry.timeout().and_then(|s| u64::try_from(s).ok()).map(Duration::from_secs),
        path,
        at,
    }
}

/// The hooks; `of_program` is the environment of the container's program.
pub fn resolve(spec: &Spec, of_program: &[String]) -> Hooks {
    let of_host = [HOOK_PATH.to_owned()];
    let [prestart, create_runtime, create_container, start_container, poststart, poststop] =
        lists(spec).map(|(name, entries)| {
            let at = Pointer::from("/hooks").key(name);
            let without = if name == "startContainer" { of_program } else { &of_host };
            entries.iter().enumerate().map(|(index, entry)| hook(entry, without, at.index(index))).collect()
        });
    Hooks { prestart, create_runtime, create_container, start_container, poststart, poststop }
}

pub fn findings(spec: &Spec) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, entries) in lists(spec) {
        for (index, entry) in entries.iter().enumerate() {
            let at = Pointer::from("/hooks").key(name).index(index);
            if !entry.path().is_absolute() {
                let message =
                    format!("the path {:?} of the {name} hook is not absolute", entry.path().display());
                found.push(Finding::error(at.key("path"), message).cure("hook paths start with a slash"));
            }
            if entry.timeout().is_some_and(|timeout| timeout <= 0) {
                let message = "the timeout of a hook must be greater than zero";
                found.push(Finding::error(at.key("timeout"), message).cure("leave it out for no limit"));
            }
            let mut strings = entry.args().iter().flatten().chain(entry.env().iter().flatten());
            let in_path = entry.path().as_os_str().as_encoded_bytes().contains(&0);
            if in_path || strings.any(|text| text.contains('\0')) {
                found.push(Finding::error(at, "a NUL character in the path, args or env of a hook"));
            }
        }
    }
    found
}

/// In the view, before pivot_root.
pub fn before_pivot(hooks: &Hooks, state: &HookState, plan: &mut Plan) {
    for (kind, list) in [("prestart", &hooks.prestart), ("createRuntime", &hooks.create_runtime)] {
        for (index, hook) in list.iter().enumerate() {
            let run = HostAction::RunHook { hook: hook.clone(), kind, index };
            let why = "the engine acts on the namespaces from outside";
            plan.host(FEATURE, run, why).at(hook.at.clone());
        }
    }
    for hook in &hooks.create_container {
        let why = "the engine acts inside, while the host's files are still in sight";
        plan.child(FEATURE, in_child(hook, state, Status::Creating), why).at(hook.at.clone());
    }
}

/// After the gate, before the program.
pub fn before_program(hooks: &Hooks, state: &HookState, plan: &mut Plan) {
    for hook in &hooks.start_container {
        let why = "the image's own preparation, with the powers of the program";
        plan.child(FEATURE, in_child(hook, state, Status::Created), why).at(hook.at.clone());
    }
}

fn in_child(hook: &Hook, state: &HookState, status: Status) -> Operation {
    let texts = |list: &[String]| list.iter().map(|entry| c_text(entry)).collect();
    let (before, after) = state.around_pid(status.word());
    Operation::RunHook {
        path: c_text(&hook.path.to_string_lossy()),
        arguments: texts(&hook.arguments),
        environment: texts(&hook.environment),
        timeout: hook.timeout.map_or(0, |timeout| timeout.as_secs().clamp(1, u32::MAX.into()) as u32),
        before,
        after,
    }
}
