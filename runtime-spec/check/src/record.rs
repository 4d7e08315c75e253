//! What the last runs of the tests left behind: one file for each way to run them, written by
//! `tests/machine/tally.awk`. A line is `OUTCOME PROGRAM TEST`; one that begins with `#` is the title.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use crate::source;

/// How a test ended, the best last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    Skipped,
    Failed,
    Passed,
}

/// Everything that is known of the last runs.
#[derive(Debug, Default)]
pub struct Records {
    /// For each program: a test by its path in it, and its best outcome.
    programs: BTreeMap<String, BTreeMap<String, Outcome>>,
    /// One sentence for each run.
    pub runs: Vec<Run>,
}

/// One run of many tests.
#[derive(Debug, Default)]
pub struct Run {
    title: String,
    /// Skipped, failed, passed.
    counts: [usize; 3],
}

impl fmt::Display for Run {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        let [skipped, failed, passed] = self.counts;
        write!(out, "{}: {passed} passed, {failed} failed, {skipped} skipped", self.title)
    }
}

impl Records {
    /// Every record in the folder. No folder, no records.
    ///
    /// # Errors
    /// What the file system answers, and a line that is no line of a record.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let mut records = Self::default();
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(records),
            entries => entries?,
        };
        let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        paths.sort();
        for path in paths {
            let text = fs::read_to_string(&path)?;
            records.add(&text).map_err(|line| {
                io::Error::other(format!("{} is no record of a test run: {line}", path.display()))
            })?;
        }
        Ok(records)
    }

    /// Adds the text of one record; `Err` is the line that belongs to none.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        let mut run = Run::default();
        for line in text.lines() {
            if let Some(title) = line.strip_prefix("# ") {
                run.title = title.to_owned();
                continue;
            }
            let words: Vec<&str> = line.split(' ').collect();
            let &[outcome, program, test] = words.as_slice() else { return Err(line.to_owned()) };
            let outcome = match outcome {
                "skipped" => Outcome::Skipped,
                "failed" => Outcome::Failed,
                "passed" => Outcome::Passed,
                _ => return Err(line.to_owned()),
            };
            run.counts[outcome as usize] += 1;
            let best = self.programs.entry(program.to_owned()).or_default();
            let best = best.entry(test.to_owned()).or_insert(outcome);
            *best = outcome.max(*best);
        }
        self.runs.push(run);
        Ok(())
    }

    /// The best outcome of the test `FILE:FUNCTION`; `None` if no record has it.
    pub fn outcome(&self, name: &str) -> Option<Outcome> {
        let (file, function) = name.split_once(':')?;
        let (program, module) = source::program(file);
        // Tests of a unit stand in a module of their own in its file.
        let is_it = |test: &str| {
            let rest = if module.is_empty() { Some(test) } else { test.strip_prefix(&format!("{module}::")) };
            rest.is_some_and(|rest| rest.rsplit("::").next() == Some(function))
        };
        let tests = self.programs.get(&program)?;
        tests.iter().filter(|(test, _)| is_it(test)).map(|(_, outcome)| *outcome).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_outcome_of_all_runs_counts() {
        let mut records = Records::default();
        records.add("# host\nskipped root_limits one\npassed root_limits two").expect("a record");
        records.add("# machine\npassed root_limits one\nfailed root_limits two").expect("a record");
        records.add("# units\npassed crate_run state::id::tests::three").expect("a record");
        let best = |name| records.outcome(name);
        assert_eq!(best("tests/root_limits.rs:one"), Some(Outcome::Passed));
        assert_eq!(best("tests/root_limits.rs:two"), Some(Outcome::Passed));
        assert_eq!(best("src/state/id.rs:three"), Some(Outcome::Passed));
        for name in ["tests/root_limits.rs:three", "src/state/store.rs:three", "tests/root_hooks.rs:one"] {
            assert_eq!(best(name), None, "{name}");
        }
        assert_eq!(records.runs[0].to_string(), "host: 1 passed, 0 failed, 1 skipped");
    }

    /// What two programs said: one under cargo, one under run-tests with a test that was skipped.
    const LOG: &str = "
     Running unittests src/lib.rs (target/debug/deps/crate_run-0123456789abcdef)
test state::id::tests::one ... ok
test state::id::tests::two ... FAILED

failures:
    state::id::tests::two

test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out
     Running root_isolation
test mounts::three ... SKIP three: this host has no disk
ok
test mounts::four ... words of the test
ok

successes:
    mounts::three
    mounts::four

test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out
";

    #[test]
    fn the_tally_writes_what_is_read_here() {
        let place = std::env::temp_dir().join(format!("crate-run-record-{}", std::process::id()));
        fs::create_dir_all(&place).expect("a directory");
        fs::write(place.join("log"), LOG).expect("a log");
        let tally = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/machine/tally.awk");
        let mut awk = std::process::Command::new("awk");
        awk.args(["-v", "title=Tests", "-v", "record=records/all", "-f"]).arg(tally).arg("log");
        fs::create_dir_all(place.join("records")).expect("a directory");
        let output = awk.current_dir(&place).output().expect("awk");
        let records = Records::read(&place.join("records"));
        fs::remove_dir_all(&place).expect("it is ours");
        assert_eq!(output.status.code(), Some(1), "one has failed: {output:?}");
        let records = records.expect("a record");
        assert_eq!(records.runs[0].to_string(), "Tests: 2 passed, 1 failed, 1 skipped");
        let cases = [
            ("src/state/id.rs:one", Outcome::Passed),
            ("src/state/id.rs:two", Outcome::Failed),
            ("tests/root_isolation/mounts.rs:three", Outcome::Skipped),
            ("tests/root_isolation/mounts.rs:four", Outcome::Passed),
        ];
        for (name, outcome) in cases {
            assert_eq!(records.outcome(name), Some(outcome), "{name}");
        }
    }

    #[test]
    fn what_is_no_line_of_a_record_is_told() {
        for line in ["passed root_limits", "ok root_limits one", "passed root_limits one two"] {
            assert_eq!(Records::default().add(line), Err(line.to_owned()));
        }
    }

    #[test]
    fn without_a_folder_there_are_no_records() {
        assert!(Records::read(Path::new("/nowhere/at/all")).expect("none").runs.is_empty());
    }
}
