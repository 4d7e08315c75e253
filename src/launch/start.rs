//! Opening the gate of a created container.

use std::fs::File;

use crate_run_sys::host;
use rustix::net::{SocketAddrUnix, connect};

use crate::bundle::{Bundle, Source};
use crate::error::{Error, StepError};
use crate::host::Host;
use crate::launch::connection::packet_socket;
use crate::launch::failure;
use crate::launch::line::{Ending, Line};
use crate::plan::compile::compile;
use crate::plan::request::Request;
use crate::state::{Container, ContainerId, Record, Status, Store, lifecycle};

/// How many milliseconds a process that has said why it ends may take to end.
const END: u64 = 10_000;

/// Starts the program of a created container, and returns when it runs: the line to the child closes with its
/// execve, and before that it can say why there will be none.
pub fn start(store: &Store, id: &ContainerId) -> Result<(), Error> {
    let container = store.open(id)?;
    let record = container.record()?;
    match container.status(&record) {
        Status::Created => {}
        Status::Stopped => {
            return Err(Error::WrongState(format!("cannot start a container that has stopped: {id}")));
        }
        Status::Creating => {
            return Err(Error::WrongState(format!(
                "cannot start a container that is still being made: {id}"
            )));
        }
        Status::Running => {
            return Err(Error::WrongState(format!("cannot start an already running container: {id}")));
        }
    }
    let mut line = open_gate(&container)?;
    let failure = match line.listen() {
        Ending::Executed => None,
        Ending::Failed(report) => Some(explain(&container, &record, &report)),
        Ending::Parked | Ending::Silence => {
            let said = format!("the container's first process was killed before its program ran: {id}");
            Some(Error::WrongState(said))
        }
    };
    if let Some(error) = failure {
        // Who hears of the failure and deletes the container at once must find it stopped.
        record.process.map(|process| process.has_ended_within(END));
        return Err(error);
    }
    lifecycle::poststart(&container, &record).inspect_err(|_| {
        if let Some(process) = record.process {
            process.kill();
        }
    })
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
fn explain(container: &Container, record: &Record, report: &crate_run_plan::report::Report) -> Error {
    let plan = || -> Result<(Source, crate::plan::Plan), Error> {
        let file = record.bundle.join("config.json");
        let source = Source::parse(record.bundle.clone(), file, container.config()?)?;
        let request = Request::of_record(container.id(), record);
        let bundle = Bundle::check(&source, &Host::probe(), container.id(), &request.master)?;
        let plan = compile(&bundle, &request);
        Ok((source, plan))
    };
    let error = match plan() {
        Ok((source, plan)) => {
            let mut error = failure::of_report(&plan, report);
            let step = plan.steps.get(report.step as usize);
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
    Error::Step(Box::new(error))
}
