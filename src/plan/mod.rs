//! The container as a plan: a list of steps that is computed, printed, checked, executed and undone.

pub mod compile;
pub mod cure;
pub mod describe;
pub mod enter;
pub mod explain;
pub mod mounting;
pub mod project;
pub mod request;
pub mod rules;
mod step;
pub mod undo;

pub use step::{Action, HostAction, Ids, Link, Pace, Phase, Plan, Step, TreeChange};
