//! The clause map: one TOML file for each chapter of the specification.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// One file of the map.
#[derive(Debug, Deserialize)]
pub struct Chapter {
    /// What this chapter is about, in a few words.
    pub title: String,
    /// The file of the specification, such as `config-linux.md`.
    pub specification: String,
    /// How the tests get at what a test machine cannot offer. For people.
    #[expect(dead_code)]
    #[serde(default)]
    note: Option<String>,
    /// Topic, then name: `[mounts.order]` is the clause `mounts.order`.
    #[serde(flatten)]
    topics: BTreeMap<String, BTreeMap<String, Clause>>,
}

/// One statement that a test can prove or refute.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clause {
    /// The heading in the specification under which it stands. For people: nothing reads it here.
    #[expect(dead_code)]
    heading: String,
    pub level: Level,
    /// The statement in our own words.
    pub text: String,
    /// `FILE:FUNCTION`, from the top of the repository. Each test fails when the clause is broken.
    #[serde(default)]
    pub tests: Vec<String>,
    /// The same as for the chapter, and where we take a liberty.
    #[expect(dead_code)]
    #[serde(default)]
    note: Option<String>,
}

/// The words of RFC 2119. A prohibition has the level of its command.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    Must,
    Should,
    May,
}

impl Level {
    pub const ALL: [Self; 3] = [Self::Must, Self::Should, Self::May];
}

impl fmt::Display for Level {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.pad(match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
            Self::May => "MAY",
        })
    }
}

impl Chapter {
    /// (id, clause), by id.
    pub fn clauses(&self) -> Vec<(String, &Clause)> {
        let mut clauses = Vec::new();
        for (topic, names) in &self.topics {
            clauses.extend(names.iter().map(|(name, clause)| (format!("{topic}.{name}"), clause)));
        }
        clauses
    }
}

/// Why there is no map.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    #[error("cannot read {0}: {1}")]
    File(PathBuf, std::io::Error),
    #[error("{0} is no chapter of the map: {1}")]
    Text(PathBuf, Box<toml::de::Error>),
}

/// Every chapter in the folder, by file name.
///
/// # Errors
/// A file that cannot be read, or is no chapter.
pub fn read_all(folder: &Path) -> Result<Vec<Chapter>, Unreadable> {
    let unreadable = |error| Unreadable::File(folder.to_owned(), error);
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|end| end == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Result<Chapter, Unreadable> {
    let text = fs::read_to_string(path).map_err(|error| Unreadable::File(path.to_owned(), error))?;
    toml::from_str(&text).map_err(|error| Unreadable::Text(path.to_owned(), Box::new(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clause_is_called_by_topic_and_name() {
        let chapter: Chapter = toml::from_str(
            "title = 'Mounts'\nspecification = 'config.md'\n\
             [mounts.order]\nheading = 'Mounts'\nlevel = 'MUST'\ntext = 'In order.'\ntests = ['tests/a.rs:b']",
        )
        .expect("a chapter");
        let clauses = chapter.clauses();
        assert_eq!((clauses.len(), clauses[0].0.as_str()), (1, "mounts.order"));
        assert_eq!(
            (clauses[0].1.level, &*clauses[0].1.tests),
            (Level::Must, &["tests/a.rs:b".to_owned()][..])
        );
    }

    #[test]
    fn what_is_no_clause_is_refused() {
        let head = "title = 'Mounts'\nspecification = 'config.md'\n[mounts.order]\nheading = 'Mounts'\n";
        for rest in ["level = 'MUST'", "level = 'CAN'\ntext = ''", "level = 'MAY'\ntext = ''\ntest = []"] {
            assert!(toml::from_str::<Chapter>(&format!("{head}{rest}")).is_err(), "{rest}");
        }
        let twice = "level = 'MAY'\ntext = ''\n[mounts.order]\nheading = 'Mounts'\nlevel = 'MAY'\ntext = ''";
        assert!(toml::from_str::<Chapter>(&format!("{head}{twice}")).is_err());
    }
}
