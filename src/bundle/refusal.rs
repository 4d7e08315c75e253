//! What serde_json says about a value of a wrong type, in words for somebody who writes configurations.

use super::finding::{Finding, Pointer};

/// How many characters of a wrong string are repeated.
const LONGEST: usize = 60;

/// The finding for an error of serde_json about the value at this place.
pub(super) fn finding(at: &Pointer, said: &str) -> Finding {
    let said = said.rsplit_once(" at line ").map_or(said, |(words, _)| words);
    let (message, cure) = words(&subject(at), said);
    Finding::error(at.clone(), message).cure(cure)
}

/// The finding for an array at this place, where an object must be.
pub(super) fn array_for_object(at: &Pointer) -> Finding {
    let (message, cure) = words(&subject(at), "invalid type: sequence, expected a map");
    Finding::error(at.clone(), message).cure(cure)
}

/// `args`, `args[1]`; what it is called where it is spoken of.
fn subject(at: &Pointer) -> String {
    let parts: Vec<&str> = at.as_str().split('/').collect();
    let (index, name) = parts.iter().rev().partition::<Vec<&str>, _>(|part| part.parse::<u32>().is_ok());
    match (index.first(), name.first()) {
        (_, None | Some(&"")) => "the configuration".to_owned(),
        (Some(index), Some(name)) if at.as_str().ends_with(&format!("/{index}")) => {
            format!("{name}[{index}]")
        }
        (_, Some(name)) => name.replace("~1", "/").replace("~0", "~"),
    }
}

fn words(subject: &str, said: &str) -> (String, String) {
    if let Some(name) = said.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        return (format!("{subject} has no {name}"), example(name));
    }
    if let Some(rest) = said.strip_prefix("unknown variant `") {
        let (word, known) = rest.rsplit_once("`, expected ").unwrap_or((rest, ""));
        return unknown_word(subject, word, known);
    }
    let wrong = said.strip_prefix("invalid type: ").or_else(|| said.strip_prefix("invalid value: "));
    if let Some((got, wanted)) = wrong.and_then(|rest| rest.rsplit_once(", expected ")) {
        let wanted = Wanted::of(wanted);
        return (format!("{subject} must be {}, not {}", wanted.words(), shown(got)), wanted.cure(got));
    }
    // Its words for a number, a boolean or a list where the name of a variant must stand.
    if said.starts_with("expected value") {
        let message = format!("{subject} must be a string, one of the words of the specification");
        return (message, "write the word in double quotes".to_owned());
    }
    if said.starts_with("number out of range") {
        let message = format!("{subject} is a number beyond what any computer word holds");
        return (message, "write a smaller number".to_owned());
    }
    (format!("{subject}: {said}"), "see the OCI runtime specification for what may stand there".to_owned())
}

fn unknown_word(subject: &str, word: &str, known: &str) -> (String, String) {
    let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
    (format!("{subject} has no value {:?}", cut(word)), one_of(&known, word))
}

/// The cure for a word that is none of those that are known.
pub fn one_of(known: &[&str], word: &str) -> String {
    match nearest(known, word) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("use one of {}", known.join(", ")),
    }
}

/// The one that was probably meant: the same but for case, or for a prefix such as `CAP_` and `RLIMIT_`, or
/// at most two letters apart. Takes no memory: a configuration may have many words that are wrong.
pub(super) fn nearest<'a>(known: &[&'a str], word: &str) -> Option<&'a str> {
    let apart = |known: &&str| {
        let few = known.len().min(word.len()).div_ceil(4).min(2);
        let bare = known.rsplit('_').next().unwrap_or_default();
        match distance(known.as_bytes(), word.as_bytes()) {
            Some(letters) if letters <= few => Some(letters),
            _ if bare.eq_ignore_ascii_case(word) => Some(0),
            _ => None,
        }
    };
    let near = known.iter().filter_map(|known| Some((apart(known)?, *known)));
    near.min_by_key(|(letters, _)| *letters).map(|(_, known)| known)
}

