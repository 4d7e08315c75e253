//! `make clauses`: is each clause of the OCI runtime specification proved by a test?
//!
//! ```text
//! runtime-spec/*.toml ── chapter ──▶ clauses, each with the names of its tests
//! tests/, src/, crates/ ── source ──▶ does a test of this name exist?
//! test-records/* ─────── record ──▶ did it pass in a last run, or was it skipped?
//!                           │
//!                        verdict: covered/total of each chapter, and what is wrong
//! ```
//!
//! usage: `crate-run-clauses FOLDER`, where FOLDER is that of the records; it need not exist.

mod chapter;
mod record;
mod source;
mod verdict;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use record::Records;
use source::Sources;

fn main() -> ExitCode {
    let Some(records) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: crate-run-clauses FOLDER");
        return ExitCode::from(2);
    };
    match judge(&records) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("clauses: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints the verdict on this repository; is every clause covered?
fn judge(records: &Path) -> Result<bool, Box<dyn std::error::Error>> {
    let records = Records::read(records)?;
    let chapters = chapter::read_all(&repository().join("runtime-spec"))?;
    let verdict = verdict::on(&chapters, &Sources::new(&repository()), &records);
    print!("{verdict}");
    for run in &records.runs {
        println!("record: {run}");
    }
    if records.runs.is_empty() {
        println!("No records of test runs: only the names were checked. `make test` leaves records.");
    }
    Ok(verdict.is_good())
}

/// The top of this repository.
fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What needs no records: every clause names a test, and every test that is named exists.
    #[test]
    fn every_clause_of_this_repository_names_tests_that_exist() {
        let chapters = chapter::read_all(&repository().join("runtime-spec")).expect("the map");
        let verdict = verdict::on(&chapters, &Sources::new(&repository()), &Records::default());
        assert!(verdict.is_good(), "\n{verdict}");
    }
}
