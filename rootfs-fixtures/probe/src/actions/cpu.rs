//! Processor time: what a cpu quota takes away shows as a gap between processor time and wall time.

use super::{Done, argument};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use std::process::ExitCode;

pub fn spin(words: &[String]) -> Done {
    let seconds = argument::<f64>(words, 0, "a number of seconds")?;
    let start = now(ClockId::Monotonic);
    let mut number = 1_u64;
    while now(ClockId::Monotonic) - start < seconds {
        for _ in 0..10_000 {
            number = std::hint::black_box(number.wrapping_mul(6364136223846793005).wrapping_add(1));
        }
    }
    let (cpu, wall) = (now(ClockId::ProcessCPUTime), now(ClockId::Monotonic) - start);
    println!("{}", json!({ "cpu_seconds": cpu, "wall_seconds": wall, "share": cpu / wall }));
    Ok(ExitCode::SUCCESS)
}

fn now(clock: ClockId) -> f64 {
    let time = clock_gettime(clock);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
