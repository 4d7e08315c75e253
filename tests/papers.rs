//! What the papers say exists, exists.
//!
//! README.md, ARCHITECTURE.md, CONTRIBUTING.md, docs/, runtime-spec/ and the map in src/lib.rs name files, tests, make targets and
//! lines of code. These tests follow every such name, so that a rename fails here and not on a reader.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

/// Every file below `folder`, relative to the repository, whose name ends in `end`.
fn files(folder: &str, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        let place = root().join(&folder);
        for entry in fs::read_dir(&place).unwrap_or_else(|error| panic!("{}: {error}", place.display())) {
            let entry = entry.expect("an entry of a folder");
            let path = folder.join(entry.file_name());
            if entry.path().is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(end) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// (name, text) of each paper. The documentation of src/lib.rs is one of them.
fn papers() -> Vec<(String, String)> {
    let mut names: Vec<PathBuf> = fs::read_dir(root())
        .expect("the repository")
        .map(|entry| PathBuf::from(entry.expect("an entry of the repository").file_name()))
        .filter(|name| name.extension().is_some_and(|end| end == "md"))
        .collect();
    names.extend(["docs", "runtime-spec"].map(|folder| files(folder, ".md")).concat());
    let mut papers: Vec<(String, String)> =
        names.iter().map(|name| (name.display().to_string(), read(name))).collect();
    papers.push(("src/lib.rs".to_owned(), documentation("src/lib.rs")));
    papers
}

/// The module documentation at the head of a source file, without its marks.
fn documentation(path: &str) -> String {
    let text = read(path);
    let lines = text.lines().map_while(|line| line.strip_prefix("//!"));
    lines.map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(line))).collect()
}

/// The rows of the map: the table whose first column is "kernel feature".
fn map(text: &str) -> Vec<&str> {
    let rows = text.lines().skip_while(|line| !line.starts_with("| kernel feature | file |"));
    rows.take_while(|line| line.starts_with('|')).collect()
}

/// What stands between backticks in the running text, fenced blocks left out.
fn quoted(text: &str) -> Vec<&str> {
    let mut fenced = false;
    let mut words = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            words.extend(line.split('`').skip(1).step_by(2));
        }
    }
    words
}

/// Fails with every complaint at once.
fn expect_none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn the_map_is_the_same_in_both_places() {
    let (code, paper) = (documentation("src/lib.rs"), read("ARCHITECTURE.md"));
    assert!(map(&code).len() > 20, "src/lib.rs has no map");
    assert_eq!(map(&code), map(&paper), "src/lib.rs and ARCHITECTURE.md");
}

#[test]
fn the_map_has_every_feature() {
    let code = documentation("src/lib.rs");
    let map = map(&code).join("\n");
    let list = read("src/feature/mod.rs");
    let features = list.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let missing = features.filter(|name| !map.contains(&format!("src/feature/{name}.rs")));
    expect_none(missing.map(|name| format!("the map lacks src/feature/{name}.rs")).collect());
}

/// A cure that no step asks for compiles as well.
#[test]
fn every_cure_of_a_feature_is_asked_for() {
    let table = read("src/plan/cure.rs");
    let is_name = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':';
    let asked: BTreeSet<&str> = table.split(|letter| !is_name(letter)).collect();
    let mut missing = Vec::new();
    for file in files("src/feature", ".rs") {
        let feature = file.iter().nth(2).expect("a feature").to_string_lossy().replace(".rs", "");
        for line in read(&file).lines() {
            let public = line.strip_prefix("pub fn ").or(line.strip_prefix("pub const "));
            let Some(name) = public.and_then(|rest| rest.split(['(', ':']).next()) else { continue };
            let cure = format!("{feature}::{name}");
            if name.to_lowercase().starts_with("cure") && !asked.contains(cure.as_str()) {
                missing.push(format!("src/plan/cure.rs does not ask {cure}, of {}", file.display()));
            }
        }
    }
    expect_none(missing);
}

/// A path of this repository, with or without `::test` behind it.
fn is_path(word: &str) -> bool {
    const FOLDERS: [&str; 8] =
        ["src/", "crates/", "tests/", "docs/", "bench/", "rootfs-fixtures/", "runtime-spec/", ".ci/"];
    FOLDERS.iter().any(|folder| word.starts_with(folder)) && !word.contains([' ', '*', '<', 'N'])
}

