//! The foreground of `crate-run run`, seen from outside: signals, exit status, terminal.
//!
//! `attend` uses the signal mask, the children and the standard streams of a whole process, so each test runs
//! it in a process of its own: this very program, in another role (`roles.rs`). That is why there is a `main`
//! here in place of libtest, whose threads and whose words on standard output would be in the way. Needs no
//! root: the "container" is a child with no namespaces, with a pty of the host.

mod plain;
mod roles;
mod stage;
mod terminal;

use std::panic::catch_unwind;
use std::process::ExitCode;

type Test = (&'static str, fn());

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((first, rest)) = arguments.split_first()
        && first == roles::ARGUMENT
    {
        roles::play(rest);
    }
    let tests: Vec<&Test> = plain::TESTS.iter().chain(terminal::TESTS).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        tests.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    // As with libtest, a word that is no option selects the tests whose names contain it.
    let wanted =
        |name: &str| arguments.iter().filter(|word| !word.starts_with('-')).all(|word| name.contains(word));
    run(&tests.into_iter().filter(|(name, _)| wanted(name)).collect::<Vec<_>>())
}

/// Runs the tests one by one, and reports as libtest does.
fn run(tests: &[&Test]) -> ExitCode {
    println!("\nrunning {} tests", tests.len());
    let mut failures = Vec::new();
    for (name, test) in tests {
        let passed = catch_unwind(test).is_ok();
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
        if !passed {
            failures.push(name);
        }
    }
    if !failures.is_empty() {
        println!("\nfailures:");
        failures.iter().for_each(|name| println!("    {name}"));
    }
    let word = if failures.is_empty() { "ok" } else { "FAILED" };
    let (passed, failed) = (tests.len() - failures.len(), failures.len());
    println!(
        "\ntest result: {word}. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out\n"
    );
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
