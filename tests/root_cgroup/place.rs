//! A cgroup for each test, which is gone when the test is over, and shells that live in it.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate_run::bundle::finding::Pointer;
use crate_run::cgroup::{Cgroup, CgroupError, CgroupPath, Hierarchy, Wanted};

pub type Checked = Result<(), Box<dyn Error>>;

/// Far beyond what any step takes, so that only a real hang reaches it.
pub fn later() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// The root cgroup is shared, and each test gives back the controllers that it enabled there: one at a time.
static ROOT: Mutex<()> = Mutex::new(());

/// A cgroup that belongs to one test.
pub struct Place {
    pub hierarchy: Hierarchy,
    pub top: CgroupPath,
    /// The controllers that the root gave to its children before the test.
    given: String,
    _alone: MutexGuard<'static, ()>,
}

fn given_by_root(hierarchy: &Hierarchy) -> Result<String, std::io::Error> {
    fs::read_to_string(hierarchy.place().join("cgroup.subtree_control"))
}

impl Place {
    /// The place for `test`, or a line that says why there is none.
    pub fn new(test: &str) -> Result<Option<Self>, Box<dyn Error>> {
        let hierarchy = match Hierarchy::find() {
            Ok(hierarchy) => hierarchy,
            Err(error) => return skip(test, &error.to_string()).map(|()| None),
        };
        if fs::metadata("/proc/self")?.uid() != 0 {
            return skip(test, "not root").map(|()| None);
        }
        let top = path(&format!("/crate-run-test-{}-{test}", std::process::id()));
        // A test that failed has put everything back all the same.
        let _alone = ROOT.lock().unwrap_or_else(PoisonError::into_inner);
        let given = given_by_root(&hierarchy)?;
        Cgroup::create(&hierarchy, &top)?;
        Ok(Some(Self { hierarchy, top, given, _alone }))
    }

    /// Makes `relative` below the place of this test.
    pub fn create(&self, relative: &str) -> Result<Cgroup, CgroupError> {
        Cgroup::create(&self.hierarchy, &self.below(relative))
    }

    pub fn below(&self, relative: &str) -> CgroupPath {
        path(&format!("{}/{relative}", self.top))
    }

    /// Makes `relative` with `controller` enabled; `None` when this host does not have it.
    pub fn limited(
        &self,
        test: &str,
        relative: &str,
        controller: &str,
    ) -> Result<Option<Cgroup>, Box<dyn Error>> {
        if !self.hierarchy.controllers()?.iter().any(|name| name == controller) {
            return skip(test, &format!("no {controller} controller here")).map(|()| None);
        }
        let cgroup = self.create(relative)?;
        let at = Pointer::root();
        let needed = &BTreeMap::from([(controller, &at)]);
        self.hierarchy.enable_controllers(cgroup.path(), &Wanted { needed, wished: &[] })?;
        Ok(Some(cgroup))
    }

    /// Where the file system shows it.
    pub fn shown(&self, relative: &str) -> PathBuf {
        self.hierarchy.place().join(&self.top.as_str()[1..]).join(relative)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A test that has failed already must not fail a second time in here.
        if let Ok(Some(top)) = Cgroup::open(&self.hierarchy, &self.top) {
            let _ = top.write_file("cgroup.freeze", "0");
            let _ = top.kill(later());
        }
        let _ = self.hierarchy.remove(&self.top, later());
        let now = given_by_root(&self.hierarchy).unwrap_or_default();
        for name in
            now.split_whitespace().filter(|name| !self.given.split_whitespace().any(|old| old == *name))
        {
            let control = self.hierarchy.place().join("cgroup.subtree_control");
            let _ = fs::write(control, format!("-{name}"));
        }
    }
}

fn path(text: &str) -> CgroupPath {
    CgroupPath::absolute(text).expect("a path of this test")
}

pub fn skip(test: &str, reason: &str) -> Checked {
    println!("SKIP {test}: {reason}");
    Ok(())
}

/// A shell in `cgroup` that has not read its first line yet; `release` lets it run `script`.
pub struct Waiting(pub Child);

pub fn waiting(cgroup: &Cgroup, script: &str) -> Result<Waiting, Box<dyn Error>> {
    let child = Command::new("/bin/sh")
        .args(["-c", &format!("read go; {script}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    cgroup.write_file("cgroup.procs", &child.id().to_string())?;
    Ok(Waiting(child))
}

impl Waiting {
    /// Runs the script to its end: whether it succeeded, and what it said on both outputs.
    pub fn release(mut self) -> Result<(bool, String), Box<dyn Error>> {
        self.0.stdin.take().ok_or("no pipe")?.write_all(b"go\n")?;
        let output = self.0.wait_with_output()?;
        let said = [output.stdout, output.stderr].concat();
        Ok((output.status.success(), String::from_utf8(said)?))
    }

    /// Collects a process that something else has ended.
    pub fn reap(mut self) -> Checked {
        self.0.wait()?;
        Ok(())
    }

    pub fn pid(&self) -> i32 {
        self.0.id().cast_signed()
    }
}
