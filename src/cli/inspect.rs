//! `crate-run state` and `crate-run list`: looking at containers without touching them.

use crate::cli::args::{Global, List, ListFormat, State};
use crate::cli::list::{self, Row};
use crate::cli::log::Log;
use crate::cli::store;
use crate::error::Error;
use crate::state::{Container, OCI_VERSION, Record, Users};

fn row(container: &Container, record: Record, users: &Users) -> Row {
    let status = container.status(&record);
    let show = |path: &std::path::Path| path.display().to_string();
    Row {
        oci_version: OCI_VERSION.to_owned(),
        pid: record.pid(status),
        status: status.word().to_owned(),
        bundle: show(&record.bundle),
        rootfs: show(&record.rootfs),
        owner: users.name(record.owner),
        id: record.id,
        created: record.created,
        annotations: record.annotations,
        systemd_scope: record.unit.map(|unit| unit.name),
    }
}

/// Answers the text for standard output.
pub fn state(global: &Global, state: &State) -> Result<String, Error> {
    let container = store::of(global)?.look(&store::id(&state.id)?)?;
    let record = container.record()?;
    Ok(list::state(&row(&container, record, &Users::read())))
}

/// Answers the text for standard output; a container that cannot be read is told and passed over.
pub fn list(global: &Global, list: &List, log: &Log) -> Result<String, Error> {
    let store = store::of(global)?;
    if global.root.is_some() && !store.root().is_dir() {
        return Err(Error::WrongState(format!("there is no state directory {}", store.root().display())));
    }
    let (mut rows, users) = (Vec::new(), Users::read());
    for id in store.ids()? {
        let container = store.look(&id)?;
        match container.record() {
            Ok(record) => rows.push(row(&container, record, &users)),
            Err(Error::NotFound { .. }) if container.is_abandoned() => {
                log.warning(&format!("container {id} has no state; crate-run delete --force removes it"));
            }
            // Not made yet, or deleted while we looked.
            Err(Error::NotFound { .. }) => {}
            Err(error) => log.warning(&format!("container {id}: {error}")),
        }
    }
    Ok(match (list.quiet, list.format) {
        (true, _) => list::names(&rows),
        (false, ListFormat::Json) => list::json(&rows),
        (false, ListFormat::Table) => list::table(&rows),
    })
}
