//! Where the floor's time goes, step by step, as the floor itself tells.

use anyhow::{Result, bail};

use crate::bench::Bench;
use crate::bundle::{Flavour, Payload};

/// A step of the floor program, in microseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct StepTime {
    pub name: String,
    pub median: f64,
    pub p95: f64,
}

/// Has the floor make many containers in one process and print its times; empty without a floor.
pub fn measure(bench: &Bench) -> Result<Vec<StepTime>> {
    let Some(floor) = &bench.floor else { return Ok(Vec::new()) };
    let container = bench.bundles.container("floor-steps", Flavour::Plain, Payload::True)?;
    let output = floor.timed(&container, bench.amounts.runs).output()?;
    if !output.status.success() {
        bail!("the floor cannot tell its times: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().filter_map(step_in).collect())
}

/// A line such as `mount proc        17.6      23.2`; head and sum have no two numbers at their end.
fn step_in(line: &str) -> Option<StepTime> {
    let (rest, p95) = line.trim_end().rsplit_once(' ')?;
    let (name, median) = rest.trim_end().rsplit_once(' ')?;
    Some(StepTime { name: name.trim().to_owned(), median: median.parse().ok()?, p95: p95.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_steps_have_two_numbers() {
        let step = StepTime { name: "umount old root".into(), median: 67.4, p95: 487.7 };
        assert_eq!(step_in("umount old root                   67.4     487.7"), Some(step));
        assert_eq!(
            step_in("step                            median       p95  (microseconds, 300 containers)"),
            None
        );
        assert_eq!(step_in("sum of the medians              1593.2"), None);
    }
}
