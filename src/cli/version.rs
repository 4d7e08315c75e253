//! What `crate-run --version` says.

/// The version of the OCI runtime specification that crate-run follows.
pub const SPEC: &str = "1.3.0";

/// Three lines, in the shape that the engines read.
///
/// dockerd looks for a line with the word `version`, the name before it and the number after it, and for a
/// line that starts with `commit:`. Podman shows the text as it is. containerd's go-runc reads only a first
/// line that starts with `runc version ` and takes anything else for "unknown", which harms nothing: so
/// crate-run does not pass itself off as another program.
pub fn text() -> String {
    format!("crate-run version {}\ncommit: {}\nspec: {SPEC}\n", env!("CARGO_PKG_VERSION"), commit())
}

/// What `CRATE_RUN_COMMIT` named when crate-run was built.
pub fn commit() -> &'static str {
    option_env!("CRATE_RUN_COMMIT").unwrap_or("unknown")
}

#[cfg(test)]
mod tests {
    /// The way dockerd reads it (daemon/info_unix.go, parseRuntimeVersion), in our words.
    #[test]
    fn dockerd_finds_name_version_and_commit() {
        let text = super::text();
        let mut lines = text.lines();
        let (name, version) = lines.next().and_then(|line| line.split_once(" version ")).unwrap();
        assert_eq!((name, version), ("crate-run", env!("CARGO_PKG_VERSION")));
        assert!(lines.next().unwrap().strip_prefix("commit: ").is_some_and(|commit| !commit.is_empty()));
        assert_eq!(lines.next(), Some("spec: 1.3.0"));
        assert_eq!(lines.next(), None);
    }
}
