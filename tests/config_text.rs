//! The text side of config.json: places, pointers and the strict check, on random and on hostile texts.

use crate_run::bundle::excerpt::excerpt;
use crate_run::bundle::finding::Pointer;
use crate_run::bundle::span::{
    FaultKind, MAX_DEPTH, MOST_VALUES, Span, error_offset, locate, pointer_at, strict,
};
use proptest::prelude::*;
use serde_json::Value;

/// Names that need escapes in JSON, in a pointer, or in both, beside plain ones.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{0,12}",
        "[a-c~/01\"\\\\\\x00-\\x20é漢🦀\\u{fffd}]{0,9}",
        "(limitations of [a-cé]{4}[~/é🦀]?)",
        "[0-9]{1,2}"
    ]
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i32>().prop_map(|eighths| Value::from(f64::from(eighths) / 8.0)),
        name().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 48, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::btree_map(name(), inner, 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Every place of a value with its pointer.
fn places(root: &Value) -> Vec<(Pointer, &Value)> {
    let mut places = vec![(Pointer::root(), root)];
    let mut next = 0;
    while next < places.len() {
        let (at, value) = places[next].clone();
        match value {
            Value::Array(elements) => {
                places.extend(elements.iter().enumerate().map(|(i, element)| (at.index(i), element)));
            }
            Value::Object(members) => {
                places.extend(members.iter().map(|(name, member)| (at.key(name), member)));
            }
            _ => {}
        }
        next += 1;
    }
    places
}

fn printed(value: &Value) -> [Vec<u8>; 3] {
    let pretty = serde_json::to_vec_pretty(value).unwrap();
    // All that is not ASCII as escapes, the way other writers of JSON do it.
    let ascii = String::from_utf8(pretty.clone()).unwrap().chars().fold(String::new(), |mut text, c| {
        match c.is_ascii() {
            true => text.push(c),
            false => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| text += &format!("\\u{unit:04X}")),
        }
        text
    });
    [serde_json::to_vec(value).unwrap(), pretty, ascii.into_bytes()]
}

/// Whatever the text: answers, no panic.
fn ask_everything(text: &[u8]) {
    let verdict = strict(text);
    let known = serde_json::from_slice::<Value>(text);
    if verdict.is_ok() {
        let out_of_range =
            known.as_ref().err().is_none_or(|error| error.to_string().contains("out of range"));
        assert!(out_of_range, "strict takes what serde_json refuses: {known:?}");
    }
    if let Err(fault) = &verdict {
        let duplicate = matches!(fault.kind, FaultKind::DuplicateName { .. });
        assert!(known.is_err() || duplicate, "serde_json takes what strict refuses: {fault:?}");
        assert_eq!(excerpt(text, &fault.span).lines().count(), 4);
        locate(text, &fault.at);
    }
    if let Err(error) = known {
        assert!(error_offset(text, &error) <= text.len());
    }
    for offset in [0, text.len() / 2, text.len().saturating_sub(1), text.len()] {
        locate(text, &pointer_at(text, offset));
    }
}

fn cases(number: u32) -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(number) }
}

