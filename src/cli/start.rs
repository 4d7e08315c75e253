//! `crate-run start`: the program of a created container.

use crate::cli::args::{Global, Start};
use crate::cli::log::Log;
use crate::cli::store;
use crate::error::Error;
use crate::launch::notify::Service;
use crate::launch::start;

/// Returns when the program runs; for a caller that wants to be notified, when the program says that it is
/// ready, or has ended.
pub fn start(global: &Global, verb: &Start, log: &Log) -> Result<i32, Error> {
    let (store, id) = (store::of(global)?, store::id(&verb.id)?);
    let mut warnings = Vec::new();
    let started = start::start(&store, &id, Service::of_caller()?, &mut warnings);
    log.asides(&warnings);
    match started? {
        Some((proxy, process)) => proxy.wait(&process).map(|()| 0),
        None => Ok(0),
    }
}
