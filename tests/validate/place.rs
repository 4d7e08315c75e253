//! A bundle of its own for one test, and crate-run in it.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// A directory with a bundle in it; gone when the test is.
pub struct Place(PathBuf);

/// What a command has said.
pub struct Output {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Place {
    pub fn new(test: &str) -> Self {
        let place = std::env::temp_dir().join(format!("crate-run-validate-{test}-{}", std::process::id()));
        fs::create_dir_all(place.join("bundle/rootfs")).expect("directories");
        Self(place)
    }

    pub fn bundle(&self) -> PathBuf {
        self.0.join("bundle")
    }

    pub fn configure(&self, text: impl AsRef<[u8]>) {
        fs::write(self.bundle().join("config.json"), text).expect("config.json");
    }

    /// crate-run with these words, in this place. A signal, and so a crash, is a failed test; so is a state
    /// directory that it leaves behind.
    #[track_caller]
    pub fn run(&self, words: &[&str], input: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crate-run"));
        command.arg("--root").arg(self.0.join("root")).args(words).current_dir(&self.0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("crate-run");
        // What is not wanted is not read.
        let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
        let output = child.wait_with_output().expect("its end");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        let status = output.status.code().unwrap_or_else(|| panic!("{}: {stderr}", output.status));
        assert!(!stderr.contains("panicked"), "{stderr}");
        assert!(!self.0.join("root").exists(), "{words:?} leaves a state directory: {stderr}");
        Output { status, stdout, stderr }
    }

    /// What `create` says of a configuration that cannot be one: a sentence, status 1, and nothing is left.
    #[track_caller]
    pub fn refusal(&self) -> String {
        let output = self.run(&["create", "--bundle", "bundle", "x"], "");
        assert_eq!((output.status, output.stdout.as_str()), (1, ""), "{}", output.stderr);
        let first = output.stderr.lines().next().expect("a sentence");
        first.strip_prefix("crate-run: ").expect("our name").to_owned()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A configuration without a fault.
pub fn config() -> Value {
    json!({
        "ociVersion": "1.2.0",
        "process": { "user": { "uid": 0, "gid": 0 }, "args": ["/bin/true"], "cwd": "/" },
        "root": { "path": "rootfs" },
        "linux": { "cgroupsPath": "/example", "namespaces": [{ "type": "mount" }, { "type": "pid" }] }
    })
}
