//! `crate-run wait`: until the end of a container.

use crate::cli::args::{Global, Wait};
use crate::cli::store;
use crate::error::Error;
use crate::state::{Status, ending};

/// The exit status of a command whose time is over, as timeout(1) has it.
pub const TIMED_OUT: i32 = 124;

/// Answers the text for standard output: the exit status of the container's first process, 128 + N after
/// signal N, or `unknown` where only its parent was told. `None` when the time is over first.
pub fn wait(global: &Global, wait: &Wait) -> Result<Option<String>, Error> {
    let id = store::id(&wait.id)?;
    let container = store::of(global)?.look(&id)?;
    let record = container.record()?;
    if container.status(&record) == Status::Creating {
        return Err(Error::WrongState(format!("cannot wait for a container that is still being made: {id}")));
    }
    Ok(match ending::wait(&record, wait.timeout) {
        Ok(Some(status)) => Some(format!("{status}\n")),
        Ok(None) => Some("unknown\n".to_owned()),
        Err(ending::StillRuns) => None,
    })
}
