//! `probe` runs inside a container and tells what it finds there.
//!
//! A *topic* (`probe ids`, `probe mounts`, ...) prints one JSON value; `probe report` prints all of them in
//! one object. An *action* (`probe exit 3`, `probe spin 1`, ...) does something that a test wants to watch
//! from outside. The probe judges nothing: what is right is written in the tests, what is true is said here.
//!
//! It is one static binary without any need for files of its own, so it works in an empty root filesystem.
//! Exit status: 0, or what the action asks for; 1 with one line on stderr when the answer could not be found;
//! 2 when the command line is wrong.
#![deny(unsafe_code)]

mod actions;
mod before_main;
mod errno;
mod procfs;
mod topics;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    let Some(command) = words.next() else {
        eprint!("{}", usage());
        return ExitCode::from(2);
    };
    let rest: Vec<String> = words.collect();
    if command == "help" || command == "--help" {
        print!("{}", usage());
        return ExitCode::SUCCESS;
    }
    let outcome = if let Some(action) = actions::find(&command) {
        (action.act)(&rest)
    } else if let Some(answer) = topics::ask(&command, &rest) {
        answer.map(|value| {
            println!("{value}");
            ExitCode::SUCCESS
        })
    } else {
        eprint!("probe: no such command: {command}\n\n{}", usage());
        return ExitCode::from(2);
    };
    outcome.unwrap_or_else(|reason| {
        eprintln!("probe {command}: {reason}");
        ExitCode::FAILURE
    })
}

fn usage() -> String {
    let mut text = String::from("usage: probe COMMAND [ARG...]\n\ntopics, printed as JSON:\n");
    let line = |name: &str, says: &str| format!("  {name:<24} {says}\n");
    text += &line("report [TOPIC...]", "one object with a key per topic; without arguments, all topics");
    for topic in topics::TOPICS {
        text += &line(topic.name, topic.says);
    }
    for (name, says) in topics::ASKED_WITH_ARGUMENTS {
        text += &line(name, says);
    }
    text += "\nactions:\n";
    for action in actions::ACTIONS {
        text += &line(action.usage, action.says);
    }
    text
}
