//! # Classes of cache and memory bandwidth (Intel RDT, resctrl)
//!
//! A class of service is a share of the last-level caches and of the memory bandwidth. The container's first
//! process is put into one after its birth, when nothing but the sealed child has run; all that come from it
//! are born there.
//!
//! | `closID` | group | made | removed |
//! |---|---|---|---|
//! | absent | the container's id | unless it is there | at delete, if it was made |
//! | a name | that name | if a schema says what it is | never |
//! | `/` | the root group | never | never |
//!
//! A group that is there must have what the schemas say. `enableMonitoring` adds a group that only counts,
//! with the container's id, which is always made and removed. Without `intelRdt` no resctrl is touched.
//!
//! OCI: config-linux.md, IntelRdt. Kernel: resctrl.rst.
//!
//! Order: the group, its lines (l3CacheSchema, memBwSchema, schemata), the process; the monitoring group
//! after its class, because it takes only what belongs to that.

use oci_spec::runtime::{LinuxIntelRdt, Spec};

use crate::bundle::finding::{Finding, Pointer};
use crate::host::Host;
use crate::plan::{HostAction, Plan};
use crate::resctrl::Group;
use crate::resctrl::tree::NOT_MOUNTED_CURE;
use crate::state::ContainerId;

const FEATURE: &str = "rdt";
const PLACE: &str = "/linux/intelRdt";

/// What the kernel has in the root group itself: no class can have such a name.
const TAKEN: [&str; 9] =
    ["cpus", "cpus_list", "info", "mode", "mon_data", "mon_groups", "schemata", "size", "tasks"];

/// NAME_MAX of limits.h, in bytes.
const LONGEST_NAME: usize = 255;

/// What the container gets of the caches and the memory bandwidth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    pub group: Group,
    pub missing: Missing,
    /// Who takes the group away.
    pub lasts: Lasts,
    /// The lines of its schemata in the order in which they are written, with the places that ask for them.
    pub lines: Vec<(String, Pointer)>,
    /// The group that counts what the container does.
    pub monitoring: Option<Group>,
}

/// What to do about a group that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    Make,
    Refuse,
}

/// How long a group that was made lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasts {
    /// Until the container is deleted.
    WithContainer,
    /// Until somebody else removes it.
    Longer,
}

impl Class {
    /// The groups that its processes are in.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        std::iter::once(&self.group).chain(&self.monitoring)
    }

    /// The groups that are made for the container where they are not there, outermost first.
    pub fn makes(&self) -> impl Iterator<Item = &Group> {
        let own = (self.missing == Missing::Make && !self.group.is_root()).then_some(&self.group);
        own.into_iter().chain(&self.monitoring)
    }

    /// Those of them that `delete` removes, if they were made.
    pub fn goes_with_container(&self) -> impl Iterator<Item = &Group> {
        let stays = (self.lasts == Lasts::Longer).then_some(&self.group);
        self.makes().filter(move |group| Some(*group) != stays)
    }
}

fn rdt(spec: &Spec) -> Option<&LinuxIntelRdt> {
    spec.linux().as_ref()?.intel_rdt().as_ref()
}

/// The engines write an absent string as an empty one, too.
fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}

/// Each schema, in order: l3CacheSchema, memBwSchema, then the entries of schemata.
fn schemas(rdt: &LinuxIntelRdt) -> Vec<(&str, Pointer)> {
    let at = Pointer::from(PLACE);
    let mut list = Vec::new();
    list.extend(given(rdt.l3_cache_schema()).map(|schema| (schema, at.key("l3CacheSchema"))));
    list.extend(given(rdt.mem_bw_schema()).map(|schema| (schema, at.key("memBwSchema"))));
    let entries = rdt.schemata().iter().flatten().enumerate();
    list.extend(entries.map(|(index, schema)| (schema.as_str(), at.key("schemata").index(index))));
    list
}

pub fn resolve(spec: &Spec, id: &ContainerId) -> Option<Class> {
    let rdt = rdt(spec)?;
    let mut lines = Vec::new();
    for (schema, at) in schemas(rdt) {
        // An l3CacheSchema with newlines is several lines.
        lines
            .extend(schema.lines().filter(|line| !line.is_empty()).map(|line| (line.to_owned(), at.clone())));
    }
    let (group, missing, lasts) = match given(rdt.clos_id()) {
        None => (Group::class(id.as_str()), Missing::Make, Lasts::WithContainer),
        Some("/") => (Group::root(), Missing::Refuse, Lasts::Longer),
        Some(name) if lines.is_empty() => (Group::class(name), Missing::Refuse, Lasts::Longer),
        Some(name) => (Group::class(name), Missing::Make, Lasts::Longer),
    };
    let monitoring = (*rdt.enable_monitoring() == Some(true)).then(|| group.monitoring(id.as_str()));
    Some(Class { group, missing, lasts, lines, monitoring })
}

