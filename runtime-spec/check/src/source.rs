//! The tests that the sources of this repository have, by name.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The sources below one folder, each read once.
pub struct Sources {
    top: PathBuf,
    texts: RefCell<BTreeMap<String, Option<String>>>,
}

impl Sources {
    pub fn new(top: &Path) -> Self {
        Self { top: top.to_owned(), texts: RefCell::default() }
    }

    /// Is there a test of this name, `FILE:FUNCTION`?
    pub fn have(&self, name: &str) -> bool {
        let Some((file, function)) = name.split_once(':') else { return false };
        let mut texts = self.texts.borrow_mut();
        let text =
            texts.entry(file.to_owned()).or_insert_with(|| fs::read_to_string(self.top.join(file)).ok());
        text.as_ref().is_some_and(|text| declares(text, function))
    }
}

/// A test is a function behind `#[test]`, a name that begins a line of a macro which makes such functions, or
/// an entry of a table of tests.
fn declares(text: &str, function: &str) -> bool {
    let head = format!("fn {function}(");
    let entry = format!("(\"{function}\", {function})");
    let makes_tests = text.contains("macro_rules!");
    let mut behind_mark = false;
    for line in text.lines().map(str::trim) {
        let made = makes_tests && line.split([' ', '(']).next() == Some(function);
        if made || line.contains(&entry) || behind_mark && line.contains(&head) {
            return true;
        }
        behind_mark = line == "#[test]" || behind_mark && (line.starts_with("#[") || line.starts_with("//"));
    }
    false
}

/// The program that `cargo test` makes of this file, and the module that the file is in it.
/// `tests/root_isolation/mounts.rs` is the module `mounts` of the program `root_isolation`.
pub fn program(file: &str) -> (String, String) {
    let (package, rest) = match file.strip_prefix("crates/").and_then(|rest| rest.split_once('/')) {
        Some((name, rest)) => (format!("crate_run_{}", name.replace('-', "_")), rest),
        None => ("crate_run".to_owned(), file),
    };
    let path = rest.trim_end_matches(".rs");
    let mut parts: Vec<&str> = path.split('/').collect();
    let program = match parts.remove(0) {
        "tests" if !parts.is_empty() => parts.remove(0).to_owned(),
        _ => package,
    };
    if parts.last().is_some_and(|last| ["main", "lib", "mod"].contains(last)) {
        parts.pop();
    }
    (program, parts.join("::"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_known_by_its_mark() {
        let text = "#[test]\n// why\nfn one() {}\nfn helper() {}\nmacro_rules! cases {}\ncases! {\n two |case| {}\n}";
        assert!(declares(text, "one") && declares(text, "two"));
        assert!(!declares(text, "helper") && !declares(text, "three"));
        assert!(declares("const TESTS: &[Test] = &[(\"four\", four)];", "four"));
    }

    #[test]
    fn a_name_leads_to_a_file() {
        let sources = Sources::new(Path::new(env!("CARGO_MANIFEST_DIR")));
        assert!(sources.have("src/source.rs:a_name_leads_to_a_file"));
        for name in
            ["src/source.rs:program", "src/nowhere.rs:a_name_leads_to_a_file", "a_name_leads_to_a_file"]
        {
            assert!(!sources.have(name), "{name}");
        }
    }

    #[test]
    fn a_file_is_a_module_of_a_program() {
        let cases = [
            ("tests/root_hooks.rs", "root_hooks", ""),
            ("tests/root_isolation/mounts.rs", "root_isolation", "mounts"),
            ("tests/plan/main.rs", "plan", ""),
            ("src/feature/mounts/options.rs", "crate_run", "feature::mounts::options"),
            ("src/bundle/mod.rs", "crate_run", "bundle"),
            ("src/lib.rs", "crate_run", ""),
            ("crates/seccomp/src/tree.rs", "crate_run_seccomp", "tree"),
            ("crates/seccomp/tests/compile.rs", "compile", ""),
        ];
        for (file, name, module) in cases {
            assert_eq!(program(file), (name.to_owned(), module.to_owned()), "{file}");
        }
    }
}
