//! Values written as text: what the annotations `org.systemd.property.NAME` hold.
//!
//! The text format of GVariant as far as a property of a unit needs it: `true`, `'word'`, `-3`, `uint64 7`,
//! `1.5`, `[1, 2]`, `('a', 7)`, `<'word'>`, and `@as []` for what does not show its type. A number without a
//! type is a 32-bit one, in an array with typed members of their type.

use super::value::Value;
use super::wire::split;

/// How deep brackets may lie in each other.
const DEEPEST: usize = 16;

/// The value that `text` describes; an error says in a few words what is wrong with it.
pub fn parse(text: &str) -> Result<Value, String> {
    let mut parser = Parser { rest: text };
    let value = parser.value("", 0)?;
    match parser.next() {
        None => Ok(value),
        Some(letter) => Err(format!("there is more after the value, from {letter:?} on")),
    }
}

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    /// The next letter that is no blank.
    fn next(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    fn accept(&mut self, letter: char) -> bool {
        let there = self.next() == Some(letter);
        if there {
            self.rest = &self.rest[letter.len_utf8()..];
        }
        there
    }

    fn expect(&mut self, letter: char) -> Result<(), String> {
        match (self.accept(letter), self.next()) {
            (true, _) => Ok(()),
            (false, Some(found)) => Err(format!("{found:?} stands where {letter:?} must stand")),
            (false, None) => Err(format!("{letter:?} is missing at the end")),
        }
    }

    /// A word or a number: everything up to a blank, a bracket or a comma.
    fn word(&mut self) -> &'a str {
        self.next();
        let end = self.rest.find(|c: char| c.is_whitespace() || "()[]<>,'\"@".contains(c));
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        word
    }

    /// A value of the type `wanted`, or of any type when that is empty.
    fn value(&mut self, wanted: &str, depth: usize) -> Result<Value, String> {
        if depth > DEEPEST {
            return Err("brackets lie too deep in each other".to_owned());
        }
        let value = match self.next() {
            None => return Err("a value is missing".to_owned()),
            Some('@') => {
                self.accept('@');
                let named = self.signature()?;
                self.value(named, depth + 1)?
            }
            Some(quote @ ('\'' | '"')) => text(self.quoted(quote)?, wanted),
            Some('[') => self.array(wanted, depth)?,
            Some('(') => self.tuple(wanted, depth)?,
            Some('<') => {
                self.accept('<');
                let inner = self.value("", depth + 1)?;
                self.expect('>')?;
                Value::Variant(Box::new(inner))
            }
            Some(_) => self.plain(wanted, depth)?,
        };
        let is = value.signature();
        if wanted.is_empty() || is == wanted {
            Ok(value)
        } else {
            Err(format!("a value of the type {is} stands where one of {wanted} must stand"))
        }
    }

    /// A type, with its brackets.
    fn signature(&mut self) -> Result<&'a str, String> {
        let unknown = |_| format!("{:?} does not begin with a type", self.rest);
        let (one, rest) = split(self.rest).map_err(unknown)?;
        self.rest = rest;
        Ok(one)
    }

    fn quoted(&mut self, quote: char) -> Result<String, String> {
        self.accept(quote);
        let mut text = String::new();
        let mut letters = self.rest.char_indices();
        while let Some((at, letter)) = letters.next() {
            match letter {
                '\\' => match letters.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, 't')) => text.push('\t'),
                    Some((_, same @ ('\\' | '\'' | '"'))) => text.push(same),
                    _ => return Err("a backslash stands before \\, ', \", n or t".to_owned()),
                },
                '\0' => return Err("a text holds a NUL character".to_owned()),
                _ if letter == quote => {
                    self.rest = &self.rest[at + quote.len_utf8()..];
                    return Ok(text);
                }
                _ => text.push(letter),
            }
        }
        Err(format!("{quote:?} is missing at the end"))
    }

    fn array(&mut self, wanted: &str, depth: usize) -> Result<Value, String> {
        self.accept('[');
        let mut of = wanted.strip_prefix('a').unwrap_or_default().to_owned();
        let mut items = Vec::new();
        while !self.accept(']') {
            if !items.is_empty() {
                self.expect(',')?;
            }
            let item = self.value(&of, depth + 1)?;
            of = item.signature();
            items.push(item);
        }
        if of.is_empty() {
            return Err("an empty array needs its type, such as @as []".to_owned());
        }
        Ok(Value::Array { of, items })
    }

    fn tuple(&mut self, wanted: &str, depth: usize) -> Result<Value, String> {
        self.accept('(');
        let mut types =
            wanted.strip_prefix('(').and_then(|types| types.strip_suffix(')')).unwrap_or_default();
        let mut members = Vec::new();
        while !self.accept(')') {
            if !members.is_empty() {
                self.expect(',')?;
                // A comma may stand after the last one.
                if self.accept(')') {
                    break;
                }
            }
            let (one, rest) = split(types).unwrap_or(("", ""));
            types = rest;
            members.push(self.value(one, depth + 1)?);
        }
        if members.is_empty() { Err("a tuple has members".to_owned()) } else { Ok(Value::Struct(members)) }
    }

    /// A truth value, a number, or the name of a type before its value.
    fn plain(&mut self, wanted: &str, depth: usize) -> Result<Value, String> {
        let word = self.word();
        let named = match word {
            "true" => return Ok(Value::Bool(true)),
            "false" => return Ok(Value::Bool(false)),
            "" => return Err(format!("{:?} begins no value", self.rest)),
            "boolean" => "b",
            "byte" => "y",
            "int16" => "n",
            "uint16" => "q",
            "int32" => "i",
            "uint32" => "u",
            "int64" => "x",
            "uint64" => "t",
            "double" => "d",
            "string" => "s",
            "objectpath" => "o",
            "signature" => "g",
            number => return self::number(number, wanted),
        };
        self.value(named, depth + 1)
    }
}

