//! As much of the FUSE protocol as a tree of small files takes (fuse(4), linux/fuse.h): requests are read from
//! /dev/fuse, and answered one after the other by a thread of the test.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rustix::io::{Errno, FdFlags, fcntl_setfd};

use crate::world::tool;

/// The opcodes that a tree without links, attributes and listings meets.
mod opcode {
    pub const LOOKUP: u32 = 1;
    pub const FORGET: u32 = 2;
    pub const GETATTR: u32 = 3;
    pub const MKDIR: u32 = 9;
    pub const RMDIR: u32 = 11;
    pub const OPEN: u32 = 14;
    pub const READ: u32 = 15;
    pub const WRITE: u32 = 16;
    pub const STATFS: u32 = 17;
    pub const RELEASE: u32 = 18;
    pub const FLUSH: u32 = 25;
    pub const INIT: u32 = 26;
    pub const OPENDIR: u32 = 27;
    pub const RELEASEDIR: u32 = 29;
    pub const INTERRUPT: u32 = 36;
    pub const BATCH_FORGET: u32 = 42;
}

/// Every read and write goes to the server.
const FOPEN_DIRECT_IO: u32 = 1;
const HEADER: usize = 40;
const LARGEST: usize = 1 << 17;

/// What a name of the tree stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    Directory,
    File,
}

/// The tree that is shown; paths are relative to its root, which is empty.
pub trait Files: Send {
    fn node(&self, path: &str) -> Option<Node>;
    fn read(&self, path: &str) -> String;
    fn write(&mut self, path: &str, text: &str) -> Result<(), Errno>;
    fn make(&mut self, path: &str) -> Result<(), Errno>;
    fn remove(&mut self, path: &str) -> Result<(), Errno>;
}

/// A mounted tree, gone when it is dropped.
pub struct Mounted<F> {
    place: PathBuf,
    files: Arc<Mutex<F>>,
    server: Option<JoinHandle<()>>,
}

impl<F: Files + 'static> Mounted<F> {
    /// Shows `files` at `place`, an empty directory.
    pub fn new(place: &Path, files: F) -> Self {
        let device = File::options().read(true).write(true).open("/dev/fuse").expect("/dev/fuse");
        fcntl_setfd(&device, FdFlags::empty()).expect("a descriptor for mount(8)");
        let number = std::os::fd::AsRawFd::as_raw_fd(&device);
        let options = format!("fd={number},rootmode=40000,user_id=0,group_id=0");
        tool(&["mount", "-i", "-t", "fuse", "-o", &options, "resctrl", place.to_str().expect("UTF-8")]);
        fcntl_setfd(&device, FdFlags::CLOEXEC).expect("a descriptor of ours alone");
        let files = Arc::new(Mutex::new(files));
        let shared = files.clone();
        let server = std::thread::spawn(move || Server { device, files: shared, paths: Vec::new() }.serve());
        Self { place: place.to_owned(), files, server: Some(server) }
    }

    pub fn files(&self) -> std::sync::MutexGuard<'_, F> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F> Drop for Mounted<F> {
    fn drop(&mut self) {
        // A test that has failed must not fail a second time in here.
        let _ = std::process::Command::new("umount").arg(&self.place).status();
        let _ = self.server.take().map(JoinHandle::join);
    }
}

struct Server<F> {
    device: File,
    files: Arc<Mutex<F>>,
    /// The path of node 2 and up; node 1 is the root.
    paths: Vec<String>,
}

type Answer = Result<Vec<u8>, Errno>;

impl<F: Files> Server<F> {
    /// Answers until the tree is unmounted.
    fn serve(mut self) {
        let mut buffer = vec![0; LARGEST + 4096];
        loop {
            let length = match self.device.read(&mut buffer) {
                Ok(length) => length,
                Err(error) if error.raw_os_error() == Some(Errno::NODEV.raw_os_error()) => return,
                Err(_) => continue,
            };
            let request = &buffer[..length];
            let (code, unique) = (number(request, 4) as u32, &request[8..16]);
            if matches!(code, opcode::FORGET | opcode::BATCH_FORGET | opcode::INTERRUPT) {
                continue;
            }
            let node = u64::from_ne_bytes(request[16..24].try_into().expect("8 bytes"));
            let answer = self.answer(code, node, &request[HEADER..]);
            let error = answer.as_ref().err().map_or(0, |errno| -errno.raw_os_error());
            let body = answer.unwrap_or_default();
            let length = (16 + body.len()) as u32;
            let reply = [&length.to_ne_bytes()[..], &error.to_ne_bytes(), unique, &body].concat();
            // Whoever asked may be gone by now.
            let _ = self.device.write(&reply);
        }
    }

