//! # The caller's terminal, lent to the container
//!
//! Two terminals are in play: the caller's, at which a person sits, and the container's own. Each has a line
//! discipline (termios(3)) that echoes, edits lines, and makes SIGINT of ^C. Once is enough: the caller's
//! terminal goes into raw mode, so that every key travels on unchanged, and ^C becomes a signal in the
//! container. Raw mode belongs to the terminal and not to us: whoever sets it must give it back, or the shell
//! after us is left with a terminal that does not echo.
//!
//! Job control (credentials(7), "Sessions"; tcsetpgrp(3)): of all process groups of a session only the one in
//! the foreground may use its terminal. In the background we touch neither its modes nor its input.

use std::os::fd::{AsFd, BorrowedFd};

use nix::unistd::getpgrp;
use rustix::termios::{
    OptionalActions, Termios, Winsize, isatty, tcgetattr, tcgetpgrp, tcgetwinsize, tcsetattr, tcsetwinsize,
};

/// Where our process group stands in the session of the caller's terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The keyboard is ours. So it is when there is no terminal, or one without job control.
    Foreground,
    /// Somebody else, usually a shell, has the keyboard.
    Background,
}

/// The caller's terminal, as far as there is one.
#[derive(Debug)]
pub struct CallerTerminal<'a> {
    keyboard: Option<BorrowedFd<'a>>,
    screen: Option<BorrowedFd<'a>>,
    /// The modes before raw mode; `None` as long as the terminal is not lent.
    former: Option<Termios>,
}

impl<'a> CallerTerminal<'a> {
    /// Looks which of the caller's two streams are a terminal.
    pub fn of(input: BorrowedFd<'a>, output: BorrowedFd<'a>) -> Self {
        let terminal = |fd: BorrowedFd<'a>| isatty(fd).then_some(fd);
        Self { keyboard: terminal(input), screen: terminal(output).or(terminal(input)), former: None }
    }

    /// Puts the keyboard into raw mode, unless somebody else has it; may be called again at any time.
    ///
    /// Our SIGTTOU is blocked, so the kernel would let us do it from the background too: hence the look
    /// first. A terminal that refuses has been hung up, which reading it will tell.
    pub fn lend(&mut self) -> Place {
        let Some(keyboard) = self.keyboard else { return Place::Foreground };
        if place_at(keyboard) == Place::Background {
            return Place::Background;
        }
        if let Ok(mut modes) = tcgetattr(keyboard) {
            self.former.get_or_insert_with(|| modes.clone());
            modes.make_raw();
            let _ = tcsetattr(keyboard, OptionalActions::Now, &modes);
        }
        Place::Foreground
    }

    /// Gives the keyboard back in its former modes. Who has it by now, if not we, has set modes of his own.
    pub fn take_back(&mut self) {
        let (Some(keyboard), Some(former)) = (self.keyboard, self.former.take()) else { return };
        if place_at(keyboard) == Place::Foreground {
            let _ = tcsetattr(keyboard, OptionalActions::Now, &former);
        }
    }

    /// The size of the caller's window, if that is known (ioctl_tty(2), TIOCGWINSZ).
    pub fn size(&self) -> Option<Winsize> {
        let size = tcgetwinsize(self.screen?).ok()?;
        (size.ws_row != 0 && size.ws_col != 0).then_some(size)
    }

    /// Gives `terminal` the size of the caller's window, if that is known; its foreground then gets SIGWINCH
    /// (ioctl_tty(2), TIOCSWINSZ).
    pub fn copy_size(&self, terminal: impl AsFd) {
        if let Some(size) = self.size() {
            let _ = tcsetwinsize(terminal, size);
        }
    }
}

impl Drop for CallerTerminal<'_> {
    fn drop(&mut self) {
        self.take_back();
    }
}

/// A terminal that is not our session's has no job control for us: it answers ENOTTY. Our own group is 0 when
/// its leader lives in an outer pid namespace, pid_namespaces(7).
fn place_at(keyboard: BorrowedFd) -> Place {
    match tcgetpgrp(keyboard) {
        Ok(group) if group.as_raw_pid() != getpgrp().as_raw() => Place::Background,
        _ => Place::Foreground,
    }
}
