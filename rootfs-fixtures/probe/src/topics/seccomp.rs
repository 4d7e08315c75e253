//! Which system calls are filtered: seccomp(2).

use super::Answer;
use crate::procfs;
use serde_json::json;

pub fn answer() -> Answer {
    let mode = procfs::own_status("Seccomp")?;
    let name = match mode.as_str() {
        "0" => "disabled",
        "1" => "strict",
        "2" => "filter",
        _ => return Err(format!("/proc/self/status names an unknown seccomp mode {mode}")),
    };
    let filters = procfs::own_status("Seccomp_filters")?;
    let filters: u32 = filters.parse().map_err(|error| format!("Seccomp_filters {filters}: {error}"))?;
    Ok(json!({ "mode": name, "filters": filters }))
}
