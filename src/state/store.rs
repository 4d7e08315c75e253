//! The directory of all containers, and the one of each.
//!
//! Records are replaced by renameat2(2): a reader sees the old one or the new one. They are not flushed to
//! disk: containers do not survive the power failure that would make it matter
//! (docs/adr/0005-state-without-fsync.md).

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FlockOperation, RenameFlags, flock, renameat_with};
use rustix::io::Errno;

use crate::error::Error;
use crate::state::{ContainerId, Record, Stage, Status, lifecycle};

const RECORD: &str = "state.json";
const CONFIG: &str = "config.json";
/// The socket at which a created container waits; its presence is what tells `created` from `running`.
const GATE: &str = "gate";
/// How long a command waits for another one on the same container.
const LOCK_PATIENCE: Duration = Duration::from_secs(30);

/// All containers below one `--root`.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
    /// With which mode `root` is made when it is missing.
    mode: u32,
}

/// The directory of one container. Its lock is held as long as this value lives.
#[derive(Debug)]
pub struct Container {
    id: ContainerId,
    path: PathBuf,
    _lock: Option<OwnedFd>,
}

impl Store {
    /// The containers below `root`, which need not exist yet.
    pub fn new(root: PathBuf) -> Self {
        Self { root, mode: 0o700 }
    }

    /// The same in the runtime directory of a user, where what lies untouched for long may be removed unless
    /// it is sticky (XDG Base Directory Specification).
    pub fn of_user(root: PathBuf) -> Self {
        Self { root, mode: 0o1700 }
    }

    /// The directory of all containers.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whoever can write to the directory of all containers can say what root is to kill and to remove. So it
    /// must belong to us or to root, and so must a link that leads to it; nobody else may make entries in it.
    fn is_ours(&self) -> Result<(), Error> {
        let own = rustix::process::geteuid().as_raw();
        let foreign = |status: &fs::Metadata| ![0, own].contains(&status.uid());
        let (link, directory) = match (fs::symlink_metadata(&self.root), fs::metadata(&self.root)) {
            (Ok(link), Ok(directory)) => (link, directory),
            // It will be made, or is not there to be read; other trouble shows itself at the next step.
            _ => return Ok(()),
        };
        let fault = if foreign(&link) || foreign(&directory) {
            "it belongs to another user"
        } else if directory.mode() & 0o002 != 0 {
            "everybody may write to it"
        } else if directory.mode() & 0o020 != 0 && directory.gid() != rustix::process::getegid().as_raw() {
            "another group may write to it"
        } else {
            return Ok(());
        };
        let shown = self.root.display();
        Err(Error::WrongState(format!("the state directory {shown} cannot be trusted: {fault}")))
    }

    fn path(&self, id: &ContainerId) -> PathBuf {
        self.root.join(id.as_str())
    }

    /// Makes the directory of a new container, and locks it. An id that is taken is an error.
    pub fn reserve(&self, id: &ContainerId) -> Result<Container, Error> {
        self.is_ours()?;
        let path = self.path(id);
        loop {
            self.make_directory(id, &path)?;
            // Whoever was quicker may have made the directory of all containers.
            self.is_ours()?;
            match lock(&path)? {
                // Whoever was quicker than our lock has made a container of this directory.
                Some(_) if path.join(RECORD).exists() => return Err(Error::Exists { id: id.to_string() }),
                Some(lock) => return Ok(Container { id: id.clone(), path, _lock: Some(lock) }),
                // A forced delete came between the two.
                None => {}
            }
        }
    }

