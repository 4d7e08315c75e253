//! `crate-run explain`: the plan of a bundle, printed and not carried out.

use crate::bundle::{Bundle, Source};
use crate::cli::args::{Explain, ExplainFormat, Global};
use crate::error::Error;
use crate::host::Host;
use crate::plan::compile::compile;
use crate::plan::explain::{self, Format};
use crate::plan::request::Request;

/// Answers the text for standard output.
pub fn explain(global: &Global, explain: &Explain) -> Result<String, Error> {
    let source = Source::load(&explain.bundle, None)?;
    let host = Host::probe();
    let request = Request::example(&source.spec, global.permitted_driver(&source.spec, &host));
    let bundle = Bundle::check(&source, &host, &request)?;
    let plan = compile(&bundle, &request);
    let format = match explain.format {
        ExplainFormat::Text => Format::Text,
        ExplainFormat::Json => Format::Json,
        ExplainFormat::Mermaid => Format::Mermaid,
    };
    Ok(explain::render(&plan, &source, format))
}
