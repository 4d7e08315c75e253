//! Clocks, in seconds: time_namespaces(7) shifts the first two, and with them the uptime.

use super::{Answer, or_error};
use crate::procfs;
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;

pub fn answer() -> Answer {
    let seconds = |clock| {
        let now = clock_gettime(clock);
        now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
    };
    let uptime = procfs::read("/proc/uptime")
        .and_then(|text| text.split(' ').next().and_then(|word| word.parse::<f64>().ok()).ok_or(text));
    Ok(json!({
        "monotonic": seconds(ClockId::Monotonic),
        "boottime": seconds(ClockId::Boottime),
        "realtime": seconds(ClockId::Realtime),
        "uptime": or_error(uptime),
    }))
}
