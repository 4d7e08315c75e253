//! Makes the command lines that container engines send palatable to clap.
//!
//! Engines were written against runc, whose flags follow Go's `flag` package. clap differs in six points,
//! and this pass takes them away, one rewritten word at a time:
//!
//! | sent                       | by                          | becomes                        |
//! |----------------------------|-----------------------------|--------------------------------|
//! | `-no-subreaper`            | containerd (go-runc)        | `--no-subreaper`               |
//! | `--detach=true`, `=false`  | whatever uses Go's booleans | `--detach`, nothing            |
//! | `--pid-file -x`            | allowed by Go               | `--pid-file=-x`                |
//! | `state --root DIR ID`      | people                      | `--root=DIR state ID`          |
//! | `kill ID -9`               | people                      | `kill -- ID -9`                |
//! | `--pid-file ""`            | scripts with empty variables | nothing                       |
//!
//! The fifth row is the rule for verbs whose operands may begin with a dash (`kill`, `exec`, `ps`): our flags
//! end at the container's id, the rest belongs to somebody else. All other verbs take flags anywhere.
//! Repeated flags (conmon-rs sends `--root` twice) are clap's part: the last one wins.
//!
//! The clap definitions are the only table of flags: this pass asks the [`Command`] what exists.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use clap::{Arg, Command};

/// The flags that count as not given when their value is empty: runc asks of each whether it is `""`. Not
/// among them is `--root`, whose empty value runc takes for the working directory; that stays an error.
const ABSENT_IF_EMPTY: [&str; 31] = [
    // Of every verb.
    "log",
    "log-format",
    "rootless",
    // `create`, `run`, `exec`, `spec`.
    "bundle",
    "config",
    "console-socket",
    "pidfd-socket",
    "pid-file",
    "process",
    "cwd",
    "user",
    "apparmor",
    "process-label",
    "cgroup",
    // `update`.
    "resources",
    "cpu-period",
    "cpu-quota",
    "cpu-burst",
    "cpu-share",
    "cpu-rt-period",
    "cpu-rt-runtime",
    "cpu-idle",
    "cpuset-cpus",
    "cpuset-mems",
    "memory",
    "memory-reservation",
    "memory-swap",
    "kernel-memory",
    "kernel-memory-tcp",
    "l3-cache-schema",
    "mem-bw-schema",
];

/// Rewrites `words` (the program's name first) into the form that `command` parses as the caller meant it.
///
/// What is not understood is handed on untouched, so that clap is the one who complains about it.
pub fn normalise(command: &Command, words: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut words = words.into_iter();
    let mut line = Line { command, verb: None, global: Vec::new(), own: Vec::new() };
    line.global.extend(words.next());
    while let Some(word) = words.next() {
        let goes_on = match word.as_bytes() {
            b"--" => false,
            [b'-', _, ..] => {
                line.flag(&word, &mut words);
                continue;
            }
            _ => line.operand(&word),
        };
        line.words().push(word);
        if !goes_on {
            line.words().extend(words);
            break;
        }
    }
    line.global.append(&mut line.own);
    line.global
}

/// A command line as it is being rewritten.
struct Line<'a> {
    command: &'a Command,
    /// The definition of the verb, once it has been met.
    verb: Option<&'a Command>,
    /// The program's name and the flags that belong to every verb.
    global: Vec<OsString>,
    /// The verb with its flags and operands.
    own: Vec<OsString>,
}

impl<'a> Line<'a> {
    /// Where a word belongs that says nothing about itself: to the verb, once there is one.
    fn words(&mut self) -> &mut Vec<OsString> {
        if self.verb.is_some() { &mut self.own } else { &mut self.global }
    }

    /// Prepares for a word that is no flag; says whether flags may still follow it.
    fn operand(&mut self, word: &OsStr) -> bool {
        let Some(verb) = self.verb else {
            self.verb = self.command.find_subcommand(word);
            return self.verb.is_some();
        };
        let stops = verb.get_positionals().any(Arg::is_allow_hyphen_values_set);
        if stops {
            self.own.push("--".into());
        }
        !stops
    }

