//! Pseudoterminals (pty(7), ioctl_tty(2)).

use crate::files::flag;
use crate::{Answer, Fd, arch, call, pointer, pointer_mut};

/// TIOCSPTLCK: unlocks the other side of the master.
pub fn unlock(master: Fd) -> Answer<()> {
    let zero = 0i32;
    call(arch::IOCTL, [master.raw(), 0x4004_5431, pointer(&zero), 0, 0, 0]).map(drop)
}

/// TIOCGPTPEER, Linux 4.13: opens the other side without a path, so nothing can be put in its place.
pub fn open_peer(master: Fd) -> Answer<Fd> {
    let flags = flag::O_RDWR | flag::O_NOCTTY | flag::O_CLOEXEC;
    call(arch::IOCTL, [master.raw(), 0x5441, flags as usize, 0, 0, 0]).map(|fd| Fd(fd as i32))
}

/// TIOCSWINSZ: the size of the window in characters.
pub fn set_size(terminal: Fd, rows: u16, columns: u16) -> Answer<()> {
    let size = [rows, columns, 0, 0];
    call(arch::IOCTL, [terminal.raw(), 0x5414, pointer(&size), 0, 0, 0]).map(drop)
}

/// TIOCSCTTY: makes it the controlling terminal of the session that the caller leads.
pub fn make_controlling(terminal: Fd) -> Answer<()> {
    call(arch::IOCTL, [terminal.raw(), 0x540e, 0, 0, 0, 0]).map(drop)
}

/// The modes of a terminal as TCGETS knows them: input, output, control, local, then the line discipline and
/// the special characters.
#[repr(C)]
#[derive(Default)]
struct Modes {
    input: u32,
    output: u32,
    control: u32,
    local: u32,
    rest: [u8; 20],
}

/// ONLCR off (termios(3)): what is written leaves the terminal without a carriage return at the end of a
/// line.
pub fn plain_line_ends(terminal: Fd) -> Answer<()> {
    const ONLCR: u32 = 4;
    let mut modes = Modes::default();
    call(arch::IOCTL, [terminal.raw(), 0x5401, pointer_mut(&mut modes), 0, 0, 0])?;
    modes.output &= !ONLCR;
    call(arch::IOCTL, [terminal.raw(), 0x5402, pointer(&modes), 0, 0, 0]).map(drop)
}
