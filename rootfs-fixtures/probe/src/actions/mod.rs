//! Actions do something that is watched from outside. One file per subject.

mod attempt;
mod attempts;
mod children;
mod climb;
mod cpu;
mod files;
mod hook;
mod memory;
mod notify;
mod signals;
mod sleep;

use std::process::ExitCode;

/// The exit status, or one sentence that says what went wrong.
pub type Done = Result<ExitCode, String>;

pub struct Action {
    pub usage: &'static str,
    pub says: &'static str,
    pub act: fn(&[String]) -> Done,
}

const fn action(usage: &'static str, says: &'static str, act: fn(&[String]) -> Done) -> Action {
    Action { usage, says, act }
}

/// The first word of `usage` is the name of the action.
pub const ACTIONS: &[Action] = &[
    action("exit N", "exits with status N", exit),
    action("signal-self NAME", "sends itself a signal and says when it survives", signals::signal_self),
    action("sleep SECONDS", "sleeps", sleep::sleep),
    action(
        "sleep-ignoring NAME...",
        "prints `ready` and sleeps for ever; the named signals do nothing",
        sleep::ignoring,
    ),
    action("print-signals", "prints `ready`, then the name of each signal; SIGTERM ends it", signals::print),
    action("eat-memory MIB", "touches that much memory and prints how far it got", memory::eat),
    action("spin SECONDS", "computes, then prints processor time and wall time", cpu::spin),
    action(
        "fork-bomb N",
        "wants N children at once, prints how many it got and why not more",
        children::fork_bomb,
    ),
    action("orphan [N]", "leaves N orphans to pid 1 which die at once, prints their pids", children::orphan),
    action("orphan-parent N", "the part of `orphan` that dies first", children::orphan_parent),
    action("try NAME", "tries one operation, prints `ok` or the name of the error", attempt::one),
    action(
        "try-all [NAME...]",
        "tries several, each in a process of its own, prints one JSON object",
        attempt::all,
    ),
    action("write PATH TEXT", "writes into an existing or new file", files::write),
    action("read PATH", "copies a file to stdout", files::read),
    action("cat-stdin", "copies stdin to stdout", files::cat_stdin),
    action(
        "climb PATH",
        "climbs out of its root by the way of chroot(2), says whether PATH is there",
        climb::climb,
    ),
    action("hook FILE [STATUS]", "appends the state on stdin and its own surroundings to FILE", hook::hook),
    action("notify TEXT", "sends TEXT to $NOTIFY_SOCKET", notify::notify),
];

/// The action with that name.
pub fn find(name: &str) -> Option<&'static Action> {
    ACTIONS.iter().find(|action| action.usage.split(' ').next() == Some(name))
}

fn exit(words: &[String]) -> Done {
    Ok(ExitCode::from(argument::<u8>(words, 0, "an exit status from 0 to 255")?))
}

/// The argument at `index`, or a sentence that says what was expected there.
fn argument<T: std::str::FromStr>(words: &[String], index: usize, expected: &str) -> Result<T, String> {
    let word = words.get(index).ok_or_else(|| format!("missing argument: {expected}"))?;
    word.parse().map_err(|_| format!("argument {word:?} is not {expected}"))
}
