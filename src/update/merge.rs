//! From some limits to all that must be written, and to the configuration that holds afterwards.

use oci_spec::runtime::LinuxResources;
use serde_json::{Map, Value, json};

use crate::bundle::Source;
use crate::bundle::finding::{Finding, Pointer};
use crate::bundle::span::{Place, locate};
use crate::cgroup::{Setting, v1};
use crate::error::Error;
use crate::update::given::{self, Given};

/// What must be written: what is given, with the saved values without which it cannot be.
pub(super) struct Asked {
    pub(super) resources: LinuxResources,
    /// Is a limit on memory among what is given, or only needed for the sum of memory and swap?
    writes_memory: bool,
}

impl Asked {
    /// The writes, in the order of `create`.
    pub(super) fn settings(&self, at: &Pointer, bound: &[&str]) -> Vec<Setting> {
        let all = v1::settings(&self.resources, at, bound).into_iter();
        let limits_memory = |file: &str| matches!(file, "memory.max" | "memory.limit_in_bytes");
        all.filter(|setting| self.writes_memory || !limits_memory(&setting.file)).collect()
    }
}

/// Which lists of objects are merged entry by entry, and by which members an entry is known.
const LISTS: [(&str, &[&str]); 6] = [
    ("weightDevice", &["major", "minor"]),
    ("throttleReadBpsDevice", &["major", "minor"]),
    ("throttleWriteBpsDevice", &["major", "minor"]),
    ("throttleReadIOPSDevice", &["major", "minor"]),
    ("throttleWriteIOPSDevice", &["major", "minor"]),
    ("hugepageLimits", &["pageSize"]),
];

fn saved_resources(saved: &Source) -> Value {
    let config: Value = serde_json::from_slice(&saved.text).unwrap_or_default();
    config.pointer("/linux/resources").filter(|value| value.is_object()).cloned().unwrap_or(json!({}))
}

/// What is given with its partners.
///
/// Errors: what the configuration says cannot be read.
pub(super) fn asked(given: &Given, saved: &Source) -> Result<Asked, Error> {
    let (mut resources, saved) = (given.resources.clone(), saved_resources(saved));
    let writes_memory = resources.pointer("/memory/limit").is_some();
    add_partners(&mut resources, &saved);
    let text = given::configuration(resources.to_string().as_bytes());
    let source = Source::parse("/".into(), "update".into(), text)?;
    let linux = source.spec.linux().as_ref();
    let resources = linux.and_then(|linux| linux.resources().clone()).unwrap_or_default();
    Ok(Asked { resources, writes_memory })
}

/// Values that the kernel takes only together with others, or loses when others are written.
fn add_partners(resources: &mut Value, saved: &Value) {
    let is_given = |resources: &Value, pointer: &str| resources.pointer(pointer).is_some();
    let take = |resources: &mut Value, pointer: &str| {
        if let Some(value) = saved.pointer(pointer).filter(|_| !is_given(resources, pointer)) {
            set(resources, pointer, value.clone());
        }
    };
    if is_given(resources, "/memory/swap") {
        // The sum of memory and swap is given; a cgroup wants the swap alone.
        take(resources, "/memory/limit");
    }
    if is_given(resources, "/memory") {
        take(resources, "/memory/checkBeforeUpdate");
    }
    if is_given(resources, "/cpu/quota") || is_given(resources, "/cpu/period") {
        // They stand in one file, and no burst may exceed the quota, not even between two writes.
        take(resources, "/cpu/quota");
        take(resources, "/cpu/period");
        take(resources, "/cpu/burst");
    }
    match resources.pointer("/cpu/idle").and_then(Value::as_i64) {
        // An ordinary cgroup again begins with the default weight.
        Some(0) => take(resources, "/cpu/shares"),
        Some(_) => {}
        // An idle one takes no weight.
        None if is_given(resources, "/cpu/shares") => take(resources, "/cpu/idle"),
        None => {}
    }
}

