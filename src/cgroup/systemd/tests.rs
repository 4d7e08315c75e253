//! Conversations with a systemd that is a thread of the test.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

use super::address::{Place, Socket};
use super::bus::Bus;
use super::message::{Addressing, Frame, frame};
use super::property::{Property, basic};
use super::value::{Value, signature};
use super::wire::{Reader, Writer};
use super::{Manager, Systemd, SystemdError, Unit};
use crate::state::scope::Claim;

/// The other end: reads calls, writes what it is told to.
struct Peer {
    stream: UnixStream,
    calls: Vec<(String, Vec<Value>)>,
    /// In whose name it speaks; between two peers there are no names.
    sender: Option<&'static str>,
}

impl Peer {
    fn sign_in(&mut self) {
        let mut said = vec![0; b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n".len()];
        self.stream.read_exact(&mut said).expect("the start");
        assert_eq!(said, b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n");
        self.stream.write_all(b"DATA\r\nOK 1234\r\n").expect("an answer");
    }

    /// The next call: its serial number; its name and arguments are kept.
    fn hear(&mut self) -> u32 {
        let mut start = [0; 16];
        self.stream.read_exact(&mut start).expect("a call");
        let Ok(Frame::Readable(length)) = frame(&start) else { panic!("no call") };
        let mut bytes = start.to_vec();
        bytes.resize(length, 0);
        self.stream.read_exact(&mut bytes[16..]).expect("the rest of a call");
        let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        let head = Reader::new(&bytes[..length - number(4) as usize]).values("yyyyuua(yv)").expect("a head");
        let Some(Value::Array { items, .. }) = head.last() else { panic!("no fields") };
        let field = |wanted| {
            items.iter().find_map(|field| match field {
                Value::Struct(pair) if pair[0] == Value::Byte(wanted) => pair[1].as_text().map(str::to_owned),
                _ => None,
            })
        };
        let body = Reader::new(&bytes[length - number(4) as usize..])
            .values(&field(8).unwrap_or_default())
            .expect("the arguments");
        self.calls.push((field(3).expect("a name"), body));
        number(8)
    }

    fn message(&self, kind: u8, fields: Vec<(u8, Value)>, body: &[Value]) -> Vec<u8> {
        let mut written = Writer::default();
        body.iter().for_each(|value| written.value(value));
        let mut message = Writer { bytes: vec![b'l', kind, 0, 1] };
        message.value(&Value::Uint32(written.bytes.len() as u32));
        message.value(&Value::Uint32(99));
        let field = |(code, value)| Value::Struct(vec![Value::Byte(code), Value::Variant(Box::new(value))]);
        let mut items: Vec<Value> = fields.into_iter().map(field).collect();
        items.push(field((8, Value::Signature(signature(body)))));
        items.extend(self.sender.map(|sender| field((7, Value::text(sender)))));
        message.value(&Value::Array { of: "(yv)".to_owned(), items });
        message.pad(8);
        message.bytes.extend(written.bytes);
        message.bytes
    }

    fn say(&mut self, kind: u8, fields: Vec<(u8, Value)>, body: &[Value]) {
        let message = self.message(kind, fields, body);
        self.stream.write_all(&message).expect("a message");
    }

    fn reply(&mut self, to: u32, body: &[Value]) {
        self.say(2, vec![(5, Value::Uint32(to))], body);
    }

    fn refuse(&mut self, to: u32, name: &str) {
        let fields = vec![(5, Value::Uint32(to)), (4, Value::text(name))];
        self.say(3, fields, &[Value::text("said the other side")]);
    }

    fn job_removed(&mut self, job: &str, result: &str) {
        let job = Value::ObjectPath(job.to_owned());
        let body = [Value::Uint32(1), job, Value::text("x.scope"), Value::text(result)];
        self.signal("JobRemoved", &body);
    }

    fn signal(&mut self, member: &str, body: &[Value]) {
        let path = Value::ObjectPath("/org/freedesktop/systemd1".to_owned());
        let interface = Value::text("org.freedesktop.systemd1.Manager");
        self.say(4, vec![(1, path), (2, interface), (3, Value::text(member))], body);
    }
}

/// A connection, and a thread that speaks for systemd; the thread answers the calls that it has heard.
fn talk(script: impl FnOnce(&mut Peer) + Send + 'static) -> (Result<Systemd, SystemdError>, Heard) {
    talk_by(Addressing::Peer, script)
}

fn talk_by(
    addressing: Addressing,
    script: impl FnOnce(&mut Peer) + Send + 'static,
) -> (Result<Systemd, SystemdError>, Heard) {
    let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
    let heard = spawn(move || {
        let mut peer = Peer { stream: theirs, calls: Vec::new(), sender: None };
        script(&mut peer);
        peer.calls
    });
    let place = Place { socket: Socket::Path(b"/test".to_vec()), addressing };
    // Enough for the other side on a machine that is busy.
    let bus = Bus::over(ours.into(), place, Duration::from_secs(2));
    (bus.and_then(Systemd::over), heard)
}

type Heard = JoinHandle<Vec<(String, Vec<Value>)>>;

fn unit() -> Unit {
    Unit::resolve("", "web", Manager::System).expect("a unit")
}

fn ready(peer: &mut Peer) {
    peer.sign_in();
    let subscribed = peer.hear();
    peer.reply(subscribed, &[]);
}

const JOB: &str = "/org/freedesktop/systemd1/job/7";

fn job() -> [Value; 1] {
    [Value::ObjectPath(JOB.to_owned())]
}

/// Starts a scope and waits for it.
fn run(
    systemd: Result<Systemd, SystemdError>,
    unit: &Unit,
    properties: &[Property],
    pid: i32,
) -> Result<(), SystemdError> {
    let mut systemd = systemd.expect("a connection");
    let job = systemd.start(unit, properties, pid)?;
    systemd.await_start(&job, unit)
}

#[test]
fn a_scope_is_started_when_its_job_is_done() {
    let (systemd, heard) = talk(|peer| {
        ready(peer);
        let start = peer.hear();
        // Another job ends meanwhile, and ours before its call is answered.
        peer.job_removed("/org/freedesktop/systemd1/job/6", "failed");
        peer.job_removed(JOB, "done");
        peer.reply(start, &job());
    });
    let unit = unit();
    let properties = basic(&unit, "web");
    run(systemd, &unit, &properties, 4711).expect("a scope");
    let calls = heard.join().expect("the other side");
    let (name, arguments) = &calls[1];
    assert_eq!((name.as_str(), signature(arguments).as_str()), ("StartTransientUnit", "ssa(sv)a(sa(sv))"));
    assert_eq!(arguments[0], Value::text("crate-run-web.scope"));
    let told = arguments[2].to_string();
    for part in ["(Description crate-run container web)", "(Slice system.slice)", "(PIDs [4711])"] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn what_systemd_is_too_old_for_is_left_out() {
    let (systemd, heard) = talk(|peer| {
        ready(peer);
        let version = peer.hear();
        peer.reply(version, &[Value::Variant(Box::new(Value::text("252.39-1~deb12u1")))]);
        let start = peer.hear();
        peer.reply(start, &job());
        peer.job_removed(JOB, "done");
    });
    let new = |name: &str, since| Property { name: name.to_owned(), value: Value::Uint64(0), since };
    let properties = [new("CPUWeight", 252), new("MemoryZSwapMax", 253)];
    run(systemd, &unit(), &properties, 1).expect("a scope");
    let told = heard.join().expect("the other side")[2].1[2].to_string();
    assert!(told.contains("CPUWeight") && !told.contains("MemoryZSwapMax"), "{told}");
}

#[test]
fn a_unit_that_failed_is_forgotten_and_tried_once_more() {
    let (systemd, heard) = talk(|peer| {
        ready(peer);
        let start = peer.hear();
        peer.refuse(start, "org.freedesktop.systemd1.UnitExists");
        let reset = peer.hear();
        peer.reply(reset, &[]);
        let again = peer.hear();
        peer.refuse(again, "org.freedesktop.systemd1.UnitExists");
    });
    let error = systemd.expect("a connection").start(&unit(), &[], 1).expect_err("somebody else's unit");
    let expected = "systemd refuses StartTransientUnit for crate-run-web.scope: said the other side \
                    (org.freedesktop.systemd1.UnitExists)";
    assert_eq!(error.to_string(), expected);
    assert!(error.cure().is_some_and(|cure| cure.contains("another unit")));
    let names: Vec<String> = heard.join().expect("the other side").into_iter().map(|call| call.0).collect();
    assert_eq!(names, ["Subscribe", "StartTransientUnit", "ResetFailedUnit", "StartTransientUnit"]);
}

#[test]
fn a_job_that_is_not_done_is_an_error() {
    let (systemd, _) = talk(|peer| {
        ready(peer);
        let start = peer.hear();
        peer.reply(start, &job());
        peer.job_removed(JOB, "canceled");
    });
    let error = run(systemd, &unit(), &[], 1).expect_err("no scope");
    assert_eq!(error.to_string(), "the job of systemd for crate-run-web.scope ended as \"canceled\"");
}

#[test]
fn a_unit_that_is_gone_is_stopped() {
    let (systemd, heard) = talk(|peer| {
        ready(peer);
        let stop = peer.hear();
        peer.refuse(stop, "org.freedesktop.systemd1.NoSuchUnit");
    });
    systemd.expect("a connection").stop(&unit()).expect("nothing to stop");
    assert_eq!(heard.join().expect("the other side")[1].1[1], Value::text("replace"));
}

#[test]
fn nobody_is_waited_for_for_ever() {
    // One who never answers at all, one who does not answer a call, one whose job never ends.
    let (silent, heard) = talk(|peer| {
        let _ = peer.stream.read_to_end(&mut Vec::new());
    });
    assert!(matches!(silent, Err(SystemdError::Deadline { .. })), "{silent:?}");
    heard.join().expect("the other side");
    let (deaf, _) = talk(|peer| {
        ready(peer);
        let _ = peer.stream.read_to_end(&mut Vec::new());
    });
    let error = deaf.expect("a connection").start(&unit(), &[], 1).expect_err("no answer");
    assert!(error.to_string().contains("(StartTransientUnit)"), "{error}");
    let (busy, _) = talk(|peer| {
        ready(peer);
        let start = peer.hear();
        peer.reply(start, &job());
        let _ = peer.stream.read_to_end(&mut Vec::new());
    });
    let error = run(busy, &unit(), &[], 1).expect_err("no end");
    assert!(error.to_string().contains("(the job for crate-run-web.scope)"), "{error}");
}

#[test]
fn who_is_not_let_in_or_hears_no_dbus_says_so() {
    let (refused, _) = talk(|peer| {
        peer.stream.write_all(b"REJECTED EXTERNAL\r\n").expect("an answer");
        let _ = peer.stream.read_to_end(&mut Vec::new());
    });
    assert!(matches!(&refused, Err(SystemdError::Refused { answer, .. }) if answer == "REJECTED EXTERNAL"));
    let (noise, _) = talk(|peer| {
        peer.sign_in();
        peer.stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").expect("an answer");
        let _ = peer.stream.read_to_end(&mut Vec::new());
    });
    assert!(matches!(noise, Err(SystemdError::Malformed { .. })), "{noise:?}");
    let (gone, _) = talk(|peer| peer.sign_in());
    assert!(matches!(gone, Err(SystemdError::Broken { .. })), "{gone:?}");
}

/// Messages that concern nobody keep coming, whole ones and the pieces of a long one.
#[test]
fn a_talker_does_not_put_the_deadline_off() {
    for long in [false, true] {
        let (systemd, _) = talk(move |peer| {
            ready(peer);
            peer.hear();
            let mut bytes = peer.message(4, vec![(3, Value::text("UnitNew"))], &[]);
            if long {
                bytes = b"l\x04\0\x01\0\0\x10\0\x01\0\0\0\0\0\0\0".to_vec();
                bytes.resize(0x10_0000 + 16, 0);
            }
            while peer.stream.write_all(&bytes).is_ok() {}
        });
        let error = systemd.expect("a connection").start(&unit(), &[], 1).expect_err("no answer");
        assert!(matches!(error, SystemdError::Deadline { .. }), "{error}");
    }
}

/// Somebody else on the bus knows how we count, and guesses the name of the job.
#[test]
fn on_a_bus_only_systemd_and_the_bus_are_believed() {
    const BUS: Option<&str> = Some("org.freedesktop.DBus");
    const SYSTEMD: Option<&str> = Some(":1.0");
    const FORGER: Option<&str> = Some(":1.66");
    let (systemd, heard) = talk_by(Addressing::ByName, |peer| {
        peer.sign_in();
        for answer in [":1.9", ":1.0", ""] {
            let serial = peer.hear();
            for (sender, said) in [(FORGER, ":1.66"), (None, ":1.66"), (BUS, answer)] {
                peer.sender = sender;
                peer.reply(serial, &[Value::text(said)]);
            }
        }
        let subscribed = peer.hear();
        peer.sender = SYSTEMD;
        peer.reply(subscribed, &[]);
        let start = peer.hear();
        for sender in [FORGER, None, BUS] {
            peer.sender = sender;
            peer.job_removed(JOB, "failed");
        }
        peer.sender = FORGER;
        peer.refuse(start, "org.freedesktop.systemd1.UnitExists");
        peer.stream.write_all(b"B\x04\0\x01\0\0\0\x03\0\0\0\x01\0\0\0\0abc").expect("big-endian");
        let long = Value::text("x".repeat(1 << 17));
        peer.signal("JobRemoved", &[long]);
        peer.sender = SYSTEMD;
        peer.signal("UnitRemoved", &[Value::text("x.scope")]);
        peer.reply(start, &job());
        peer.job_removed(JOB, "done");
    });
    run(systemd, &unit(), &[], 1).expect("a scope");
    let names: Vec<String> = heard.join().expect("the other side").into_iter().map(|call| call.0).collect();
    assert_eq!(names, ["Hello", "GetNameOwner", "AddMatch", "Subscribe", "StartTransientUnit"]);
}

#[test]
fn a_systemd_that_comes_to_the_bus_later_is_awaited() {
    let (systemd, heard) = talk_by(Addressing::ByName, |peer| {
        peer.sign_in();
        peer.sender = Some("org.freedesktop.DBus");
        let hello = peer.hear();
        peer.reply(hello, &[Value::text(":1.9")]);
        let owner = peer.hear();
        peer.refuse(owner, "org.freedesktop.DBus.Error.NameHasNoOwner");
        for answer in [Value::Uint32(1), Value::text(":1.0"), Value::text("")] {
            let serial = peer.hear();
            peer.reply(serial, &[answer]);
        }
        peer.sender = Some(":1.0");
        let subscribed = peer.hear();
        peer.reply(subscribed, &[]);
    });
    systemd.expect("a connection");
    let names: Vec<String> = heard.join().expect("the other side").into_iter().map(|call| call.0).collect();
    let started = ["Hello", "GetNameOwner", "StartServiceByName", "GetNameOwner", "AddMatch", "Subscribe"];
    assert_eq!(names, started);
}

#[test]
fn sixty_four_signals_wait_and_no_more() {
    for (others, is_kept) in [(63, true), (64, false)] {
        let (systemd, _) = talk(move |peer| {
            ready(peer);
            let start = peer.hear();
            peer.job_removed(JOB, "done");
            (0..others).for_each(|_| peer.job_removed("/another", "done"));
            peer.reply(start, &job());
            let _ = peer.stream.read_to_end(&mut Vec::new());
        });
        assert_eq!(run(systemd, &unit(), &[], 1).is_ok(), is_kept, "{others}");
    }
}

/// What a failed start takes back: without a job the unit may be somebody else's.
#[test]
fn only_a_job_makes_the_claim_certain() {
    let claim = |answer: fn(&mut Peer, u32)| {
        let (systemd, _) = talk(move |peer| {
            ready(peer);
            let start = peer.hear();
            answer(peer, start);
            let _ = peer.stream.read_to_end(&mut Vec::new());
        });
        Claim::after(&systemd.expect("a connection").start(&unit(), &[], 1), "web")
    };
    assert_eq!(claim(|peer, start| peer.reply(start, &job())), Some(Claim::Certain));
    assert_eq!(claim(|_, _| ()), Some(Claim::Asked { id: "web" }), "no answer");
    let lost = |peer: &mut Peer, start| peer.refuse(start, "org.freedesktop.DBus.Error.NoReply");
    assert_eq!(claim(lost), Some(Claim::Asked { id: "web" }), "the bus answers instead");
    assert_eq!(claim(|peer, start| peer.refuse(start, "org.freedesktop.DBus.Error.AccessDenied")), None);
}
