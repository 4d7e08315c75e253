//! The command lines of `checkpoint` and `restore`, which crate-run does not support.
//!
//! All flags that runc and crun have here lead to the same answer, also `--help`, and a flag without its
//! value: Podman takes the success of `checkpoint --help`, and a complaint about `--lsm-mount-context`
//! without a value, for signs that it could make use of the command. So every word is taken as it comes.

use std::ffi::OsString;

use clap::Args;

/// Not supported: crate-run does not save containers
#[derive(Args, Debug)]
#[command(disable_help_flag = true)]
pub struct Checkpoint {
    #[arg(value_name = "WORD", num_args = 0.., allow_hyphen_values = true, trailing_var_arg = true)]
    pub words: Vec<OsString>,
}

/// Not supported: crate-run does not restore containers
#[derive(Args, Debug)]
#[command(disable_help_flag = true)]
pub struct Restore {
    #[arg(value_name = "WORD", num_args = 0.., allow_hyphen_values = true, trailing_var_arg = true)]
    pub words: Vec<OsString>,
}
