//! The command line.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::world::Place;

pub const USAGE: &str = "\
crate-run-bench [--quick] [--runtime NAME=PATH]... [--output FILE]

  --quick              few rounds, small numbers: shows that everything works, not how fast it is
  --runtime NAME=PATH  measure one more runtime, or take NAME from PATH (default: crate-run=bin/crate-run,
                       runc and crun from PATH)
  --output FILE        where the Markdown page goes (default: docs/benchmarks.md; with --quick: nowhere)

Needs root: it makes containers. Only figures of the same run can be compared with each other.";

const PAGE: &str = "docs/benchmarks.md";

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// Enough to see that the harness and the runtimes work.
    Quick,
    /// Enough for medians that hold.
    Full,
}

/// What the command line asks for.
#[derive(Debug)]
pub struct Options {
    pub effort: Effort,
    pub help: bool,
    /// Runtimes named on the command line: name and program.
    pub runtimes: Vec<(String, PathBuf)>,
    /// Where the Markdown page is written, if anywhere.
    pub page: Option<PathBuf>,
    /// Given by the guard to its worker: the world that was made for it.
    pub place: Option<Place>,
}

impl Options {
    /// Reads the words after the program's name. Fails on a word it does not know.
    pub fn parse(words: &[String]) -> Result<Options> {
        let mut options =
            Options { effort: Effort::Full, help: false, runtimes: Vec::new(), page: None, place: None };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("{word} needs a value"));
            match word.as_str() {
                "--quick" => options.effort = Effort::Quick,
                "--help" | "-h" => options.help = true,
                "--runtime" => options.runtimes.push(named_program(value()?)?),
                "--output" => options.page = Some(value()?.into()),
                "--inside" => options.place = Some(Place::new(value()?.into(), value()?.clone())),
                _ => bail!("`{word}` is not an option of crate-run-bench"),
            }
        }
        if options.page.is_none() && options.effort == Effort::Full {
            options.page = Some(PAGE.into());
        }
        Ok(options)
    }
}

fn named_program(text: &str) -> Result<(String, PathBuf)> {
    let (name, path) = text.split_once('=').with_context(|| format!("`{text}` is not NAME=PATH"))?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || !name.chars().all(plain) {
        bail!("a runtime's name has letters, digits, `-`, `_` and `.` only, and `{name}` has others");
    }
    Ok((name.to_owned(), path.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Options> {
        Options::parse(&words.iter().map(|word| word.to_string()).collect::<Vec<_>>())
    }

    #[test]
    fn a_full_run_writes_the_page_and_a_quick_one_does_not() {
        assert_eq!(parse(&[]).unwrap().page, Some(PathBuf::from(PAGE)));
        assert_eq!(parse(&["--quick"]).unwrap().page, None);
        assert_eq!(parse(&["--quick", "--output", "x"]).unwrap().page, Some(PathBuf::from("x")));
    }

    #[test]
    fn runtimes_are_a_name_and_a_program() {
        let options = parse(&["--runtime", "youki=/opt/youki"]).unwrap();
        assert_eq!(options.runtimes, [("youki".to_owned(), PathBuf::from("/opt/youki"))]);
        assert!(parse(&["--runtime", "youki"]).is_err());
        assert!(parse(&["--runtime", "../youki=/opt/youki"]).is_err());
    }

    #[test]
    fn an_unknown_word_is_an_error() {
        assert!(parse(&["--fast"]).is_err());
    }
}
