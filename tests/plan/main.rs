//! The plan as a value: it keeps the rules of the order, its two halves always meet, and what is printed of it is
//! what it says. No test here touches the machine.

mod bundles;
mod enter;
mod explain;
mod labels;
mod meeting;
mod mounting;
mod order;
mod random;
mod tolerance;
mod wire;
