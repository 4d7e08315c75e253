//! What is printed of a plan. The expected pages are in tests/snapshots; after a change that is meant,
//! `UPDATE_SNAPSHOTS=1 cargo test --test plan` writes them anew, and git shows what has changed.

use std::path::PathBuf;

use crate_run::bundle::span::locate;
use crate_run::feature::terminal::Master;
use crate_run::host::Host;
use crate_run::plan::explain::{Format, render};
use proptest::prelude::*;
use serde_json::Value;

use crate::bundles::{Wish, minimal};
use crate::random::wishes;

/// The longest line on a projector, in characters.
const WIDTH: usize = 108;

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn render_wish(wish: &Wish, format: Format) -> String {
    render(&wish.plan(), &wish.source(), format)
}

/// Compares with the file, or writes it.
fn snapshot(name: &str, page: &str) {
    let path = repository().join("tests/snapshots").join(name);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, page).expect("the snapshot can be written");
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let line = page.lines().zip(expected.lines()).position(|(is, was)| is != was);
    let line = line.unwrap_or(page.lines().count().min(expected.lines().count()));
    let show = |text: &str| text.lines().nth(line).unwrap_or("(the end)").to_owned();
    assert!(
        page == expected,
        "{name} has changed in line {}:\n was: {}\n  is: {}\nif that is meant, run with UPDATE_SNAPSHOTS=1",
        line + 1,
        show(&expected),
        show(page)
    );
}

/// How many instructions a filter has is the business of other tests; the width of the number stays.
fn without_counts(page: &str) -> String {
    let mut text = String::with_capacity(page.len());
    let mut rest = page;
    while let Some(at) = rest.find("filter of ") {
        let (before, after) = rest.split_at(at + "filter of ".len());
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        text.push_str(before);
        text.push_str(&"#".repeat(digits));
        rest = &after[digits..];
    }
    text + rest
}

/// A configuration of an engine. What names another machine is replaced in its line by what every machine has,
/// so that all places stay the same.
fn engine(name: &str) -> Wish {
    let path = repository().join("rootfs-fixtures/configs").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lines: Vec<String> = text.lines().map(portable).collect();
    let config = lines.join("\n");
    let value: Value = serde_json::from_str(&config).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut wish = Wish::new(config);
    if value["process"]["terminal"] == true {
        wish.request.master = Master::Foreground;
    }
    wish
}

fn portable(line: &str) -> String {
    let namespace = |line: &str| {
        let (_, path) = line.split_once("\"path\": \"")?;
        let kind = ["ipc", "uts", "pid", "net"].into_iter().find(|kind| path.contains(kind))?;
        Some(with_string(line, "\"path\": \"", &format!("/proc/self/ns/{kind}")))
    };
    match line.trim_start() {
        part if part.starts_with("\"root\":") => with_string(line, "\"path\": \"", "/usr"),
        part if part.starts_with("\"source\": \"/") => with_string(line, "\"source\": \"", "/etc"),
        part if part.contains("\"type\": \"bind\", \"source\": \"/") => {
            with_string(line, "\"source\": \"", "/etc")
        }
        part if part.starts_with("\"cgroupsPath\":") => {
            with_string(line, "\"cgroupsPath\": \"", "/engine/example")
        }
        part if part.starts_with("\"apparmorProfile\":") => with_string(line, "\"apparmorProfile\": \"", ""),
        part if part.contains("\"path\": \"/proc/") || part.contains("netns/") => {
            namespace(line).unwrap_or_else(|| line.to_owned())
        }
        _ => line.to_owned(),
    }
}

/// The line with another string after `start`.
fn with_string(line: &str, start: &str, text: &str) -> String {
    let Some((head, tail)) = line.split_once(start) else { return line.to_owned() };
    let rest = tail.split_once('"').map_or("", |(_, rest)| rest);
    format!("{head}{start}{text}\"{rest}")
}

/// The bundle of `make run`, with a short list of system calls.
fn demo() -> Wish {
    let folder = repository().join("rootfs-fixtures/bundle");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("the fixture is there");
    let config = read("config.json.in")
        .replace("@capabilities@\n", &read("capabilities.json"))
        .replace("@resources@\n", &read("resources.json"))
        .replace("@argument-rules@\n", &read("argument-rules.json"))
        .replace("@syscalls@", "            \"read\", \"write\"")
        .replace("@architectures@", "\"SCMP_ARCH_X86_64\"");
    let lines: Vec<String> = config.lines().map(portable).collect();
    Wish::new(lines.join("\n").replace("\"namespaces\"", "\"cgroupsPath\": \"/demo\", \"namespaces\""))
}

fn text_of(wish: &Wish) -> String {
    without_counts(&render_wish(wish, Format::Text))
}

#[test]
fn pages_of_engines() {
    for name in ["docker-run", "docker-limits", "podman-userns", "ctr-run", "cri-container"] {
        snapshot(&format!("{name}.txt"), &text_of(&engine(&format!("{name}.json"))));
    }
}

#[test]
fn page_of_the_demo() {
    snapshot("demo.txt", &text_of(&demo()));
}

/// What `spec --rootless` writes, with a cgroup that was delegated to the user.
#[test]
fn page_of_an_ordinary_user() {
    let config = std::fs::read_to_string(repository().join("src/cli/spec/rootless.json")).expect("the file");
    let config =
        config.replace("\"UID\"", "1000").replace("\"GID\"", "1000").replace("\"rootfs\"", "\"/usr\"");
    let config = config.replace("\"linux\": {", "\"linux\": { \"cgroupsPath\": \"/delegated/example\",");
    let mut wish = Wish::new(config);
    wish.host = Host::for_user(1000);
    wish.request.master = Master::Foreground;
    snapshot("rootless.txt", &text_of(&wish));
}

