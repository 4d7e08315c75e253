//! The flags that all verbs share.

use std::path::PathBuf;

use clap::{ArgAction, Args};
use oci_spec::runtime::Spec;

use crate::cgroup::Driver;
use crate::cli::argv;
use crate::cli::log::{Format, Level, Log};
use crate::feature::cgroup;
use crate::host::Host;

/// Flags that stand before the verb (or after it, as people like it).
#[derive(Args, Debug)]
pub struct Global {
    /// Keep state in DIR [default: crate-run in /run or in $XDG_RUNTIME_DIR]
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,

    /// Append errors and warnings to a file, or send them to journald:ID, syslog:ID [default: standard error]
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,

    /// Write the log as text or as json [default: text]
    #[arg(long, value_name = "FORMAT", default_value = "text", hide_default_value = true)]
    pub log_format: Format,

    /// Tell what is as grave as LEVEL: error, warning or debug [default: warning]
    #[arg(long, value_name = "LEVEL", default_value = "warning", hide_default_value = true)]
    log_level: Level,

    /// Tell every detail: the same as --log-level debug
    #[arg(long)]
    debug: bool,

    /// Let systemd make the cgroup: the same as --cgroup-manager systemd
    #[arg(long)]
    systemd_cgroup: bool,

    /// Who makes the cgroup: cgroupfs, systemd, disabled (nobody) [default: cgroupfs]
    #[arg(long, value_name = "NAME", hide_possible_values = true)]
    cgroup_manager: Option<Driver>,

    /// Tolerate cgroups that may not be written: true, false, auto [default: auto]
    #[arg(long, value_name = "WHEN", value_parser = rootless)]
    #[arg(default_value = "auto", hide_default_value = true)]
    pub rootless: Rootless,

    /// Print the version
    #[arg(long, short, short_alias = 'V', action = ArgAction::Version)]
    version: (),
}

impl Global {
    /// The log that these flags ask for.
    pub fn log(&self) -> Log {
        Log::new(self.log.as_deref(), self.log_format, self.log_level())
    }

    /// How much is told.
    pub fn log_level(&self) -> Level {
        if self.debug { Level::Debug } else { self.log_level }
    }

    /// Who is to make the cgroup. Podman names `disabled` beside conmon's `--systemd-cgroup`: the name is the
    /// more exact wish.
    pub fn cgroup_driver(&self) -> Driver {
        let default = if self.systemd_cgroup { Driver::Systemd } else { Driver::Cgroupfs };
        self.cgroup_manager.unwrap_or(default)
    }

    /// Who does make that of this container on this host.
    pub fn permitted_driver(&self, spec: &Spec, host: &Host) -> Driver {
        match self.rootless.tolerates(host) {
            true => cgroup::permitted(spec, self.cgroup_driver(), host),
            false => self.cgroup_driver(),
        }
    }
}

/// Whether a container must go without limits when its cgroup may not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rootless {
    Yes,
    No,
    Auto,
}

impl Rootless {
    /// Without a word it goes by what the runtime may do: root of the machine has every cgroup.
    fn tolerates(self, host: &Host) -> bool {
        match self {
            Self::Yes => true,
            Self::No => false,
            Self::Auto => host.nested || !host.powers.administers,
        }
    }
}

fn rootless(text: &str) -> Result<Rootless, String> {
    match (text, argv::boolean(text)) {
        ("auto", _) => Ok(Rootless::Auto),
        (_, Some(true)) => Ok(Rootless::Yes),
        (_, Some(false)) => Ok(Rootless::No),
        (_, None) => Err(format!("--rootless must be true, false or auto, not {text:?}")),
    }
}
