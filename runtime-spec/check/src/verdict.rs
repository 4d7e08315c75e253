//! Clauses, tests and records against each other.

use std::collections::BTreeSet;
use std::fmt;

use crate::chapter::{Chapter, Clause, Level};
use crate::record::{Outcome, Records};
use crate::source::Sources;

/// What `make clauses` prints.
#[derive(Debug, Default)]
pub struct Verdict {
    chapters: Vec<Count>,
    /// What is wrong with which clause.
    pub faults: Vec<(String, Fault)>,
    /// Clauses whose tests are in no record.
    unseen: usize,
}

/// Covered and all clauses of a chapter, by level.
#[derive(Debug)]
struct Count {
    name: String,
    levels: [(usize, usize); 3],
}

/// Why a clause does not count.
#[derive(Debug, PartialEq, Eq)]
pub enum Fault {
    /// Another clause has this id.
    Twice,
    /// No sentence says what it asks for.
    Silent,
    Untested,
    /// A test with this name does not exist.
    Unknown(String),
    /// All of its tests were recorded, and none has passed.
    NeverPassed(Vec<(String, Outcome)>),
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Twice => write!(out, "is the id of two clauses"),
            Self::Silent => write!(out, "has no text"),
            Self::Untested => write!(out, "names no test"),
            Self::Unknown(test) => write!(out, "names a test that does not exist: {test}"),
            Self::NeverPassed(tests) => {
                write!(out, "names no test that passed in a last run:")?;
                let word = |outcome: &Outcome| format!("{outcome:?}").to_lowercase();
                tests.iter().try_for_each(|(test, outcome)| write!(out, "\n    {}: {test}", word(outcome)))
            }
        }
    }
}

/// Judges every clause.
pub fn on(chapters: &[Chapter], sources: &Sources, records: &Records) -> Verdict {
    let mut verdict = Verdict::default();
    let mut ids = BTreeSet::new();
    for chapter in chapters {
        let name = format!("{}: {}", chapter.specification, chapter.title);
        let mut count = Count { name, levels: [(0, 0); 3] };
        for (id, clause) in chapter.clauses() {
            let fault = match ids.insert(id.clone()) {
                true => fault(clause, sources, records),
                false => Some(Fault::Twice),
            };
            let (covered, all) = &mut count.levels[clause.level as usize];
            *all += 1;
            *covered += usize::from(fault.is_none());
            verdict.unseen += usize::from(fault.is_none() && is_unseen(clause, records));
            verdict.faults.extend(fault.map(|fault| (id, fault)));
        }
        verdict.chapters.push(count);
    }
    verdict
}

fn fault(clause: &Clause, sources: &Sources, records: &Records) -> Option<Fault> {
    if clause.text.trim().is_empty() {
        return Some(Fault::Silent);
    }
    if clause.tests.is_empty() {
        return Some(Fault::Untested);
    }
    if let Some(unknown) = clause.tests.iter().find(|test| !sources.have(test)) {
        return Some(Fault::Unknown(unknown.clone()));
    }
    let outcomes = clause.tests.iter().map(|test| Some((test.clone(), records.outcome(test)?)));
    let outcomes: Vec<(String, Outcome)> = outcomes.collect::<Option<_>>()?;
    let passed = outcomes.iter().any(|(_, outcome)| *outcome == Outcome::Passed);
    (!passed).then_some(Fault::NeverPassed(outcomes))
}

/// Has no test of this clause passed, and at least one not run yet?
fn is_unseen(clause: &Clause, records: &Records) -> bool {
    clause.tests.iter().all(|test| records.outcome(test) != Some(Outcome::Passed))
}

impl Verdict {
    pub fn is_good(&self) -> bool {
        self.faults.is_empty() && self.chapters.iter().any(|chapter| chapter.sum().1 > 0)
    }
}

impl Count {
    fn sum(&self) -> (usize, usize) {
        self.levels.iter().fold((0, 0), |sum, level| (sum.0 + level.0, sum.1 + level.1))
    }

