//! One file per topic. Each offers `answer`, which finds the facts and returns them as a JSON value.

mod caps;
mod cgroup;
mod clocks;
mod devices;
pub mod fds;
mod ids;
mod invocation;
mod keyring;
mod lsm;
mod mounts;
pub mod namespaces;
mod net;
mod paths;
mod process;
mod rlimits;
mod seccomp;
pub mod signals;
mod sysctl;
mod tty;
mod uts;

use serde_json::{Map, Value, json};

/// The facts, or one sentence that says which could not be found.
pub type Answer = Result<Value, String>;

pub struct Topic {
    pub name: &'static str,
    pub says: &'static str,
    pub answer: fn() -> Answer,
}

const fn topic(name: &'static str, says: &'static str, answer: fn() -> Answer) -> Topic {
    Topic { name, says, answer }
}

/// All topics that need no arguments: the keys of the report.
pub const TOPICS: &[Topic] = &[
    topic("ids", "user and group ids (real, effective, saved, filesystem), groups, umask", ids::answer),
    topic("caps", "the five capability sets, securebits, no_new_privs", caps::answer),
    topic("seccomp", "mode and number of filters", seccomp::answer),
    topic("mounts", "the mount table, top of each stack last", mounts::answer),
    topic(
        "namespaces",
        "inode of each namespace, id maps, time offsets, pid as seen inside",
        namespaces::answer,
    ),
    topic("fds", "every open file descriptor", fds::answer),
    topic("env", "the environment, exactly and in order", invocation::env),
    topic("args", "the argument vector", invocation::args),
    topic("cwd", "the working directory", invocation::cwd),
    topic("cgroup", "membership and every readable control file of the own cgroup", cgroup::answer),
    topic("rlimits", "all sixteen resource limits", rlimits::answer),
    topic("signals", "blocked, ignored, caught and pending signals", signals::answer),
    topic("tty", "terminal of the standard descriptors, session, foreground group", tty::answer),
    topic(
        "process",
        "pids, names, dumpable, nice, oom score, scheduler, affinity, io priority",
        process::answer,
    ),
    topic("uts", "host name, domain name, kernel", uts::answer),
    topic("devices", "everything below /dev", devices::answer),
    topic("net", "interfaces with flags and addresses", net::answer),
    topic("keyring", "the session keyring and the visible keys", keyring::answer),
    topic("lsm", "labels of the Linux security modules", lsm::answer),
    topic("clocks", "monotonic, boot and real time, uptime", clocks::answer),
];

/// Topics that must be told what to look at, with their descriptions.
pub const ASKED_WITH_ARGUMENTS: &[(&str, &str)] = &[
    ("paths PATH...", "for each path: lstat, stat, and what opening for read and for write says"),
    ("sysctl KEY...", "kernel settings below /proc/sys"),
];

/// The answer to a command line, or `None` when no topic has that name.
pub fn ask(name: &str, arguments: &[String]) -> Option<Answer> {
    match name {
        "report" => Some(report(arguments)),
        "paths" => Some(Ok(paths::answer(arguments))),
        "sysctl" => Some(Ok(sysctl::answer(arguments))),
        _ => find(name).map(|topic| (topic.answer)()),
    }
}

fn find(name: &str) -> Option<&'static Topic> {
    TOPICS.iter().find(|topic| topic.name == name)
}

/// A topic that fails has an object with the key `error` as its value: the others are still worth reading.
fn report(names: &[String]) -> Answer {
    let mut chosen = Vec::new();
    for name in names {
        chosen.push(find(name).ok_or_else(|| format!("no such topic: {name}"))?);
    }
    if chosen.is_empty() {
        chosen.extend(TOPICS);
    }
    let entries = chosen.into_iter().map(|topic| (topic.name.to_owned(), or_error((topic.answer)())));
    Ok(Value::Object(entries.collect::<Map<_, _>>()))
}

/// The value, or `{"error": reason}`.
pub fn or_error<T: Into<Value>>(answer: Result<T, String>) -> Value {
    answer.map_or_else(|reason| json!({ "error": reason }), Into::into)
}
