//! # Other limits for a container that is there
//!
//! `update` names some limits and leaves the others as they are: a member that is absent keeps its value, in
//! the kernel and in the saved configuration. Like a start, it is first computed and then carried out:
//!
//! | part | file |
//! |---|---|
//! | what is asked for, with its place in the file or on the command line | `given` |
//! | which values of the saved configuration belong to it, and what is saved in the end | `merge` |
//! | the list of changes | this one |
//! | carrying it out, and taking it back when a change fails | `perform` |
//! | what a file of the cgroup must be told to be as it was | `restore` |
//!
//! The files and their values are those of `create` (`crate::cgroup::limits`). Device rules are never
//! touched: others, such as hooks, may have added to them meanwhile. A cgroup counts memory and swap apart,
//! so a new limit on memory leaves the amount of swap as it is.
//!
//! Order: what could be refused without an effect, then what gives the cgroup its files, then the limits in
//! the order of `create`, and the saved configuration last: it says what holds.
//!
//! OCI: config-linux.md, "Control Groups". Kernel: cgroup-v2.rst; resctrl.rst.

pub mod given;
mod merge;
pub mod perform;
mod restore;

use std::borrow::Cow;

use crate::bundle::Source;
use crate::bundle::finding::{Finding, Pointer, Severity};
use crate::cgroup::memory::MemoryCheck;
use crate::cgroup::systemd::{Unit, property};
use crate::cgroup::{Setting, limits, v1};
use crate::error::Error;
use crate::feature::rdt;
use crate::resctrl::Group;
use crate::state::ContainerId;
use given::Given;

/// One change of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub action: Action,
    /// One sentence without a full stop.
    pub why: Cow<'static, str>,
    /// The place that asks for it.
    pub at: Option<Pointer>,
}

/// What is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Refuses limits below what the cgroup holds already.
    CheckMemoryUse(MemoryCheck),
    /// Enables the controllers on the way to the cgroup that these limits need. Nothing takes that back:
    /// other cgroups may use them by then.
    EnableControllers(Vec<Setting>),
    /// Tells systemd of the limits that it writes itself. Taken back by telling it the old values.
    TellSystemd { unit: Unit, settings: Vec<Setting> },
    /// Writes one limit. Taken back by writing the old value.
    WriteCgroup(Setting),
    /// Writes one line of the schemata of the container's class. Taken back by writing the old line.
    WriteSchemata { group: Group, line: String },
    /// Replaces the saved configuration. Taken back by saving the old one.
    SaveConfig(Vec<u8>),
}

impl Action {
    /// The words for it, to be read after "cannot" or as a line of its own.
    pub fn words(&self) -> String {
        match self {
            Action::CheckMemoryUse(_) => "compare the memory limits with the use".to_owned(),
            Action::EnableControllers(settings) => {
                let names: Vec<&str> = limits::controllers(settings).into_keys().collect();
                format!("enable the cgroup controllers {}", names.join(", "))
            }
            Action::TellSystemd { unit, settings } => {
                let told = property::of_settings(settings).into_iter();
                let told: Vec<String> = told.map(|told| format!("{}={}", told.name, told.value)).collect();
                format!("tell systemd of {unit}: {}", told.join(", "))
            }
            Action::WriteCgroup(setting) => format!("write {} to {}", setting.value, setting.file),
            Action::WriteSchemata { group, line } => {
                format!("write {line} to the schemata of the resctrl group {group}")
            }
            Action::SaveConfig(_) => "save the configuration".to_owned(),
        }
    }
}

/// What an update does, and what is to be told beside.
#[derive(Clone, Debug)]
pub struct Update {
    pub changes: Vec<Change>,
    pub warnings: Vec<Finding>,
}

/// The changes that bring the container `id` with the configuration `saved` to what is `given`. `unit` is its
/// scope, if systemd has made its cgroup; the controllers `bound` are those of cgroup v1.
///
/// Errors: everything that is wrong with what is given, with its places.
pub fn compile(
    given: &Given,
    saved: &Source,
    id: &ContainerId,
    unit: Option<&Unit>,
    bound: &[&str],
) -> Result<Update, Error> {
    let is_error = |finding: &Finding| finding.severity == Severity::Error;
    if given.findings.iter().any(is_error) {
        return Err(given.error(given.findings.clone()));
    }
    let asked = merge::asked(given, saved)?;
    let root = Pointer::root();
    let mut found = given.findings.clone();
    found.extend(v1::findings(&asked.resources, &root, bound));
    let class = rdt::resolve(&saved.spec, id);
    let lines = given.schemas();
    if let (None, Some((_, at))) = (&class, lines.first()) {
        found.push(without_class(at.clone()));
    }
    found.extend(lines.iter().filter_map(|(line, at)| rdt::schema_finding(line, at.clone())));
    if found.iter().any(is_error) {
        return Err(given.error(found));
    }
    let mut changes = Vec::new();
    let settings = match unit {
        Some(_) => property::rounded(asked.settings(&root, bound)),
        None => asked.settings(&root, bound),
    };
    if let Some(check) = asked.resources.memory().as_ref().and_then(MemoryCheck::of) {
        let why = "a limit below what is in use would let the kernel kill at once";
        let at = root.key("memory").key("checkBeforeUpdate");
        changes.push(change(Action::CheckMemoryUse(check), why, Some(at)));
    }
    let handed_down = handed_down(&settings, bound);
    if !limits::controllers(&handed_down).is_empty() {
        let why = "the files of a controller are there when the parents hand it down";
        changes.push(change(Action::EnableControllers(handed_down), why, None));
    }
    if let Some(unit) = unit.filter(|_| !property::of_settings(&settings).is_empty()) {
        let why = "else it writes the old values at its next opportunity";
        let tell = Action::TellSystemd { unit: unit.clone(), settings: settings.clone() };
        changes.push(change(tell, why, None));
    }
    for setting in settings {
        let (why, at) = (setting.why.clone(), setting.at.clone());
        changes.push(change(Action::WriteCgroup(setting), why, Some(at)));
    }
    for (line, at) in lines {
        let Some(class) = &class else { break };
        let write = Action::WriteSchemata { group: class.group.clone(), line };
        changes.push(change(write, "a share of one resource of the processor", Some(at)));
    }
    if !changes.is_empty() {
        let why = "later updates start from what holds now";
        changes.push(change(Action::SaveConfig(merge::configuration(given, saved)?), why, None));
    }
    Ok(Update { changes, warnings: found })
}

fn without_class(at: Pointer) -> Finding {
    let message = "the container has no class of cache and memory bandwidth";
    let cure = "create it with linux.intelRdt; a running one cannot be put into a class";
    Finding::error(at, message).cure(cure)
}

/// The writes to files that are there when the parents hand their controller down.
fn handed_down(settings: &[Setting], bound: &[&str]) -> Vec<Setting> {
    let is_handed_down = |setting: &&Setting| !bound.contains(&setting.controller.as_str());
    settings.iter().filter(is_handed_down).cloned().collect()
}

fn change(action: Action, why: impl Into<Cow<'static, str>>, at: Option<Pointer>) -> Change {
    Change { action, why: why.into(), at }
}

/// The changes as text: what is written, why, and which place asks for it.
pub fn text(changes: &[Change]) -> String {
    let line = |change: &Change| {
        let at = change.at.as_ref().map(|at| format!(" ({at})")).unwrap_or_default();
        format!("{}: {}{at}\n", change.action.words(), change.why)
    };
    changes.iter().map(line).collect()
}

#[cfg(test)]
mod tests;
