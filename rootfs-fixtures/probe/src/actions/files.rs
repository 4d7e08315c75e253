//! Plain reading and writing, for root filesystems without a shell.

use super::{Done, argument};
use crate::errno;
use std::fs::File;
use std::io::{self, Write};
use std::process::ExitCode;

/// In one write(2), as control files want it, without a newline.
pub fn write(words: &[String]) -> Done {
    let path = argument::<String>(words, 0, "a path")?;
    let text = argument::<String>(words, 1, "a text")?;
    let file = File::options().write(true).create(true).truncate(true).open(&path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| format!("writing {path}: {}", errno::of(&error)))?;
    Ok(ExitCode::SUCCESS)
}

pub fn read(words: &[String]) -> Done {
    let path = argument::<String>(words, 0, "a path")?;
    let copied = File::open(&path).and_then(|mut file| io::copy(&mut file, &mut io::stdout().lock()));
    copied.map_err(|error| format!("reading {path}: {}", errno::of(&error)))?;
    Ok(ExitCode::SUCCESS)
}

pub fn cat_stdin(_: &[String]) -> Done {
    let copied = io::copy(&mut io::stdin().lock(), &mut io::stdout().lock());
    copied.map_err(|error| format!("copying stdin: {}", errno::of(&error)))?;
    Ok(ExitCode::SUCCESS)
}
