//! What a step does, in words.

mod child;
mod host;

use crate::plan::Action;

/// The words for an action, to be read after "cannot" or as a line of its own: "mount tmpfs on /dev".
pub fn action(action: &Action) -> String {
    match action {
        Action::Host(action) => host::words(action),
        Action::Child(operation) => child::words(operation),
    }
}

/// The name of an action in the tables of host actions and operations.
pub fn name(action: &Action) -> &'static str {
    match action {
        Action::Host(action) => host::name(action),
        Action::Child(operation) => operation.name(),
    }
}