    fn answer(&mut self, code: u32, node: u64, body: &[u8]) -> Answer {
        let path = self.path(node);
        let files = self.files.clone();
        let mut files = files.lock().unwrap_or_else(PoisonError::into_inner);
        match code {
            opcode::INIT => Ok(init()),
            opcode::LOOKUP => self.entry(&*files, &below(&path, text(body))),
            opcode::GETATTR => {
                let kind = files.node(&path).ok_or(Errno::NOENT)?;
                Ok([&[0; 16][..], &attributes(node, kind)].concat())
            }
            opcode::MKDIR => {
                let new = below(&path, text(&body[8..]));
                files.make(&new)?;
                self.entry(&*files, &new)
            }
            opcode::RMDIR => files.remove(&below(&path, text(body))).map(|()| Vec::new()),
            opcode::OPEN | opcode::OPENDIR => {
                Ok([&[0; 8][..], &FOPEN_DIRECT_IO.to_ne_bytes(), &[0; 4]].concat())
            }
            opcode::READ => {
                let content = files.read(&path).into_bytes();
                let from = (number(body, 8) as usize).min(content.len());
                let most = number(body, 16) as u32 as usize;
                Ok(content[from..].iter().take(most).copied().collect())
            }
            opcode::WRITE => {
                let size = number(body, 16) as u32;
                let written = std::str::from_utf8(&body[40..40 + size as usize]).map_err(|_| Errno::INVAL)?;
                files.write(&path, written)?;
                Ok([size.to_ne_bytes(), [0; 4]].concat())
            }
            opcode::STATFS => Ok(vec![0; 80]),
            opcode::RELEASE | opcode::RELEASEDIR | opcode::FLUSH => Ok(Vec::new()),
            _ => Err(Errno::NOSYS),
        }
    }

    fn path(&self, node: u64) -> String {
        node.checked_sub(2).map_or(String::new(), |index| self.paths[index as usize].clone())
    }

    /// The answer to LOOKUP and MKDIR: a node with its attributes, nothing of which is to be remembered.
    fn entry(&mut self, files: &F, path: &str) -> Answer {
        let kind = files.node(path).ok_or(Errno::NOENT)?;
        let known = self.paths.iter().position(|other| other == path);
        let index = known.unwrap_or_else(|| {
            self.paths.push(path.to_owned());
            self.paths.len() - 1
        });
        let node = index as u64 + 2;
        Ok([&node.to_ne_bytes()[..], &[0; 32], &attributes(node, kind)].concat())
    }
}

/// 8 bytes as a number; for a field of 4 bytes the upper half is to be cut off.
fn number(bytes: &[u8], at: usize) -> u64 {
    let mut eight = [0; 8];
    let field = &bytes[at..bytes.len().min(at + 8)];
    eight[..field.len()].copy_from_slice(field);
    u64::from_ne_bytes(eight)
}

fn text(bytes: &[u8]) -> &str {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    std::str::from_utf8(&bytes[..end]).expect("names of these tests are UTF-8")
}

fn below(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}/{name}") }
}

/// struct fuse_init_out: version 7.31, and how much may be written at once.
fn init() -> Vec<u8> {
    let mut out = vec![0; 64];
    out[0..4].copy_from_slice(&7u32.to_ne_bytes());
    out[4..8].copy_from_slice(&31u32.to_ne_bytes());
    out[20..24].copy_from_slice(&(LARGEST as u32).to_ne_bytes());
    out
}

/// struct fuse_attr.
fn attributes(node: u64, kind: Node) -> Vec<u8> {
    let mode: u32 = if kind == Node::Directory { 0o040_755 } else { 0o100_644 };
    let mut out = vec![0; 88];
    out[0..8].copy_from_slice(&node.to_ne_bytes());
    out[60..64].copy_from_slice(&mode.to_ne_bytes());
    out[64..68].copy_from_slice(&1u32.to_ne_bytes());
    out
}
