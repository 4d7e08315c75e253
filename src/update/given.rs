//! What an update asks for: `linux.resources` of the specification, in part, from a file or from flags.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde_json::{Map, Value, json};

use crate::bundle::finding::{Finding, Pointer};
use crate::bundle::{Source, source, span};
use crate::error::Error;

/// Where `linux.resources` stands in a whole configuration.
const RESOURCES: &str = "/linux/resources";

/// Numbers that ask for nothing when they are 0: engines send all members of a structure.
const UNSET_AT_ZERO: [&str; 8] = [
    "/memory/limit",
    "/memory/reservation",
    "/memory/swap",
    "/cpu/shares",
    "/cpu/quota",
    "/cpu/period",
    "/blockIO/weight",
    "/blockIO/leafWeight",
];

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Given {
    /// What the places of errors refer to: a file, or `update` for the command line.
    file: PathBuf,
    /// The text of that file; empty for the command line.
    text: Rc<Vec<u8>>,
    /// The members of `linux.resources` that ask for something; never `devices`.
    pub(super) resources: Value,
    l3_cache_schema: Option<String>,
    mem_bw_schema: Option<String>,
    /// What was found while reading.
    pub(super) findings: Vec<Finding>,
}

impl Given {
    /// Reads `linux.resources` from a file, or from standard input for `-`.
    ///
    /// Errors: the file cannot be read, is no JSON, or has a value of a wrong type.
    pub fn read(file: &Path) -> Result<Self, Error> {
        match file == Path::new("-") {
            true => Self::parse(PathBuf::from("(standard input)"), source::read_standard_input()?),
            false => Self::parse(file.to_owned(), source::read(file)?),
        }
    }

    /// The same from a text that is in memory.
    pub fn parse(file: PathBuf, text: Vec<u8>) -> Result<Self, Error> {
        let text = Rc::new(text);
        if let Err(fault) = span::strict(&text) {
            let cure = fault.cure(&text);
            let finding = Finding::error(fault.at, fault.message).cure(cure);
            return Err(Error::malformed(file, text, finding, fault.span));
        }
        let resources: Value = serde_json::from_slice(&text).unwrap_or_default();
        if !resources.is_object() {
            let finding = Finding::error("", "the resources must be a JSON object");
            let finding = finding.cure("write it like {\"pids\": {\"limit\": 64}}");
            return Err(Error::config(file, text, vec![finding]));
        }
        let found = typed(&text);
        let mut given = Self::empty(file, text);
        given.findings = found;
        given.resources = asking(resources);
        Ok(given)
    }

    /// What flags ask for. `resources` is that part of `linux.resources`; the schemas are lines of
    /// `linux.intelRdt`.
    pub fn from_flags(
        resources: Value,
        l3_cache_schema: Option<String>,
        mem_bw_schema: Option<String>,
    ) -> Self {
        let mut given = Self::empty(PathBuf::from("update"), Rc::default());
        given.findings = typed(resources.to_string().as_bytes());
        given.resources = asking(resources);
        given.l3_cache_schema = l3_cache_schema;
        given.mem_bw_schema = mem_bw_schema;
        given
    }

    fn empty(file: PathBuf, text: Rc<Vec<u8>>) -> Self {
        let resources = Value::Object(Map::new());
        Self { file, text, resources, l3_cache_schema: None, mem_bw_schema: None, findings: Vec::new() }
    }

    /// The error that these findings are.
    pub fn error(&self, findings: Vec<Finding>) -> Error {
        Error::config(self.file.clone(), self.text.clone(), findings)
    }

    /// The file that places refer to, with its text.
    pub fn shown(&self) -> (&Path, &[u8]) {
        (&self.file, &self.text)
    }

    /// The lines of schemata, each with the place that asks for it.
    pub(super) fn schemas(&self) -> Vec<(String, Pointer)> {
        let at = Pointer::from("/linux/intelRdt");
        self.schema_members().map(|(name, line)| (line.to_owned(), at.key(name))).collect()
    }

    /// The members of `linux.intelRdt` that are asked for.
    pub(super) fn schema_members(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let members = [("l3CacheSchema", &self.l3_cache_schema), ("memBwSchema", &self.mem_bw_schema)];
        members.into_iter().filter_map(|(name, line)| Some((name, line.as_deref()?)))
    }
}

/// A configuration with nothing but these resources: `text` is JSON.
pub(super) fn configuration(text: &[u8]) -> Vec<u8> {
    [b"{\"ociVersion\":\"1.0.0\",\"linux\":{\"resources\":", text, b"}}"].concat()
}

/// What is wrong with the types of the resources, with places in `text`.
fn typed(text: &[u8]) -> Vec<Finding> {
    let file = PathBuf::from("update");
    let found = match Source::parse("/".into(), file, configuration(text)) {
        Ok(source) => source.findings,
        Err(Error::Config(error)) => error.findings.into_iter().map(|located| located.finding).collect(),
        Err(_) => Vec::new(),
    };
    found.into_iter().filter_map(within_resources).collect()
}

/// The finding with its place in the resources; `None` for one about what stands around them.
fn within_resources(finding: Finding) -> Option<Finding> {
    let at = Pointer::from(finding.at.as_str().strip_prefix(RESOURCES)?);
    Some(Finding { at, ..finding })
}

/// Without device rules, and without what asks for nothing.
fn asking(mut resources: Value) -> Value {
    if let Some(members) = resources.as_object_mut() {
        members.remove("devices");
    }
    for pointer in UNSET_AT_ZERO {
        if let Some(value) = resources.pointer_mut(pointer).filter(|value| **value == json!(0)) {
            *value = Value::Null;
        }
    }
    for pointer in ["/cpu/cpus", "/cpu/mems"] {
        if let Some(value) = resources.pointer_mut(pointer).filter(|value| **value == json!("")) {
            *value = Value::Null;
        }
    }
    prune(&mut resources);
    resources
}

/// Removes members that are null.
fn prune(value: &mut Value) {
    if let Value::Object(members) = value {
        members.retain(|_, member| !member.is_null());
        members.values_mut().for_each(prune);
    }
}
