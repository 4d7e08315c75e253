//! `crate-run validate`: everything that `create` would find in a bundle, and nothing made.
//!
//! As text, each finding is a line `error: config.json:6:12: sentence (/pointer)`, with the cure below and
//! the excerpt for the first ones. As JSON it is one object; its members are stable, new ones may come:
//!
//! ```json
//! {
//!   "valid": false,
//!   "findings": [
//!     {
//!       "severity": "error",
//!       "pointer": "/process/cwd",
//!       "line": 6,
//!       "column": 12,
//!       "message": "Cwd must be an absolute path",
//!       "cure": "write \"here\" with a leading slash"
//!     }
//!   ]
//! }
//! ```
//!
//! `valid` is false exactly when a finding has the severity `error`; the other severity is `warning`.
//! Findings come in the order of the file. `pointer` is an RFC 6901 pointer, empty for the whole document;
//! line and column count from 1, the column in characters. Where the pointer leads to nothing they are those
//! of the value that lacks it, and null where no configuration could be read. `cure` is empty where there is
//! nothing to add.
//!
//! The exit status is 0 for a valid bundle and 1 for any other.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::bundle::finding::{Finding, Severity};
use crate::bundle::located::{Located, in_order};
use crate::bundle::{Bundle, Source, names};
use crate::cli::args::{Global, Validate, ValidateFormat};
use crate::error::{Error, Place, detail, line, short};
use crate::host::Host;
use crate::plan::request::Request;

/// So many findings are shown with the text around them: a person mends these first.
const MOST_SHOWN: usize = 20;

/// What the command has to say.
pub struct Answer {
    /// For standard output.
    pub text: String,
    /// The exit status; or the error that kept the configuration from being read.
    pub status: Result<i32, Error>,
}

#[derive(Serialize)]
struct Report<'a> {
    valid: bool,
    findings: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    severity: &'static str,
    pointer: &'a str,
    line: Option<usize>,
    column: Option<usize>,
    message: &'a str,
    cure: &'a str,
}

impl<'a> Entry<'a> {
    fn of(Located { finding, span }: &'a Located) -> Self {
        Self {
            severity: word(finding.severity),
            pointer: finding.at.as_str(),
            line: span.as_ref().map(|span| span.line),
            column: span.as_ref().map(|span| span.column),
            message: &finding.message,
            cure: &finding.cure,
        }
    }
}

/// A configuration with what was found in it.
struct Checked {
    file: PathBuf,
    text: std::rc::Rc<Vec<u8>>,
    findings: Vec<Located>,
}

/// Errors: the command line is wrong. What is wrong with the bundle is in the answer.
pub fn validate(global: &Global, validate: &Validate) -> Result<Answer, Error> {
    let checked = match (check(validate, global), validate.format) {
        (Ok(checked), _) => checked,
        (Err(error), ValidateFormat::Text) => return Err(error),
        (Err(error), ValidateFormat::Json) => {
            let finding = Finding::error("", error.to_string());
            let text = json(&[Located { finding, span: None }]);
            return Ok(Answer { text, status: Err(error) });
        }
    };
    let valid = !checked.findings.iter().any(Located::is_error);
    let text = match validate.format {
        ValidateFormat::Text => text(&checked),
        ValidateFormat::Json => json(&checked.findings),
    };
    Ok(Answer { text, status: Ok(i32::from(!valid)) })
}

/// Errors: there is no text to check.
fn check(validate: &Validate, global: &Global) -> Result<Checked, Error> {
    let source = match &validate.config {
        Some(dash) if dash == Path::new("-") => Source::from_standard_input(validate.bundle()),
        Some(file) => std::path::absolute(file)
            .map_err(|error| Error::file("find the configuration", file, error))
            .and_then(|file| Source::load(validate.bundle(), Some(&file))),
        None => Source::load(validate.bundle(), None),
    };
    let source = match source {
        Ok(source) => source,
        Err(Error::Config(error)) => {
            return Ok(Checked { file: error.file, text: error.text, findings: error.findings });
        }
        Err(error) => return Err(error),
    };
    let host = Host::probe();
    let request = Request::example(&source.spec, global.permitted_driver(&source.spec, &host));
    let mut findings = match Bundle::check(&source, &host, &request) {
        Ok(bundle) => bundle.warnings,
        Err(Error::Config(error)) => error.findings.into_iter().map(|located| located.finding).collect(),
        Err(error) => return Err(error),
    };
    findings.extend(names::findings(&source.text));
    let findings = in_order(&source.text, findings);
    Ok(Checked { file: source.file, text: source.text, findings })
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn json(findings: &[Located]) -> String {
    let valid = !findings.iter().any(Located::is_error);
    let report = Report { valid, findings: findings.iter().map(Entry::of).collect() };
    serde_json::to_string_pretty(&report).expect("strings and numbers become JSON") + "\n"
}

fn text(checked: &Checked) -> String {
    let Checked { file, text, findings } = checked;
    let mut page = String::new();
    for (index, located) in findings.iter().enumerate() {
        let Located { finding, span } = located;
        let place = short(file, span.as_ref());
        let _ = writeln!(page, "{}: {}", word(finding.severity), line(finding, &place));
        let excerpt = match index < MOST_SHOWN {
            true => Place::of(located, file, text).excerpt,
            false => String::new(),
        };
        detail(&mut page, &excerpt, &finding.cure);
        page.push('\n');
    }
    let errors = findings.iter().filter(|located| located.is_error()).count();
    let verdict = if errors == 0 { "is valid" } else { "is not valid" };
    let counted = match (errors, findings.len() - errors) {
        (0, 0) => String::new(),
        (errors, 0) => format!(": {}", several(errors, "error")),
        (0, warnings) => format!(", with {}", several(warnings, "warning")),
        (errors, warnings) => format!(": {}, {}", several(errors, "error"), several(warnings, "warning")),
    };
    let _ = writeln!(page, "{} {verdict}{counted}", file.display());
    page
}

fn several(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