    /// Takes a word that begins with a dash and, where the flag wants one, its value from `rest`.
    fn flag(&mut self, word: &OsStr, rest: &mut impl Iterator<Item = OsString>) {
        let (name, value) = split(word);
        if ["help", "h", "usage", "?"].contains(&name) {
            return self.words().push("--help".into());
        }
        if let Some((flag, owner)) = self.find(name) {
            return self.known(flag, owner, value, rest);
        }
        let Some(cluster) = self.cluster(word) else { return self.words().push(word.to_owned()) };
        for (flag, owner) in cluster {
            self.known(flag, owner, None, rest);
        }
    }

    fn known(
        &mut self,
        flag: &Arg,
        owner: Owner,
        value: Option<&OsStr>,
        rest: &mut impl Iterator<Item = OsString>,
    ) {
        let mut name = OsString::from("--");
        name.push(flag.get_long().expect("every flag of ours has a long name"));
        let words = match owner {
            Owner::Program => &mut self.global,
            Owner::Verb => &mut self.own,
        };
        let value = if flag.get_action().takes_values() {
            let value = value.map(OsStr::to_owned).or_else(|| rest.next());
            let is_absent = |long: &str| ABSENT_IF_EMPTY.contains(&long);
            if value.as_ref().is_some_and(|value| value.is_empty()) && flag.get_long().is_some_and(is_absent)
            {
                // The last one wins, also when it is empty.
                name.push("=");
                return words.retain(|word| !word.as_bytes().starts_with(name.as_bytes()));
            }
            // Before the verb, a flag whose value is missing would take the verb for it.
            value.or_else(|| matches!(owner, Owner::Program).then(OsString::new))
        } else {
            match value.map(|value| (value, value.to_str().and_then(boolean))) {
                None | Some((_, Some(true))) => None,
                Some((_, Some(false))) => return words.retain(|word| *word != name),
                Some((value, None)) => Some(value.to_owned()),
            }
        };
        words.push(match value {
            Some(value) => joined(name, &value),
            None => name,
        });
    }

    /// The flag of that name, the verb's before the program's: `spec --rootless` is not `--rootless=true`.
    fn find(&self, name: &str) -> Option<(&'a Arg, Owner)> {
        let named = |definition: &'a Command| definition.get_arguments().find(|flag| is(flag, name));
        let own = self.verb.and_then(named).map(|flag| (flag, Owner::Verb));
        own.or_else(|| named(self.command).map(|flag| (flag, Owner::Program)))
    }

    /// The flags of a word such as `-dt`, if all are short flags and only the last takes a value.
    fn cluster(&self, word: &OsStr) -> Option<Vec<(&'a Arg, Owner)>> {
        let letters = word.to_str()?.strip_prefix('-')?;
        let flags: Vec<_> = letters
            .chars()
            .map(|letter| self.find(letter.encode_utf8(&mut [0; 4])))
            .collect::<Option<_>>()?;
        let (_, first) = flags.split_last()?;
        first.iter().all(|(flag, _)| !flag.get_action().takes_values()).then_some(flags)
    }
}

/// Whose flag it is, hence on which side of the verb it has to stand.
#[derive(Clone, Copy)]
enum Owner {
    Program,
    Verb,
}

/// Go knows no difference between one dash and two, nor between long names and short ones.
fn is(flag: &Arg, name: &str) -> bool {
    let mut letters = name.chars();
    let letter = letters.next().filter(|_| letters.as_str().is_empty());
    flag.get_long() == Some(name) || (letter.is_some() && flag.get_short() == letter)
}

