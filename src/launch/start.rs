//! Opening the gate of a created container.

use std::fs::File;

use crate_run_plan::Operation;
use crate_run_plan::report::Report;
use crate_run_sys::host;
use rustix::net::{SocketAddrUnix, connect};

use crate::bundle::{Bundle, Source};
use crate::error::{Error, StepError};
use crate::host::Host;
use crate::launch::connection::packet_socket;
use crate::launch::failure;
use crate::launch::line::{Ending, Line};
use crate::launch::notify::{self, Proxy, Service};
use crate::plan::compile::compile;
use crate::plan::request::Request;
use crate::plan::{Action, Plan};
use crate::state::{Container, ContainerId, ProcessId, Record, Status, Store, lifecycle};

/// How many milliseconds a process that has said why it ends may take to end.
const END: u64 = 10_000;

/// Starts the program of a created container, and returns when it runs: the line to the child closes with its
/// execve, and before that it can say why there will be none.
///
/// For a `service` that wants to be told when the program is ready, the socket at which the program says so
/// is bound, and handed over with the program's process.
///
/// A hook that fails is the end of the container: it is deleted, with its poststop hooks, and `warnings`
/// receives what these say (runtime.md, Lifecycle, steps 7, 9 and 12).
///
/// Errors: [`Error::WrongState`] for a container that is not created, or has no process; the step or hook
/// that failed.
pub fn start(
    store: &Store,
    id: &ContainerId,
    service: Option<Service>,
    warnings: &mut Vec<String>,
) -> Result<Option<(Proxy, ProcessId)>, Error> {
    let container = store.open(id)?;
    let record = container.record()?;
    match container.status(&record) {
        Status::Created if record.no_program => {
            return Err(Error::WrongState(format!("cannot start a container without a process: {id}")));
        }
        Status::Created => {}
        Status::Stopped => {
            return Err(Error::WrongState(format!("cannot start a container that has stopped: {id}")));
        }
        Status::Creating => {
            return Err(Error::WrongState(format!(
                "cannot start a container that is still being made: {id}"
            )));
        }
        Status::Paused => {
            return Err(Error::WrongState(format!("cannot start a paused container: {id}; resume it first")));
        }
        Status::Running => {
            return Err(Error::WrongState(format!("cannot start an already running container: {id}")));
        }
    }
    let proxy = proxy(&record, service)?;
    let mut line = open_gate(&container)?;
    let (error, after) = match line.listen() {
        Ending::Executed => match lifecycle::poststart(&container, &record) {
            Ok(()) => return Ok(proxy.zip(record.process)),
            Err(error) => (error, After::Deleted),
        },
        Ending::Failed(report) => explain(&container, &record, &report),
        Ending::Parked | Ending::Silence => {
            let said = format!("the container's first process was killed before its program ran: {id}");
            (Error::WrongState(said), After::Stopped)
        }
    };
    match after {
        After::Deleted => warnings.extend(lifecycle::dispose(&container, &record)?),
        // Who hears of the failure and deletes the container at once must find it stopped.
        After::Stopped => {
            record.process.map(|process| process.has_ended_within(END));
        }
    }
    Err(error)
}

/// What becomes of a container whose start has failed.
enum After {
    /// It stays until somebody deletes it.
    Stopped,
    /// A hook has failed.
    Deleted,
}

/// The socket for READY=1, if the container has a place for it and somebody wants to be told.
fn proxy(record: &Record, service: Option<Service>) -> Result<Option<Proxy>, Error> {
    let (Some(directory), Some(service)) = (&record.wanted.notify, service) else { return Ok(None) };
    let socket = notify::bind(directory)
        .map_err(|error| Error::file("bind the socket for READY=1 in", directory, error))?;
    Ok(Some(Proxy::new(service, socket)))
}

fn open_gate(container: &Container) -> Result<Line, Error> {
    let path = container.gate();
    let failed = |errno: rustix::io::Errno| Error::file("open the gate", &path, errno.into());
    let directory = File::open(container.path())
        .map_err(|error| Error::file("open the container's directory", container.path(), error))?;
    let by_descriptor = format!("/proc/self/fd/{}/gate", host::borrowed(&directory).0);
    let socket = packet_socket().map_err(failed)?;
    let address = SocketAddrUnix::new(by_descriptor).map_err(failed)?;
    let connected = connect(&socket, &address);
    if connected == Err(rustix::io::Errno::CONNREFUSED) {
        // Somebody opened it, and died before the file was gone.
        let _ = std::fs::remove_file(&path);
        let id = container.id();
        return Err(Error::WrongState(format!("cannot start an already running container: {id}")));
    }
    connected.map_err(failed)?;
    let line = Line::over(socket);
    let gone =
        |_| Error::WrongState(format!("cannot start a container that has stopped: {}", container.id()));
    line.release(None).map_err(gone)?;
    std::fs::remove_file(&path).map_err(|error| Error::file("close the gate behind us", &path, error))?;
    Ok(line)
}

/// The plan is not kept; on failure it is computed once more from the copy of the configuration.
fn explain(container: &Container, record: &Record, report: &Report) -> (Error, After) {
    let plan = || -> Result<(Source, Plan), Error> {
        let file = record.bundle.join("config.json");
        let source = Source::parse(record.bundle.clone(), file, container.config()?)?;
        let request = Request::of_record(container.id(), record);
        let bundle = Bundle::check(&source, &Host::probe(), &request)?;
        let plan = compile(&bundle, &request);
        Ok((source, plan))
    };
    let mut after = After::Stopped;
    let error = match plan() {
        Ok((source, plan)) => {
            let mut error = failure::of_report(&plan, report);
            let step = plan.steps.get(report.step as usize);
            if step.is_some_and(|step| matches!(step.action, Action::Child(Operation::RunHook { .. }))) {
                after = After::Deleted;
            }
            let at = step.and_then(|step| step.at.as_ref());
            error.place = at.map(|at| crate::error::Place::find(&source.file, &source.text, at));
            error
        }
        Err(_) => StepError {
            doing: "start the program".to_owned(),
            answer: format!("{} answered: {}", report.call.name(), crate_run_sys::Errno(report.errno)),
            ..StepError::default()
        },
    };
    (Error::Step(Box::new(error)), after)
}
