//! From single times to figures that can be compared.

/// What a series of measurements comes to. Times are in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    pub median: f64,
    pub p95: f64,
    pub min: f64,
}

/// The measurements of one contestant in one experiment.
#[derive(Clone, Debug, Default)]
pub struct Series {
    values: Vec<f64>,
    failures: usize,
    last_failure: Option<String>,
}

impl Series {
    /// Takes one measurement, or the reason why there is none.
    pub fn add(&mut self, outcome: Result<f64, String>) {
        match outcome {
            Ok(value) => self.values.push(value),
            Err(reason) => {
                self.failures += 1;
                self.last_failure = Some(reason);
            }
        }
    }

    /// Median, 95th percentile and minimum; none without a single success.
    pub fn summary(&self) -> Option<Summary> {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        Some(Summary {
            median: quantile(&sorted, 0.5)?,
            p95: quantile(&sorted, 0.95)?,
            min: sorted.first().copied()?,
        })
    }

    /// How often it failed, and what it said the last time.
    pub fn failures(&self) -> Option<(usize, &str)> {
        self.last_failure.as_deref().map(|reason| (self.failures, reason))
    }

    pub fn median(&self) -> Option<f64> {
        self.summary().map(|summary| summary.median)
    }
}

/// The value below which the `share` (0 to 1) of the sorted values lies, interpolated between neighbours.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let position = share * last as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(last);
    Some(sorted[below] + (sorted[above] - sorted[below]) * position.fract())
}

/// The middle of a few values; none of none.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    quantile(&sorted, 0.5)
}

/// Who goes when: forwards in even rounds, backwards in odd ones, so that nobody always follows the same neighbour
/// and a slow drift of the machine cancels out.
pub fn turns(contestants: usize, rounds: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..rounds).flat_map(move |round| {
        (0..contestants).map(move |place| match round % 2 {
            0 => (round, place),
            _ => (round, contestants - 1 - place),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: &[f64]) -> Series {
        let mut series = Series::default();
        values.iter().for_each(|value| series.add(Ok(*value)));
        series
    }

    #[test]
    fn the_summary_does_not_depend_on_the_order() {
        let expected = Summary { median: 3.0, p95: 4.8, min: 1.0 };
        for values in [[5.0, 1.0, 3.0, 2.0, 4.0], [1.0, 2.0, 3.0, 4.0, 5.0]] {
            let found = series(&values).summary().unwrap();
            assert_eq!((found.median, found.min), (expected.median, expected.min));
            assert!((found.p95 - expected.p95).abs() < 1e-9, "{found:?}");
        }
    }

    #[test]
    fn an_even_number_of_values_has_its_median_between_the_middle_two() {
        assert_eq!(series(&[1.0, 2.0, 10.0, 20.0]).median(), Some(6.0));
        assert_eq!(median(&[7.0, 1.0]), Some(4.0));
    }

    #[test]
    fn one_outlier_moves_p95_and_not_the_median() {
        let mut values = vec![1.0; 19];
        values.push(100.0);
        let summary = series(&values).summary().unwrap();
        assert_eq!(summary.median, 1.0);
        assert!(summary.p95 > 1.0);
    }

    #[test]
    fn failures_are_counted_and_are_no_measurements() {
        let mut series = series(&[2.0]);
        series.add(Err("first".into()));
        series.add(Err("second".into()));
        assert_eq!(series.median(), Some(2.0));
        assert_eq!(series.failures(), Some((2, "second")));
    }

    #[test]
    fn nothing_measured_has_no_summary() {
        assert_eq!(Series::default().summary(), None);
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn turns_go_forwards_and_backwards() {
        let order: Vec<_> = turns(3, 2).collect();
        assert_eq!(order, [(0, 0), (0, 1), (0, 2), (1, 2), (1, 1), (1, 0)]);
    }
}