#[test]
fn the_minimal_bundle_in_all_forms() {
    let config = serde_json::to_string_pretty(&minimal()).expect("a value is JSON");
    let wish = Wish::new(config);
    snapshot("minimal.txt", &text_of(&wish));
    snapshot("minimal.json", &without_counts(&render_wish(&wish, Format::Json)));
    snapshot("minimal.mmd", &without_counts(&render_wish(&wish, Format::Mermaid)));
}

#[test]
fn hostile_words_are_shown_and_not_obeyed() {
    let mut config = minimal();
    config["process"]["args"] =
        serde_json::json!(["/bin/sh", "\u{1b}[2J", "a;b#c\"d", "\u{202e}x", "line\nbreak"]);
    let wish = Wish::new(config.to_string());
    let page = render_wish(&wish, Format::Text);
    assert!(page.contains("execute /bin/sh \\u{1b}[2J a;b#c\"d"), "{page}");
    assert!(page.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{202e}'), "{page:?}");
    let diagram = render_wish(&wish, Format::Mermaid);
    assert!(diagram.contains("a#59;b#35;c#34;d"), "{diagram}");
}

/// What a line of the diagram may be (mermaid.js.org, Sequence diagram).
fn is_mermaid(line: &str) -> bool {
    let words = |text: &str| {
        // Number signs begin an entity and semicolons end one; none of the other characters may stand alone.
        let mut rest = text;
        while let Some((plain, entity)) = rest.split_once('#') {
            let Some((code, after)) = entity.split_once(';') else { return false };
            if plain.contains(';') || code.parse::<u32>().is_err() {
                return false;
            }
            rest = after;
        }
        let tags = text.replace("<br/>", "");
        !rest.contains(';') && !tags.contains(['<', '>', '"', '%', '`']) && !text.trim().is_empty()
    };
    let arrow = |line: &str| {
        let (from, rest) = line.split_once("->>")?;
        let (to, text) = rest.split_once(": ")?;
        let from = from.strip_suffix('-').unwrap_or(from);
        Some(["host", "child"].contains(&from) && ["host", "child"].contains(&to) && words(text))
    };
    match line.trim_start() {
        "sequenceDiagram" | "end" => true,
        line if line.starts_with("participant ") => line.contains(" as "),
        line if line.starts_with("rect rgb(") => line.ends_with(')'),
        line => match line.strip_prefix("Note over host,child: ") {
            Some(text) => words(text),
            None => arrow(line) == Some(true),
        },
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn every_page_fits_on_a_projector(wish in wishes()) {
        let page = render_wish(&wish, Format::Text);
        let longest = page.lines().map(|line| line.chars().count()).max().unwrap_or(0);
        prop_assert!(longest <= WIDTH, "{longest} characters\n{page}");
        let steps = wish.plan().steps.len();
        prop_assert!(page.starts_with(&format!("{steps} steps")), "{page}");
        let last = format!("\n{steps:>4} child");
        prop_assert!(page.contains(&last), "{page}");
    }

    /// Each entry says what its step says, and its place is the one that `locate` finds.
    #[test]
    fn json_has_every_step(wish in wishes()) {
        let (plan, source) = (wish.plan(), wish.source());
        let entries: Vec<Value> = serde_json::from_str(&render(&plan, &source, Format::Json)).expect("JSON");
        prop_assert_eq!(entries.len(), plan.steps.len());
        for (index, (entry, step)) in entries.iter().zip(&plan.steps).enumerate() {
            prop_assert_eq!(&entry["step"], index + 1);
            prop_assert_eq!(&entry["why"], step.why.as_ref());
            prop_assert_eq!(&entry["phase"], step.phase.name());
            prop_assert!(entry["man"].as_array().is_some_and(|pages| !pages.is_empty()), "{entry}");
            let Some(pointer) = &step.at else {
                prop_assert!(entry["at"].is_null());
                continue;
            };
            prop_assert_eq!(&entry["at"]["pointer"], pointer.as_str());
            let place = locate(&source.text, pointer).filter(|place| place.missing == 0);
            match place {
                Some(place) => {
                    prop_assert_eq!(&entry["at"]["line"], place.value.line);
                    prop_assert_eq!(&entry["at"]["column"], place.value.column);
                }
                None => prop_assert!(entry["at"]["line"].is_null()),
            }
        }
    }

    #[test]
    fn every_diagram_is_mermaid(wish in wishes()) {
        let diagram = render_wish(&wish, Format::Mermaid);
        for line in diagram.lines() {
            prop_assert!(is_mermaid(line), "{line}");
        }
        let count = |word: &str| diagram.lines().filter(|line| line.trim_start().starts_with(word)).count();
        prop_assert_eq!(count("rect "), count("end"));
        let met = diagram.matches("has arrived, and waits").count();
        prop_assert_eq!(met, diagram.matches("host-->>child: go on").count());
    }
}

#[test]
fn what_is_not_written_is_called_a_default() {
    let page = render_wish(&Wish::new(minimal().to_string()), Format::Text);
    assert!(page.contains("default of /process/user/umask"), "{page}");
    assert!(!page.contains("default of /process/args"), "{page}");
}
