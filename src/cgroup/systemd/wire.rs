//! Values as bytes, and back (D-Bus Specification, "Marshalling").
//!
//! Everything is little-endian, as we write it and as systemd answers on the machines that crate-run runs on.
//! A value begins at a multiple of its alignment, counted from the start of the message. What is read was
//! written by another process: every length is compared with what is there, and nesting has a limit.

use super::value::Value;

/// How deep values may lie in each other (the specification's limit for structs and arrays together).
const DEEPEST: usize = 64;
/// How many values are read out of one header or body: a few bytes can be a value of a few hundred in memory.
const MOST: usize = 4096;

/// The bytes are not what their signature says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// The alignment of the type that a signature begins with.
fn alignment(signature: &str) -> usize {
    match signature.as_bytes().first() {
        Some(b'n' | b'q') => 2,
        Some(b'b' | b'i' | b'u' | b's' | b'o' | b'a') => 4,
        Some(b'x' | b't' | b'd' | b'(' | b'{') => 8,
        _ => 1,
    }
}

/// Bytes being written.
#[derive(Debug, Default)]
pub struct Writer {
    pub bytes: Vec<u8>,
}

impl Writer {
    /// Zero bytes up to the next multiple of `boundary`.
    pub fn pad(&mut self, boundary: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(boundary), 0);
    }

    fn number<const N: usize>(&mut self, bytes: [u8; N]) {
        self.pad(N);
        self.bytes.extend(bytes);
    }

    fn text(&mut self, text: &str) {
        self.number((text.len() as u32).to_le_bytes());
        self.bytes.extend(text.as_bytes());
        self.bytes.push(0);
    }

    fn short_text(&mut self, text: &str) {
        self.bytes.push(text.len() as u8);
        self.bytes.extend(text.as_bytes());
        self.bytes.push(0);
    }

    /// Appends a value.
    pub fn value(&mut self, value: &Value) {
        match value {
            Value::Byte(byte) => self.bytes.push(*byte),
            Value::Bool(yes) => self.number(u32::from(*yes).to_le_bytes()),
            Value::Int16(number) => self.number(number.to_le_bytes()),
            Value::Uint16(number) => self.number(number.to_le_bytes()),
            Value::Int32(number) => self.number(number.to_le_bytes()),
            Value::Uint32(number) => self.number(number.to_le_bytes()),
            Value::Int64(number) => self.number(number.to_le_bytes()),
            Value::Uint64(number) | Value::Double(number) => self.number(number.to_le_bytes()),
            Value::Text(text) | Value::ObjectPath(text) => self.text(text),
            Value::Signature(text) => self.short_text(text),
            Value::Array { of, items } => self.array(of, items),
            Value::Struct(members) => {
                self.pad(8);
                members.iter().for_each(|member| self.value(member));
            }
            Value::Variant(inner) => {
                self.short_text(&inner.signature());
                self.value(inner);
            }
        }
    }

    /// The length counts from the first item, not from the padding before it.
    fn array(&mut self, of: &str, items: &[Value]) {
        self.pad(4);
        let length_at = self.bytes.len();
        self.bytes.extend([0; 4]);
        self.pad(alignment(of));
        let start = self.bytes.len();
        items.iter().for_each(|item| self.value(item));
        let length = (self.bytes.len() - start) as u32;
        self.bytes[length_at..length_at + 4].copy_from_slice(&length.to_le_bytes());
    }
}

/// Bytes being read.
#[derive(Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// How many values may still be read.
    left: usize,
}