/// Sets the member of an object of the document at this place, which has two names.
fn set(document: &mut Value, pointer: &str, value: Value) {
    let mut names = pointer.split('/').skip(1);
    if let (Some(object), Some(member)) = (names.next(), names.next()) {
        document[object][member] = value;
    }
}

/// The saved configuration as it is afterwards. What is not about resources keeps every byte.
///
/// Errors: the configuration is no longer what was saved.
pub(super) fn configuration(given: &Given, saved: &Source) -> Result<Vec<u8>, Error> {
    let mut resources = saved_resources(saved);
    keep_amount_of_swap(&mut resources, &given.resources);
    merge(&mut resources, &given.resources);
    let mut text = replaced(&saved.text, &Pointer::from("/linux/resources"), &resources.to_string());
    for (name, line) in given.schema_members() {
        let at = Pointer::from("/linux/intelRdt").key(name);
        text = text.and_then(|text| replaced(&text, &at, &json!(line).to_string()));
    }
    text.ok_or_else(|| {
        let message = "the configuration of the container is not what was saved";
        saved.error(vec![Finding::error("/linux", message)])
    })
}

/// A new limit on memory alone changes the sum of memory and swap, because swap stays what it is.
fn keep_amount_of_swap(saved: &mut Value, given: &Value) {
    let number = |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_i64);
    let Some(limit) = number(given, "/memory/limit") else { return };
    if number(given, "/memory/swap").is_some() {
        return;
    }
    let swap = match (limit, number(saved, "/memory/limit"), number(saved, "/memory/swap")) {
        (-1, _, _) => -1,
        (_, Some(old @ 1..), Some(sum @ 1..)) => limit.saturating_add(sum.saturating_sub(old).max(0)),
        (_, Some(-1), Some(swap @ 1..)) => limit.saturating_add(swap),
        _ => return,
    };
    saved["memory"]["swap"] = json!(swap);
}

/// Objects member by member, the known lists entry by entry, everything else as a whole.
fn merge(saved: &mut Value, given: &Value) {
    let (Value::Object(saved), Value::Object(given)) = (saved, given) else { return };
    for (name, value) in given {
        let list = LISTS.iter().find(|(list, _)| list == name);
        match (saved.get_mut(name), list) {
            (Some(Value::Array(entries)), Some((_, keys))) => upsert(entries, value, keys),
            (Some(there @ Value::Object(_)), _) if value.is_object() => merge(there, value),
            _ => drop(saved.insert(name.clone(), value.clone())),
        }
    }
}

/// Replaces the entries that are known by the same members, and appends the others.
fn upsert(entries: &mut Vec<Value>, given: &Value, keys: &[&str]) {
    for entry in given.as_array().into_iter().flatten() {
        let is_same = |other: &&mut Value| keys.iter().all(|key| other.get(key) == entry.get(key));
        match entries.iter_mut().find(is_same) {
            Some(there) => merge(there, entry),
            None => entries.push(entry.clone()),
        }
    }
}

/// The text with this value at this place. `None` when something that is no object stands in the way.
fn replaced(text: &[u8], at: &Pointer, value: &str) -> Option<Vec<u8>> {
    let Place { value: place, missing, found, .. } = locate(text, at)?;
    if missing == 0 {
        return Some([&text[..place.start], value.as_bytes(), &text[place.end..]].concat());
    }
    let names: Vec<&str> = at.as_str().split('/').skip(1 + found).collect();
    let member = names.iter().skip(1).rev().fold(value.to_owned(), |inner, name| {
        let mut object = Map::new();
        object.insert((*name).to_owned(), serde_json::from_str(&inner).unwrap_or_default());
        Value::Object(object).to_string()
    });
    let old = &text[place.start..place.end];
    let body = old.strip_prefix(b"{")?;
    let comma = if body.trim_ascii_start() == b"}" { "" } else { "," };
    let name = Value::from(names[0]);
    let new = format!("{{{name}:{member}{comma}");
    Some([&text[..place.start], new.as_bytes(), body, &text[place.end..]].concat())
}
