//! Messages of D-Bus: calls that are written, and replies and signals that are read.
//!
//! A message is a fixed start of 16 bytes (byte order, type, flags, version, length of the body, serial number,
//! length of the fields), the header fields, and the body, each part at a multiple of eight (D-Bus Specification,
//! "Message Format").

use super::value::{Value, signature};
use super::wire::{Malformed, Reader, Writer};

/// The bytes before the header fields.
pub const START: usize = 16;
/// No message that we wait for is longer than this, in bytes; the specification's limit is 128 MiB.
const LONGEST: usize = 1 << 20;

const METHOD_CALL: u8 = 1;
const METHOD_RETURN: u8 = 2;
const ERROR: u8 = 3;
const SIGNAL: u8 = 4;

const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const ERROR_NAME: u8 = 4;
const REPLY_SERIAL: u8 = 5;
const DESTINATION: u8 = 6;
const SIGNATURE: u8 = 8;

/// A method to call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method<'a> {
    pub destination: &'a str,
    pub path: &'a str,
    pub interface: &'a str,
    pub member: &'a str,
}

/// To whom a call is written down: between two peers without a bus there are no names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressing {
    ByName,
    Peer,
}

/// The call as bytes. `serial` is not 0.
pub fn call(method: &Method<'_>, addressing: Addressing, serial: u32, arguments: &[Value]) -> Vec<u8> {
    let mut body = Writer::default();
    arguments.iter().for_each(|argument| body.value(argument));
    let mut fields = vec![
        (PATH, Value::ObjectPath(method.path.to_owned())),
        (INTERFACE, Value::text(method.interface)),
        (MEMBER, Value::text(method.member)),
    ];
    if addressing == Addressing::ByName {
        fields.push((DESTINATION, Value::text(method.destination)));
    }
    if !arguments.is_empty() {
        fields.push((SIGNATURE, Value::Signature(signature(arguments))));
    }
    let field = |(code, value)| Value::Struct(vec![Value::Byte(code), Value::Variant(Box::new(value))]);
    let mut message = Writer { bytes: vec![b'l', METHOD_CALL, 0, 1] };
    message.value(&Value::Uint32(body.bytes.len() as u32));
    message.value(&Value::Uint32(serial));
    message.value(&Value::Array { of: "(yv)".to_owned(), items: fields.into_iter().map(field).collect() });
    message.pad(8);
    message.bytes.extend(body.bytes);
    message.bytes
}

/// What a message says to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The answer to the call with this serial number.
    Reply {
        to: u32,
        values: Vec<Value>,
    },
    /// The refusal of the call with this serial number.
    Error {
        to: u32,
        name: String,
        text: String,
    },
    Signal {
        member: String,
        values: Vec<Value>,
    },
    /// Nothing that concerns us.
    Other,
}

/// The length of the whole message whose first [`START`] bytes these are.
pub fn length(start: &[u8; START]) -> Result<usize, Malformed> {
    let number = |at: usize| u32::from_le_bytes([start[at], start[at + 1], start[at + 2], start[at + 3]]);
    if start[0] != b'l' || start[3] != 1 {
        return Err(Malformed);
    }
    let (body, fields) = (number(4) as usize, number(12) as usize);
    if body > LONGEST || fields > LONGEST {
        return Err(Malformed);
    }
    Ok((START + fields).next_multiple_of(8) + body)
}

