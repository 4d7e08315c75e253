//! The plan as a sequence diagram: the conversation of host and child (mermaid.js.org, Sequence diagram).

use std::fmt::Write as _;

use crate::bundle::excerpt::visible;
use crate::plan::explain::{actor, purpose};
use crate::plan::project::{Rendezvous, project};
use crate::plan::{Action, HostAction, Phase, Plan, describe};

/// How long a line inside the diagram gets before it breaks, in characters.
const LINE: usize = 60;

/// The diagram as text, to be put into a code block of Markdown with the language `mermaid`.
pub fn mermaid(plan: &Plan) -> String {
    let meetings = project(plan).rendezvous();
    let mut diagram = String::from("sequenceDiagram\n");
    diagram.push_str("    participant host as crate-run on the host\n");
    diagram.push_str("    participant child as the sealed child\n");
    let mut phase = None;
    for (index, step) in plan.steps.iter().enumerate() {
        if phase != Some(step.phase) {
            begin_phase(&mut diagram, phase, step.phase);
            phase = Some(step.phase);
        }
        match meetings.get(&index) {
            Some(Rendezvous::Arrival) => diagram.push_str("    child-->>host: has arrived, and waits\n"),
            Some(Rendezvous::Release) => diagram.push_str("    host-->>child: go on\n"),
            Some(Rendezvous::CatchUp) => diagram.push_str("    host-->>child: is done already\n"),
            None => {}
        }
        let to = match &step.action {
            Action::Host(HostAction::GiveBirth { .. } | HostAction::WriteIdMaps { .. }) => "child",
            action => actor(action),
        };
        let what = broken(&format!("{}. {}", index + 1, describe::action(&step.action)));
        let _ = writeln!(diagram, "    {}->>{to}: {what}", actor(&step.action));
    }
    if phase.is_some() {
        diagram.push_str("    end\n");
    }
    diagram
}

fn begin_phase(diagram: &mut String, before: Option<Phase>, phase: Phase) {
    if before.is_some() {
        diagram.push_str("    end\n");
    }
    let colour = match phase {
        Phase::Prepare | Phase::Identity | Phase::Gate | Phase::Exec => "rgb(238, 243, 250)",
        Phase::Birth | Phase::View | Phase::Power => "rgb(250, 245, 235)",
    };
    let words = broken(&format!("{}: {}", phase.name(), purpose(phase)));
    let _ = writeln!(diagram, "    rect {colour}\n    Note over host,child: {words}");
}

/// Text for a message: long lines broken, and nothing in it that Mermaid would read as its own.
fn broken(text: &str) -> String {
    let mut broken = String::new();
    let mut length = 0;
    for word in visible(text.as_bytes()).split(' ') {
        if length > 0 && length + 1 + word.chars().count() > LINE {
            broken.push_str("<br/>");
            length = 0;
        } else if length > 0 {
            broken.push(' ');
            length += 1;
        }
        length += word.chars().count();
        word.chars().for_each(|c| push_escaped(&mut broken, c));
    }
    broken
}

/// A semicolon ends a statement, a number sign begins an entity; the labels are HTML.
fn push_escaped(text: &mut String, c: char) {
    match c {
        ';' | '#' | '"' | '<' | '>' | '&' | '%' | '`' => {
            let _ = write!(text, "#{};", u32::from(c));
        }
        c => text.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_mermaid_would_obey_is_escaped() {
        assert_eq!(broken("a;b #c \"d\" <b>\n%%"), "a#59;b #35;c #34;d#34; #60;b#62;\\n#37;#37;");
    }

    #[test]
    fn long_lines_are_broken() {
        let text = broken(&"word ".repeat(20));
        assert!(text.split("<br/>").all(|line| line.chars().count() <= LINE), "{text}");
    }
}
