//! Writes what is made of crate-run's command line: a manual page for each verb, completions for shells.
//!
//! It is a program of its own, so that the runtime neither carries nor loads what makes them.
//!
//! usage: crate-run-manual man DIR | completions DIR

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use clap::Command;
use clap_complete::Shell;

const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let written = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["man", directory] => pages(Path::new(directory)),
        ["completions", directory] => completions(Path::new(directory)),
        _ => {
            eprintln!("usage: crate-run-manual man DIR | completions DIR");
            return ExitCode::from(2);
        }
    };
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("crate-run-manual: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The whole command line under the name that is installed.
fn command() -> Command {
    crate_run::cli::args::whole().name("crate-run").bin_name("crate-run")
}

/// `crate-run.1`, and `crate-run-VERB.1` for each verb, as git(1) names them.
fn pages(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    clap_mangen::generate_to(command().disable_help_subcommand(true), directory)
}

/// Under the names by which each shell looks for them.
fn completions(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    for shell in SHELLS {
        clap_complete::generate_to(shell, &mut command(), "crate-run", directory)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_has_a_page_and_is_completed() {
        let place = std::env::temp_dir().join(format!("crate-run-manual-{}", std::process::id()));
        pages(&place).unwrap();
        completions(&place).unwrap();
        let read = |name: &str| fs::read_to_string(place.join(name)).unwrap();
        let bash = read("crate-run.bash");
        for verb in command().get_subcommands().map(Command::get_name) {
            let page = read(&format!("crate-run-{verb}.1"));
            assert!(page.contains(".SH NAME"), "{verb}: {page}");
            assert!(bash.contains(verb), "{verb} is not completed");
        }
        assert!(read("crate-run.1").contains("cgroup\\-manager"));
        assert!(
            read("_crate-run").starts_with("#compdef crate-run") && read("crate-run.fish").contains("stop")
        );
        fs::remove_dir_all(&place).unwrap();
    }
}
