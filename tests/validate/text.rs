//! Every truncation and every changed byte of a configuration: an answer, and one that can be shown.

use std::path::PathBuf;

use crate_run::bundle::finding::Severity;
use crate_run::bundle::located::in_order;
use crate_run::bundle::{Bundle, Source, names};
use crate_run::error::Error;
use crate_run::feature::terminal::Master;
use crate_run::host::Host;
use crate_run::plan::request::{Gate, Request};
use crate_run::state::ContainerId;

use crate::place::{Place, config};

/// Reads and checks a text as every verb does; answers whether it is a good configuration. Whatever is found has
/// a sentence and, in a text that is not empty of values, a place.
fn is_good(text: &[u8]) -> bool {
    let file = PathBuf::from("/bundle/config.json");
    let checked = Source::parse(PathBuf::from("/bundle"), file, text.to_vec()).and_then(|source| {
        let id = ContainerId::new("example").expect("a plain name");
        let request = Request::new(id, Gate::Closed, Master::None);
        let bundle = Bundle::check(&source, &Host::for_tests(), &request)?;
        in_order(&source.text, names::findings(&source.text));
        Ok(bundle)
    });
    match checked {
        Ok(bundle) => {
            assert!(bundle.warnings.iter().all(|finding| finding.severity == Severity::Warning));
            true
        }
        Err(error) => {
            let Error::Config(config) = &error else { panic!("another error: {error}") };
            assert!(config.findings.iter().any(|located| located.is_error()));
            for located in &config.findings {
                assert!(!located.finding.message.is_empty());
                let span = located.span.as_ref().expect("a place");
                assert!(
                    span.start <= span.end && span.start <= text.len() && span.line > 0 && span.column > 0
                );
            }
            assert!(!error.to_string().is_empty() && !error.headline().is_empty());
            error.details();
            false
        }
    }
}

/// A configuration as engines write it.
fn rich() -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("rootfs-fixtures/configs/docker-run.json");
    let text = std::fs::read_to_string(path).expect("a fixture");
    let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    value.to_string()
}

#[test]
fn every_truncation_is_refused() {
    let rich = rich();
    for length in 0..rich.len() {
        assert!(!is_good(&rich.as_bytes()[..length]), "{}", &rich[..length]);
    }
}

/// The same for the program: what it says, and that it makes nothing.
#[test]
fn some_truncations_through_the_program() {
    let place = Place::new("truncations");
    let rich = rich();
    for length in (0..rich.len()).step_by(rich.len() / 24) {
        place.configure(&rich[..length]);
        assert!(place.refusal().starts_with("config.json:1:"));
    }
}

#[test]
fn every_changed_byte_is_answered() {
    let mut small = config();
    small["root"]["path"] = "/usr".into();
    let small = small.to_string();
    assert!(is_good(small.as_bytes()), "{small}");
    let mut good = 0;
    for at in 0..small.len() {
        for byte in 0..=255 {
            let mut text = small.clone().into_bytes();
            text[at] = byte;
            good += u32::from(is_good(&text));
        }
    }
    // A letter more or less in a value, and names that nobody needs.
    assert!(good > small.len() as u32, "{good}");
}

#[test]
fn every_removed_and_doubled_byte_is_answered() {
    let small = config().to_string();
    for at in 0..small.len() {
        let (before, after) = small.split_at(at);
        is_good(format!("{before}{}", &after[1..]).as_bytes());
        is_good(format!("{before}{}{after}", &after[..1]).as_bytes());
    }
}
