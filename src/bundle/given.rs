//! Parts of `config.json` that crate-run reads with types of its own.
//!
//! Where the types of `oci-spec` take one word of a list, they refuse every other. Here a word stays a word
//! until the feature looks at it: the specification wants a warning for some (capabilities). `oci-spec` 0.10
//! also spells two flags of the scheduler otherwise than the specification, and refuses lists of processors
//! that runc takes.

use serde::Deserialize;

use crate::feature::{affinity, capabilities, io_priority, limits, memory_policy, personality, scheduler};

/// The members that are read here. No feature asks `oci-spec` for them.
pub(super) const MEMBERS: [&str; 7] = [
    "/process/capabilities",
    "/process/execCPUAffinity",
    "/process/ioPriority",
    "/process/rlimits",
    "/process/scheduler",
    "/linux/memoryPolicy",
    "/linux/personality",
];

/// These members, as they are given. What is null or not there is `None`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "Document")]
pub struct Given {
    pub affinity: Option<affinity::Given>,
    pub capabilities: Option<capabilities::Given>,
    pub io_priority: Option<io_priority::Given>,
    pub limits: Vec<limits::Given>,
    pub memory_policy: Option<memory_policy::Given>,
    pub personality: Option<personality::Given>,
    pub scheduler: Option<scheduler::Given>,
}

#[derive(Deserialize)]
struct Document {
    process: Option<Process>,
    linux: Option<Linux>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Process {
    capabilities: Option<capabilities::Given>,
    #[serde(rename = "execCPUAffinity")]
    affinity: Option<affinity::Given>,
    io_priority: Option<io_priority::Given>,
    rlimits: Option<Vec<limits::Given>>,
    scheduler: Option<scheduler::Given>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Linux {
    memory_policy: Option<memory_policy::Given>,
    personality: Option<personality::Given>,
}

impl Given {
    /// For a program that enters a container: what it does not bring itself is as the container has it,
    /// `first`.
    pub(super) fn within(self, first: &Given) -> Self {
        let first = first.clone();
        Self {
            affinity: self.affinity.or(first.affinity),
            capabilities: self.capabilities.or(first.capabilities),
            io_priority: self.io_priority.or(first.io_priority),
            limits: if self.limits.is_empty() { first.limits } else { self.limits },
            memory_policy: first.memory_policy,
            personality: first.personality,
            scheduler: self.scheduler.or(first.scheduler),
        }
    }
}

impl From<Document> for Given {
    fn from(document: Document) -> Self {
        let (process, linux) = (document.process.unwrap_or_default(), document.linux.unwrap_or_default());
        Self {
            affinity: process.affinity,
            capabilities: process.capabilities,
            io_priority: process.io_priority,
            limits: process.rlimits.unwrap_or_default(),
            memory_policy: linux.memory_policy,
            personality: linux.personality,
            scheduler: process.scheduler,
        }
    }
}