#[test]
fn files_and_tests_that_are_named_exist() {
    let mut complaints = Vec::new();
    for (paper, text) in papers() {
        for word in quoted(&text).into_iter().filter(|word| is_path(word)) {
            let (path, test) = word.split_once("::").map_or((word, None), |(path, test)| (path, Some(test)));
            let there = root().join(path).exists();
            if !there {
                complaints.push(format!("{paper}: {path} does not exist"));
            }
            let has = |test: &str| read(path).contains(&format!("fn {test}("));
            if let Some(test) = test.filter(|test| there && !has(test)) {
                complaints.push(format!("{paper}: {path} has no test {test}"));
            }
        }
    }
    expect_none(complaints);
}

#[test]
fn papers_that_the_code_names_exist() {
    let mut complaints = Vec::new();
    let sources = ["src", "crates", "tests", "bench", "rootfs-fixtures", "runtime-spec"]
        .map(|folder| files(folder, ".rs"));
    for source in sources.concat().iter().filter(|source| !source.ends_with("tests/papers.rs")) {
        let text = read(source);
        for (at, _) in text.match_indices("docs/") {
            let name = |c: char| c.is_ascii_alphanumeric() || "/-_.".contains(c);
            let path: String = text[at..].chars().take_while(|c| name(*c)).collect();
            let path = path.trim_end_matches('.');
            if path.ends_with(".md") && !root().join(path).exists() {
                complaints.push(format!("{}: {path} does not exist", source.display()));
            }
        }
    }
    expect_none(complaints);
}

/// Headings as the anchors that links use: lower case, blanks as hyphens, no punctuation.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let title = heading.trim_start_matches('#').trim().to_lowercase();
        title.replace(' ', "-").chars().filter(|c| c.is_alphanumeric() || *c == '-').collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn relative_links_lead_somewhere() {
    let mut complaints = Vec::new();
    for (paper, text) in papers().into_iter().filter(|(paper, _)| paper.ends_with(".md")) {
        let here = root().join(&paper);
        let links = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link);
        for link in links.filter(|link| !link.contains("://")) {
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let goal = if path.is_empty() { here.clone() } else { here.with_file_name(path) };
            let found = match fs::read_to_string(&goal) {
                Ok(text) => anchor.is_empty() || anchors(&text).contains(anchor),
                Err(_) => goal.is_dir() && anchor.is_empty(),
            };
            if !found {
                complaints.push(format!("{paper}: the link {link} leads nowhere"));
            }
        }
    }
    expect_none(complaints);
}

#[test]
fn decisions_are_numbered_and_listed() {
    let list = read("ARCHITECTURE.md");
    let mut complaints = Vec::new();
    let mut numbers = BTreeSet::new();
    for path in files("docs/adr", ".md") {
        let name = path.file_name().expect("a file").to_string_lossy().into_owned();
        let number = name.split('-').next().unwrap_or_default().to_owned();
        let heading = number.parse::<u32>().map(|number| format!("# {number}. ")).unwrap_or_default();
        if number.len() != 4 || heading.is_empty() || !read(&path).starts_with(&heading) {
            complaints.push(format!("{name}: name and heading do not begin with one number"));
        }
        if !numbers.insert(number) {
            complaints.push(format!("{name}: another decision has this number"));
        }
        if !list.contains(&format!("](docs/adr/{name})")) {
            complaints.push(format!("ARCHITECTURE.md does not list {name}"));
        }
    }
    expect_none(complaints);
}

#[test]
fn make_targets_that_are_named_exist() {
    let makefile = read("Makefile");
    let mut complaints = Vec::new();
    for (paper, text) in papers() {
        for target in quoted(&text).into_iter().filter_map(|word| word.strip_prefix("make ")) {
            if !makefile.lines().any(|line| line.starts_with(&format!("{target}:"))) {
                complaints.push(format!("{paper}: there is no make {target}"));
            }
        }
    }
    expect_none(complaints);
}

/// CONTRIBUTING.md explains by real code: each line of its Rust blocks stands in a source file.
#[test]
fn code_that_is_quoted_is_the_code() {
    let folders = ["src", "crates", "tests"].map(|folder| files(folder, ".rs")).concat();
    let lines: BTreeSet<String> = folders
        .iter()
        .filter(|path| !path.ends_with("tests/papers.rs"))
        .flat_map(|path| read(path).lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>())
        .collect();
    let text = read("CONTRIBUTING.md");
    let blocks: Vec<&str> =
        text.split("```rust\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!blocks.is_empty(), "CONTRIBUTING.md quotes no code");
    let quoted = blocks.iter().flat_map(|block| block.lines()).map(str::trim);
    let wrong = quoted.filter(|line| !line.is_empty() && *line != "..." && !lines.contains(*line));
    expect_none(wrong.map(|line| format!("CONTRIBUTING.md quotes what is not there: {line}")).collect());
}
