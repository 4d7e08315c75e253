//! The plan for people: numbered steps in two columns, grouped by phase.
//!
//! ```text
//!    1 host   reserve the container's id                  an id names one container; its directory is its lock
//!             config.json:3:5                             undo: remove the container's directory
//!                                                         mkdir(2) flock(2)
//! ```
//!
//! Left is what is done, and which place of config.json asks for it; right is why, what is
//! undone when a later step fails, and the pages of the manual. Where the turn goes from one
//! side to the other, a line says so.

use std::fmt::Write as _;

use crate::bundle::excerpt::{columns, visible};
use crate::plan::explain::{Places, actor, pages, purpose};
use crate::plan::project::{Rendezvous, project};
use crate::plan::undo::undo;
use crate::plan::{Action, HostAction, Plan, Step, describe};

/// The longest line, in columns of a terminal.
pub const WIDTH: usize = 108;
/// The columns: number and actor, what, why.
const MARGIN: usize = 12;
const LEFT: usize = 43;
const GAP: usize = 2;
const RIGHT: usize = WIDTH - MARGIN - LEFT - GAP;

/// The plan as text. Whatever a terminal could obey in it is written as an escape sequence.
pub fn text(plan: &Plan, places: &Places) -> String {
    let meetings = project(plan).rendezvous();
    let mut page = summary(plan);
    let mut phase = None;
    for (index, step) in plan.steps.iter().enumerate() {
        if phase != Some(step.phase) {
            phase = Some(step.phase);
            let _ = writeln!(page, "\n{}: {}\n", step.phase.name().to_uppercase(), purpose(step.phase));
        }
        if let Some(meeting) = meetings.get(&index) {
            page.push_str(meeting_line(*meeting));
        }
        if let Action::Host(HostAction::WriteIdMaps { .. }) = step.action {
            page.push_str("        … the newborn waits for its id maps, and cannot execve before …\n");
        }
        write_step(&mut page, index, step, places);
    }
    page
}

fn summary(plan: &Plan) -> String {
    let by_host = plan.steps.iter().filter(|step| matches!(step.action, Action::Host(_))).count();
    let arrivals = project(plan).rendezvous().into_values().filter(|m| *m == Rendezvous::Arrival).count();
    let times = if arrivals == 1 { "once".to_owned() } else { format!("{arrivals} times") };
    let (all, by_child) = (plan.steps.len(), plan.steps.len() - by_host);
    format!(
        "{all} steps: {by_host} of the host, {by_child} of the child; the child waits for the host {times}\n"
    )
}

fn meeting_line(meeting: Rendezvous) -> &'static str {
    match meeting {
        Rendezvous::Arrival => "        … the child has arrived and waits; the host acts …\n",
        Rendezvous::Release => "        … the host is done; the child goes on …\n",
        Rendezvous::CatchUp => {
            "        … the host did that while the child worked; if not, the child waits …\n"
        }
    }
}

fn write_step(page: &mut String, index: usize, step: &Step, places: &Places) {
    let mut left = wrapped(&describe::action(&step.action), LEFT);
    if let Some(other) = &step.alternative {
        let other = Action::Child(other.clone());
        left.extend(wrapped(&format!("or else: {}", describe::action(&other)), LEFT));
    }
    left.extend(wrapped(&places.short(step), LEFT));
    let mut right = wrapped(&step.why, RIGHT);
    if let Action::Host(action) = &step.action {
        let words = undo(action).words();
        right.extend(words.iter().flat_map(|words| wrapped(&format!("undo: {words}"), RIGHT)));
    }
    right.extend(wrapped(&pages(&step.action).join(" "), RIGHT));

    let rows = left.len().max(right.len());
    let cell = |column: &[String], row: usize| column.get(row).cloned().unwrap_or_default();
    for row in 0..rows {
        let margin = match row {
            0 => format!("{:>4} {:<5}", index + 1, actor(&step.action)),
            _ => String::new(),
        };
        let (what, why) = (cell(&left, row), cell(&right, row));
        let padding = " ".repeat((LEFT + GAP).saturating_sub(columns(&what)));
        let line = format!("{margin:MARGIN$}{what}{padding}{why}");
        let _ = writeln!(page, "{}", line.trim_end());
    }
}

/// Breaks a text into lines of at most `width` columns, between words where that can be.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let shown = visible(text.as_bytes());
    for word in shown.split(' ').flat_map(|word| pieces(word, width)) {
        match lines.last_mut() {
            Some(line) if columns(line) + 1 + columns(&word) <= width => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    lines
}

/// A word that is longer than a line, cut into lines.
fn pieces(word: &str, width: usize) -> Vec<String> {
    let mut pieces = Vec::new();
    let (mut piece, mut taken) = (String::new(), 0);
    for c in word.chars() {
        let wide = columns(c.encode_utf8(&mut [0; 4]));
        if taken + wide > width && !piece.is_empty() {
            pieces.push(std::mem::take(&mut piece));
            taken = 0;
        }
        piece.push(c);
        taken += wide;
    }
    if !piece.is_empty() {
        pieces.push(piece);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_and_inside_long_ones() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("a /very/long/path b", 6), ["a", "/very/", "long/p", "ath b"]);
        assert_eq!(wrapped("", 7), Vec::<String>::new());
    }

    #[test]
    fn nothing_that_a_terminal_obeys_is_printed() {
        assert_eq!(wrapped("name\u{1b}[2J\n", 40), ["name\\u{1b}[2J\\n"]);
    }
}
