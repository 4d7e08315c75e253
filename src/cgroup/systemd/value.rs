//! Values of D-Bus: what a message carries, and what a property of a unit is.
//!
//! D-Bus Specification, "Type System"; the same types and letters as GVariant without maybe-types.

use std::fmt;

/// One value with its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Byte(u8),
    Bool(bool),
    Int16(i16),
    Uint16(u16),
    Int32(i32),
    Uint32(u32),
    Int64(i64),
    Uint64(u64),
    /// The bits of an IEEE 754 number.
    Double(u64),
    Text(String),
    ObjectPath(String),
    Signature(String),
    /// Values of one type, which an empty array has as well.
    Array {
        of: String,
        items: Vec<Value>,
    },
    Struct(Vec<Value>),
    Variant(Box<Value>),
}

impl Value {
    /// A string.
    pub fn text(text: impl Into<String>) -> Self {
        Value::Text(text.into())
    }

    /// An array of bytes.
    pub fn bytes(bytes: &[u8]) -> Self {
        Value::Array { of: "y".to_owned(), items: bytes.iter().map(|byte| Value::Byte(*byte)).collect() }
    }

    /// Its type, in the letters of the specification.
    pub fn signature(&self) -> String {
        match self {
            Value::Byte(_) => "y".to_owned(),
            Value::Bool(_) => "b".to_owned(),
            Value::Int16(_) => "n".to_owned(),
            Value::Uint16(_) => "q".to_owned(),
            Value::Int32(_) => "i".to_owned(),
            Value::Uint32(_) => "u".to_owned(),
            Value::Int64(_) => "x".to_owned(),
            Value::Uint64(_) => "t".to_owned(),
            Value::Double(_) => "d".to_owned(),
            Value::Text(_) => "s".to_owned(),
            Value::ObjectPath(_) => "o".to_owned(),
            Value::Signature(_) => "g".to_owned(),
            Value::Array { of, .. } => format!("a{of}"),
            Value::Struct(members) => format!("({})", signature(members)),
            Value::Variant(_) => "v".to_owned(),
        }
    }

    /// The text of a string or a path.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) | Value::ObjectPath(text) | Value::Signature(text) => Some(text),
            Value::Variant(inner) => inner.as_text(),
            _ => None,
        }
    }
}

/// The types of several values, one after the other.
pub fn signature(values: &[Value]) -> String {
    values.iter().map(Value::signature).collect()
}

/// As `explain` shows it: numbers and words as such, a list in brackets.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Byte(number) => write!(f, "{number}"),
            Value::Bool(yes) => f.write_str(if *yes { "yes" } else { "no" }),
            Value::Int16(number) => write!(f, "{number}"),
            Value::Uint16(number) => write!(f, "{number}"),
            Value::Int32(number) => write!(f, "{number}"),
            Value::Uint32(number) => write!(f, "{number}"),
            Value::Int64(number) => write!(f, "{number}"),
            // systemd writes this number where there is no limit.
            Value::Uint64(u64::MAX) => f.write_str("infinity"),
            Value::Uint64(number) => write!(f, "{number}"),
            Value::Double(bits) => write!(f, "{}", f64::from_bits(*bits)),
            Value::Text(text) | Value::ObjectPath(text) | Value::Signature(text) => f.write_str(text),
            Value::Array { items, .. } => list(f, '[', items, ']'),
            Value::Struct(members) => list(f, '(', members, ')'),
            Value::Variant(inner) => inner.fmt(f),
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, open: char, values: &[Value], close: char) -> fmt::Result {
    let shown: Vec<String> = values.iter().map(ToString::to_string).collect();
    write!(f, "{open}{}{close}", shown.join(" "))
}
