//! Reading `config.json`: bytes, then JSON, then the types of the specification.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use oci_spec::runtime::Spec;
use serde_json::Value;

use crate::bundle::finding::{Finding, Pointer};
use crate::bundle::span;
use crate::error::Error;
use crate::feature::capabilities;

/// More is no configuration: the largest that engines write are some hundred KiB.
const LARGEST: u64 = 32 * 1024 * 1024;

/// A configuration as it was read.
#[derive(Clone, Debug)]
pub struct Source {
    /// The directory of the bundle, absolute.
    pub directory: PathBuf,
    /// The file that was read.
    pub file: PathBuf,
    pub text: Rc<Vec<u8>>,
    pub spec: Spec,
    /// What was found while reading.
    pub findings: Vec<Finding>,
}

impl Source {
    /// Reads `config` of the bundle, or `config.json` when it is `None`.
    pub fn load(directory: &Path, config: Option<&Path>) -> Result<Self, Error> {
        let failed = |error| Error::file("open the bundle", directory, error);
        // By components, so that `bundle/` and `bundle` are told by one name.
        let directory: PathBuf = std::path::absolute(directory).map_err(failed)?.components().collect();
        if !std::fs::metadata(&directory).map_err(failed)?.is_dir() {
            return Err(failed(std::io::ErrorKind::NotADirectory.into()));
        }
        let file = directory.join(config.unwrap_or(Path::new("config.json")));
        let text = read(&file)?;
        Self::parse(directory, file, text)
    }

    /// A configuration that is in memory already: the copy of a container.
    pub fn parse(directory: PathBuf, file: PathBuf, text: Vec<u8>) -> Result<Self, Error> {
        let text = Rc::new(text);
        let config_error = |findings| Error::config(file.clone(), text.clone(), findings);
        if let Err(fault) = span::strict(&text) {
            return Err(config_error(vec![Finding::error(fault.at, fault.message)]));
        }
        if text.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
            return Err(config_error(vec![Finding::error("", "the configuration must be a JSON object")]));
        }
        let (spec, findings) = match serde_json::from_slice::<Spec>(&text) {
            Ok(spec) => (spec, Vec::new()),
            Err(error) => forgiving(&text, error).map_err(|finding| config_error(vec![*finding]))?,
        };
        let spec = with_absent_as_absent(spec, &text);
        let mut source = Self { directory, file: file.clone(), text: text.clone(), spec, findings };
        source.findings.extend(version_finding(source.spec.version()));
        source.findings.extend(annotation_findings(&source.spec));
        Ok(source)
    }

    /// The error that these findings are.
    pub fn error(&self, findings: Vec<Finding>) -> Error {
        Error::config(self.file.clone(), self.text.clone(), findings)
    }
}

fn read(file: &Path) -> Result<Vec<u8>, Error> {
    let failed = |error| Error::file("read the configuration", file, error);
    let opened = File::open(file).map_err(failed)?;
    let length = opened.metadata().map_err(failed)?.len();
    if length > LARGEST {
        let message = format!("{length} bytes are more than the {LARGEST} that a configuration may have");
        return Err(failed(std::io::Error::new(std::io::ErrorKind::FileTooLarge, message)));
    }
    let mut text = Vec::with_capacity(length as usize + 1);
    opened.take(LARGEST).read_to_end(&mut text).map_err(failed)?;
    Ok(text)
}

/// The types of the specification know every capability by name, and refuse others; the specification wants a
/// warning. So when parsing fails, unknown capabilities are taken out, and it is tried once more.
fn forgiving(text: &[u8], error: serde_json::Error) -> Result<(Spec, Vec<Finding>), Box<Finding>> {
    let refused = || {
        let at = span::pointer_at(text, span::error_offset(text, &error));
        let words = error.to_string();
        let message = words.split(" at line ").next().unwrap_or(&words).to_owned();
        Box::new(Finding::error(at, message).cure(cure(&message_kind(&words))))
    };
    let mut value: Value = serde_json::from_slice(text).map_err(|_| refused())?;
    let mut findings = Vec::new();
    if let Some(sets) = value.pointer_mut("/process/capabilities").and_then(Value::as_object_mut) {
        for (word, set) in sets {
            let at = Pointer::from("/process/capabilities").key(word);
            let Some(set) = set.as_array_mut() else { continue };
            set.retain(|name| {
                let unknown = name.as_str().filter(|name| capabilities::bit(name).is_none());
                if let Some(name) = unknown {
                    findings.push(Finding::warning(
                        at.clone(),
                        format!("unknown capability {name:?} is ignored"),
                    ));
                }
                unknown.is_none()
            });
        }
    }
    findings.extend(without_empty_filter(&mut value));
    if findings.is_empty() {
        return Err(refused());
    }
    serde_json::from_value(value).map(|spec| (spec, findings)).map_err(|_| refused())
}

/// An empty action and no calls is how some engines write "no filter", and runc reads it so.
fn without_empty_filter(config: &mut Value) -> Option<Finding> {
    let linux = config.get_mut("linux")?.as_object_mut()?;
    let filter = linux.get("seccomp")?;
    let no_calls = filter.get("syscalls").is_none_or(|calls| calls.as_array().is_some_and(Vec::is_empty));
    if filter.get("defaultAction")? != "" || !no_calls {
        return None;
    }
    linux.remove("seccomp");
    let message = "defaultAction is empty and there are no syscalls: there will be no filter";
    Some(Finding::warning("/linux/seccomp", message).cure("remove seccomp"))
}

/// The types of the specification give an absent `pids.limit` the value 0, which is a limit; what is absent
/// asks for nothing.
fn with_absent_as_absent(mut spec: Spec, text: &[u8]) -> Spec {
    let resources = spec.linux_mut().as_mut().and_then(|linux| linux.resources_mut().as_mut());
    if let Some(resources) = resources
        && resources.pids().as_ref().is_some_and(|pids| pids.limit() == 0)
    {
        let at = Pointer::from("/linux/resources/pids/limit");
        if span::locate(text, &at).is_none_or(|place| place.missing > 0) {
            resources.set_pids(None);
        }
    }
    spec
}

fn message_kind(words: &str) -> String {
    words.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

fn cure(kind: &str) -> &'static str {
    match kind {
        "missing field" => "the specification requires it",
        "invalid type:" | "invalid value:" => "see the specification for what may stand there",
        "unknown variant" => "use one of the words that the specification lists",
        "EOF while" => "the file ends too early: was it written completely?",
        _ => "mend the JSON",
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
    empty.then(|| Finding::error("/annotations", "the key of an annotation must not be empty"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_limit_on_processes_is_none() {
        let limit = |pids: &str| {
            let text = format!(r#"{{"ociVersion": "1.3.0", "linux": {{"resources": {{"pids": {pids}}}}}}}"#);
            let source = Source::parse("/b".into(), "/b/config.json".into(), text.into_bytes()).unwrap();
            let resources = source.spec.linux().as_ref().unwrap().resources().clone().unwrap();
            resources.pids().map(|pids| pids.limit())
        };
        assert_eq!(limit("{}"), None);
        assert_eq!(limit(r#"{"limit": 0}"#), Some(0));
        assert_eq!(limit(r#"{"limit": 7}"#), Some(7));
    }

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
