//! Reading `config.json`: bytes, then JSON, then the types of the specification.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use oci_spec::runtime::Spec;

use crate::bundle::finding::{Finding, Pointer};
use crate::bundle::given::Given;
use crate::bundle::typed::{self, Typed};
use crate::bundle::{absent, source, span};
use crate::error::Error;

/// A configuration as it was read.
#[derive(Clone, Debug)]
pub struct Source {
    /// The directory of the bundle, absolute.
    pub directory: PathBuf,
    /// The file that was read.
    pub file: PathBuf,
    pub text: Rc<Vec<u8>>,
    /// Without the members that are `unread`.
    pub spec: Spec,
    /// The members of which `spec` is not asked.
    pub given: Given,
    /// What was found while reading.
    pub findings: Vec<Finding>,
    /// Members whose type is wrong.
    unread: Vec<Pointer>,
    shows: Shows,
}

/// What `text` has of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shows {
    All,
    /// The process alone: the rest was checked when its container was made.
    Process,
}

impl Source {
    /// Reads `config` of the bundle, or `config.json` when it is `None`.
    pub fn load(directory: &Path, config: Option<&Path>) -> Result<Self, Error> {
        let directory = source::bundle(directory)?;
        let file = directory.join(config.unwrap_or(Path::new("config.json")));
        let text = source::read(&file)?;
        Self::parse(directory, file, text)
    }

    /// Reads a configuration from standard input.
    pub fn from_standard_input(directory: &Path) -> Result<Self, Error> {
        let directory = source::bundle(directory)?;
        let text = source::read_standard_input()?;
        Self::parse(directory, PathBuf::from("(standard input)"), text)
    }

    /// A configuration that is in memory already: the copy of a container.
    pub fn parse(directory: PathBuf, file: PathBuf, text: Vec<u8>) -> Result<Self, Error> {
        let text = Rc::new(text);
        let config_error = |findings| Error::config(file.clone(), text.clone(), findings);
        if let Err(fault) = span::strict(&text) {
            let cure = fault.cure(&text);
            let finding = Finding::error(fault.at, fault.message).cure(cure);
            return Err(Error::malformed(file, text, finding, fault.span));
        }
        if text.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
            return Err(config_error(vec![
                Finding::error("", "the configuration must be a JSON object")
                    .cure("begin with an opening brace"),
            ]));
        }
        let Typed { spec, given, findings, unread } = typed::read(&text).map_err(config_error)?;
        let spec = absent::without_empty_pids(spec, &text);
        let (file, text) = (file.clone(), text.clone());
        let shows = Shows::All;
        let mut source = Self { directory, file, text, spec, given, findings, unread, shows };
        source.findings.extend(absent::findings(&source.spec, &source.text));
        let read = [version_finding(source.spec.version()), annotation_findings(&source.spec)];
        let read = read.into_iter().flatten().filter(|finding| !source.unread.contains(&finding.at));
        let read: Vec<Finding> = read.collect();
        source.findings.extend(read);
        Ok(source)
    }

    /// For what was checked when its container was made: an error in it means that somebody has changed it.
    pub fn parse_checked(directory: PathBuf, file: PathBuf, text: Vec<u8>) -> Result<Self, Error> {
        let source = Self::parse(directory, file, text)?;
        match source.unread.is_empty() {
            true => Ok(source),
            false => Err(source.error(source.findings.clone())),
        }
    }

    /// What was read as the process of a larger configuration, `spec`, that of `container`; places are told
    /// in `text`.
    pub(super) fn within(self, container: &Source, spec: Spec, text: Vec<u8>) -> Self {
        let given = self.given.within(&container.given);
        Self { spec, given, text: Rc::new(text), shows: Shows::Process, ..self }
    }

    /// Can a feature's finding there be right, although parts of the configuration could not be read? Much
    /// depends on the namespaces, so nothing can when it is a part of `linux`.
    pub(super) fn can_judge(&self, at: &Pointer) -> bool {
        self.unread.iter().all(|unread| unread.section() != "linux" && unread.section() != at.section())
    }

    /// Is this about a program that enters a container which is there already?
    pub fn is_of_entrant(&self) -> bool {
        self.shows == Shows::Process
    }

    /// Those of these places that the text does not have: where a default value may stand for nothing.
    pub fn missing(&self, wanted: &[Pointer]) -> Vec<Pointer> {
        if wanted.is_empty() || self.shows == Shows::Process {
            return Vec::new();
        }
        let there = span::locate_all(&self.text, &wanted.iter().map(Pointer::as_str).collect());
        wanted.iter().filter(|at| !there.contains_key(at.as_str())).cloned().collect()
    }

    /// The error that these findings are.
    pub fn error(&self, findings: Vec<Finding>) -> Error {
        Error::config(self.file.clone(), self.text.clone(), findings)
    }
}

/// SemVer 2.0.0 with major version 1 (config.md, Specification version).
fn version_finding(version: &str) -> Option<Finding> {
    let at = "/ociVersion";
    if version.is_empty() {
        let message = "there is no ociVersion";
        return Some(Finding::error(at, message).cure("add \"ociVersion\": \"1.2.0\""));
    }
    match major_version(version) {
        None => {
            let message = format!("ociVersion {version:?} is not a semantic version");
            Some(Finding::error(at, message).cure("write it like 1.2.0"))
        }
        Some("1") => None,
        Some(_) => {
            let message = format!("ociVersion {version} is not supported");
            let cure = "crate-run implements version 1 of the runtime specification";
            Some(Finding::error(at, message).cure(cure))
        }
    }
}

/// The first number of `major.minor.patch[-before][+build]`; `None` if this is no SemVer 2.0.0.
fn major_version(version: &str) -> Option<&str> {
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let is_number = |part: &str| is_digits(part) && (part == "0" || !part.starts_with('0'));
    let is_word =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let (version, build) =
        version.split_once('+').map_or((version, None), |(rest, build)| (rest, Some(build)));
    let (core, before) =
        version.split_once('-').map_or((version, None), |(core, before)| (core, Some(before)));
    let good = core.split('.').count() == 3
        && core.split('.').all(is_number)
        && before.is_none_or(|words| words.split('.').all(|w| is_word(w) && (!is_digits(w) || is_number(w))))
        && build.is_none_or(|words| words.split('.').all(is_word));
    core.split('.').next().filter(|_| good)
}

fn annotation_findings(spec: &Spec) -> Option<Finding> {
    let empty = spec.annotations().iter().flatten().any(|(key, _)| key.is_empty());
    empty.then(|| {
        let at = Pointer::from("/annotations").key("");
        Finding::error(at, "the key of an annotation must not be empty").cure("name it like com.example.key")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_semantic_and_of_major_one() {
        for good in
            ["1.0.0", "1.2.1", "1.3.0-rc.1", "1.0.2-dev", "1.1.0+dev", "1.0.0-a-b.0.x7+001.-", "1.99.0"]
        {
            assert!(version_finding(good).is_none(), "{good}");
        }
        let shapes =
            ["", "1", "1.0", "1.0.0.0", "01.0.0", "v1.0.0", "1.0.x", "1.0.0-", "1.0.0+", "1.0.0-a..b"];
        let others = ["1.0.0-01", "1.0.0-\u{e4}", "1.0.0+a+b", " 1.0.0", "2.0.0", "0.9.0", "10.0.0"];
        for bad in shapes.iter().chain(&others) {
            assert!(version_finding(bad).is_some(), "{bad}");
        }
    }
}
