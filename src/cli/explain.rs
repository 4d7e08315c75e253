//! `crate-run explain`: the plan of a bundle, printed and not carried out.

use crate::bundle::{Bundle, Source};
use crate::cli::args::{Explain, ExplainFormat};
use crate::error::Error;
use crate::feature::keyring::Keyring;
use crate::feature::terminal::{Master, Terminal, resolve as terminal_of};
use crate::host::Host;
use crate::plan::compile::compile;
use crate::plan::explain::{self, Format};
use crate::plan::request::{Gate, Request};
use crate::state::ContainerId;

/// Answers the text for standard output.
pub fn explain(explain: &Explain) -> Result<String, Error> {
    let source = Source::load(&explain.bundle, None)?;
    let id = ContainerId::new("example").map_err(Error::Usage)?;
    let master = match terminal_of(&source.spec) {
        Terminal::None => Master::None,
        Terminal::Pty { .. } => Master::Foreground,
    };
    let bundle = Bundle::check(&source, &Host::probe(), &id, &master)?;
    let keyring = Keyring::Own;
    let gate = Gate::Closed;
    let request = Request { id, gate, master, preserved: 0, keyring, pid_file: None, pidfd_socket: None };
    let plan = compile(&bundle, &request);
    let format = match explain.format {
        ExplainFormat::Text => Format::Text,
        ExplainFormat::Json => Format::Json,
        ExplainFormat::Mermaid => Format::Mermaid,
    };
    Ok(explain::render(&plan, &source, format))
}
