//! Labels of AppArmor, SELinux or Smack: proc_pid_attr(5).

use super::{Answer, or_error};
use crate::procfs;
use serde_json::json;

pub fn answer() -> Answer {
    let label = |name: &str| {
        let text = procfs::read(&format!("/proc/self/attr/{name}"));
        or_error(text.map(|text| text.trim_end_matches(['\0', '\n']).to_owned()))
    };
    Ok(json!({
        "current": label("current"),
        "apparmor": label("apparmor/current"),
        "modules": or_error(procfs::read("/sys/kernel/security/lsm")),
    }))
}
