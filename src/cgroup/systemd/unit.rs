//! The unit of a container: `linux.cgroupsPath` in systemd's words, `slice:prefix:name`.
//!
//! The unit is `prefix-name.scope` below `slice`. The name of a slice is its place: `a-b.slice` lies in
//! `a.slice`. Without a slice it is `system.slice`, or `user.slice` for the manager of a user, as with runc;
//! without any value the scope is `crate-run-ID.scope` there.
//!
//! A name that ends in `.slice` would make a slice of the container itself. runc asks systemd for one and
//! puts the process into its directory behind systemd's back; systemd keeps processes out of slices
//! (systemd.slice(5)). We refuse it.
//!
//! Man pages: systemd.unit(5), systemd.scope(5), systemd.slice(5).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::bundle::finding::{Finding, Pointer};

/// UNIT_NAME_MAX of systemd, with the zero byte at the end.
const LONGEST: usize = 256;

/// Which systemd is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Manager {
    /// That of the machine.
    System,
    /// That of the user who runs the runtime (user@.service(5)).
    User,
}

/// A scope, and the slice in which it lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    pub manager: Manager,
    /// The name of the slice; `-.slice` is the root.
    pub slice: String,
    /// The name of the scope.
    pub name: String,
}

impl Unit {
    /// The unit that `cgroups_path` names for the container `id`.
    pub fn resolve(cgroups_path: &str, id: &str, manager: Manager) -> Result<Self, Vec<Finding>> {
        let parts: Vec<&str> = cgroups_path.split(':').collect();
        let (slice, prefix, name) = match parts[..] {
            [""] => ("", "crate-run", id),
            [slice, prefix, name] => (slice, prefix, name),
            _ => return Err(vec![wrong_form(cgroups_path)]),
        };
        let slice = match (slice, manager) {
            ("", Manager::System) => "system.slice",
            ("", Manager::User) => "user.slice",
            ("-", _) => "-.slice",
            (named, _) => named,
        };
        let unit = Self { manager, slice: slice.to_owned(), name: scope(prefix, name) };
        let found: Vec<Finding> = [slice_fault(slice), name_fault(name, &unit.name)]
            .into_iter()
            .flatten()
            .map(|fault| Finding::error(place(), fault).cure("write it like machine.slice:web:1"))
            .collect();
        if found.is_empty() { Ok(unit) } else { Err(found) }
    }

    /// Where systemd will put it, below the cgroup of its manager. Only systemd itself knows for sure.
    pub fn expected_path(&self, uid: u32) -> String {
        let above = match self.manager {
            Manager::System => String::new(),
            Manager::User => format!("/user.slice/user-{uid}.slice/user@{uid}.service"),
        };
        format!("{above}{}/{}", expand(&self.slice), self.name)
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

fn place() -> Pointer {
    Pointer::from("/linux/cgroupsPath")
}

/// The words are runc's.
fn wrong_form(cgroups_path: &str) -> Finding {
    let message = format!(
        "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got {cgroups_path:?} \
         instead"
    );
    let cure = "write it like system.slice:web:1, or leave --systemd-cgroup out";
    Finding::error(place(), message).cure(cure)
}

fn scope(prefix: &str, name: &str) -> String {
    match prefix {
        "" => format!("{name}.scope"),
        _ => format!("{prefix}-{name}.scope"),
    }
}

fn slice_fault(slice: &str) -> Option<String> {
    let stem = slice.strip_suffix(".slice");
    let bad = |stem: &str| stem != "-" && stem.split('-').any(str::is_empty);
    match stem {
        None => Some(format!("the name of a slice ends in .slice, and {slice:?} does not")),
        Some(stem) if bad(stem) => Some(format!("a part of the slice {slice:?} has no name")),
        Some(_) => invalid(slice).map(|letter| format!("the slice {slice:?} has {letter:?} in its name")),
    }
}

fn name_fault(name: &str, unit: &str) -> Option<String> {
    if name.is_empty() {
        return Some("the scope has no name".to_owned());
    }
    if name.ends_with(".slice") {
        return Some(format!("{name:?} is the name of a slice, which holds units and no processes"));
    }
    if unit.len() >= LONGEST {
        return Some(format!(
            "the name of a unit has at most {} bytes, this one {}",
            LONGEST - 1,
            unit.len()
        ));
    }
    invalid(unit).map(|letter| format!("the unit {unit:?} has {letter:?} in its name"))
}

/// The first letter that no name of a unit may have (systemd.unit(5)).
fn invalid(name: &str) -> Option<char> {
    name.chars().find(|letter| !letter.is_ascii_alphanumeric() && !":-_.\\@".contains(*letter))
}

/// `a-b.slice` is `/a.slice/a-b.slice`, and the root slice is nothing.
fn expand(slice: &str) -> String {
    let stem = slice.strip_suffix(".slice").unwrap_or(slice);
    if stem == "-" {
        return String::new();
    }
    let ends = stem.match_indices('-').map(|(at, _)| at).chain([stem.len()]);
    ends.map(|end| format!("/{}.slice", &stem[..end])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(path: &str) -> Result<(String, String), String> {
        Unit::resolve(path, "web", Manager::System)
            .map(|unit| (unit.expected_path(0), unit.slice))
            .map_err(|found| found[0].message.clone())
    }

    fn path(path: &str) -> String {
        unit(path).expect("a unit").0
    }

    #[test]
    fn slices_are_expanded_and_defaults_are_runcs() {
        assert_eq!(path(""), "/system.slice/crate-run-web.scope");
        assert_eq!(path(":docker:1"), "/system.slice/docker-1.scope");
        assert_eq!(path("-:docker:1"), "/docker-1.scope");
        assert_eq!(path("-.slice::1"), "/1.scope");
        assert_eq!(path("machine.slice:libpod:1"), "/machine.slice/libpod-1.scope");
        let pod = "kubepods-burstable-pod1_2.slice:cri-containerd:1";
        let expected = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice\
                        /cri-containerd-1.scope";
        assert_eq!(path(pod), expected);
        let user = Unit::resolve("", "web", Manager::User).expect("a unit");
        let expected = "/user.slice/user-1000.slice/user@1000.service/user.slice/crate-run-web.scope";
        assert_eq!(user.expected_path(1000), expected);
    }

    #[test]
    fn another_form_is_refused_in_runcs_words() {
        for (given, shown) in [("/a/b", "\"/a/b\""), ("a:b", "\"a:b\""), ("a:b:c:d", "\"a:b:c:d\"")] {
            let expected = format!(
                "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got {shown} \
                 instead"
            );
            assert_eq!(unit(given), Err(expected));
        }
    }

    #[test]
    fn names_that_systemd_refuses_are_found_here() {
        for (bad, part) in [
            ("a:b:c", "ends in .slice"),
            ("a/b.slice:b:c", "has '/'"),
            ("a--b.slice:b:c", "has no name"),
            ("-a.slice:b:c", "has no name"),
            ("a-.slice:b:c", "has no name"),
            (".slice:b:c", "has no name"),
            ("a.slice:b:", "no name"),
            ("a.slice:b:c.slice", "no processes"),
            ("a.slice:b:c+d", "has '+'"),
            ("a.slice:b/../..:c", "has '/'"),
        ] {
            let said = unit(bad).expect_err(bad);
            assert!(said.contains(part), "{bad}: {said}");
        }
        let long = format!("a.slice:b:{}", "c".repeat(260));
        assert!(unit(&long).expect_err("too long").contains("at most 255 bytes"));
    }
}
