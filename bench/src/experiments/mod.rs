//! The experiments, one subject per file.

pub mod growth;
pub mod life;
pub mod memory;
pub mod run;
pub mod steps;
pub mod system_calls;
pub mod throughput;

use crate::statistics::Series;

/// What one contestant showed in an experiment.
#[derive(Clone, Debug)]
pub struct Named {
    pub name: String,
    pub series: Series,
}

impl Named {
    pub fn new(name: &str) -> Named {
        Named { name: name.to_owned(), series: Series::default() }
    }
}

/// The median of the contestant called `name`.
pub fn median_of(results: &[Named], name: &str) -> Option<f64> {
    results.iter().find(|result| result.name == name)?.series.median()
}
