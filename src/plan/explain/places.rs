//! From the pointers of a plan's steps to lines and columns.

use std::collections::{BTreeMap, BTreeSet};

use crate::bundle::Source;
use crate::bundle::finding::Pointer;
use crate::bundle::span::locate_all;
use crate::plan::{Plan, Step};

/// Where a step comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whence<'a> {
    /// The value that asks for it: line from 1, column from 1 in characters.
    Written { pointer: &'a Pointer, line: usize, column: usize },
    /// The value that could have been there; without it this is the default.
    Default { pointer: &'a Pointer },
    /// No part of a configuration: every container has this step.
    Always,
}

/// The places of a plan's steps in its configuration, found in one pass over the text.
#[derive(Clone, Debug, Default)]
pub struct Places {
    file: String,
    /// Line and column by pointer.
    places: BTreeMap<String, (usize, usize)>,
}

impl Places {
    /// Looks up all pointers of the plan. Takes time linear in the length of the text.
    pub fn of(plan: &Plan, source: &Source) -> Self {
        let pointers: BTreeSet<&str> =
            plan.steps.iter().filter_map(|step| Some(step.at.as_ref()?.as_str())).collect();
        let found = locate_all(&source.text, &pointers).into_iter();
        let places = found.map(|(pointer, span)| (pointer.to_owned(), (span.line, span.column)));
        let name = source.file.file_name().map(|name| name.to_string_lossy().into_owned());
        Self { file: name.unwrap_or_default(), places: places.collect() }
    }

    /// Where this step comes from.
    pub fn whence<'a>(&self, step: &'a Step) -> Whence<'a> {
        let Some(pointer) = &step.at else { return Whence::Always };
        match self.places.get(pointer.as_str()) {
            Some(&(line, column)) => Whence::Written { pointer, line, column },
            None => Whence::Default { pointer },
        }
    }

    /// `config.json:12:7`, or `default of /process/user/umask`, or nothing.
    pub(super) fn short(&self, step: &Step) -> String {
        match self.whence(step) {
            Whence::Written { line, column, .. } => format!("{}:{line}:{column}", self.file),
            Whence::Default { pointer } => format!("default of {pointer}"),
            Whence::Always => String::new(),
        }
    }
}