fn text(text: String, wanted: &str) -> Value {
    match wanted {
        "o" => Value::ObjectPath(text),
        "g" => Value::Signature(text),
        _ => Value::Text(text),
    }
}

fn number(word: &str, wanted: &str) -> Result<Value, String> {
    let outside =
        |_| format!("{word:?} is no number of the type {}", if wanted.is_empty() { "i" } else { wanted });
    let is_numeric = word.starts_with(|c: char| c.is_ascii_digit() || c == '-') && !word.contains('x');
    let is_float = is_numeric && word.contains(['.', 'e', 'E']);
    if wanted == "d" || wanted.is_empty() && is_float {
        let parsed: Result<f64, _> = word.parse();
        return parsed
            .map(|number| Value::Double(number.to_bits()))
            .map_err(|_| format!("{word:?} is no number"));
    }
    let whole = match (word.strip_prefix("0x"), word.strip_prefix("-0x")) {
        (Some(digits), _) => i128::from_str_radix(digits, 16),
        (_, Some(digits)) => i128::from_str_radix(digits, 16).map(|number| -number),
        _ => word.parse(),
    };
    let whole = whole.map_err(|_| format!("{word:?} is neither a number nor a known word"))?;
    Ok(match wanted {
        "y" => Value::Byte(whole.try_into().map_err(outside)?),
        "n" => Value::Int16(whole.try_into().map_err(outside)?),
        "q" => Value::Uint16(whole.try_into().map_err(outside)?),
        "u" => Value::Uint32(whole.try_into().map_err(outside)?),
        "x" => Value::Int64(whole.try_into().map_err(outside)?),
        "t" => Value::Uint64(whole.try_into().map_err(outside)?),
        _ => Value::Int32(whole.try_into().map_err(outside)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_the_types_that_they_show() {
        for (text, signature, shown) in [
            ("true", "b", "yes"),
            (" 'it\\'s' ", "s", "it's"),
            ("\"a\\\\b\"", "s", "a\\b"),
            ("-3", "i", "-3"),
            ("0x1F", "i", "31"),
            ("uint64 18446744073709551615", "t", "infinity"),
            ("@t 7", "t", "7"),
            ("byte 0xff", "y", "255"),
            ("1.5", "d", "1.5"),
            ("double 2", "d", "2"),
            ("objectpath '/a'", "o", "/a"),
            ("['a', 'b']", "as", "[a b]"),
            ("[uint32 1, 2]", "au", "[1 2]"),
            ("@as []", "as", "[]"),
            ("('a', uint64 1)", "(st)", "(a 1)"),
            ("('a',)", "(s)", "(a)"),
            ("@a(ss) [('/dev/null', 'rw')]", "a(ss)", "[(/dev/null rw)]"),
            ("<7>", "v", "7"),
        ] {
            let value = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(
                (value.signature().as_str(), value.to_string().as_str()),
                (signature, shown),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, part) in [
            ("", "a value is missing"),
            ("maybe", "neither a number nor a known word"),
            ("'open", "is missing at the end"),
            ("[]", "needs its type"),
            ("[1, 'a']", "where one of i must stand"),
            ("byte 256", "no number of the type y"),
            ("uint32 -1", "no number of the type u"),
            ("3000000000", "no number of the type i"),
            ("1 2", "more after the value"),
            ("[1 2]", "',' must stand"),
            ("@z 1", "does not begin with a type"),
            ("@s 1", "stands where one of s must stand"),
            ("()", "a tuple has members"),
            (",", "begins no value"),
            ("'\\q'", "a backslash"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!(parse(&"[".repeat(100)).expect_err("deep").contains("too deep"));
    }
}
