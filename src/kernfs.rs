//! A directory of cgroup2 or resctrl as a file descriptor: the few system calls that their drivers are made
//! of. Both are a kernfs: a tree whose directories are groups, and whose files the kernel makes.
//!
//! A descriptor stays with its directory whatever happens to names, so nothing is looked up twice. Every name
//! is opened with `O_NOFOLLOW`, every longer path with openat2(2) and `RESOLVE_BENEATH`,
//! `RESOLVE_NO_SYMLINKS` and `RESOLVE_NO_XDEV`: it cannot leave the file system, whoever made the
//! names in it.
//!
//! Man pages: openat2(2), mkdirat(2), unlinkat(2), getdents64(2).

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{Access, AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::{Errno, Result, retry_on_intr};

/// An open directory.
#[derive(Debug)]
pub(crate) struct Directory(OwnedFd);

/// O_RDONLY, not O_PATH: getdents64(2) needs it, and clone3(2) and bpf(2) take both.
fn directory_flags() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

impl Directory {
    /// The directory at a path of the host.
    pub fn open(path: &Path) -> Result<Self> {
        retry_on_intr(|| rustix::fs::open(path, directory_flags(), Mode::empty())).map(Self)
    }

    /// The top of a mount that is attached nowhere (fsmount(2)).
    #[cfg(feature = "cgroup-v1")]
    pub fn of_mount(mount: &OwnedFd) -> Result<Self> {
        retry_on_intr(|| rustix::fs::openat(mount, ".", directory_flags(), Mode::empty())).map(Self)
    }

    /// The directory at `relative`, one or more names below this one; an empty path is this one.
    pub fn beneath(&self, relative: impl AsRef<OsStr>) -> Result<Self> {
        let relative = relative.as_ref();
        let path = if relative.is_empty() { OsStr::new(".") } else { relative };
        let resolve = ResolveFlags::BENEATH
            | ResolveFlags::NO_SYMLINKS
            | ResolveFlags::NO_MAGICLINKS
            | ResolveFlags::NO_XDEV;
        let flags = directory_flags();
        retry_on_intr(|| rustix::fs::openat2(&self.0, path, flags, Mode::empty(), resolve)).map(Self)
    }

    /// Makes the directory `name` in this one. EEXIST when it is there.
    pub fn make(&self, name: &str) -> Result<()> {
        // 0755, the mode of every group; the umask of the caller may narrow it.
        rustix::fs::mkdirat(&self.0, plain(name.as_ref())?, Mode::from_raw_mode(0o755))
    }

    /// Removes the directory `name` in this one. EBUSY while it has processes or children.
    pub fn remove(&self, name: impl AsRef<OsStr>) -> Result<()> {
        rustix::fs::unlinkat(&self.0, plain(name.as_ref())?, AtFlags::REMOVEDIR)
    }

    /// The names of the directories in this one. Whoever is in a container may choose them, of any bytes.
    pub fn children(&self) -> Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.0)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if entry.file_type() == FileType::Directory && name != "." && name != ".." {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// Opens the file `name` in this directory.
    pub fn file(&self, name: &str, access: OFlags) -> Result<OwnedFd> {
        let flags = access | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let name = plain(name.as_ref())?;
        retry_on_intr(|| rustix::fs::openat(&self.0, name, flags, Mode::empty()))
    }

    /// The whole content of the file `name`.
    pub fn read(&self, name: &str) -> Result<String> {
        read_whole(self.file(name, OFlags::RDONLY)?.as_fd())
    }

    /// Writes `value` to the file `name` in one write(2), as the files of a kernfs demand.
    pub fn write(&self, name: &str, value: &str) -> Result<()> {
        let file = self.file(name, OFlags::WRONLY)?;
        // write(2) leaves open what a write of no bytes does; a newline always reaches the kernel's parser.
        let bytes = if value.is_empty() { "\n" } else { value }.as_bytes();
        let written = retry_on_intr(|| rustix::io::write(&file, bytes))?;
        if written == bytes.len() { Ok(()) } else { Err(Errno::IO) }
    }

    /// May this user write to the file `name` in this directory, or with `.` make entries in it? Also where
    /// the mount is read-only, he may not.
    pub fn is_writable(&self, name: &str) -> bool {
        let access = if name == "." { Access::WRITE_OK | Access::EXEC_OK } else { Access::WRITE_OK };
        rustix::fs::accessat(&self.0, name, access, AtFlags::EACCESS).is_ok()
    }

    /// Gives the directory itself, or the file `name` in it, to `owner`; the group stays.
    pub fn change_owner(&self, name: Option<&str>, owner: rustix::fs::Uid) -> Result<()> {
        match name {
            None => rustix::fs::fchown(&self.0, Some(owner), None),
            Some(name) => rustix::fs::chownat(
                &self.0,
                plain(name.as_ref())?,
                Some(owner),
                None,
                AtFlags::SYMLINK_NOFOLLOW,
            ),
        }
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Everything from the start of an open file, however often it was read before.
pub(crate) fn read_whole(file: BorrowedFd<'_>) -> Result<String> {
    let mut content = Vec::new();
    let mut page = [0_u8; 4096];
    loop {
        let from = content.len() as u64;
        let count = retry_on_intr(|| rustix::io::pread(file, &mut page, from))?;
        if count == 0 {
            return String::from_utf8(content).map_err(|_| Errno::ILSEQ);
        }
        content.extend_from_slice(&page[..count]);
    }
}

/// A single name, so that no caller can reach outside of the directory.
fn plain(name: &OsStr) -> Result<&OsStr> {
    let bytes = name.as_bytes();
    let fine =
        !bytes.is_empty() && bytes != b"." && bytes != b".." && !bytes.iter().any(|it| b"/\0".contains(it));
    if fine { Ok(name) } else { Err(Errno::INVAL) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory of this test alone; removed when the test is over.
    struct Scratch(std::path::PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("crate-run-{name}-{}", std::process::id()));
            std::fs::create_dir(&path).expect("a fresh directory");
            Self(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            // Leaving a few bytes in /tmp behind is no reason to hide the verdict of the test.
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn names_that_leave_the_directory_are_refused() {
        for bad in ["", ".", "..", "a/b", "/a", "../a", "a\0b"] {
            assert_eq!(plain(OsStr::new(bad)), Err(Errno::INVAL), "{bad:?}");
        }
        assert_eq!(plain(OsStr::new("memory.max")), Ok(OsStr::new("memory.max")));
    }

    #[test]
    fn symbolic_links_are_not_followed() {
        let scratch = Scratch::new("links");
        std::fs::create_dir(scratch.0.join("real")).expect("real");
        std::fs::write(scratch.0.join("real/file"), "x").expect("file");
        std::os::unix::fs::symlink("real", scratch.0.join("link")).expect("link");
        std::os::unix::fs::symlink("real/file", scratch.0.join("file")).expect("file link");
        let top = Directory::open(&scratch.0).expect("the scratch directory");
        assert!(top.beneath("real").is_ok());
        assert_eq!(top.beneath("link").err(), Some(Errno::NOTDIR), "O_NOFOLLOW with O_DIRECTORY");
        assert_eq!(top.beneath("link/x").err(), Some(Errno::LOOP));
        assert_eq!(top.beneath("real/../..").err(), Some(Errno::XDEV));
        assert_eq!(top.read("file").err(), Some(Errno::LOOP));
        assert_eq!(top.write("file", "y").err(), Some(Errno::LOOP));
        assert_eq!(std::fs::read_to_string(scratch.0.join("real/file")).expect("file"), "x");
    }

    #[test]
    fn children_are_directories_only() {
        let scratch = Scratch::new("children");
        let top = Directory::open(&scratch.0).expect("the scratch directory");
        top.make("a").expect("a");
        top.make("b").expect("b");
        std::fs::write(scratch.0.join("c"), "").expect("c");
        let mut names = top.children().expect("a listing");
        names.sort();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(top.make("a"), Err(Errno::EXIST));
        top.remove("a").expect("a is empty");
        assert_eq!(top.remove("a"), Err(Errno::NOENT));
    }

    #[test]
    fn files_are_read_whole_and_written_at_once() {
        let scratch = Scratch::new("files");
        let top = Directory::open(&scratch.0).expect("the scratch directory");
        std::fs::write(scratch.0.join("long"), "y".repeat(10_000)).expect("long");
        assert_eq!(top.read("long").expect("long").len(), 10_000);
        top.write("long", "z").expect("long");
        assert!(top.read("long").expect("long").starts_with("zy"));
        assert_eq!(top.read("absent"), Err(Errno::NOENT));
        assert_eq!(top.write("absent", "1"), Err(Errno::NOENT), "nothing is ever created");
    }
}
