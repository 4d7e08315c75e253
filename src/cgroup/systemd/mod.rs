//! The systemd driver: the container's cgroup is a scope that systemd makes and knows.
//!
//! | part | file |
//! |---|---|
//! | which scope, in which slice | `unit` |
//! | what it is told: limits, annotations | `property`, `gvariant` |
//! | started, stopped, changed | `scope` |
//! | a connection, with a deadline for every wait | `bus`, `address` |
//! | the bytes of D-Bus | `message`, `wire`, `value` |
//!
//! Why the bytes are our own: docs/adr/0015-systemd.md.
//!
//! Man pages: org.freedesktop.systemd1(5), systemd.scope(5), systemd.resource-control(5), sd_booted(3).

pub mod address;
pub mod bus;
pub mod error;
pub mod gvariant;
pub mod message;
pub mod property;
pub mod scope;
#[cfg(test)]
mod tests;
pub mod unit;
pub mod value;
pub mod wire;

pub use error::SystemdError;
pub use property::Property;
pub use scope::{Job, Systemd};
pub use unit::{Manager, Unit};
