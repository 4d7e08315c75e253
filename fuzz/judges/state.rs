//! Any bytes as the files of a container: `list`, `state`, `kill` and `delete` answer, and a forced delete
//! leaves no directory behind.
//!
//! The input is `state.json` and, behind a zero byte, `config.json`. Nothing that such a record may name is
//! touched: see [`is_harmless`].

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate_run::cgroup::Hierarchy;
use crate_run::cli::args::{self, Verb};
use crate_run::cli::inspect;
use crate_run::state::lifecycle::{Manner, delete};
use crate_run::state::signal::{Reach, kill};
use crate_run::state::{Container, ContainerId, Store};

/// The directory of one run; gone afterwards.
struct Root(PathBuf);

impl Drop for Root {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub fn judge(data: &[u8]) {
    let root = Root(std::env::temp_dir().join(format!("crate-run-judge-{}", std::process::id())));
    let place = root.0.join("x");
    fs::create_dir_all(&place).expect("a directory");
    let mut parts = data.splitn(2, |byte| *byte == 0);
    fs::write(place.join("state.json"), parts.next().unwrap_or_default()).expect("state.json");
    if let Some(config) = parts.next() {
        fs::write(place.join("config.json"), config).expect("config.json");
    }
    for line in [&["list"][..], &["list", "--format", "json"], &["list", "-q"], &["state", "x"]] {
        ask(&root.0, line);
    }
    let (store, id) = (Store::new(root.0.clone()), ContainerId::new("x").expect("a plain name"));
    assert_eq!(store.ids().expect("the directory can be read"), std::slice::from_ref(&id));
    let _ = kill(&store, &id, 0, Reach::First);
    let container = store.look(&id).expect("the directory is there");
    if is_harmless(&container) {
        drop(container);
        let _ = delete(&store, &id, Manner::Polite);
        if delete(&store, &id, Manner::Forced).is_ok() {
            assert!(!place.exists(), "deleted, and still there");
        }
    }
}

/// No process, hook or group of this machine can be meant by the record. A cgroup cannot be where the
/// hierarchy is not mounted.
fn is_harmless(container: &Container) -> bool {
    let no_cgroups = Hierarchy::find().is_err();
    match container.record() {
        Ok(record) => {
            let alive = |process: Option<crate_run::state::ProcessId>| {
                process.is_some_and(|process| process.is_alive())
            };
            let runs = alive(record.process) || alive(Some(record.creator));
            !runs
                && !record.hooks_later
                && record.resctrl_made.is_empty()
                && (record.cgroup.is_none() || no_cgroups)
        }
        Err(_) => no_cgroups,
    }
}

/// A command that only looks.
fn ask(root: &Path, line: &[&str]) {
    let words = ["crate-run", "--log", "/dev/null", "--root"].map(OsString::from);
    let words = words.into_iter().chain([root.into()]).chain(line.iter().map(OsString::from));
    let invocation = args::parse(words).expect("a good command line");
    let answer = match &invocation.verb {
        Verb::List(list) => inspect::list(&invocation.global, list, &invocation.global.log()),
        Verb::State(state) => inspect::state(&invocation.global, state),
        other => panic!("{other:?} does more than look"),
    };
    match answer {
        Ok(text) => assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok() || line[0] == "list"),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
