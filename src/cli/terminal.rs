//! Who holds the master side of the program's terminal, and what that terminal takes over from the caller's.

use std::io::{IsTerminal, stdin, stdout};
use std::os::fd::AsFd;

use oci_spec::runtime::Spec;

use crate::bundle::Bundle;
use crate::bundle::path::OutsidePath;
use crate::feature::terminal::{Master, Terminal, resolve};
use crate::launch::caller::CallerTerminal;

/// How the command goes on when the program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stay {
    /// It waits for the program's end, and lends it the terminal.
    Foreground,
    /// It returns.
    Detached,
}

/// Whoever listens at the console socket, or else the command itself if it stays.
pub fn master(console_socket: Option<OutsidePath>, spec: &Spec, stay: Stay) -> Master {
    match (console_socket, resolve(spec), stay) {
        (Some(socket), _, _) => Master::Socket(socket),
        (None, Terminal::Pty { .. }, Stay::Foreground) => Master::Foreground,
        _ => Master::None,
    }
}

/// A terminal that the caller sees gets the size of the caller's, and plain line ends where nobody sees it.
pub fn fit(bundle: &mut Bundle, master: &Master) {
    if *master != Master::Foreground {
        return;
    }
    if let Some(size) = CallerTerminal::of(stdin().as_fd(), stdout().as_fd()).size() {
        bundle.terminal = bundle.terminal.or_sized(size.ws_row, size.ws_col);
    }
    if !stdout().is_terminal() {
        bundle.terminal = bundle.terminal.read_by_a_program();
    }
}
