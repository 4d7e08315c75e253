//! Any text as config.json: it is refused with places that can be shown, or its plan keeps every rule and can
//! be printed. Nothing panics.

use std::path::PathBuf;

use crate_run::bundle::finding::Severity;
use crate_run::bundle::located::in_order;
use crate_run::bundle::span::strict;
use crate_run::bundle::{Bundle, Source, names};
use crate_run::cgroup::Driver;
use crate_run::error::Error;
use crate_run::host::Host;
use crate_run::plan::compile::compile;
use crate_run::plan::explain::{Format, render};
use crate_run::plan::project::{encode, project};
use crate_run::plan::request::{Gate, Request};
use crate_run::plan::rules::violations;

pub fn judge(text: &[u8]) {
    let (directory, file) = (PathBuf::from("/bundle"), PathBuf::from("/bundle/config.json"));
    let source = match Source::parse(directory, file, text.to_vec()) {
        Ok(source) => source,
        Err(error) => return judge_refusal(&error, text),
    };
    let request = Request::example(&source.spec, Driver::Cgroupfs);
    let hints = in_order(text, names::findings(text));
    assert!(hints.iter().all(|hint| !hint.is_error() && hint.span.is_some()));
    let bundle = match Bundle::check(&source, &Host::for_tests(), &request) {
        Ok(bundle) => bundle,
        Err(error) => return judge_refusal(&error, text),
    };
    assert!(bundle.warnings.iter().all(|finding| finding.severity == Severity::Warning));
    for gate in [Gate::Closed, Gate::Open] {
        let request = Request { gate, ..request.clone() };
        let plan = compile(&bundle, &request);
        assert_eq!(violations(&plan), Vec::<String>::new());
        let bytes = encode(&plan, &project(&plan), &|slot| i32::from(slot.0));
        assert!(!bytes.is_empty());
        for format in [Format::Text, Format::Json, Format::Mermaid] {
            assert!(!render(&plan, &source, format).is_empty());
        }
    }
}

fn judge_refusal(error: &Error, text: &[u8]) {
    let Error::Config(config) = error else { panic!("another error: {error}") };
    assert!(config.findings.iter().any(|located| located.is_error()));
    let is_json = strict(text).is_ok();
    for located in &config.findings {
        let span = located.span.as_ref().expect("a place");
        assert!(!located.finding.message.is_empty() && span.line > 0 && span.column > 0);
        assert!(span.start <= span.end && span.start <= text.len());
        let of_syntax = ["expected `,`", "expected value", "EOF while", "trailing"];
        let blames_syntax = of_syntax.iter().any(|words| located.finding.message.contains(words));
        assert!(!is_json || !blames_syntax, "{}", located.finding.message);
    }
    assert!(!error.to_string().is_empty() && !error.headline().is_empty());
    error.details();
}