impl<'a> Reader<'a> {
    /// From the start of a message, or of a body, which begins at a multiple of eight.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, left: MOST }
    }

    /// All values that the signature names.
    pub fn values(&mut self, signature: &str) -> Result<Vec<Value>, Malformed> {
        let mut rest = signature;
        let mut values = Vec::new();
        while !rest.is_empty() {
            let (one, later) = split(rest)?;
            values.push(self.value(one, 0)?);
            rest = later;
        }
        Ok(values)
    }

    /// Skips up to the next multiple of `boundary`.
    pub fn align(&mut self, boundary: usize) -> Result<(), Malformed> {
        let at = self.at.next_multiple_of(boundary);
        if at > self.bytes.len() {
            return Err(Malformed);
        }
        self.at = at;
        Ok(())
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let taken = self.bytes.get(self.at..).and_then(|rest| rest.get(..length)).ok_or(Malformed)?;
        self.at += length;
        Ok(taken)
    }

    fn number<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.align(N)?;
        self.take(N)?.try_into().map_err(|_| Malformed)
    }

    fn text(&mut self, length: usize) -> Result<String, Malformed> {
        let text = std::str::from_utf8(self.take(length)?).map_err(|_| Malformed)?.to_owned();
        if self.take(1)? == [0] { Ok(text) } else { Err(Malformed) }
    }

    fn long_text(&mut self) -> Result<String, Malformed> {
        let length = u32::from_le_bytes(self.number()?);
        self.text(length as usize)
    }

    fn short_text(&mut self) -> Result<String, Malformed> {
        let length = self.take(1)?[0];
        self.text(length.into())
    }

    fn value(&mut self, signature: &str, depth: usize) -> Result<Value, Malformed> {
        self.left = self.left.checked_sub(1).filter(|_| depth <= DEEPEST).ok_or(Malformed)?;
        Ok(match signature.as_bytes().first().ok_or(Malformed)? {
            b'y' => Value::Byte(self.take(1)?[0]),
            b'b' => Value::Bool(u32::from_le_bytes(self.number()?) != 0),
            b'n' => Value::Int16(i16::from_le_bytes(self.number()?)),
            b'q' => Value::Uint16(u16::from_le_bytes(self.number()?)),
            b'i' => Value::Int32(i32::from_le_bytes(self.number()?)),
            b'u' => Value::Uint32(u32::from_le_bytes(self.number()?)),
            b'x' => Value::Int64(i64::from_le_bytes(self.number()?)),
            b't' => Value::Uint64(u64::from_le_bytes(self.number()?)),
            b'd' => Value::Double(u64::from_le_bytes(self.number()?)),
            b's' => Value::Text(self.long_text()?),
            b'o' => Value::ObjectPath(self.long_text()?),
            b'g' => Value::Signature(self.short_text()?),
            b'v' => {
                let inner = self.short_text()?;
                let (one, rest) = split(&inner)?;
                if !rest.is_empty() {
                    return Err(Malformed);
                }
                Value::Variant(Box::new(self.value(one, depth + 1)?))
            }
            b'a' => self.array(&signature[1..], depth + 1)?,
            b'(' => {
                self.align(8)?;
                Value::Struct(self.members(&signature[1..signature.len() - 1], depth + 1)?)
            }
            _ => return Err(Malformed),
        })
    }

    fn members(&mut self, signature: &str, depth: usize) -> Result<Vec<Value>, Malformed> {
        let mut rest = signature;
        let mut members = Vec::new();
        while !rest.is_empty() {
            let (one, later) = split(rest)?;
            members.push(self.value(one, depth)?);
            rest = later;
        }
        Ok(members)
    }

    fn array(&mut self, of: &str, depth: usize) -> Result<Value, Malformed> {
        let length = u32::from_le_bytes(self.number()?) as usize;
        self.align(alignment(of))?;
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len()).ok_or(Malformed)?;
        let mut items = Vec::new();
        while self.at < end {
            items.push(self.value(of, depth)?);
        }
        if self.at == end { Ok(Value::Array { of: of.to_owned(), items }) } else { Err(Malformed) }
    }
}

