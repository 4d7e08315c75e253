//! `crate-run run`: create and start in one command, and wait for the end.

use crate::cli::args::{Global, Run};
use crate::cli::log::Log;
use crate::cli::making::{self, Order, Wish};
use crate::cli::terminal::Stay;
use crate::cli::wait::TIMED_OUT;
use crate::cli::{descriptors, store};
use crate::error::Error;
use crate::feature::process;
use crate::launch::Launch;
use crate::launch::notify::{Proxy, Service};
use crate::launch::time_limit::{Clock, TimeLimit};
use crate::plan::compile::compile;
use crate::plan::request::Gate;
use crate::state::{ContainerId, Record, Store, lifecycle, signal};

use crate::launch::foreground::{Watch, attend, show_remains};

/// Answers the exit status: the program's own in the foreground, 0 when detached, 124 when the time of
/// `--timeout` was over first.
pub fn run(global: &Global, run: &Run, log: &Log) -> Result<i32, Error> {
    descriptors::check_with_sockets(run.making.preserve_fds)?;
    let stay = if run.detach { Stay::Detached } else { Stay::Foreground };
    // From now on no signal is lost, and none ends us while a container is half made.
    let watch = match stay {
        Stay::Foreground => Some(Watch::begin()?),
        Stay::Detached => None,
    };
    let id = run.id().map_or_else(|| Ok(ContainerId::generate()), |name| store::id(&name))?;
    let (store, service) = (store::of(global)?, Service::of_caller()?);
    let wish =
        Wish { global, making: &run.making, store: &store, bundle: run.bundle(), gate: Gate::Open, stay };
    let Order { source, bundle, request } = making::prepare(id, &wish)?;
    if bundle.process.is_absent() {
        return Err(source.error(vec![process::absence()]));
    }
    // Whatever can fail about it fails before there is a container.
    let clock = run.timeout.map(Clock::starting).transpose()?;
    let plan = compile(&bundle, &request);
    let mut launch = Launch::new(&store, &source, &bundle, &plan, &request);
    if let Err(error) = making::make(&mut launch, log) {
        launch.remains.take().into_iter().for_each(show_remains);
        return Err(error);
    }
    let (Some(container), Some(record)) = (launch.container.take(), launch.record.take()) else {
        return Ok(0);
    };
    if let Err(error) = lifecycle::poststart(&container, &record) {
        log.asides(&lifecycle::dispose(&container, &record)?);
        return Err(error);
    }
    let proxy = service.zip(launch.notify.take()).map(|(service, socket)| Proxy::new(service, socket));
    let Some(mut watch) = watch else {
        // Others may look at the container, signal and delete it while it gets ready: the lock is not kept.
        drop(container);
        return until_ready(proxy, &record);
    };
    watch.notify = proxy;
    let Some(born) = launch.newborn.take() else { return Ok(0) };
    let terminal = launch.line.take().and_then(|line| line.terminal);
    let mut limit = clock.map(|clock| TimeLimit::new(clock, &store, &record));
    drop(container);
    let status = attend(watch, born.pid, &born.pidfd, terminal, limit.as_mut());
    let is_over = limit.is_some_and(|limit| limit.is_over());
    if run.keep {
        if is_over {
            // Its first process has ended; in a pid namespace of the host it leaves others behind.
            signal::end_everybody(&store, &record)?;
        }
        remember(&store, &record, status.as_ref().ok().copied())?;
    } else {
        log.warnings(&lifecycle::delete_same(&store, &record)?);
    }
    if is_over {
        log.error(&format!("the time of container {} was over: it was stopped", request.id));
        return Ok(TIMED_OUT);
    }
    status
}

/// Detached: returns at once, or for a caller that wants to be notified when the program is ready.
fn until_ready(proxy: Option<Proxy>, record: &Record) -> Result<i32, Error> {
    let waiting = proxy.zip(record.process);
    waiting.map_or(Ok(()), |(proxy, process)| proxy.wait(&process)).map(|()| 0)
}

/// Writes down how the program has ended, for `wait`: nobody else is told. A container that somebody has
/// deleted meanwhile is none of our business any more.
fn remember(store: &Store, record: &Record, status: Option<i32>) -> Result<(), Error> {
    match store.reopen(record)? {
        Some((container, now)) => container.save(&Record { exit_status: status, ..now }),
        None => Ok(()),
    }
}
