//! The container itself, driven as an engine drives it.

use std::fs;
use std::io::{IoSliceMut, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use serde_json::{Value, json};

use crate::host::Host;
use crate::{Checked, facts};

/// The program under test; a line that says why there is none.
pub fn binary(test: &str) -> Option<PathBuf> {
    match std::env::var_os("CRATE_RUN_BIN") {
        Some(path) => Some(path.into()),
        None => {
            println!("SKIP {}: CRATE_RUN_BIN names no crate-run", test.replace('-', "_"));
            None
        }
    }
}

/// The two bundles of a test: one runs the probe, the other sleeps as the engine's does.
pub struct Container {
    probe: PathBuf,
    sleeper: PathBuf,
    has_terminal: bool,
}

const TOPICS: [&str; 14] = [
    "/bin/probe",
    "report",
    "ids",
    "caps",
    "seccomp",
    "mounts",
    "namespaces",
    "fds",
    "env",
    "cwd",
    "rlimits",
    "process",
    "uts",
    "devices",
];

impl Container {
    pub fn new(host: &Host) -> Result<Self, Box<dyn std::error::Error>> {
        let bundle = |name: &str, args: Value| {
            let mut config = host.config.clone();
            config["root"]["path"] = json!(host.bundle().join("rootfs"));
            config["process"]["args"] = args;
            let bundle = host.directory.join(name);
            fs::create_dir_all(&bundle)?;
            fs::write(bundle.join("config.json"), config.to_string())?;
            Ok::<PathBuf, std::io::Error>(bundle)
        };
        Ok(Self {
            probe: bundle("probe", json!(TOPICS))?,
            sleeper: bundle("sleeper", json!(["sleep", "1000"]))?,
            has_terminal: host.config["process"]["terminal"] == true,
        })
    }

    /// The probe's report, against the config.
    pub fn run_and_compare(&self, host: &Host) -> Checked {
        let mut run = host.crate_run();
        run.arg("run").arg("--bundle").arg(&self.probe).arg("run");
        let output = run.stdin(Stdio::null()).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {}: {said}", host.name, output.status);
        assert_eq!(said, "", "{}: warnings", host.name);
        let report: Value = serde_json::from_slice(&output.stdout)
            .map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&output.stdout)))?;
        let differences = facts::differences(&host.config, &report, &host.caller());
        assert!(differences.is_empty(), "{}:\n  {}", host.name, differences.join("\n  "));
        Ok(())
    }

    /// create, start, kill and delete, with the state in between.
    pub fn live_and_die(&self, host: &Host) -> Checked {
        let socket = self.console(host)?;
        let mut create = host.crate_run();
        create.arg("create").arg("--bundle").arg(&self.sleeper);
        if let Some((_, path)) = &socket {
            create.arg("--console-socket").arg(path);
        }
        let wants_pidfd = host.directory.join("pidfd");
        let listener = UnixListener::bind(&wants_pidfd)?;
        // Anybody may connect, also a runtime that is root only of a user's namespace.
        fs::set_permissions(&wants_pidfd, fs::Permissions::from_mode(0o666))?;
        quiet(create.arg("--pidfd-socket").arg(&wants_pidfd).arg("life"), host)?;
        let created = state(host)?;
        assert_eq!(created["status"], "created");
        same_process(&receive(&listener)?, &created["pid"])?;
        let wrong = facts::wrong_limits(&host.config["linux"]["resources"], &host.cgroup());
        assert!(wrong.is_empty(), "{}:\n  {}", host.name, wrong.join("\n  "));
        if let Some((listener, _)) = socket {
            let master = receive(&listener)?;
            assert!(rustix::termios::isatty(master), "the console socket got a terminal");
        }
        quiet(host.crate_run().args(["start", "life"]), host)?;
        assert_eq!(state(host)?["status"], "running");
        quiet(host.crate_run().args(["kill", "life", "KILL"]), host)?;
        for _ in 0..10_000 {
            if state(host)?["status"] == "stopped" {
                return quiet(host.crate_run().args(["delete", "life"]), host);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Err("the container had not stopped after SIGKILL".into())
    }

    fn console(&self, host: &Host) -> Result<Option<(UnixListener, PathBuf)>, std::io::Error> {
        if !self.has_terminal {
            return Ok(None);
        }
        let path = host.directory.join("console");
        Ok(Some((UnixListener::bind(&path)?, path)))
    }
}

/// The one descriptor that a client of this socket sends (unix(7), SCM_RIGHTS).
pub fn receive(listener: &UnixListener) -> Result<OwnedFd, Box<dyn std::error::Error>> {
    let (client, _) = listener.accept()?;
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = [0; 128];
    recvmsg(&client, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    let descriptor = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    descriptor.ok_or_else(|| "a message without a descriptor".into())
}

/// Is this a pidfd (pidfd_open(2)) of that process?
fn same_process(pidfd: &OwnedFd, pid: &Value) -> Checked {
    let facts = fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd()))?;
    let told = facts.lines().find_map(|line| line.strip_prefix("Pid:")).map(str::trim);
    assert_eq!(told, Some(pid.to_string().as_str()), "{facts}");
    Ok(())
}

fn state(host: &Host) -> Result<Value, Box<dyn std::error::Error>> {
    let output = host.crate_run().args(["state", "life"]).output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// A command that must succeed without a word. Its output is a file: the container keeps it open.
fn quiet(command: &mut Command, host: &Host) -> Checked {
    let path = host.directory.join("said");
    let said = fs::File::create(&path)?;
    let status = command.stdin(Stdio::null()).stdout(said.try_clone()?).stderr(said).status()?;
    let mut words = String::new();
    fs::File::open(path)?.read_to_string(&mut words)?;
    assert!(status.success() && words.is_empty(), "{}: {command:?}: {status}: {words}", host.name);
    Ok(())
}
