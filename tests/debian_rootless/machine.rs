//! The machine, its user `rootless`, and his bundles.

use std::error::Error;
use std::fs::{self, File};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

pub type Checked = Result<(), Box<dyn Error>>;

/// uid and gid of `rootless`, and the first of his subordinate ids.
pub const ID: u32 = 1000;
pub const FIRST: u32 = 100_000;
pub const COUNT: u32 = 65536;

const RUNTIME_DIRECTORY: &str = "/run/user/1000";
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// A bundle of the user. When it goes, his containers and files are looked at: nothing may be left.
pub struct Bundle {
    directory: PathBuf,
    pub path: String,
}

impl Bundle {
    /// One with the fixtures' root filesystem, all of it his, and the configuration of `spec --rootless`.
    pub fn new(test: &str) -> Result<Self, Box<dyn Error>> {
        let directory = PathBuf::from(format!("/var/tmp/crate-run-{test}"));
        fs::create_dir(&directory)?;
        let fixtures = PathBuf::from(std::env::var("CRATE_RUN_FIXTURES")?);
        let shown = directory.to_str().ok_or("UTF-8")?.to_owned();
        said(&["cp", "-a", fixtures.join("rootfs").to_str().ok_or("UTF-8")?, &format!("{shown}/rootfs")])?;
        said(&["chown", "-R", "rootless:rootless", &shown])?;
        let bundle = Self { directory, path: PATH.to_owned() };
        let made = bundle.run(&["spec", "--rootless"])?;
        assert!(made.status.success(), "{made:?}");
        bundle.configure(|config| config["process"]["terminal"] = json!(false))?;
        Ok(bundle)
    }

    pub fn configure(&self, change: impl FnOnce(&mut Value)) -> Checked {
        let file = self.directory.join("config.json");
        let mut config = serde_json::from_slice(&fs::read(&file)?)?;
        change(&mut config);
        fs::write(&file, config.to_string())?;
        Ok(chown(&file, Some(ID), Some(ID))?)
    }

    /// Maps user and group 0 to the user himself, and as many more as he has.
    pub fn with_all_ids(&self) -> Checked {
        self.mapped(json!([
            { "containerID": 0, "hostID": ID, "size": 1 },
            { "containerID": 1, "hostID": FIRST, "size": COUNT }
        ]))
    }

    pub fn mapped(&self, lines: Value) -> Checked {
        self.configure(|config| {
            config["linux"]["uidMappings"] = lines.clone();
            config["linux"]["gidMappings"] = lines;
        })
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn command(&self, before: &[&str], words: &[&str]) -> Result<Command, Box<dyn Error>> {
        let mut command = Command::new("timeout");
        command.args(["--kill-after=5", "120", "runuser", "-u", "rootless", "--", "/usr/bin/env", "-i"]);
        command.arg(format!("PATH={}", self.path)).arg(format!("XDG_RUNTIME_DIR={RUNTIME_DIRECTORY}"));
        command.args(before).arg(std::env::var("CRATE_RUN_BIN")?).args(words);
        command.current_dir(&self.directory).stdin(Stdio::null());
        Ok(command)
    }

    /// crate-run as the user calls it: in the cgroup of these tests, which is not his.
    pub fn run(&self, words: &[&str]) -> Result<Output, Box<dyn Error>> {
        self.ended(self.command(&[], words)?)
    }

    /// Runs the command to its end. A container that lives on keeps its outputs, so they are files.
    fn ended(&self, mut command: Command) -> Result<Output, Box<dyn Error>> {
        let files = ["stdout", "stderr"].map(|name| self.file(name));
        let status = command.stdout(File::create(&files[0])?).stderr(File::create(&files[1])?).status()?;
        Ok(Output { status, stdout: fs::read(&files[0])?, stderr: fs::read(&files[1])? })
    }

    /// The same in a scope of his own manager, which hands it over to him.
    pub fn run_delegated(&self, words: &[&str]) -> Result<Output, Box<dyn Error>> {
        let scope =
            ["systemd-run", "--user", "--scope", "--quiet", "--collect", "--property", "Delegate=yes"];
        self.ended(self.command(&scope, words)?)
    }

    /// What the container says that runs this script.
    pub fn says(&self, script: &str) -> Result<String, Box<dyn Error>> {
        self.configure(|config| config["process"]["args"] = json!(["sh", "-c", script]))?;
        let output = self.run(&["run", "says"])?;
        assert!(output.status.success(), "{}", words(&output));
        Ok(String::from_utf8(output.stdout)?)
    }

    /// What it says on standard error when it cannot be made.
    pub fn refusal(&self) -> Result<String, Box<dyn Error>> {
        let output = self.run(&["run", "refused"])?;
        assert_eq!(output.status.code(), Some(1), "{}", words(&output));
        Ok(String::from_utf8(output.stderr)?)
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        let left = fs::read_dir(Path::new(RUNTIME_DIRECTORY).join("crate-run")).map_or(0, Iterator::count);
        let _ = fs::remove_dir_all(&self.directory);
        if !std::thread::panicking() {
            assert_eq!(left, 0, "containers are left in the state directory");
        }
    }
}

/// Both outputs, for a message.
pub fn words(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}: {}{}", output.status, text(&output.stdout), text(&output.stderr))
}

/// What a command prints on standard output; an error with all that it said if it fails.
pub fn said(command: &[&str]) -> Result<String, Box<dyn Error>> {
    let output = Command::new(command[0]).args(&command[1..]).stdin(Stdio::null()).output()?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", words(&output)).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// A file of the host with another content, until this goes.
pub struct Replaced {
    file: PathBuf,
    former: Vec<u8>,
}

impl Replaced {
    pub fn new(file: &str, content: &str) -> Result<Self, Box<dyn Error>> {
        let replaced = Self { file: file.into(), former: fs::read(file)? };
        fs::write(file, content)?;
        Ok(replaced)
    }
}

impl Drop for Replaced {
    fn drop(&mut self) {
        fs::write(&self.file, &self.former).expect("the file is as before");
    }
}