/// `--name=value` into its parts; the name of a word that is not UTF-8 is empty, which no flag has.
fn split(word: &OsStr) -> (&str, Option<&OsStr>) {
    let bytes = word.as_bytes();
    let bytes = bytes.strip_prefix(b"--").unwrap_or(&bytes[1..]);
    let end = bytes.iter().position(|byte| *byte == b'=').unwrap_or(bytes.len());
    let name = std::str::from_utf8(&bytes[..end]).unwrap_or_default();
    (name, bytes.get(end + 1..).map(OsStr::from_bytes))
}

fn joined(name: OsString, value: &OsStr) -> OsString {
    let mut bytes = name.into_vec();
    bytes.push(b'=');
    bytes.extend_from_slice(value.as_bytes());
    OsString::from_vec(bytes)
}

/// A boolean in any of the spellings that Go's `strconv.ParseBool` accepts.
pub fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use clap::ArgAction;
    use proptest::prelude::*;

    use super::*;

    fn switch(name: &'static str) -> Arg {
        Arg::new(name).long(name).action(ArgAction::SetTrue)
    }

    fn value(name: &'static str) -> Arg {
        Arg::new(name).long(name)
    }

    /// A runtime with one verb of each kind.
    fn runtime() -> Command {
        let exec = Command::new("exec")
            .arg(switch("detach").short('d'))
            .arg(switch("tty").short('t'))
            .arg(value("process").short('p'))
            .arg(value("user").short('u'))
            .arg(Arg::new("words").num_args(0..).allow_hyphen_values(true));
        let ps = Command::new("ps").arg(value("format")).arg(Arg::new("words").allow_hyphen_values(true));
        let restore =
            Command::new("restore").arg(switch("no-subreaper")).arg(value("bundle")).arg(Arg::new("id"));
        let spec = Command::new("spec").arg(switch("rootless"));
        Command::new("runtime")
            .args([value("root"), value("log"), value("log-format"), value("rootless")])
            .args([switch("systemd-cgroup"), switch("debug")])
            .subcommands([exec, ps, restore, spec])
    }

    /// The words after the program's name, before and after, separated by blanks.
    fn normal(line: &str) -> String {
        let words = std::iter::once("runtime").chain(line.split(' ')).map(OsString::from);
        let words = normalise(&runtime(), words);
        words[1..].iter().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn one_dash_is_as_good_as_two() {
        assert_eq!(
            normal("-log-format json restore -no-subreaper -bundle=b id"),
            "--log-format=json restore --no-subreaper --bundle=b id"
        );
    }

    #[test]
    fn booleans_follow_go() {
        assert_eq!(normal("--debug=true -systemd-cgroup=T exec id"), "--debug --systemd-cgroup exec -- id");
        assert_eq!(normal("exec --tty=false -d=1 id"), "exec --detach -- id");
        assert_eq!(normal("exec -t --tty=f -d=false -d id"), "exec --detach -- id");
        assert_eq!(normal("exec --tty=perhaps id"), "exec --tty=perhaps -- id");
    }

    #[test]
    fn a_value_is_the_next_word_whatever_it_looks_like() {
        assert_eq!(normal("--log -- restore --bundle --root id"), "--log=-- restore --bundle=--root id");
        assert_eq!(normal("--root= restore --bundle - id"), "--root= restore --bundle=- id");
    }

    #[test]
    fn global_flags_may_follow_the_verb() {
        assert_eq!(normal("restore id --root /r --debug=true"), "--root=/r --debug restore id");
        assert_eq!(normal("restore --debug id --debug=false"), "restore id");
    }

    #[test]
    fn a_flag_of_the_verb_hides_the_global_flag_of_that_name() {
        assert_eq!(normal("--rootless true spec --rootless"), "--rootless=true spec --rootless");
    }

    #[test]
    fn our_flags_end_at_the_id_when_operands_may_begin_with_a_dash() {
        assert_eq!(normal("exec -t id sh -c true --tty"), "exec --tty -- id sh -c true --tty");
        assert_eq!(normal("ps --format table id -aux"), "ps --format=table -- id -aux");
        assert_eq!(normal("ps --format table id "), "ps --format=table -- id ");
        assert_eq!(normal("exec -- id -- ls"), "exec -- id -- ls");
    }

    #[test]
    fn short_flags_may_be_written_together() {
        assert_eq!(normal("exec -dt id"), "exec --detach --tty -- id");
        assert_eq!(normal("exec -dtu 0:0 id -dt"), "exec --detach --tty --user=0:0 -- id -dt");
        assert_eq!(normal("exec -ud id"), "exec -ud -- id");
    }

    #[test]
    fn the_unknown_is_left_to_clap() {
        assert_eq!(normal("--frob restore --nope=x -q id"), "--frob restore --nope=x -q id");
        assert_eq!(normal("frob --root x --debug=true"), "frob --root x --debug=true");
        assert_eq!(normal("restore --bundle"), "restore --bundle");
        assert_eq!(normal("restore id --root"), "--root= restore id");
    }

    #[test]
    fn what_is_empty_is_not_given() {
        assert_eq!(normal("--log= --log-format  restore --bundle  id"), "restore id");
        assert_eq!(normal("restore --bundle b --log l --bundle= id --log "), "restore id");
        assert_eq!(normal("--log-format=json --log  exec -u  id"), "--log-format=json exec -- id");
        assert_eq!(normal("ps --format= id"), "ps --format= -- id");
    }

    #[test]
    fn help_has_every_spelling() {
        assert_eq!(normal("-help"), "--help");
        assert_eq!(normal("exec -h"), "exec --help");
    }

    #[test]
    fn words_that_are_not_utf8_survive() {
        let odd = OsString::from_vec(b"--bundle=\xff".to_vec());
        let line = ["runtime", "restore"].map(OsString::from).into_iter().chain([odd.clone()]);
        assert_eq!(normalise(&runtime(), line)[2], odd);
        let odd = OsString::from_vec(b"--\xff=x".to_vec());
        let line = ["runtime", "restore"].map(OsString::from).into_iter().chain([odd.clone()]);
        assert_eq!(normalise(&runtime(), line)[2], odd);
    }

    fn word() -> impl Strategy<Value = String> {
        prop_oneof![
            prop::sample::select(vec![
                "exec",
                "ps",
                "restore",
                "spec",
                "--",
                "-",
                "",
                "--debug",
                "--debug=false",
                "-d",
                "-dt",
                "-p",
                "--root",
                "-root=x",
                "--bundle",
                "--rootless",
                "--tty=true",
                "-h",
                "id",
                "a/b",
            ])
            .prop_map(str::to_owned),
            "-{0,2}[a-z=]{0,4}",
        ]
    }

    proptest! {
        /// Rewriting is not allowed to depend on how often it is done, or to invent or lose an operand.
        #[test]
        fn rewriting_twice_changes_nothing(line in prop::collection::vec(word(), 0..8)) {
            let words = std::iter::once("runtime".to_owned()).chain(line).map(OsString::from);
            let once = normalise(&runtime(), words);
            // A flag whose value is missing has an empty one then.
            prop_assume!(!once.iter().any(|word| word.as_bytes().ends_with(b"=")));
            prop_assert_eq!(normalise(&runtime(), once.clone()), once);
        }

        #[test]
        fn what_follows_the_id_of_exec_is_not_touched(tail in prop::collection::vec(word(), 0..8)) {
            let head = ["runtime", "exec", "-d", "id"].map(str::to_owned);
            let words = normalise(&runtime(), head.into_iter().chain(tail.clone()).map(OsString::from));
            let expected = ["runtime", "exec", "--detach", "--", "id"].map(str::to_owned);
            let expected: Vec<_> = expected.into_iter().chain(tail).map(OsString::from).collect();
            prop_assert_eq!(words, expected);
        }
    }
}
