//! Pressure stall information: which part of the time somebody, or everybody, had to wait.
//!
//! Kernel: Documentation/accounting/psi.rst. A line is `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`, the
//! averages in percent, the total in microseconds. A kernel without it, or with `psi=0`, tells nothing.

use serde::Serialize;

use super::Files;

/// What one of `cpu.pressure`, `memory.pressure`, `io.pressure` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Pressure {
    pub some: Stall,
    pub full: Stall,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Stall {
    pub avg10: f64,
    pub avg60: f64,
    pub avg300: f64,
    pub total: u64,
}

impl Pressure {
    /// From the file of that name, if it says anything.
    pub fn read(files: &Files, file: &str) -> Option<Self> {
        pressure(&files.text(file))
    }
}

fn pressure(text: &str) -> Option<Pressure> {
    let stall = |name: &str| text.lines().find_map(|line| stall(line.strip_prefix(name)?));
    // The processor line `full` is missing before Linux 5.13.
    Some(Pressure { some: stall("some ")?, full: stall("full ").unwrap_or_default() })
}

fn stall(fields: &str) -> Option<Stall> {
    let field = |name: &str| fields.split(' ').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
    let average = |name| field(name)?.parse::<f64>().ok().filter(|value| value.is_finite());
    Some(Stall {
        avg10: average("avg10")?,
        avg60: average("avg60")?,
        avg300: average("avg300")?,
        total: field("total")?.trim().parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lines_are_read() {
        let some = "some avg10=1.50 avg60=0.20 avg300=0.00 total=1234\n";
        let both = pressure(&format!("{some}full avg10=0.00 avg60=0.00 avg300=0.10 total=7\n")).unwrap();
        assert_eq!(both.some, Stall { avg10: 1.5, avg60: 0.2, avg300: 0.0, total: 1234 });
        assert_eq!((both.full.avg300, both.full.total), (0.1, 7));
        assert_eq!(pressure(some).unwrap().full, Stall::default());
        assert_eq!(pressure(""), None);
        assert_eq!(pressure("some avg10=NaN avg60=0 avg300=0 total=0\n"), None);
    }
}