pub fn findings(spec: &Spec, id: &ContainerId, host: &Host) -> Vec<Finding> {
    let Some(rdt) = rdt(spec) else { return Vec::new() };
    let mut found = Vec::new();
    let at = Pointer::from(PLACE);
    if host.resctrl().is_none() {
        let message = "intelRdt needs a resctrl file system, and none is mounted";
        found.push(Finding::error(at.clone(), message).cure(NOT_MOUNTED_CURE));
    }
    match given(rdt.clos_id()) {
        Some("/") => {}
        Some(name) => found.extend(name_fault(name).map(|fault| {
            let cure = "closID is a single name, or / for the root group";
            Finding::error(at.key("closID"), format!("closID {name:?} {fault}")).cure(cure)
        })),
        None => found.extend(name_fault(id.as_str()).map(|fault| {
            let message = format!("the id {id} names the group, and {fault}");
            Finding::error(at.clone(), message).cure("set closID, or choose another id")
        })),
    }
    for (schema, at) in schemas(rdt) {
        found.extend(schema_finding(schema, at));
    }
    found
}

/// Why no class can have this name.
fn name_fault(name: &str) -> Option<&'static str> {
    match name {
        "." | ".." => Some("is not the name of a group"),
        _ if name.contains('/') => Some("holds a slash"),
        _ if name.contains(['\n', '\0']) => Some("holds a newline or a NUL character"),
        _ if name.len() > LONGEST_NAME => Some("is longer than 255 bytes"),
        _ if TAKEN.contains(&name) => Some("is the name of a file of resctrl itself"),
        _ => None,
    }
}

/// What is wrong with this line for the member of `linux.intelRdt` at this place.
pub fn schema_finding(schema: &str, at: Pointer) -> Option<Finding> {
    let field = at.as_str().strip_prefix("/linux/intelRdt/").unwrap_or_default().to_owned();
    let error = |message: String, cure: &str| Some(Finding::error(at.clone(), message).cure(cure));
    let warning = |message: String, cure: &str| Some(Finding::warning(at.clone(), message).cure(cure));
    if schema.contains('\0') {
        return error(format!("{field} holds a NUL character"), "write it like L3:0=7f0;1=1f");
    }
    match field.as_str() {
        "l3CacheSchema" if schema.contains('\n') => {
            warning(format!("{field} holds a newline"), "use schemata for several lines")
        }
        "l3CacheSchema" if !schema.starts_with("L3:") => {
            warning(format!("{field} {schema:?} does not start with L3:"), "use schemata for other resources")
        }
        "memBwSchema" if schema.contains('\n') => {
            error(format!("{field} holds a newline"), "use schemata for several lines")
        }
        "memBwSchema" if !schema.starts_with("MB:") => {
            error(format!("{field} {schema:?} does not start with MB:"), "write it like MB:0=20;1=70")
        }
        "l3CacheSchema" | "memBwSchema" => None,
        _ if schema.contains('\n') => {
            error("an entry of schemata holds a newline".to_owned(), "give each line an entry of its own")
        }
        _ if !schema.contains(':') => {
            error(format!("{schema:?} is not a line of schemata"), "write it like L3:0=7f0;1=1f")
        }
        _ => None,
    }
}

/// Before the birth.
pub fn prepare(class: &Option<Class>, plan: &mut Plan) {
    let Some(class) = class else { return };
    let at = Pointer::from(PLACE);
    let lines = class.lines.iter().map(|(line, _)| line.clone()).collect();
    let open = HostAction::OpenResctrlGroup { group: class.group.clone(), lines, missing: class.missing };
    let why = match class.missing {
        Missing::Make => "a new class of the processor, or the same as the one that is there",
        Missing::Refuse => "nothing says what the class would be, so it must be there",
    };
    let named = match class.lasts {
        Lasts::Longer => at.key("closID"),
        Lasts::WithContainer => at.clone(),
    };
    plan.host(FEATURE, open, why).at(named);
    for (line, at) in &class.lines {
        let write = HostAction::WriteSchemata { group: class.group.clone(), line: line.clone() };
        plan.host(FEATURE, write, "a share of one resource of the processor").at(at.clone());
    }
    if let Some(group) = &class.monitoring {
        let why = "counts what this container does, apart from others of its class";
        plan.host(FEATURE, HostAction::MakeMonitoringGroup { group: group.clone() }, why)
            .at(at.key("enableMonitoring"));
    }
}

/// After the birth, when only the sealed child has run.
pub fn after_birth(class: &Option<Class>, plan: &mut Plan) {
    let groups: Vec<Group> = class.iter().flat_map(Class::groups).cloned().collect();
    join(&groups, plan);
}

