//! The sealed child: program and plan in one file that nobody can change.
//!
//! The image of the child ends with an empty segment. The runtime writes the plan behind the code, enters its
//! length into the program header of that segment, and seals the memfd: whatever reads /proc/PID/exe from
//! inside finds neither the runtime's binary nor anything writable (the class of CVE-2019-5736).

use std::io::{IoSlice, Write};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{MemfdFlags, Mode, OFlags, SealFlags, fchmod, fcntl_add_seals, memfd_create};
use rustix::io::Errno;

/// The program, built by the build script.
const CHILD: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/child/child"));

/// Offsets in an ELF64 file and in its program headers (elf(5)).
const E_PHOFF: usize = 32;
const PHDR_SIZE: usize = 56;
/// The ELF header and the three program headers of the child.
const HEADERS: usize = 64 + 3 * PHDR_SIZE;
/// The plan's segment is the second one (crates/child/child.ld).
const PLAN_SEGMENT: usize = 1;
const P_OFFSET: usize = 8;
const P_FILESZ: usize = 32;
const P_MEMSZ: usize = 40;

const MFD_EXEC: u32 = 0x10;
const F_SEAL_EXEC: u32 = 0x20;

/// Who may read the image: with a user namespace nobody, for the kernel then ties the process to the host's
/// user namespace, and root inside cannot look into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    Allowed,
    Forbidden,
}

fn word(at: usize) -> usize {
    let bytes = CHILD[at..at + 8].try_into().expect("eight bytes");
    u64::from_le_bytes(bytes) as usize
}

/// Makes the image with this plan. Errors: ENOMEM, EMFILE; where memfds may not be executed
/// (vm.memfd_noexec=2) a nameless file in `fallback` takes the place of the memfd.
pub fn seal(plan: &[u8], reading: Reading, fallback: &std::path::Path) -> rustix::io::Result<OwnedFd> {
    let header = word(E_PHOFF) + PLAN_SEGMENT * PHDR_SIZE;
    let offset = word(header + P_OFFSET);
    // Only the headers are copied; the code goes from the binary straight into the image.
    let mut headers = [0; HEADERS];
    headers.copy_from_slice(&CHILD[..HEADERS]);
    let size = (plan.len() + 4) as u64;
    for field in [P_FILESZ, P_MEMSZ] {
        headers[header + field..header + field + 8].copy_from_slice(&size.to_le_bytes());
    }
    let length = (plan.len() as u32).to_le_bytes();
    let parts = [headers.as_slice(), &CHILD[HEADERS..offset], &length, plan];
    let mode = match reading {
        Reading::Allowed => Mode::from_raw_mode(0o555),
        Reading::Forbidden => Mode::from_raw_mode(0o111),
    };
    match memory_file() {
        Ok((file, seals)) => {
            let file = write(file, &parts)?;
            fchmod(&file, mode)?;
            fcntl_add_seals(&file, seals)?;
            Ok(file)
        }
        Err(Errno::ACCESS) => nameless_file(&parts, mode, fallback),
        Err(errno) => Err(errno),
    }
}

/// A memfd that may be executed, and the seals that this kernel knows (MFD_EXEC: Linux 6.3).
fn memory_file() -> rustix::io::Result<(OwnedFd, SealFlags)> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    match memfd_create("crate-run-child", flags | MemfdFlags::from_bits_retain(MFD_EXEC)) {
        Err(Errno::INVAL) => Ok((memfd_create("crate-run-child", flags)?, seals)),
        made => Ok((made?, seals | SealFlags::from_bits_retain(F_SEAL_EXEC))),
    }
}

fn write(file: OwnedFd, parts: &[&[u8]; 4]) -> rustix::io::Result<OwnedFd> {
    let total: usize = parts.iter().map(|part| part.len()).sum();
    let mut file = std::fs::File::from(file);
    let slices = parts.map(IoSlice::new);
    let failed = |error: std::io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
    match file.write_vectored(&slices).map_err(failed)? {
        written if written == total => Ok(file.into()),
        _ => Err(Errno::NOSPC),
    }
}

/// A file of this container alone, without a name: who writes to it afterwards changes nothing for anybody.
fn nameless_file(parts: &[&[u8]; 4], mode: Mode, directory: &std::path::Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let writer = write(rustix::fs::open(directory, flags, Mode::from_raw_mode(0o700))?, parts)?;
    fchmod(&writer, mode)?;
    // The kernel does not execute what is open for writing (ETXTBSY).
    let path = format!("/proc/self/fd/{}", crate_run_sys::host::borrowed(&writer.as_fd()).0);
    rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
}
