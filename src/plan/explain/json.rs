//! The plan for programs.

use serde::Serialize;

use crate::plan::explain::{Places, Whence, actor, pages};
use crate::plan::project::{Rendezvous, project};
use crate::plan::undo::undo;
use crate::plan::{Action, Plan, Step, describe};

/// One step. The names of the members are stable; new ones may come.
#[derive(Serialize)]
struct Entry<'a> {
    /// From 1.
    step: usize,
    /// `prepare`, `birth`, `identity`, `view`, `gate`, `limits of power`, `exec`.
    phase: &'static str,
    /// `host` or `child`.
    actor: &'static str,
    /// The file in src/feature that has the step.
    feature: &'static str,
    /// The operation, such as `MountNew`.
    operation: &'static str,
    /// What is done, in words.
    what: String,
    /// The reason, in words.
    why: &'a str,
    /// What asks for it; null for a step that every container has.
    at: Option<At<'a>>,
    /// Pages of the manual, such as `fsopen(2)`.
    man: &'static [&'static str],
    /// What is undone when a later step fails; null when nothing is left to undo.
    undo: Option<String>,
    /// The way that is taken when the kernel refuses the first one.
    alternative: Option<Alternative>,
    /// What passes between the sides directly before: `arrival` (the child waits), `release`
    /// (it goes on), `catch-up` (it waits if the host is not done with its last steps, which it
    /// does while the child works), null.
    rendezvous: Option<&'static str>,
}

/// A place of the configuration. Line and column are null when the pointer leads to nothing: then the step is
/// the default for that place.
#[derive(Serialize)]
struct At<'a> {
    /// RFC 6901.
    pointer: &'a str,
    /// From 1.
    line: Option<usize>,
    /// From 1, in characters.
    column: Option<usize>,
}

#[derive(Serialize)]
struct Alternative {
    operation: &'static str,
    what: String,
}

/// The plan as an array of objects, with a newline at the end.
pub fn json(plan: &Plan, places: &Places) -> String {
    let meetings = project(plan).rendezvous();
    let entry = |(index, step)| entry(index, step, places, meetings.get(&index).copied());
    let entries: Vec<Entry> = plan.steps.iter().enumerate().map(entry).collect();
    let mut text = serde_json::to_string_pretty(&entries).expect("strings and numbers are always JSON");
    text.push('\n');
    text
}

fn entry<'a>(index: usize, step: &'a Step, places: &Places, meeting: Option<Rendezvous>) -> Entry<'a> {
    let at = match places.whence(step) {
        Whence::Written { pointer, line, column } => Some((pointer, Some(line), Some(column))),
        Whence::Default { pointer } => Some((pointer, None, None)),
        Whence::Always => None,
    };
    Entry {
        step: index + 1,
        phase: step.phase.name(),
        actor: actor(&step.action),
        feature: step.feature,
        operation: describe::name(&step.action),
        what: describe::action(&step.action),
        why: &step.why,
        at: at.map(|(pointer, line, column)| At { pointer: pointer.as_str(), line, column }),
        man: pages(&step.action),
        undo: match &step.action {
            Action::Host(action) => undo(action).words(),
            Action::Child(_) => None,
        },
        alternative: step.alternative.as_ref().map(|operation| Alternative {
            operation: operation.name(),
            what: describe::action(&Action::Child(operation.clone())),
        }),
        rendezvous: meeting.map(|meeting| match meeting {
            Rendezvous::Arrival => "arrival",
            Rendezvous::Release => "release",
            Rendezvous::CatchUp => "catch-up",
        }),
    }
}