/// Before a newborn executes anything of the container.
pub fn join(groups: &[Group], plan: &mut Plan) {
    for group in groups {
        let why = "whatever comes from this process is born into its groups";
        plan.host(FEATURE, HostAction::JoinResctrlGroup { group: group.clone() }, why).at(PLACE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::finding::Severity;

    fn spec(rdt: &str) -> Spec {
        let text = format!(r#"{{"ociVersion": "1.3.0", "linux": {{"intelRdt": {rdt}}}}}"#);
        serde_json::from_str(&text).expect("a Spec")
    }

    fn id() -> ContainerId {
        ContainerId::new("web").expect("a plain name")
    }

    fn found(rdt: &str) -> Vec<(Severity, String)> {
        let list = findings(&spec(rdt), &id(), &Host::for_tests());
        list.into_iter().map(|finding| (finding.severity, finding.at.as_str().to_owned())).collect()
    }

    #[test]
    fn the_group_follows_from_the_name_and_the_schemas() {
        let group = |rdt| {
            let class = resolve(&spec(rdt), &id()).expect("a class");
            (class.group.as_str().to_owned(), class.missing, class.lasts)
        };
        let own = ("web".to_owned(), Missing::Make, Lasts::WithContainer);
        assert_eq!(group("{}"), own);
        assert_eq!(group(r#"{"closID": "", "schemata": ["L3:0=f"]}"#), own);
        let named = |missing| ("gold".to_owned(), missing, Lasts::Longer);
        assert_eq!(group(r#"{"closID": "gold"}"#), named(Missing::Refuse));
        assert_eq!(group(r#"{"closID": "gold", "memBwSchema": "MB:0=10"}"#), named(Missing::Make));
        assert_eq!(group(r#"{"closID": "/"}"#), (String::new(), Missing::Refuse, Lasts::Longer));
        assert_eq!(resolve(&serde_json::from_str(r#"{"ociVersion": "1.3.0"}"#).unwrap(), &id()), None);
    }

    #[test]
    fn lines_are_written_in_the_order_of_the_specification() {
        let json = r#"{"schemata": ["L2:0=f", "MB:0=30"], "memBwSchema": "MB:0=20", "l3CacheSchema": "L3:0=f\nL3:1=f"}"#;
        let class = resolve(&spec(json), &id()).expect("a class");
        let lines: Vec<&str> = class.lines.iter().map(|(line, _)| line.as_str()).collect();
        assert_eq!(lines, ["L3:0=f", "L3:1=f", "MB:0=20", "L2:0=f", "MB:0=30"]);
    }

    #[test]
    fn a_monitoring_group_belongs_to_its_class() {
        let group = |rdt| resolve(&spec(rdt), &id()).and_then(|class| class.monitoring);
        let at = |rdt| group(rdt).map(|group| group.as_str().to_owned());
        assert_eq!(at(r#"{"enableMonitoring": true}"#).as_deref(), Some("web/mon_groups/web"));
        assert_eq!(at(r#"{"closID": "/", "enableMonitoring": true}"#).as_deref(), Some("mon_groups/web"));
        assert_eq!(at(r#"{"enableMonitoring": false}"#), None);
    }

    #[test]
    fn names_that_are_none_are_errors() {
        for name in ["a/b", "/a", "//", ".", "..", "info", "mon_groups", "tasks", "a\\nb"] {
            let json = format!(r#"{{"closID": "{name}"}}"#);
            assert_eq!(found(&json), [(Severity::Error, "/linux/intelRdt/closID".to_owned())], "{name}");
        }
        assert_eq!(found(r#"{"closID": "/"}"#), []);
        assert_eq!(found(r#"{"closID": "gold.1"}"#), []);
        let info = ContainerId::new("info").expect("a plain name");
        let list = findings(&spec("{}"), &info, &Host::for_tests());
        assert_eq!(list[0].at.as_str(), "/linux/intelRdt");
    }

    #[test]
    fn schemas_have_their_form() {
        let one = |severity, field: &str| vec![(severity, format!("/linux/intelRdt/{field}"))];
        assert_eq!(found(r#"{"l3CacheSchema": "L2:0=f"}"#), one(Severity::Warning, "l3CacheSchema"));
        assert_eq!(found(r#"{"l3CacheSchema": "L3:0=f\nL3:1=f"}"#), one(Severity::Warning, "l3CacheSchema"));
        assert_eq!(found(r#"{"memBwSchema": "L3:0=f"}"#), one(Severity::Error, "memBwSchema"));
        assert_eq!(found(r#"{"memBwSchema": "MB:0=20\n"}"#), one(Severity::Error, "memBwSchema"));
        assert_eq!(
            found(r#"{"schemata": ["L3:0=f", "MB:0=20\nL2:0=f"]}"#),
            one(Severity::Error, "schemata/1")
        );
        assert_eq!(found(r#"{"schemata": [""]}"#), one(Severity::Error, "schemata/0"));
        assert_eq!(found(r#"{"schemata": ["L3:0=f"], "memBwSchema": "MB:0=20"}"#), []);
    }
}