    fn make_directory(&self, id: &ContainerId, path: &Path) -> Result<(), Error> {
        let mut make = DirBuilder::new();
        make.mode(0o700);
        let made = match make.create(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let failed = |error| Error::file("make the state directory", &self.root, error);
                DirBuilder::new().mode(self.mode).recursive(true).create(&self.root).map_err(failed)?;
                make.create(path)
            }
            other => other,
        };
        made.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Error::Exists { id: id.to_string() },
            _ => Error::file("make the container's directory", path, error),
        })
    }

    /// Opens an existing container for a command that changes it: nobody else changes it meanwhile.
    pub fn open(&self, id: &ContainerId) -> Result<Container, Error> {
        self.is_ours()?;
        let path = self.path(id);
        match lock(&path)? {
            Some(lock) => Ok(Container { id: id.clone(), path, _lock: Some(lock) }),
            None => Err(Error::NotFound { id: id.to_string() }),
        }
    }

    /// Opens the container that a record describes, for a command that changes it; with it comes the record of
    /// now. `None` when it has been deleted since, whoever has its name today.
    pub fn reopen(&self, record: &Record) -> Result<Option<(Container, Record)>, Error> {
        let id = ContainerId::new(&record.id).map_err(Error::WrongState)?;
        match self.open(&id).and_then(|container| Ok((container.record()?, container))) {
            Ok((now, container)) => Ok(now.is_of_same(record).then_some((container, now))),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Does the container that a record describes still exist?
    pub fn still_has(&self, record: &Record) -> Result<bool, Error> {
        let id = ContainerId::new(&record.id).map_err(Error::WrongState)?;
        match self.look(&id).and_then(|container| container.record()) {
            Ok(now) => Ok(now.is_of_same(record)),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Opens an existing container for a look.
    pub fn look(&self, id: &ContainerId) -> Result<Container, Error> {
        self.is_ours()?;
        let path = self.path(id);
        Ok(Container { id: id.clone(), path, _lock: None })
    }

    /// The ids of all containers, sorted. A root that does not exist has none.
    pub fn ids(&self) -> Result<Vec<ContainerId>, Error> {
        self.is_ours()?;
        let entries = match fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::file("list the state directory", &self.root, error)),
        };
        let name = |entry: io::Result<fs::DirEntry>| ContainerId::new(entry.ok()?.file_name().to_str()?).ok();
        let mut ids: Vec<ContainerId> = entries.filter_map(name).collect();
        ids.sort();
        Ok(ids)
    }
}

/// flock(2) on a directory, tried until the deadline. `None` when the directory is not there.
fn lock(path: &Path) -> Result<Option<OwnedFd>, Error> {
    let nofollow = rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::NOFOLLOW;
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        let directory = match OpenOptions::new().read(true).custom_flags(nofollow.bits() as i32).open(path) {
            Ok(directory) => directory,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::file("open the container's directory", path, error)),
        };
        wait_for(&directory, deadline).map_err(|errno| match errno {
            rustix::io::Errno::WOULDBLOCK => {
                let id = path.file_name().unwrap_or_default().to_string_lossy();
                Error::WrongState(format!("another command is still at work on container {id}"))
            }
            errno => Error::file("lock the container's directory", path, errno.into()),
        })?;
        // It may have been deleted, and made again, while we waited: then we have the lock of nothing.
        if is_at(&directory, path) {
            return Ok(Some(directory.into()));
        }
    }
}

fn wait_for(directory: &File, deadline: Instant) -> rustix::io::Result<()> {
    loop {
        match flock(directory, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(2));
            }
            other => return other,
        }
    }
}

fn is_at(directory: &File, path: &Path) -> bool {
    let identity = |status: fs::Metadata| (status.dev(), status.ino());
    match (directory.metadata(), fs::symlink_metadata(path)) {
        (Ok(ours), Ok(there)) => identity(ours) == identity(there),
        _ => false,
    }
}

impl Container {
    /// The name of the container.
    pub fn id(&self) -> &ContainerId {
        &self.id
    }

    /// The container's directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where a created container waits.
    pub fn gate(&self) -> PathBuf {
        self.path.join(GATE)
    }

    /// The copy of the configuration.
    pub fn config(&self) -> Result<Vec<u8>, Error> {
        let path = self.path.join(CONFIG);
        fs::read(&path).map_err(|error| Error::file("read the container's configuration", &path, error))
    }

    /// Keeps a copy of the configuration.
    pub fn save_config(&self, text: &[u8]) -> Result<(), Error> {
        let path = self.path.join(CONFIG);
        fs::write(&path, text)
            .map_err(|error| Error::file("save the container's configuration", &path, error))
    }