/// The longest word that is compared, in bytes: more than any word of the specification has.
const LONGEST_WORD: usize = 48;

/// How many letters must be inserted, removed, replaced, or exchanged with their neighbour, whatever their
/// case. `None` for long words, and for words whose length alone tells them apart.
fn distance(one: &[u8], other: &[u8]) -> Option<usize> {
    if one.len().max(other.len()) > LONGEST_WORD || one.len().abs_diff(other.len()) > 2 {
        return None;
    }
    let same = |a: usize, b: usize| one[a].eq_ignore_ascii_case(&other[b]);
    let mut before = [0; LONGEST_WORD + 1];
    let mut row: [usize; LONGEST_WORD + 1] = std::array::from_fn(|column| column);
    for i in 0..one.len() {
        let mut next = [i + 1; LONGEST_WORD + 1];
        for j in 0..other.len() {
            let replaced = row[j] + usize::from(!same(i, j));
            next[j + 1] = replaced.min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && same(i, j - 1) && same(i - 1, j) {
                next[j + 1] = next[j + 1].min(before[j - 1] + 1);
            }
        }
        (before, row) = (row, next);
    }
    Some(row[other.len()])
}

/// What a type wants, by serde's words for it.
enum Wanted<'a> {
    List,
    Object,
    Text,
    Boolean,
    /// 64 bits, with or without a sign: bounds that nobody meets.
    Integer,
    Natural,
    /// From, to.
    Whole(&'a str, &'a str),
    Other(&'a str),
}

impl<'a> Wanted<'a> {
    fn of(words: &'a str) -> Self {
        match words {
            "a sequence" => Self::List,
            "a map" => Self::Object,
            "a string" | "path string" | "string or map" | "a borrowed string" | "variant identifier" => {
                Self::Text
            }
            "a boolean" => Self::Boolean,
            "u8" => Self::Whole("0", "255"),
            "u16" => Self::Whole("0", "65535"),
            "u32" => Self::Whole("0", "4294967295"),
            "u64" | "usize" => Self::Natural,
            "i32" => Self::Whole("-2147483648", "2147483647"),
            "i64" => Self::Integer,
            words if words.starts_with("struct ") => Self::Object,
            words => Self::Other(words),
        }
    }

    fn words(&self) -> String {
        match self {
            Self::List => "a list".to_owned(),
            Self::Object => "an object".to_owned(),
            Self::Text => "a string".to_owned(),
            Self::Boolean => "true or false".to_owned(),
            Self::Integer => "a whole number".to_owned(),
            Self::Natural => "a whole number from 0 on".to_owned(),
            Self::Whole(least, most) => format!("a whole number from {least} to {most}"),
            Self::Other(words) => (*words).to_owned(),
        }
    }

    fn cure(&self, got: &str) -> String {
        let text = got.strip_prefix("string ").map(cut);
        let number = got.split('`').nth(1).filter(|_| got.starts_with("integer") || got.starts_with("float"));
        match (self, text, number) {
            (Self::Other(_), ..) => "see the OCI runtime specification for what may stand there".to_owned(),
            _ if matches!(got, "null" | "unit value") => "leave it out, or give it a value".to_owned(),
            (Self::List, Some(text), _) => format!("write it in brackets: [{text}]"),
            (Self::List, ..) => "write it in brackets: [ ... ]".to_owned(),
            (Self::Object, ..) => "write it in braces: { \"name\": value }".to_owned(),
            (Self::Text, _, Some(number)) => format!("write it in quotes: \"{number}\""),
            (Self::Text, ..) => "write it in double quotes".to_owned(),
            (Self::Boolean, ..) => "write true or false, without quotes".to_owned(),
            (_, Some(text), _) => match octal(&text) {
                Some(number) => format!("write {number}, which is {text} as a decimal number"),
                None => "write a number, without quotes, unit or prefix".to_owned(),
            },
            _ => "write a number in this range, without point and exponent".to_owned(),
        }
    }
}