/// A whole message. A body with types that we never ask for counts as one that does not concern us.
pub fn read(bytes: &[u8]) -> Result<Message, Malformed> {
    let start = bytes.first_chunk::<START>().ok_or(Malformed)?;
    if length(start)? != bytes.len() {
        return Err(Malformed);
    }
    let body_length = u32::from_le_bytes([start[4], start[5], start[6], start[7]]) as usize;
    let head = Reader::new(&bytes[..bytes.len() - body_length]).values("yyyyuua(yv)")?;
    let Some(Value::Array { items: fields, .. }) = head.last() else { return Err(Malformed) };
    let field = |wanted: u8| {
        fields.iter().find_map(|field| match field {
            Value::Struct(members) if members[0] == Value::Byte(wanted) => members.get(1),
            _ => None,
        })
    };
    let text = |wanted| field(wanted).and_then(Value::as_text).unwrap_or_default().to_owned();
    let to = match field(REPLY_SERIAL) {
        Some(Value::Variant(serial)) => match **serial {
            Value::Uint32(serial) => Some(serial),
            _ => None,
        },
        _ => None,
    };
    let Ok(values) = Reader::new(&bytes[bytes.len() - body_length..]).values(&text(SIGNATURE)) else {
        return Ok(Message::Other);
    };
    Ok(match (start[1], to) {
        (METHOD_RETURN, Some(to)) => Message::Reply { to, values },
        (ERROR, Some(to)) => {
            let said = values.first().and_then(Value::as_text).unwrap_or_default().to_owned();
            Message::Error { to, name: text(ERROR_NAME), text: said }
        }
        (SIGNAL, _) => Message::Signal { member: text(MEMBER), values },
        _ => Message::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: Method<'_> = Method {
        destination: "org.freedesktop.DBus",
        path: "/org/freedesktop/DBus",
        interface: "org.freedesktop.DBus",
        member: "Hello",
    };

    /// The bytes that `busctl` and `dbus-send` write for the first call on a bus, but for the order of fields.
    #[test]
    fn a_call_has_the_bytes_of_the_specification() {
        let bytes = call(&HELLO, Addressing::ByName, 1, &[]);
        let mut expected = b"l\x01\x00\x01\0\0\0\0\x01\0\0\0\x6d\0\0\0".to_vec();
        expected.extend(b"\x01\x01o\0\x15\0\0\0/org/freedesktop/DBus\0\0\0");
        expected.extend(b"\x02\x01s\0\x14\0\0\0org.freedesktop.DBus\0\0\0\0");
        expected.extend(b"\x03\x01s\0\x05\0\0\0Hello\0\0\0");
        expected.extend(b"\x06\x01s\0\x14\0\0\0org.freedesktop.DBus\0\0\0\0");
        assert_eq!(bytes, expected);
        assert_eq!(length(bytes.first_chunk().expect("a start")), Ok(bytes.len()));
    }

    /// A message of another type with these fields and this body.
    fn message(kind: u8, fields: Vec<(u8, Value)>, body: &[Value]) -> Vec<u8> {
        let mut bytes = call(&HELLO, Addressing::Peer, 9, body);
        let mut head = Writer { bytes: bytes[..12].to_vec() };
        head.bytes[1] = kind;
        let field = |(code, value)| Value::Struct(vec![Value::Byte(code), Value::Variant(Box::new(value))]);
        let mut items: Vec<Value> = fields.into_iter().map(field).collect();
        items.push(field((SIGNATURE, Value::Signature(signature(body)))));
        head.value(&Value::Array { of: "(yv)".to_owned(), items });
        head.pad(8);
        let mut written = Writer::default();
        body.iter().for_each(|value| written.value(value));
        bytes.truncate(0);
        bytes.extend(head.bytes);
        bytes.extend(written.bytes);
        bytes
    }

    #[test]
    fn replies_errors_and_signals_are_told_apart() {
        let job = Value::ObjectPath("/org/freedesktop/systemd1/job/7".to_owned());
        let reply =
            message(METHOD_RETURN, vec![(REPLY_SERIAL, Value::Uint32(4))], std::slice::from_ref(&job));
        assert_eq!(read(&reply), Ok(Message::Reply { to: 4, values: vec![job.clone()] }));
        let name = "org.freedesktop.systemd1.UnitExists";
        let fields = vec![(REPLY_SERIAL, Value::Uint32(4)), (ERROR_NAME, Value::text(name))];
        let error = message(ERROR, fields, &[Value::text("it exists")]);
        let expected = Message::Error { to: 4, name: name.to_owned(), text: "it exists".to_owned() };
        assert_eq!(read(&error), Ok(expected));
        let values = vec![Value::Uint32(7), job, Value::text("a.scope"), Value::text("done")];
        let signal = message(SIGNAL, vec![(MEMBER, Value::text("JobRemoved"))], &values);
        assert_eq!(read(&signal), Ok(Message::Signal { member: "JobRemoved".to_owned(), values }));
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let good = call(&HELLO, Addressing::ByName, 1, &[Value::text("x")]);
        assert_eq!(read(&good[..good.len() - 1]), Err(Malformed));
        assert_eq!(read(b"l"), Err(Malformed));
        assert_eq!(length(b"B\x02\0\x01\0\0\0\0\0\0\0\0\0\0\0\0"), Err(Malformed), "big-endian");
        assert_eq!(length(b"l\x02\0\x01\xff\xff\xff\xff\0\0\0\0\0\0\0\0"), Err(Malformed), "too long");
        for index in 0..good.len() {
            for byte in [0, 0x28, 0x61, 0xff] {
                let mut bytes = good.clone();
                bytes[index] = byte;
                let _ = read(&bytes);
            }
        }
    }
}
