//! crate-run: parse, dispatch, print the error, exit.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use crate_run::cli::args::{self, Invocation, Verb};
use crate_run::cli::log::Log;
use crate_run::cli::spec::{self, Audience};
use crate_run::cli::usage::Reply;
use crate_run::cli::{
    create, doctor, end, events, exec, explain, features, inspect, mounts, ps, run, start, store, update,
    usage, validate, wait,
};
use crate_run::error::Error;
use crate_run::state::lifecycle;

/// One thread, a millisecond of life: nothing is given back, but by the one command that never ends by itself
/// (crates/sys/src/bump.rs).
#[global_allocator]
static HEAP: crate_run_sys::bump::Bump = crate_run_sys::bump::Bump::new();

fn main() -> ExitCode {
    let invocation = match args::parse(std::env::args_os()) {
        Ok(invocation) => invocation,
        Err(Reply::Text(text)) => return print(&text),
        Err(Reply::Wrong { message, log }) => {
            log.error(&message);
            return ExitCode::FAILURE;
        }
    };
    let log = invocation.global.log();
    match dispatch(&invocation, &log) {
        Ok(status) => ExitCode::from(status as u8),
        Err(error) => {
            log.failure(&error.to_string(), &error.headline());
            log.details(&error.details());
            ExitCode::from(invocation.verb.failure())
        }
    }
}

/// A reader that has gone away is no failure of ours.
fn print(text: &str) -> ExitCode {
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

/// Carries out the command; answers the exit status.
fn dispatch(invocation: &Invocation, log: &Log) -> Result<i32, Error> {
    let global = &invocation.global;
    let show = |text: String| {
        print(&text);
        Ok(0)
    };
    match &invocation.verb {
        Verb::Run(verb) => run::run(global, verb, log),
        Verb::Create(verb) => create::create(global, verb, log),
        Verb::Start(verb) => start::start(global, verb, log),
        Verb::State(verb) => show(inspect::state(global, verb)?),
        Verb::Kill(verb) => end::kill(global, verb, log),
        Verb::Stop(verb) => end::stop(global, verb, log),
        Verb::Wait(verb) => match wait::wait(global, verb)? {
            Some(text) => show(text),
            None => {
                log.error(&format!("container {} has not ended in time", verb.id));
                Ok(wait::TIMED_OUT)
            }
        },
        Verb::Pause(verb) => lifecycle::pause(&store::of(global)?, &store::id(&verb.id)?).map(|()| 0),
        Verb::Resume(verb) => lifecycle::resume(&store::of(global)?, &store::id(&verb.id)?).map(|()| 0),
        Verb::Delete(verb) => end::delete(global, verb, log),
        Verb::Exec(verb) => exec::exec(global, verb, log),
        Verb::Mounts(verb) => mounts::mounts(global, verb, log),
        Verb::Update(verb) => update::update(global, verb, log),
        Verb::Ps(verb) => show(ps::ps(global, verb)?),
        Verb::Events(verb) => {
            // It tells until the container has ended, perhaps for years.
            HEAP.reuse();
            events::events(global, verb)
        }
        Verb::List(verb) => show(inspect::list(global, verb, log)?),
        Verb::Spec(verb) => {
            let audience = if verb.rootless { Audience::caller() } else { Audience::Root };
            let directory = verb.bundle.as_deref().unwrap_or(Path::new("."));
            spec::write(&directory.join(verb.file()), audience)
                .map(|()| 0)
                .map_err(|error| Error::WrongState(error.to_string()))
        }
        Verb::Explain(verb) => show(explain::explain(global, verb)?),
        Verb::Validate(verb) => {
            let answer = validate::validate(global, verb)?;
            print(&answer.text);
            answer.status
        }
        Verb::Doctor(_) => show(doctor::doctor()),
        Verb::Features(_) => show(features::features()),
        Verb::Checkpoint(_) | Verb::Restore(_) => Err(Error::Unsupported(usage::NO_CHECKPOINT.to_owned())),
    }
}
