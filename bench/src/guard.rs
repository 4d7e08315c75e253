//! The outer process: makes the world, starts the worker, and cleans up however the worker ends.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::{Context, Result, bail};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::SignalFd;

use crate::world::World;

/// Runs a worker with the same `words` in a world of its own. Needs root.
pub fn watch(words: &[String]) -> Result<()> {
    if !nix::unistd::geteuid().is_root() {
        bail!("containers are made here as root; run this with sudo");
    }
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGCHLD] {
        signals.add(signal);
    }
    // Blocked before anything exists that would have to be removed.
    signals.thread_block().context("cannot block signals")?;
    let signals = SignalFd::new(&signals).context("cannot open a signalfd")?;
    // What the worker leaves behind becomes a child of this process, which can then end it.
    prctl::set_child_subreaper(true).context("cannot become a subreaper")?;

    let world = World::make()?;
    let mut worker = start_worker(&world, words)?;
    let status = wait(&mut worker, &signals)?;
    drop(world);
    match (status.success(), status.signal()) {
        (true, _) => Ok(()),
        (false, Some(_)) => bail!("stopped before the end; everything it had made is removed"),
        (false, None) => bail!("the benchmark failed; everything it had made is removed"),
    }
}

fn start_worker(world: &World, words: &[String]) -> Result<Child> {
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let mut command = match real_time_is_permitted() {
        true => {
            let mut command = Command::new("chrt");
            command.args(["-f", "1"]).arg(program);
            command
        }
        false => Command::new(program),
    };
    command.args(words).arg("--inside").args(world.place().words());
    command.spawn().context("cannot start the worker")
}

/// Short times hold on a busy machine only under SCHED_FIFO (sched(7)); children inherit it.
fn real_time_is_permitted() -> bool {
    let mut probe = Command::new("chrt");
    probe.args(["-f", "1", "true"]).stdout(Stdio::null()).stderr(Stdio::null());
    probe.status().is_ok_and(|status| status.success())
}

fn wait(worker: &mut Child, signals: &SignalFd) -> Result<ExitStatus> {
    loop {
        if let Some(status) = worker.try_wait().context("cannot wait for the worker")? {
            return Ok(status);
        }
        let signal = signals.read_signal().context("cannot read the signalfd")?;
        let child = signal.is_some_and(|info| info.ssi_signo == Signal::SIGCHLD as u32);
        if !child {
            // The worker may be gone already (a terminal sends Ctrl-C to both); that is no error.
            worker.kill().ok();
        }
    }
}