proptest! {
    #![proptest_config(cases(50))]

    #[test]
    fn a_text_cut_off_anywhere_is_answered(root in json()) {
        let [_, _, text] = printed(&root);
        for length in 0..text.len() {
            ask_everything(&text[..length]);
        }
    }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn locate_finds_every_value_and_pointer_at_leads_back(root in json()) {
        for text in printed(&root) {
            prop_assert_eq!(strict(&text), Ok(()));
            for (pointer, value) in places(&root) {
                let place = locate(&text, &pointer).unwrap();
                let span = &place.value;
                let again: Value = serde_json::from_slice(&text[span.start..span.end]).unwrap();
                prop_assert_eq!(&again, value);
                prop_assert_eq!(place.missing, 0);
                prop_assert_eq!(pointer_at(&text, span.start), pointer.clone());
                prop_assert_eq!(pointer_at(&text, span.end - 1), pointer.clone());
                if let Some(key) = place.key {
                    prop_assert_eq!(pointer_at(&text, key.start), pointer.clone());
                    prop_assert_eq!(pointer_at(&text, key.end - 1), pointer.clone());
                    let name: String = serde_json::from_slice(&text[key.start..key.end]).unwrap();
                    prop_assert!(pointer.as_str().ends_with(Pointer::root().key(&name).as_str()));
                }
                let astray = locate(&text, &pointer.key("no such name").index(3)).unwrap();
                prop_assert_eq!((&astray.value, astray.missing), (&place.value, 2));
            }
        }
    }

    #[test]
    fn a_text_with_one_wrong_byte_is_answered(root in json(), place in any::<prop::sample::Index>(), byte: u8) {
        let [text, ..] = printed(&root);
        let mut text = text;
        let at = place.index(text.len());
        text[at] = byte;
        ask_everything(&text);
    }

    #[test]
    fn a_name_given_twice_is_found_however_it_is_written(
        members in prop::collection::btree_map(name(), 0..9u8, 1..40),
        twice in any::<prop::sample::Index>(),
        before in any::<prop::sample::Index>(),
    ) {
        let names: Vec<&String> = members.keys().collect();
        let name = twice.get(&names);
        let escaped: String = name.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        let mut written: Vec<String> =
            names.iter().map(|name| format!("{}:[{{}}]", serde_json::to_string(name).unwrap())).collect();
        written.insert(before.index(written.len() + 1), format!("\"{escaped}\":{{\"a\":1}}"));
        let text = format!("[{{\"a\":1}},{{{}}}]", written.join(","));
        let fault = strict(text.as_bytes()).unwrap_err();
        let FaultKind::DuplicateName { first } = fault.kind else { panic!("{fault:?}") };
        prop_assert_eq!(&fault.at, &Pointer::root().index(1).key(name));
        for span in [&first, &fault.span] {
            let again: String = serde_json::from_str(&text[span.start..span.end]).unwrap();
            prop_assert_eq!(&again, *name);
        }
        prop_assert!(first.end < fault.span.start);
    }
}

fn fault_of(text: &[u8]) -> (FaultKind, String, usize) {
    let fault = strict(text).unwrap_err();
    (fault.kind, fault.at.to_string(), fault.span.start)
}

#[test]
fn what_breaks_the_grammar_is_said_with_its_place() {
    let cases: [(&str, &str, &str, usize); 16] = [
        ("", "the text holds no JSON value", "", 0),
        (" \n", "the text holds no JSON value", "", 2),
        ("{\"a\":[1,", "the text ends before this object or array does", "/a", 8),
        ("{\"a\":[1,]}", "a comma must not stand before a closing bracket", "/a", 8),
        ("{\"a\":1,}", "a comma must not stand before a closing brace", "", 7),
        ("{\"a\" 1}", "a colon must stand between a name and its value", "/a", 5),
        ("[1 2]", "a comma or the closing bracket of the array must stand here", "/0", 3),
        ("{\"a\":1]", "a comma or the closing brace of the object must stand here", "", 6),
        ("{a:1}", "a name in double quotes must stand here", "", 1),
        ("{} {}", "nothing may stand after the end of the JSON value", "", 3),
        ("[\"a\\x\"]", "this is no escape sequence of JSON", "/0", 3),
        ("[\"\\ud800\"]", "this is no escape sequence of JSON", "/0", 2),
        ("[\"\t\"]", "a control character must be written as an escape sequence", "/0", 2),
        ("[\"a", "this string has no closing quote", "/0", 1),
        ("[01]", "this is not a number as JSON writes it", "/0", 1),
        ("[,]", "a value must stand here", "", 1),
    ];
    for (text, wrong, at, start) in cases {
        assert_eq!(fault_of(text.as_bytes()), (FaultKind::Syntax(wrong), at.to_owned(), start), "{text}");
    }
}

