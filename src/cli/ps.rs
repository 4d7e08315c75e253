//! `crate-run ps`: the processes of a container.

use crate::cli::args::{Global, Ps, PsFormat};
use crate::cli::store;
use crate::error::Error;
use crate::observe::{processes, table};
use crate::state::lifecycle::cgroup_of;

/// Answers the text for standard output. A container that has stopped has no processes.
pub fn ps(global: &Global, ps: &Ps) -> Result<String, Error> {
    let record = store::of(global)?.look(&store::id(&ps.id)?)?.record()?;
    let pids = processes::listed(&record, cgroup_of(&record)?.as_ref())?;
    match ps.format {
        PsFormat::Json => Ok(format!("{}\n", serde_json::Value::from(pids))),
        PsFormat::Table => table::table(&ps.options, &pids),
    }
}
