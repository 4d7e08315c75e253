//! `crate-run update`: other limits for a container that is there.

use std::io::Write;

use crate::bundle::Source;
use crate::bundle::finding::Severity;
use crate::cli::args::{Global, Update};
use crate::cli::log::Log;
use crate::cli::store;
use crate::error::Error;
use crate::state::{Container, Record, Status, lifecycle};
use crate::update::given::Given;
use crate::update::perform::Changing;
use crate::update::{compile, text};

/// Changes the limits of a container that has not ended, all of them or none.
///
/// Errors: [`Error::NotFound`]; [`Error::WrongState`] when it has stopped or is still being made; what is
/// wrong with what is asked for; the write that was refused.
pub fn update(global: &Global, update: &Update, log: &Log) -> Result<i32, Error> {
    let (store, id) = (store::of(global)?, store::id(&update.id)?);
    let given = match &update.resources {
        Some(file) => Given::read(file)?,
        None => {
            let (cache, bandwidth) = (update.l3_cache_schema.clone(), update.mem_bw_schema.clone());
            for flag in update.ignored() {
                log.warning(&format!("{flag} is ignored: kernel memory is part of memory, see --memory"));
            }
            Given::from_flags(update.resources(), cache, bandwidth)
        }
    };
    // The lock makes one of two updates wait for the other.
    let container = store.open(&id)?;
    let record = container.record()?;
    refuse_ended(&container, &record)?;
    let saved =
        Source::parse_checked(record.bundle.clone(), record.bundle.join("config.json"), container.config()?)?;
    let bound = record.cgroup_v1.iter().flat_map(|group| &group.controllers);
    let bound: Vec<&str> = bound.map(String::as_str).collect();
    let planned = compile(&given, &saved, &id, record.unit.as_ref(), &bound)?;
    if update.dry_run {
        // A reader that has gone away is no failure of ours.
        let _ = std::io::stdout().write_all(text(&planned.changes).as_bytes());
    } else {
        Changing::new(&container, &given, lifecycle::cgroup_of(&record)?).perform(&planned.changes)?;
    }
    // Whoever is refused hears of that only: one line in the log.
    for finding in planned.warnings.iter().filter(|finding| finding.severity == Severity::Warning) {
        log.warning(&format!("{}: {}", finding.at, finding.message));
    }
    Ok(0)
}

fn refuse_ended(container: &Container, record: &Record) -> Result<(), Error> {
    match container.status(record) {
        Status::Created | Status::Running | Status::Paused => Ok(()),
        other => {
            let said = format!("cannot update a container that is {}: {}", other.word(), container.id());
            Err(Error::WrongState(said))
        }
    }
}
