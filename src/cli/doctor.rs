//! `crate-run doctor`: what this host offers.

use std::fmt::Write;

use crate::cgroup::Hierarchy;
use crate::feature::capabilities;
use crate::host::Host;

/// Answers the text for standard output.
pub fn doctor() -> String {
    let host = Host::probe();
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<14}{value}");
    };
    let (major, minor) = host.kernel;
    line("kernel", host.refusal().unwrap_or_else(|| format!("Linux {major}.{minor}: good")));
    line("user", if host.euid == 0 { "root".to_owned() } else { format!("{}: not root", host.euid) });
    match Hierarchy::find() {
        Ok(hierarchy) => {
            let controllers = hierarchy.controllers().unwrap_or_default().join(" ");
            line("cgroup v2", format!("{} ({:?})", hierarchy.place().display(), hierarchy.kind()));
            line("controllers", if controllers.is_empty() { "none".to_owned() } else { controllers });
        }
        Err(error) => line("cgroup v2", error.to_string()),
    }
    let all = (1u64 << 41) - 1;
    let missing = capabilities::names(all & !host.capabilities());
    line(
        "capabilities",
        match missing.as_slice() {
            [] => "all can be granted".to_owned(),
            missing => format!("cannot be granted: {}", missing.join(" ")),
        },
    );
    let modules: Vec<&str> =
        ["apparmor", "selinux"].into_iter().filter(|module| host.has_security_module(module)).collect();
    line(
        "security",
        if modules.is_empty() { "no AppArmor, no SELinux".to_owned() } else { modules.join(" ") },
    );
    text
}
