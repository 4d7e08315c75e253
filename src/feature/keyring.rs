//! # Session keyring
//!
//! Kernel keys that the caller holds would be readable inside; a new, empty session keyring shuts them out
//! (keyrings(7)). Engines may ask to keep the old one (--no-new-keyring).
//!
//! A program that enters a container gets a new one, too. runc lets it join that of the first process by its
//! name, and for that opens it to the search of every process of the same user, in other containers as well.
//!
//! OCI: nothing; runc and crun do the same for the first process.

use crate_run_plan::Operation;

use crate::bundle::text::c_text;
use crate::plan::Plan;
use crate::state::ContainerId;

const FEATURE: &str = "keyring";

/// Whose session keyring does the container have?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keyring {
    /// A new one of its own.
    Own,
    /// The caller's.
    Inherited,
}

pub fn steps(keyring: Keyring, id: &ContainerId, plan: &mut Plan) {
    if keyring == Keyring::Own {
        let name = c_text(&format!("_ses.{id}"));
        let why = "the caller's keys must not be readable inside";
        plan.child(FEATURE, Operation::NewKeyring { name }, why);
    }
}
