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

/// Who goes when: round and contestant. An even round has an order of its own, the odd round after it has the
/// same backwards. So a slow drift of the machine cancels out, and nobody always follows the same neighbour,
/// whose network namespace the kernel may still be taking down.
pub fn turns(contestants: usize, rounds: usize) -> impl Iterator<Item = (usize, usize)> {
    let mut order: Vec<usize> = (0..contestants).collect();
    let mut state = 1;
    (0..rounds).flat_map(move |round| {
        match round % 2 {
            0 => shuffle(&mut order, &mut state),
            _ => order.reverse(),
        }
        order.clone().into_iter().map(move |contestant| (round, contestant))
    })
}

/// Fisher and Yates with a linear congruential generator (Knuth's MMIX constants): the same orders in every
/// run.
fn shuffle(order: &mut [usize], state: &mut u64) {
    for last in (1..order.len()).rev() {
        *state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        order.swap(last, (*state >> 33) as usize % (last + 1));
    }
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

    fn rounds(contestants: usize, rounds: usize) -> Vec<Vec<usize>> {
        let order: Vec<_> = turns(contestants, rounds).collect();
        order.chunks(contestants).map(|round| round.iter().map(|turn| turn.1).collect()).collect()
    }

    #[test]
    fn every_second_round_is_the_one_before_it_backwards() {
        for pair in rounds(4, 40).chunks(2) {
            let backwards: Vec<_> = pair[1].iter().rev().copied().collect();
            assert_eq!(pair[0], backwards);
        }
    }

    #[test]
    fn everybody_has_one_turn_a_round_and_follows_everybody_else_at_times() {
        let mut neighbours = std::collections::HashSet::new();
        for mut round in rounds(4, 40) {
            round.windows(2).for_each(|pair| neighbours.extend([(pair[0], pair[1])]));
            round.sort();
            assert_eq!(round, [0, 1, 2, 3]);
        }
        assert_eq!(neighbours.len(), 4 * 3);
    }
}
