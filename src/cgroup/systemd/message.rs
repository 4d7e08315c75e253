//! Messages of D-Bus: calls that are written, and replies and signals that are read.
//!
//! A message is a fixed start of 16 bytes (byte order, type, flags, version, length of the body, serial
//! number, length of the fields), the header fields, and the body, each part at a multiple of eight (D-Bus
//! Specification, "Message Format").

use super::value::{Value, signature};
use super::wire::{Malformed, Reader, Writer};

/// The bytes before the header fields.
pub const START: usize = 16;
/// No message that we wait for is longer than this, in bytes.
const LONGEST: usize = 1 << 16;
/// No message at all is longer than this, in bytes (D-Bus Specification, "Message Format").
const LIMIT: usize = 1 << 27;

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
const SENDER: u8 = 7;
const SIGNATURE: u8 = 8;

/// A method to call, or a signal to hear of.
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

/// What the first bytes say about a whole message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// So many bytes that can be read.
    Readable(usize),
    /// So many bytes that concern nobody here: in the other byte order, or longer than any answer to us.
    Foreign(usize),
}

/// The length of the whole message whose first [`START`] bytes these are.
pub fn frame(start: &[u8; START]) -> Result<Frame, Malformed> {
    let number = |at: usize| {
        let bytes = [start[at], start[at + 1], start[at + 2], start[at + 3]];
        match start[0] {
            b'B' => u32::from_be_bytes(bytes) as usize,
            _ => u32::from_le_bytes(bytes) as usize,
        }
    };
    let (body, fields) = (number(4), number(12));
    if !matches!(start[0], b'l' | b'B') || start[3] != 1 || body > LIMIT || fields > LIMIT {
        return Err(Malformed);
    }
    match (START + fields).next_multiple_of(8) + body {
        length if length > LIMIT => Err(Malformed),
        length if length > LONGEST || start[0] == b'B' => Ok(Frame::Foreign(length)),
        length => Ok(Frame::Readable(length)),
    }
}

/// What kind of message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The answer to the call with this serial number.
    Reply(u32),
    /// The refusal of the call with this serial number.
    Error(u32),
    Signal,
    /// Nothing that concerns us.
    Other,
}

/// A whole message of which only the header has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    pub kind: Kind,
    /// The unique name of who has sent it: the bus writes it. Between two peers there is none.
    pub sender: String,
    pub path: String,
    pub interface: String,
    pub member: String,
    /// The name of the error, if it is one.
    pub error: String,
    signature: String,
    body: &'a [u8],
}

