//! `crate-run events`: what a container uses, and what happens to it.

use std::io::stdout;

use crate::bundle::Source;
use crate::cli::args::{Events, Global};
use crate::cli::store;
use crate::error::Error;
use crate::feature::rdt::{self, Class};
use crate::observe::stats::{Sources, Stats};
use crate::observe::stream::{self, Stalls, Subject};
use crate::state::lifecycle::cgroup_of;
use crate::state::{Container, Record, Status};

/// Writes to standard output; answers the exit status, which is 0 when the container has ended.
pub fn events(global: &Global, events: &Events) -> Result<i32, Error> {
    let id = store::id(&events.id)?;
    let container = store::of(global)?.look(&id)?;
    let record = container.record()?;
    match container.status(&record) {
        Status::Stopped => {
            return Err(Error::WrongState(format!("container with id {id} is not running")));
        }
        Status::Creating => {
            return Err(Error::WrongState(format!("container with id {id} is still being made")));
        }
        Status::Created | Status::Running | Status::Paused => {}
    }
    let (cgroup, class) = (cgroup_of(&record)?, class(&container, &record));
    let sources = Sources { cgroup: cgroup.as_ref(), process: record.process, class: class.as_ref() };
    let stats = || Stats::read(&sources);
    let mut output = stdout().lock();
    match &cgroup {
        // A reader that has gone away is no failure of ours.
        _ if events.stats => _ = stream::once(&mut output, id.as_str(), &stats()),
        Some(cgroup) => {
            let stalls = if events.pressure { Stalls::Told } else { Stalls::PassedOver };
            let subject = Subject { id: id.as_str(), cgroup, interval: events.interval, stalls };
            stream::follow(&mut output, &subject, stats)?;
        }
        None => {
            let said = format!("container {id} has no cgroup: nothing counts what it uses (see --stats)");
            return Err(Error::WrongState(said));
        }
    }
    Ok(0)
}

/// The class of caches that its configuration asks for; a configuration that cannot be read asks for none.
fn class(container: &Container, record: &Record) -> Option<Class> {
    let file = record.bundle.join("config.json");
    let source = Source::parse(record.bundle.clone(), file, container.config().ok()?).ok()?;
    rdt::resolve(&source.spec, container.id())
}