#[test]
fn numbers_are_those_of_the_grammar() {
    for good in ["0", "-0", "10", "1.5", "-0.0e-0", "1E+9", "1e400", "18446744073709551616"] {
        assert_eq!(strict(good.as_bytes()), Ok(()), "{good}");
    }
    for bad in ["+1", "-", "00", "1.", ".5", "1e", "1e+", "1.e1", "0x1", "1_0", "NaN", "-Infinity", "True"] {
        assert!(matches!(fault_of(bad.as_bytes()).0, FaultKind::Syntax(_)), "{bad}");
    }
}

#[test]
fn bytes_that_are_not_utf_8_are_found_in_their_string() {
    assert_eq!(fault_of(b"{\"a\":[\"b\xff\"]}"), (FaultKind::NotUtf8, "/a/0".to_owned(), 8));
    assert_eq!(fault_of(b"\xfe"), (FaultKind::NotUtf8, String::new(), 0));
    assert_eq!(fault_of(b"[\"\xe2\x80"), (FaultKind::NotUtf8, "/0".to_owned(), 2));
}

#[test]
fn the_earliest_repeated_name_is_reported_and_names_of_other_objects_do_not_count() {
    let text = br#"{"a":{"b":1,"c":{"b":1}},"a":{"d":1,"d":2}}"#;
    let (kind, at, start) = fault_of(text);
    assert_eq!((at.as_str(), start), ("/a", 25));
    assert_eq!(kind, FaultKind::DuplicateName { first: Span::new(text, 1..4) });
    assert_eq!(strict(br#"[{"a":{"a":1}},{"a":1,"A":2,"":3,"aa":4}]"#), Ok(()));
}

#[test]
fn lines_and_columns_count_characters() {
    let text = "{\n  \"漢é\": \"🦀\", \"x\": 1\n}".as_bytes();
    let place = locate(text, &Pointer::from("/x")).unwrap();
    assert_eq!((place.value.line, place.value.column), (2, 19));
    assert_eq!(place.key.map(|key| (key.line, key.column)), Some((2, 14)));
}

#[test]
fn pointers_that_lead_nowhere_stop_at_the_deepest_value() {
    let text = br#" {"process": {"args": ["sh"]}}"#;
    for (pointer, found, missing, value) in [
        ("/process/cwd", 1, 1, &br#"{"args": ["sh"]}"#[..]),
        ("/process/args/1", 2, 1, br#"["sh"]"#),
        ("/process/args/00", 2, 1, br#"["sh"]"#),
        ("/process/args/-/x", 2, 2, br#"["sh"]"#),
        ("/process/args/99999999999999999999", 2, 1, br#"["sh"]"#),
        ("/process/args/0", 3, 0, br#""sh""#),
    ] {
        let place = locate(text, &Pointer::from(pointer)).unwrap();
        assert_eq!((place.found, place.missing), (found, missing), "{pointer}");
        assert_eq!(&text[place.value.start..place.value.end], value, "{pointer}");
    }
    assert_eq!(locate(b" \n", &Pointer::root()), None);
}

#[test]
fn between_values_the_container_is_meant() {
    let text = br#" { "a" : [ 1 , {} ] , "b" : 2 }  "#;
    let pointers: Vec<String> = (0..text.len()).map(|at| pointer_at(text, at).to_string()).collect();
    let expected = [("", 3), ("/a", 8), ("/a/0", 1), ("/a", 3), ("/a/1", 2), ("/a", 2), ("", 3), ("/b", 7)];
    let mut at = 0;
    for (pointer, length) in expected {
        let here = &pointers[at..at + length];
        assert!(here.iter().all(|known| known == pointer), "{at}: {here:?} is not {pointer}");
        at += length;
    }
    assert!(pointers[at..].iter().all(String::is_empty));
}

#[test]
fn errors_of_serde_json_are_led_to_their_value() {
    let version = "{\"ociVersion\": \"1.3.0\", \"process\": ";
    for (process, at) in [
        (r#"{"args": []}}"#, "/process"),
        (r#"{"cwd": "é漢", "args": ["é", 5]}}"#, "/process/args/1"),
        ("{\n\"args\": [],\n\"cwd\":\n{\"a\":1}}}", "/process/cwd"),
        (r#"{"cwd": [], "args": []}}"#, "/process/cwd"),
        (r#"{"cwd": "/", "args": ["a",["b"]]}}"#, "/process/args/1"),
        (r#"{"cwd": "/", "args": [[]]}}"#, "/process/args/0"),
        (r#"{"cwd": "/", "args": true}}"#, "/process/args"),
        (r#"{"cwd": "/", "oomScoreAdj": "5" }}"#, "/process/oomScoreAdj"),
        (r#"{"cwd": "/", "oomScoreAdj": 1e400}}"#, "/process/oomScoreAdj"),
        ("17}", "/process"),
    ] {
        let text = format!("{version}{process}");
        let error = serde_json::from_str::<oci_spec::runtime::Spec>(&text).unwrap_err();
        let offset = error_offset(text.as_bytes(), &error);
        assert_eq!(pointer_at(text.as_bytes(), offset).as_str(), at, "{text}: {error}");
    }
}

#[test]
fn the_depth_limit_is_that_of_serde_json() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth)).into_bytes();
    assert_eq!(strict(&nested(MAX_DEPTH)), Ok(()));
    assert!(serde_json::from_slice::<Value>(&nested(MAX_DEPTH)).is_ok());
    assert!(serde_json::from_slice::<Value>(&nested(MAX_DEPTH + 1)).is_err());
    let (kind, at, start) = fault_of(&nested(MAX_DEPTH + 1));
    assert_eq!((kind, at, start), (FaultKind::TooDeep, "/0".repeat(MAX_DEPTH), MAX_DEPTH));
}

#[test]
fn hostile_sizes_need_neither_stack_nor_time() {
    let deep = "[{\"a\":".repeat(100_000);
    assert_eq!(fault_of(deep.as_bytes()).0, FaultKind::TooDeep);
    assert_eq!(pointer_at(deep.as_bytes(), deep.len()).as_str().split('/').count(), MAX_DEPTH + 1);
    let astray = locate(deep.as_bytes(), &Pointer::from("/0/a".repeat(100_000).as_str())).unwrap();
    assert_eq!((astray.found, astray.missing), (199_999, 1));
    let closed = format!("{deep}1{}", "}]".repeat(100_000));
    let pointer = Pointer::from("/0/a".repeat(100_000).as_str());
    let place = locate(closed.as_bytes(), &pointer).unwrap();
    assert_eq!((place.found, &closed[place.value.start..place.value.end]), (200_000, "1"));

    let long = format!("[{}\"last\"]", "1,".repeat(MOST_VALUES - 2));
    assert_eq!(strict(long.as_bytes()), Ok(()));
    let place = locate(long.as_bytes(), &Pointer::from(format!("/{}", MOST_VALUES - 2).as_str())).unwrap();
    assert_eq!(&long[place.value.start..place.value.end], "\"last\"");
    let last = format!("/{}", MOST_VALUES - 2);
    assert_eq!(pointer_at(long.as_bytes(), place.value.start).as_str(), last);
    let beyond = format!("{{\"a\":[1,2],\"b\":[{}0]}}", "1,".repeat(MOST_VALUES));
    assert_eq!(fault_of(beyond.as_bytes()), (FaultKind::TooMany, "/b".to_owned(), 15));

    let members: Vec<String> = (0..40_000).map(|n| format!("\"{}{n}\":0", "same".repeat(50))).collect();
    let wide = format!("{{{}}}", members.join(","));
    assert_eq!(strict(wide.as_bytes()), Ok(()));
    let twice = format!("{{{},{}}}", members.join(","), members[0]);
    assert!(matches!(fault_of(twice.as_bytes()).0, FaultKind::DuplicateName { .. }));

    let quotes = "\"\\".repeat(100_000);
    for text in [quotes.as_str(), &"{\"a\":".repeat(100_000), &"{\"\\u".repeat(100_000), &" ".repeat(200_000)]
    {
        ask_everything(text.as_bytes());
    }
}
