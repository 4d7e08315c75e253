//! The plan as text: what will happen, who does it, why, and which line of config.json asks for it.
//!
//! Three forms of the same list: for people ([`text()`]), for programs ([`json()`]), and as a diagram of the
//! conversation between host and child ([`mermaid()`]). All three are computed from the value that is carried
//! out; none of them asks the kernel anything.

mod json;
mod man;
mod mermaid;
mod places;
mod text;

use crate::bundle::Source;
use crate::plan::{Action, Phase, Plan};

pub use json::json;
pub use man::pages;
pub use mermaid::mermaid;
pub use places::{Places, Whence};
pub use text::text;

/// The forms in which a plan can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Numbered steps in two columns, at most 108 characters a line.
    Text,
    /// An array of objects, one a step.
    Json,
    /// A sequence diagram of Mermaid (mermaid.js.org).
    Mermaid,
}

/// The plan in this form. `source` is the configuration from which it was compiled.
pub fn render(plan: &Plan, source: &Source, format: Format) -> String {
    match format {
        Format::Text => text(plan, &Places::of(plan, source)),
        Format::Json => json(plan, &Places::of(plan, source)),
        Format::Mermaid => mermaid(plan),
    }
}

/// Who acts, in one word.
fn actor(action: &Action) -> &'static str {
    match action {
        Action::Host(_) => "host",
        Action::Child(_) => "child",
    }
}

/// What a phase is for.
fn purpose(phase: Phase) -> &'static str {
    match phase {
        Phase::Prepare => "the host makes everything that can be made before the container exists",
        Phase::Birth => "one system call makes the process, its namespaces and its place in the cgroup",
        Phase::Identity => "the host says who the newborn is and what it may use; namespaces are joined",
        Phase::View => "what the container sees: root, mounts, devices, names, terminal",
        Phase::Gate => "the container is created; everything that could fail by configuration has",
        Phase::Power => "from here on powers only shrink, and nothing brings them back",
        Phase::Exec => "the child becomes the program",
    }
}