impl<'a> Message<'a> {
    /// Reads the header of a message whose frame is readable.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let start = bytes.first_chunk::<START>().ok_or(Malformed)?;
        if frame(start)? != Frame::Readable(bytes.len()) {
            return Err(Malformed);
        }
        let length = u32::from_le_bytes([start[4], start[5], start[6], start[7]]) as usize;
        let (head, body) = bytes.split_at(bytes.len() - length);
        let head = Reader::new(head).values("yyyyuua(yv)")?;
        let Some(Value::Array { items: fields, .. }) = head.last() else { return Err(Malformed) };
        let field = |wanted: u8| {
            fields.iter().find_map(|field| match field {
                Value::Struct(members) if members[0] == Value::Byte(wanted) => match members.get(1) {
                    Some(Value::Variant(value)) => Some(&**value),
                    _ => None,
                },
                _ => None,
            })
        };
        let text = |wanted| match field(wanted) {
            Some(Value::Text(text) | Value::ObjectPath(text)) => text.clone(),
            _ => String::new(),
        };
        let signature = match field(SIGNATURE) {
            Some(Value::Signature(signature)) => signature.clone(),
            _ => String::new(),
        };
        let kind = match (start[1], field(REPLY_SERIAL)) {
            (METHOD_RETURN, Some(Value::Uint32(to))) => Kind::Reply(*to),
            (ERROR, Some(Value::Uint32(to))) => Kind::Error(*to),
            (SIGNAL, _) => Kind::Signal,
            _ => Kind::Other,
        };
        let (path, interface, member) = (text(PATH), text(INTERFACE), text(MEMBER));
        let (sender, error) = (text(SENDER), text(ERROR_NAME));
        Ok(Self { kind, sender, path, interface, member, error, signature, body })
    }

    /// What it carries. Types that we never ask for are malformed.
    pub fn values(&self) -> Result<Vec<Value>, Malformed> {
        Reader::new(self.body).values(&self.signature)
    }

    /// Is it this signal?
    pub fn is_signal(&self, signal: &Method<'_>) -> bool {
        let named = (self.path.as_str(), self.interface.as_str(), self.member.as_str());
        self.kind == Kind::Signal && named == (signal.path, signal.interface, signal.member)
    }
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

    /// The bytes that `busctl` and `dbus-send` write for the first call on a bus, but for the order of
    /// fields.
    #[test]
    fn a_call_has_the_bytes_of_the_specification() {
        let bytes = call(&HELLO, Addressing::ByName, 1, &[]);
        let mut expected = b"l\x01\x00\x01\0\0\0\0\x01\0\0\0\x6d\0\0\0".to_vec();
        expected.extend(b"\x01\x01o\0\x15\0\0\0/org/freedesktop/DBus\0\0\0");
        expected.extend(b"\x02\x01s\0\x14\0\0\0org.freedesktop.DBus\0\0\0\0");
        expected.extend(b"\x03\x01s\0\x05\0\0\0Hello\0\0\0");
        expected.extend(b"\x06\x01s\0\x14\0\0\0org.freedesktop.DBus\0\0\0\0");
        assert_eq!(bytes, expected);
        assert_eq!(frame(bytes.first_chunk().expect("a start")), Ok(Frame::Readable(bytes.len())));
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
        let reply = Message::read(&reply).expect("a reply");
        assert_eq!((reply.kind, reply.values()), (Kind::Reply(4), Ok(vec![job.clone()])));
        let name = "org.freedesktop.systemd1.UnitExists";
        let fields = vec![(REPLY_SERIAL, Value::Uint32(4)), (ERROR_NAME, Value::text(name))];
        let error = message(ERROR, fields, &[Value::text("it exists")]);
        let error = Message::read(&error).expect("an error");
        assert_eq!((error.kind, error.error.as_str()), (Kind::Error(4), name));
        assert_eq!(error.values(), Ok(vec![Value::text("it exists")]));
        let values = vec![Value::Uint32(7), job, Value::text("a.scope"), Value::text("done")];
        let fields = vec![
            (MEMBER, Value::text("JobRemoved")),
            (PATH, Value::ObjectPath(HELLO.path.to_owned())),
            (INTERFACE, Value::text(HELLO.interface)),
            (SENDER, Value::text(":1.7")),
        ];
        let signal = message(SIGNAL, fields, &values);
        let signal = Message::read(&signal).expect("a signal");
        assert!(signal.is_signal(&Method { member: "JobRemoved", ..HELLO }) && !signal.is_signal(&HELLO));
        assert_eq!((signal.sender.as_str(), signal.values()), (":1.7", Ok(values)));
    }

    #[test]
    fn what_is_no_message_is_refused_and_what_is_foreign_has_a_length() {
        let good = call(&HELLO, Addressing::ByName, 1, &[Value::text("x")]);
        assert_eq!(Message::read(&good[..good.len() - 1]), Err(Malformed));
        assert_eq!(Message::read(b"l"), Err(Malformed));
        assert_eq!(frame(b"B\x02\0\x01\0\0\0\x05\0\0\0\x01\0\0\0\x01"), Ok(Frame::Foreign(29)), "big-endian");
        let long = b"l\x02\0\x01\0\0\x01\0\x01\0\0\0\0\0\0\0";
        assert_eq!(frame(long), Ok(Frame::Foreign(START + 0x10000)));
        assert_eq!(frame(b"l\x02\0\x01\xff\xff\xff\xff\0\0\0\0\0\0\0\0"), Err(Malformed), "too long");
        assert_eq!(frame(b"x\x02\0\x01\0\0\0\0\0\0\0\0\0\0\0\0"), Err(Malformed), "no byte order");
        for index in 0..good.len() {
            for byte in [0, 0x28, 0x61, 0xff] {
                let mut bytes = good.clone();
                bytes[index] = byte;
                let _ = Message::read(&bytes).map(|message| message.values());
            }
        }
    }
}