    /// One row of the table.
    fn row(&self, out: &mut fmt::Formatter, width: usize) -> fmt::Result {
        write!(out, "{:width$}", self.name)?;
        for (covered, all) in self.levels.iter().copied().chain([self.sum()]) {
            let cell = if all == 0 { "-".to_owned() } else { format!("{covered}/{all}") };
            write!(out, "{cell:>9}")?;
        }
        writeln!(out)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        let mut all = Count { name: "all".to_owned(), levels: [(0, 0); 3] };
        for (sum, level) in self.chapters.iter().flat_map(|chapter| chapter.levels.iter().enumerate()) {
            all.levels[sum] = (all.levels[sum].0 + level.0, all.levels[sum].1 + level.1);
        }
        let width = self.chapters.iter().map(|chapter| chapter.name.len()).max().unwrap_or(0);
        write!(out, "{:width$}", "covered/total")?;
        Level::ALL.iter().try_for_each(|level| write!(out, "{level:>9}"))?;
        writeln!(out, "{:>9}", "all")?;
        self.chapters.iter().chain([&all]).try_for_each(|chapter| chapter.row(out, width))?;
        for (id, fault) in &self.faults {
            writeln!(out, "FAILED {id} {fault}")?;
        }
        if self.unseen > 0 {
            writeln!(out, "{} clauses rest on tests that no record has.", self.unseen)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// A chapter with one clause, which names these tests of this very file.
    fn verdict(tests: &[&str], records: &Records) -> Verdict {
        let tests: Vec<String> = tests.iter().map(|test| format!("src/verdict.rs:{test}")).collect();
        let text = format!(
            "title = 'Mounts'\nspecification = 'config.md'\n\
             [mounts.order]\nheading = 'Mounts'\nlevel = 'MUST'\ntext = 'In order.'\ntests = {tests:?}"
        );
        let chapters = [toml::from_str(&text).expect("a chapter")];
        on(&chapters, &Sources::new(Path::new(env!("CARGO_MANIFEST_DIR"))), records)
    }

    fn recorded(lines: &[&str]) -> Records {
        let mut records = Records::default();
        for line in lines {
            records.add(line).expect("a record");
        }
        records
    }

    #[test]
    fn a_clause_that_names_a_test_is_covered() {
        let verdict = verdict(&["a_clause_that_names_a_test_is_covered"], &Records::default());
        assert!(verdict.is_good());
        let page = verdict.to_string();
        assert!(page.contains("config.md: Mounts      1/1        -        -      1/1"), "{page}");
        assert!(page.ends_with("1 clauses rest on tests that no record has.\n"), "{page}");
    }

    #[test]
    fn a_clause_without_a_test_fails() {
        let verdict = verdict(&[], &Records::default());
        assert_eq!(verdict.faults, [("mounts.order".to_owned(), Fault::Untested)]);
        assert!(!verdict.is_good() && verdict.to_string().contains("FAILED mounts.order names no test"));
    }

    #[test]
    fn an_unknown_test_fails() {
        let tests = ["an_unknown_test_fails", "of_old"];
        let verdict = verdict(&tests, &Records::default());
        let unknown = Fault::Unknown("src/verdict.rs:of_old".to_owned());
        assert_eq!(verdict.faults, [("mounts.order".to_owned(), unknown)]);
        assert!(!verdict.is_good());
    }

    #[test]
    fn a_test_that_was_skipped_everywhere_fails() {
        const NAME: &str = "a_test_that_was_skipped_everywhere_fails";
        let line = |outcome: &str| format!("{outcome} crate_run verdict::tests::{NAME}");
        let skipped = recorded(&[&line("skipped"), &line("skipped")]);
        let faults = verdict(&[NAME], &skipped).faults;
        let tests = vec![(format!("src/verdict.rs:{NAME}"), Outcome::Skipped)];
        assert_eq!(faults, [("mounts.order".to_owned(), Fault::NeverPassed(tests))]);
        assert!(verdict(&[NAME], &recorded(&[&line("skipped"), &line("passed")])).is_good());
        assert!(!verdict(&[NAME], &recorded(&[&line("failed")])).is_good());
    }

    #[test]
    fn one_of_several_tests_is_enough() {
        let tests = ["one_of_several_tests_is_enough", "an_unknown_test_fails"];
        let first = "skipped crate_run verdict::tests::one_of_several_tests_is_enough";
        let second = "passed crate_run verdict::tests::an_unknown_test_fails";
        assert!(verdict(&tests, &recorded(&[first, second])).is_good());
        assert!(verdict(&tests, &recorded(&[first])).is_good(), "the other has not run yet");
    }

    #[test]
    fn an_id_belongs_to_one_clause() {
        let text = "title = 'Mounts'\nspecification = 'config.md'\n[mounts.order]\nheading = 'Mounts'\n\
                    level = 'MAY'\ntext = 'In order.'\ntests = ['src/verdict.rs:an_id_belongs_to_one_clause']";
        let chapters = [toml::from_str(text).expect("a chapter"), toml::from_str(text).expect("a chapter")];
        let sources = Sources::new(Path::new(env!("CARGO_MANIFEST_DIR")));
        let verdict = on(&chapters, &sources, &Records::default());
        assert_eq!(verdict.faults, [("mounts.order".to_owned(), Fault::Twice)]);
    }

    #[test]
    fn an_empty_map_proves_nothing() {
        assert!(!on(&[], &Sources::new(Path::new("/")), &Records::default()).is_good());
    }
}
