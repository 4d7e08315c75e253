//! The command line of `exec`.

use std::path::PathBuf;

use clap::Args;

use super::making::count;

/// Run another program in a container
#[derive(Args, Debug)]
pub struct Exec {
    /// The container's name
    #[arg(value_name = "ID")]
    pub id: String,

    /// The program and its arguments
    #[arg(value_name = "PROGRAM", num_args = 0.., allow_hyphen_values = true, trailing_var_arg = true)]
    pub program: Vec<String>,

    /// Take the whole process, as in config.json, from FILE
    #[arg(long, short, value_name = "FILE")]
    pub process: Option<PathBuf>,

    /// Send the master of the program's terminal to this Unix socket
    #[arg(long, value_name = "SOCKET")]
    pub console_socket: Option<PathBuf>,

    /// Send a pidfd of the program to this Unix socket
    #[arg(long, value_name = "SOCKET")]
    pub pidfd_socket: Option<PathBuf>,

    /// Write the pid of the program to FILE
    #[arg(long, value_name = "FILE")]
    pub pid_file: Option<PathBuf>,

    /// Return as soon as the program runs, instead of waiting for its end
    #[arg(long, short)]
    pub detach: bool,

    /// Give the program a terminal
    #[arg(long, short)]
    pub tty: bool,

    /// Start it in this directory of the container
    #[arg(long, value_name = "DIR")]
    pub cwd: Option<String>,

    /// Add a variable to its environment; may be repeated
    #[arg(long, short, value_name = "NAME=VALUE")]
    pub env: Vec<String>,

    /// Run it as this user and group, by number
    #[arg(long, short, value_name = "UID[:GID]", value_parser = user)]
    pub user: Option<User>,

    /// Add a supplementary group, by number; may be repeated
    #[arg(long, short = 'g', value_name = "GID", value_delimiter = ',')]
    pub additional_gids: Vec<u32>,

    /// Add a capability; may be repeated
    #[arg(long, short, value_name = "NAME")]
    pub cap: Vec<String>,

    /// No program that it executes gains powers
    #[arg(long)]
    pub no_new_privs: bool,

    /// Confine it by this AppArmor profile
    #[arg(long, value_name = "PROFILE")]
    pub apparmor: Option<String>,

    /// Give it this SELinux label
    #[arg(long, value_name = "LABEL")]
    pub process_label: Option<String>,

    /// Run it in this cgroup below the container's
    #[arg(long, value_name = "PATH")]
    pub cgroup: Option<String>,

    /// Hand N open descriptors, counted from 3, down to the program
    #[arg(long, value_name = "N", default_value = "0", value_parser = count)]
    pub preserve_fds: u32,

    /// Also in a paused container: the program begins when it is resumed
    #[arg(long)]
    pub ignore_paused: bool,
}

/// A user with an optional group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    pub uid: u32,
    pub gid: Option<u32>,
}

fn user(text: &str) -> Result<User, String> {
    let number = |text: &str| {
        text.parse::<u32>().map_err(|_| format!("--user must be UID or UID:GID, in numbers, not {text:?}"))
    };
    match text.split_once(':') {
        Some((uid, gid)) => Ok(User { uid: number(uid)?, gid: Some(number(gid)?) }),
        None => Ok(User { uid: number(text)?, gid: None }),
    }
}
