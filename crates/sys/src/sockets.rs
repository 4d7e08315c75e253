//! Messages between the two halves of a plan: sequenced packets that may carry one descriptor (unix(7)).

use core::ffi::CStr;

use crate::{Answer, Errno, Fd, arch, call, files, pointer, pointer_mut};

#[repr(C)]
struct Header {
    name: usize,
    name_length: u32,
    vectors: usize,
    vector_count: usize,
    control: usize,
    control_length: usize,
    flags: i32,
}

impl Header {
    /// A message of one part, given as address and length, without a descriptor.
    fn of(part: &[usize; 2]) -> Self {
        let (vectors, vector_count) = (pointer(part), 1);
        Self { name: 0, name_length: 0, vectors, vector_count, control: 0, control_length: 0, flags: 0 }
    }
}

const SOL_SOCKET: i32 = 1;
const SCM_RIGHTS: i32 = 1;
const MSG_NOSIGNAL: usize = 0x4000;
/// `CMSG_SPACE(sizeof(int))`: a header of 16 bytes and one descriptor, padded to 8.
type Control = [u64; 3];

/// sendmsg(2) of `bytes`, with `descriptor` as SCM_RIGHTS when there is one. No SIGPIPE.
pub fn send(socket: Fd, bytes: &[u8], descriptor: Option<Fd>) -> Answer<()> {
    let vector = [bytes.as_ptr() as usize, bytes.len()];
    let mut header = Header::of(&vector);
    let level_and_type = (SOL_SOCKET as u32 as u64) | (SCM_RIGHTS as u32 as u64) << 32;
    let control: Control = [20, level_and_type, descriptor.map_or(0, |fd| fd.0 as u32 as u64)];
    if descriptor.is_some() {
        header.control = pointer(&control);
        header.control_length = size_of::<Control>();
    }
    call(arch::SENDMSG, [socket.raw(), pointer(&header), MSG_NOSIGNAL, 0, 0, 0]).map(drop)
}

/// recvmsg(2) of one packet; 0 bytes when the other side is gone. A descriptor that came along is returned,
/// close-on-exec.
pub fn receive(socket: Fd, buffer: &mut [u8]) -> Answer<(usize, Option<Fd>)> {
    const MSG_CMSG_CLOEXEC: usize = 0x4000_0000;
    let vector = [buffer.as_mut_ptr() as usize, buffer.len()];
    let mut control: Control = [0; 3];
    let mut header = Header::of(&vector);
    header.control = pointer_mut(&mut control);
    header.control_length = size_of::<Control>();
    let length = loop {
        let arguments = [socket.raw(), pointer_mut(&mut header), MSG_CMSG_CLOEXEC, 0, 0, 0];
        match call(arch::RECVMSG, arguments) {
            Err(Errno::EINTR) => continue,
            answer => break answer?,
        }
    };
    let came = header.control_length >= 20;
    Ok((length, came.then_some(Fd(control[2] as u32 as i32))))
}

/// accept4(2), close-on-exec; waits for ever.
pub fn accept(listener: Fd) -> Answer<Fd> {
    const SOCK_CLOEXEC: usize = 0o2000000;
    loop {
        match call(arch::ACCEPT4, [listener.raw(), 0, 0, SOCK_CLOEXEC, 0, 0]) {
            Err(Errno::EINTR) => continue,
            answer => return answer.map(|fd| Fd(fd as i32)),
        }
    }
}

/// Sets the interface `lo` of the calling process's network namespace up (netdevice(7), SIOCSIFFLAGS).
pub fn loopback_up() -> Answer<()> {
    const AF_INET: usize = 2;
    const SOCK_DGRAM_CLOEXEC: usize = 2 | 0o2000000;
    const SIOCSIFFLAGS: usize = 0x8914;
    const IFF_UP_RUNNING: u16 = 0x41;
    let socket = call(arch::SOCKET, [AF_INET, SOCK_DGRAM_CLOEXEC, 0, 0, 0, 0])?;
    let mut request = [0u8; 40];
    request[..2].copy_from_slice(c"lo".to_bytes());
    request[16..18].copy_from_slice(&IFF_UP_RUNNING.to_ne_bytes());
    let answer = call(arch::IOCTL, [socket, SIOCSIFFLAGS, pointer(&request), 0, 0, 0]);
    files::close(Fd(socket as i32));
    answer.map(drop)
}

/// The name under which a pseudoterminal's master is announced on a console socket.
pub const MASTER_NAME: &CStr = c"/dev/ptmx";
