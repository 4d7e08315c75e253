//! Resource limits of the process: getrlimit(2).

use super::Answer;
use rustix::process::{Resource, getrlimit};
use serde_json::{Map, Value, json};

const RESOURCES: [(&str, Resource); 16] = [
    ("RLIMIT_AS", Resource::As),
    ("RLIMIT_CORE", Resource::Core),
    ("RLIMIT_CPU", Resource::Cpu),
    ("RLIMIT_DATA", Resource::Data),
    ("RLIMIT_FSIZE", Resource::Fsize),
    ("RLIMIT_LOCKS", Resource::Locks),
    ("RLIMIT_MEMLOCK", Resource::Memlock),
    ("RLIMIT_MSGQUEUE", Resource::Msgqueue),
    ("RLIMIT_NICE", Resource::Nice),
    ("RLIMIT_NOFILE", Resource::Nofile),
    ("RLIMIT_NPROC", Resource::Nproc),
    ("RLIMIT_RSS", Resource::Rss),
    ("RLIMIT_RTPRIO", Resource::Rtprio),
    ("RLIMIT_RTTIME", Resource::Rttime),
    ("RLIMIT_SIGPENDING", Resource::Sigpending),
    ("RLIMIT_STACK", Resource::Stack),
];

/// Unlimited is `null`.
pub fn answer() -> Answer {
    let entry = |(name, resource): (&str, Resource)| {
        let limit = getrlimit(resource);
        (name.to_owned(), json!({ "soft": limit.current, "hard": limit.maximum }))
    };
    Ok(Value::Object(RESOURCES.into_iter().map(entry).collect::<Map<_, _>>()))
}
