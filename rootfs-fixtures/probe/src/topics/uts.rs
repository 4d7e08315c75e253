//! Host name, domain name, kernel: uname(2).

use super::Answer;
use serde_json::json;

pub fn answer() -> Answer {
    let uts = rustix::system::uname();
    Ok(json!({
        "hostname": uts.nodename().to_string_lossy(),
        "domainname": uts.domainname().to_string_lossy(),
        "sysname": uts.sysname().to_string_lossy(),
        "release": uts.release().to_string_lossy(),
        "version": uts.version().to_string_lossy(),
        "machine": uts.machine().to_string_lossy(),
    }))
}
