//! The rules. `explain` shows what a plan does; these say why it could not be done in another order.

mod birth;
mod classes;
mod making;
mod powers;
mod view;

use super::Rule;

/// Every rule that a plan has to keep, in the order of the plan's phases.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    [making::RULES, classes::RULES, birth::RULES, view::RULES, powers::RULES].into_iter().flatten()
}