/// A mode as people write it, `"0755"` with its quotes.
fn octal(text: &str) -> Option<u32> {
    let digits = text.trim_matches('"');
    digits.strip_prefix('0').filter(|rest| !rest.is_empty())?;
    u32::from_str_radix(digits, 8).ok()
}

/// serde's words for a value, in ours.
fn shown(got: &str) -> String {
    let number = |prefix: &str| Some(got.strip_prefix(prefix)?.trim_matches('`').to_owned());
    match got {
        "map" => return "an object".to_owned(),
        "sequence" => return "a list".to_owned(),
        "null" | "unit value" => return "null".to_owned(),
        _ => {}
    }
    if let Some(text) = got.strip_prefix("string ") {
        return format!("the string {}", cut(text));
    }
    let number =
        number("integer ").or_else(|| number("floating point ")).map(|word| format!("the number {word}"));
    number
        .or_else(|| Some(got.strip_prefix("boolean ")?.trim_matches('`').to_owned()))
        .unwrap_or_else(|| cut(got))
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// How a member that is required might look.
fn example(name: &str) -> String {
    let value = match name {
        "cwd" => "\"/\"",
        "user" => "{\"uid\": 0, \"gid\": 0}",
        "destination" => "\"/data\"",
        "path" => "\"/a/path\"",
        "uid" | "gid" | "containerID" | "hostID" => "0",
        _ => return format!("add \"{name}\", which the specification requires"),
    };
    format!("add \"{name}\": {value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(at: &str, serde: &str) -> String {
        let finding = finding(&Pointer::from(at), &format!("{serde} at line 1 column 2"));
        format!("{}; {}", finding.message, finding.cure)
    }

    #[test]
    fn serde_s_words_become_ours() {
        for (at, serde, ours) in [
            (
                "/process/args",
                "invalid type: string \"sh\", expected a sequence",
                "args must be a list, not the string \"sh\"; write it in brackets: [\"sh\"]",
            ),
            (
                "/process/args/1",
                "invalid type: integer `5`, expected a string",
                "args[1] must be a string, not the number 5; write it in quotes: \"5\"",
            ),
            (
                "/process/user/uid",
                "invalid value: integer `-1`, expected u32",
                "uid must be a whole number from 0 to 4294967295, not the number -1; \
                 write a number in this range, without point and exponent",
            ),
            (
                "/mounts/3",
                "missing field `destination`",
                "mounts[3] has no destination; add \"destination\": \"/data\"",
            ),
            (
                "",
                "missing field `x`",
                "the configuration has no x; add \"x\", which the specification requires",
            ),
            (
                "/linux/namespaces/0/type",
                "unknown variant `net`, expected one of `mount`, `network`",
                "type has no value \"net\"; use one of mount, network",
            ),
            (
                "/linux/namespaces/0/type",
                "unknown variant `Mount`, expected one of `mount`, `network`",
                "type has no value \"Mount\"; did you mean \"mount\"?",
            ),
        ] {
            assert_eq!(said(at, serde), ours);
        }
    }

    #[test]
    fn the_word_that_was_meant_is_near() {
        let known = ["mounts", "cwd", "RLIMIT_NOFILE", "network", "env", "LINUX", "LINUX32", "uid"];
        for (word, meant) in [
            ("mounst", "mounts"),
            ("CWD", "cwd"),
            ("nofile", "RLIMIT_NOFILE"),
            ("netwrk", "network"),
            ("linux32", "LINUX32"),
        ] {
            assert_eq!(nearest(&known, word), Some(meant), "{word}");
        }
        for word in ["args", "net", "type", "gids", ""] {
            assert_eq!(nearest(&known, word), None, "{word}");
        }
    }
}
