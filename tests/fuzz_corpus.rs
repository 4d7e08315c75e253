//! Replays what the fuzzers have found (fuzz/corpus) through the judges that they use (fuzz/judges).

use std::fs;
use std::path::PathBuf;

#[path = "../fuzz/judges/cgroup_path.rs"]
mod cgroup_path;
#[path = "../fuzz/judges/config.rs"]
mod config;
#[path = "../fuzz/judges/devices.rs"]
mod devices;
#[path = "../fuzz/judges/seccomp.rs"]
mod seccomp;
#[path = "../fuzz/judges/state.rs"]
mod state;
#[path = "../fuzz/judges/tape.rs"]
mod tape;

/// All bytes of the repository's corpus; a git repository is no place for more.
const MOST_BYTES: u64 = 200_000;

fn folder(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target)
}

/// Judges every input of the target; says its name before, so that a panic has one.
fn replay(target: &str, judge: fn(&[u8])) {
    let inputs = fs::read_dir(folder(target)).expect("the corpus");
    let mut inputs: Vec<PathBuf> = inputs.map(|input| input.expect("an entry").path()).collect();
    inputs.sort();
    assert!(inputs.len() >= 10, "the corpus of {target} has {} inputs", inputs.len());
    for input in inputs {
        println!("{}", input.display());
        judge(&fs::read(&input).expect("an input"));
    }
}

#[test]
fn configurations() {
    replay("config", config::judge);
}

#[test]
fn seccomp_profiles() {
    replay("seccomp", seccomp::judge);
}

#[test]
fn device_rules() {
    replay("devices", devices::judge);
}

#[test]
fn cgroup_paths() {
    replay("cgroup_path", cgroup_path::judge);
}

#[test]
fn state_files() {
    replay("state", state::judge);
}

#[test]
fn the_corpus_is_small() {
    let targets = fs::read_dir(folder("")).expect("the corpus");
    let inputs = targets.flat_map(|target| fs::read_dir(target.expect("a target").path()).expect("a folder"));
    let bytes: u64 = inputs.map(|input| input.expect("an input").metadata().expect("a file").len()).sum();
    assert!((1..=MOST_BYTES).contains(&bytes), "{bytes}");
}
