//! `crate-run kill`, `stop` and `delete`: what ends containers, one by its name or many by an expression.

use regex_lite::Regex;

use crate::cli::args::{Delete, Global, Kill, Stop};
use crate::cli::log::Log;
use crate::cli::store;
use crate::error::Error;
use crate::state::lifecycle::{self, Manner};
use crate::state::signal::{self, Reach};
use crate::state::stop::{self, Farewell};
use crate::state::{ContainerId, Store};

/// Answers the exit status.
pub fn kill(global: &Global, kill: &Kill, log: &Log) -> Result<i32, Error> {
    let store = store::of(global)?;
    let reach = if kill.all { Reach::All } else { Reach::First };
    let one = |id: &ContainerId| signal::kill(&store, id, kill.signal, reach);
    match kill.regex {
        true => for_each(&matching(&store, &kill.id)?, one, log),
        false => one(&store::id(&kill.id)?).map(|()| 0),
    }
}

/// Answers the exit status.
pub fn stop(global: &Global, stop: &Stop, log: &Log) -> Result<i32, Error> {
    let farewell = Farewell { signal: stop.signal, patience: stop.timeout };
    let warnings = stop::stop(&store::of(global)?, &store::id(&stop.id)?, &farewell)?;
    log.warnings(&warnings);
    Ok(0)
}

/// Answers the exit status.
pub fn delete(global: &Global, delete: &Delete, log: &Log) -> Result<i32, Error> {
    let store = store::of(global)?;
    let manner = if delete.force { Manner::Forced } else { Manner::Polite };
    let one = |id: &ContainerId| {
        log.warnings(&lifecycle::delete(&store, id, manner)?);
        Ok(())
    };
    match delete.regex {
        true => for_each(&matching(&store, &delete.id)?, one, log),
        false => one(&store::id(&delete.id)?).map(|()| 0),
    }
}

/// The containers in whose names the expression is found, as grep(1) finds it; none is no error.
fn matching(store: &Store, expression: &str) -> Result<Vec<ContainerId>, Error> {
    let regex = Regex::new(expression)
        .map_err(|error| Error::Usage(format!("invalid regular expression {expression:?}: {error}")))?;
    Ok(store.ids()?.into_iter().filter(|id| regex.is_match(id.as_str())).collect())
}

/// Goes on after a failure and tells the first ones; the last is for the caller to tell. So each is told, and
/// in a log of one failure there is one line.
fn for_each(
    ids: &[ContainerId],
    one: impl Fn(&ContainerId) -> Result<(), Error>,
    log: &Log,
) -> Result<i32, Error> {
    let mut errors: Vec<Error> = ids.iter().filter_map(|id| one(id).err()).collect();
    let last = errors.pop();
    errors.iter().for_each(|error| log.error(&error.to_string()));
    last.map_or(Ok(0), Err)
}
