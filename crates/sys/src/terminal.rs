//! Pseudoterminals (pty(7), ioctl_tty(2)).

use crate::files::flag;
use crate::{Answer, Fd, arch, call, pointer};

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
