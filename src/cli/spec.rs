//! `crate-run spec`: a config.json to start from.
//!
//! The two files in `spec/` *are* the configurations, readable as they stand. Their content is runc's (a
//! shell, a read-only root, three capabilities, everything in namespaces of its own), so that lessons and
//! scripts which start from `runc spec` find what they expect.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use thiserror::Error;

const DEFAULT: &str = include_str!("spec/default.json");

/// As [`DEFAULT`], for a user without privileges: the host's network, and its /sys, which only the owner of a
/// network namespace may mount; no gid that is not mapped; no limits. `"UID"` and `"GID"` stand for numbers.
const ROOTLESS: &str = include_str!("spec/rootless.json");

/// For whom the configuration is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// For root.
    Root,
    /// For an ordinary user: the ids that root of the container has outside.
    User { uid: u32, gid: u32 },
}

impl Audience {
    /// The user who runs this process, by its effective ids.
    pub fn caller() -> Self {
        Self::User { uid: rustix::process::geteuid().as_raw(), gid: rustix::process::getegid().as_raw() }
    }
}

/// Why there is no new config.json.
#[derive(Debug, Error)]
pub enum SpecError {
    // runc's words, which its users look for.
    #[error("File {0} exists. Remove it first")]
    Exists(String),
    #[error("cannot write {path}: {}", crate::error::plain(source))]
    Write { path: String, source: io::Error },
}

/// Writes the configuration to this file, with mode 0666 less the umask.
///
/// # Errors
/// [`SpecError::Exists`] when the name is taken, if only by a dangling link; [`SpecError::Write`] for what
/// else the filesystem refuses. A half-written file is removed.
pub fn write(path: &Path, audience: Audience) -> Result<(), SpecError> {
    let refused = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => {
            let name = path.file_name().unwrap_or(path.as_os_str());
            SpecError::Exists(name.to_string_lossy().into_owned())
        }
        _ => SpecError::Write { path: path.display().to_string(), source },
    };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o666).open(path).map_err(refused)?;
    file.write_all(text(audience).as_bytes()).map_err(|source| {
        let _ = fs::remove_file(path);
        refused(source)
    })
}

/// The configuration as text, indented by tabs.
fn text(audience: Audience) -> String {
    match audience {
        Audience::Root => DEFAULT.to_owned(),
        Audience::User { uid, gid } => {
            ROOTLESS.replace("\"UID\"", &uid.to_string()).replace("\"GID\"", &gid.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use oci_spec::runtime::Spec;
    use serde_json::{Value, json};

    use super::*;

    fn parsed(audience: Audience) -> Value {
        serde_json::from_str(&text(audience)).unwrap()
    }

    /// A directory that does not exist yet.
    fn scratch(test: &str) -> PathBuf {
        std::env::temp_dir().join(format!("crate-run-spec-{test}-{}", std::process::id()))
    }

    #[test]
    fn both_are_configurations() {
        for audience in [Audience::Root, Audience::User { uid: 1000, gid: 100 }] {
            let spec: Spec = serde_json::from_str(&text(audience)).unwrap();
            assert_eq!(spec.version(), crate::cli::version::SPEC);
            // Nothing in the text is unknown to the specification's types.
            let understood = serde_json::to_value(&spec).unwrap();
            let keys =
                |value: &Value| value.as_object().map(|object| object.keys().cloned().collect::<Vec<_>>());
            for place in ["", "/process", "/process/capabilities", "/root", "/linux", "/mounts/1"] {
                let given = parsed(audience);
                assert_eq!(
                    keys(understood.pointer(place).unwrap()),
                    keys(given.pointer(place).unwrap()),
                    "{place}"
                );
            }
        }
    }

    /// The differences that runc makes for `spec --rootless`, applied to the default.
    #[test]
    fn the_rootless_one_differs_where_it_must() {
        let mut expected = parsed(Audience::Root);
        for mount in expected["mounts"].as_array_mut().unwrap() {
            if let Some(options) = mount["options"].as_array_mut() {
                options.retain(|option| {
                    !["uid=", "gid="].iter().any(|id| option.as_str().unwrap().starts_with(id))
                });
            } else {
                mount.as_object_mut().unwrap().remove("options");
            }
            if mount["destination"] == "/sys" {
                let options = ["rbind", "nosuid", "noexec", "nodev", "ro"];
                *mount = json!({"destination": "/sys", "type": "none", "source": "/sys", "options": options});
            }
        }
        let linux = expected["linux"].as_object_mut().unwrap();
        linux.remove("resources");
        linux.insert("uidMappings".into(), json!([{"containerID": 0, "hostID": 1000, "size": 1}]));
        linux.insert("gidMappings".into(), json!([{"containerID": 0, "hostID": 100, "size": 1}]));
        let namespaces = linux["namespaces"].as_array_mut().unwrap();
        namespaces.retain(|namespace| namespace["type"] != "network");
        namespaces.push(json!({"type": "user"}));
        assert_eq!(parsed(Audience::User { uid: 1000, gid: 100 }), expected);
    }

    #[test]
    fn an_existing_file_is_left_alone() {
        let directory = scratch("exists");
        fs::create_dir(&directory).unwrap();
        write(&directory.join("config.json"), Audience::Root).unwrap();
        let again = write(&directory.join("config.json"), Audience::caller()).unwrap_err();
        let text = fs::read_to_string(directory.join("config.json")).unwrap();
        fs::remove_dir_all(&directory).unwrap();
        assert_eq!(again.to_string(), "File config.json exists. Remove it first");
        assert_eq!(text, DEFAULT);
    }

    #[test]
    fn a_dangling_link_is_not_followed() {
        let directory = scratch("link");
        fs::create_dir(&directory).unwrap();
        std::os::unix::fs::symlink("elsewhere", directory.join("config.json")).unwrap();
        let refused = write(&directory.join("config.json"), Audience::Root);
        let followed = directory.join("elsewhere").exists();
        fs::remove_dir_all(&directory).unwrap();
        assert!(matches!(refused, Err(SpecError::Exists(_))));
        assert!(!followed);
    }

    #[test]
    fn a_missing_directory_is_named() {
        let directory = scratch("missing");
        let error = write(&directory.join("config.json"), Audience::Root).unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot write {}/config.json: ", directory.display())), "{error}");
    }
}