/// The first complete type of a signature, and what follows it. Dictionaries are no part of what we read.
pub(super) fn split(signature: &str) -> Result<(&str, &str), Malformed> {
    let bytes = signature.as_bytes();
    let arrays = bytes.iter().take_while(|byte| **byte == b'a').count();
    let length = match bytes.get(arrays).ok_or(Malformed)? {
        b'(' => {
            let mut open = 0_usize;
            let close = bytes[arrays..].iter().position(|byte| {
                open = match byte {
                    b'(' => open + 1,
                    b')' => open - 1,
                    _ => open,
                };
                open == 0
            });
            // A struct has at least one member.
            close.filter(|close| *close > 1).ok_or(Malformed)? + 1
        }
        b'y' | b'b' | b'n' | b'q' | b'i' | b'u' | b'x' | b't' | b'd' | b's' | b'o' | b'g' | b'v' => 1,
        _ => return Err(Malformed),
    };
    if arrays > DEEPEST {
        return Err(Malformed);
    }
    Ok(signature.split_at(arrays + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_type() -> Vec<Value> {
        let rule = |path: &str| Value::Struct(vec![Value::text(path), Value::text("rwm")]);
        vec![
            Value::Byte(7),
            Value::Bool(true),
            Value::Int16(-2),
            Value::Uint16(3),
            Value::Int32(-4),
            Value::Uint32(5),
            Value::Int64(-6),
            Value::Uint64(u64::MAX),
            Value::Double(1.5_f64.to_bits()),
            Value::text("text"),
            Value::ObjectPath("/org/freedesktop/systemd1".to_owned()),
            Value::Signature("a(ss)".to_owned()),
            Value::Array { of: "(ss)".to_owned(), items: vec![rule("/dev/null"), rule("char-1")] },
            Value::Array { of: "t".to_owned(), items: Vec::new() },
            Value::Variant(Box::new(Value::bytes(&[1, 2, 3]))),
            Value::Byte(1),
        ]
    }

    #[test]
    fn what_is_written_is_read() {
        let values = every_type();
        let mut writer = Writer::default();
        values.iter().for_each(|value| writer.value(value));
        let signature = super::super::value::signature(&values);
        assert_eq!(signature, "ybnqiuxtdsoga(ss)atvy");
        assert_eq!(Reader::new(&writer.bytes).values(&signature), Ok(values));
    }

    /// The example of the specification: an array of 64-bit numbers is padded after its length.
    #[test]
    fn the_length_of_an_array_leaves_out_the_padding_before_it() {
        let mut writer = Writer::default();
        writer.value(&Value::Array { of: "x".to_owned(), items: vec![Value::Int64(5)] });
        assert_eq!(writer.bytes, [8, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn bytes_that_end_too_early_or_lie_are_refused() {
        let values = every_type();
        let mut writer = Writer::default();
        values.iter().for_each(|value| writer.value(value));
        let signature = super::super::value::signature(&values);
        for length in 0..writer.bytes.len() {
            assert_eq!(Reader::new(&writer.bytes[..length]).values(&signature), Err(Malformed), "{length}");
        }
        // Every byte in turn is another one: whatever comes out, nothing panics.
        for index in 0..writer.bytes.len() {
            for byte in [0, 1, 0x28, 0x61, 0x7f, 0xff] {
                let mut bytes = writer.bytes.clone();
                bytes[index] = byte;
                let _ = Reader::new(&bytes).values(&signature);
            }
        }
    }

    /// Eight bytes hold one byte in 100 structs, each of which would be an allocation.
    #[test]
    fn one_message_yields_few_values() {
        let array = |items: Vec<Value>| {
            let mut writer = Writer::default();
            writer.value(&Value::Array { of: "y".to_owned(), items });
            Reader::new(&writer.bytes).values("ay").map(drop)
        };
        assert_eq!(array(vec![Value::Byte(0); MOST - 1]), Ok(()));
        assert_eq!(array(vec![Value::Byte(0); MOST]), Err(Malformed));
        let nested = format!("{}y{}", "(".repeat(100), ")".repeat(100));
        assert_eq!(Reader::new(&[0; 8]).values(&nested), Err(Malformed), "too deep");
    }

    #[test]
    fn signatures_are_taken_apart() {
        assert_eq!(split("a(sa(uu))s"), Ok(("a(sa(uu))", "s")));
        assert_eq!(split("aay"), Ok(("aay", "")));
        for bad in ["", "a", "(", "()", "(s", ")", "{sv}", "z", "a)"] {
            assert_eq!(split(bad), Err(Malformed), "{bad}");
        }
    }
}