    /// Replaces the copy of the configuration: who reads it meanwhile gets the old one or the new one, whole.
    pub fn replace_config(&self, text: &[u8]) -> Result<(), Error> {
        let path = self.path.join(CONFIG);
        replace(&path, &self.path.join("config.new"), text)
            .map_err(|error| Error::file("save the container's configuration", &path, error))
    }

    /// Replaces the record.
    pub fn save(&self, record: &Record) -> Result<(), Error> {
        let (path, new) = (self.path.join(RECORD), self.path.join("state.new"));
        let failed = |error| Error::file("write the container's state", &path, error);
        let text = serde_json::to_vec(record).map_err(|error| failed(error.into()))?;
        replace(&path, &new, &text).map_err(failed)
    }

    /// Reads the record.
    pub fn record(&self) -> Result<Record, Error> {
        let path = self.path.join(RECORD);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::NotFound { id: self.id.to_string() });
            }
            Err(error) => return Err(Error::file("read the container's state", &path, error)),
        };
        serde_json::from_slice(&text)
            .map_err(|error| Error::file("read the container's state", &path, error.into()))
    }

    /// Is there a directory without a record, at which no command is at work? Such a command has died before it
    /// had written one.
    pub fn is_abandoned(&self) -> bool {
        let Ok(directory) = File::open(&self.path) else { return false };
        let free = flock(&directory, FlockOperation::NonBlockingLockShared).is_ok();
        free && is_at(&directory, &self.path) && !self.path.join(RECORD).exists()
    }

    /// What the container is now: a process that has ended, or whose number somebody else has, means stopped.
    pub fn status(&self, record: &Record) -> Status {
        if !record.process.is_some_and(|process| process.is_alive()) {
            return match record.stage {
                Stage::Creating if record.creator.is_alive() => Status::Creating,
                _ => Status::Stopped,
            };
        }
        match record.stage {
            // A program that outlived its runtime: the sealed child would have died with it.
            Stage::Creating if !record.creator.is_alive() => Status::Running,
            Stage::Creating => Status::Creating,
            Stage::Created if lifecycle::is_frozen(record) => Status::Paused,
            Stage::Created if self.gate().exists() => Status::Created,
            Stage::Created => Status::Running,
        }
    }

    /// Removes everything that is in the directory, and the directory. What is gone already is no error.
    pub fn remove(&self) -> Result<(), Error> {
        // What is known to be there first: for the usual container no directory has to be read.
        for name in [RECORD, CONFIG, GATE] {
            let _ = fs::remove_file(self.path.join(name));
        }
        if fs::remove_dir(&self.path).is_ok() {
            return Ok(());
        }
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::file("remove the container's directory", &self.path, error))
            }
            _ => Ok(()),
        }
    }
}

/// Writes the file `new` and puts it in the place of `path`.
fn replace(path: &Path, new: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = File::create(new)?;
    file.write_all(text).and_then(|()| put_in_place(new, path))
}

/// Gives a new file the name of an old one, in one moment (rename(2)). They are exchanged and the old one is
/// removed, because ext4 writes a file to the disk at once that is renamed over another (ext4(5),
/// auto_da_alloc), and a start would wait for the disk.
fn put_in_place(new: &Path, path: &Path) -> io::Result<()> {
    let rename = |flags| renameat_with(CWD, new, CWD, path, flags);
    match rename(RenameFlags::EXCHANGE) {
        Ok(()) => fs::remove_file(new),
        // There is no old one, or the filesystem does not exchange.
        Err(Errno::NOENT | Errno::INVAL) => Ok(rename(RenameFlags::empty())?),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_record_takes_the_place_of_the_old_one() {
        let directory = std::env::temp_dir().join(format!("crate-run-record-{}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        let (new, path) = (directory.join("new"), directory.join("record"));
        for text in ["first", "second"] {
            fs::write(&new, text).unwrap();
            put_in_place(&new, &path).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            assert!(!new.exists());
        }
        fs::remove_dir_all(&directory).unwrap();
    }
}
