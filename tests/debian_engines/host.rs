//! What an engine, its shims and the runtime may leave behind on the host.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::tool;

/// Where runtimes keep containers, below the engines and by themselves.
const STATES: [&str; 6] = [
    "/run/crate-run",
    "/run/runc",
    "/run/containerd/runc",
    "/run/docker/runtime-runc",
    "/run/containerd/io.containerd.runtime.v2.task",
    "/run/user/1000/crate-run",
];

/// Two tests at once would see each other's containers.
static ALONE: Mutex<()> = Mutex::new(());

/// The host before a test. Dropped, it waits until the host is so again, and fails the test if that does not
/// come.
pub struct Host {
    before: BTreeSet<String>,
    _alone: MutexGuard<'static, ()>,
}

impl Host {
    /// To be called when the engine is up and its image is there.
    pub fn as_it_is() -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        Self { before: facts(), _alone: alone }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let began = Instant::now();
        loop {
            let now = facts();
            let left: Vec<&String> = now.symmetric_difference(&self.before).collect();
            if left.is_empty() {
                return;
            }
            // Shims and helpers of engines end a moment after the command that has asked them to.
            assert!(began.elapsed() < Duration::from_secs(120), "left or gone: {left:#?}");
            std::thread::sleep(Duration::from_millis(500));
        }
    }
}

fn facts() -> BTreeSet<String> {
    let mut facts = BTreeSet::new();
    facts.extend(mounts().into_iter().map(|mount| format!("mount {mount}")));
    facts.extend(folders_below("/sys/fs/cgroup").into_iter().map(|path| format!("cgroup {path}")));
    facts.extend(processes().into_iter().map(|process| format!("process {process}")));
    facts.extend(units().into_iter().map(|unit| format!("unit {unit}")));
    // systemd makes slices where they are missing and keeps them, with every runtime; what is in them counts.
    facts.retain(|fact| !fact.ends_with(".slice"));
    for state in STATES {
        // The folder of a namespace stays when its last container goes, as with runc.
        let containers = folders_below(state).into_iter().filter(|path| depth_below(state, path) > 1);
        facts.extend(containers.map(|path| format!("state {path}")));
    }
    facts
}

fn mounts() -> Vec<String> {
    let text = fs::read_to_string("/proc/1/mountinfo").expect("the mounts of the host");
    text.lines().map(|line| line.split(' ').skip(4).collect::<Vec<_>>().join(" ")).collect()
}

fn depth_below(state: &str, path: &str) -> usize {
    Path::new(path).strip_prefix(state).map_or(0, |rest| rest.components().count())
}

fn folders_below(top: &str) -> Vec<String> {
    let (mut found, mut open) = (Vec::new(), vec![PathBuf::from(top)]);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                found.push(entry.path().display().to_string());
                open.push(entry.path());
            }
        }
    }
    found
}

/// Programs that run, by name; threads of the kernel come and go.
fn processes() -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("/proc").flatten() {
        let words = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let is_process = entry.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit());
        if is_process && !words.is_empty() {
            let words = String::from_utf8_lossy(&words).replace('\0', " ");
            found.push(format!("{} {words}", entry.file_name().display()));
        }
    }
    found
}

/// What systemd runs as root and for the ordinary user.
fn units() -> Vec<String> {
    let list =
        "list-units --plain --no-legend --no-pager --state=active,failed --type=scope,service,slice,timer";
    // Over the manager's own socket: over the bus it would start a bus.
    let user = "runuser -u rootless -- env XDG_RUNTIME_DIR=/run/user/1000 systemctl --user";
    ["systemctl", user]
        .iter()
        .flat_map(|systemctl| {
            let said = tool::line(&format!("{systemctl} {list}"));
            said.stdout
                .lines()
                .filter_map(|line| line.split(' ').next())
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect()
}
