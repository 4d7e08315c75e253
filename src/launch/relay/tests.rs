use std::io::{PipeReader, PipeWriter, Write, pipe};

use rustix::pty::{grantpt, openpt, unlockpt};
use rustix::termios::{OptionalActions, QueueSelector, tcflush, tcsetattr};

use super::*;

/// A pty, the caller's far ends of two pipes, and the near ones.
struct Scene {
    master: OwnedFd,
    input: (PipeReader, PipeWriter),
    output: (PipeReader, PipeWriter),
}

fn scene() -> Scene {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).and_then(|()| unlockpt(&master)).unwrap();
    Scene { master, input: pipe().unwrap(), output: pipe().unwrap() }
}

impl Scene {
    fn relay(&self) -> Relay<'_> {
        let master = self.master.try_clone().unwrap();
        Relay::new(master, self.input.0.as_fd(), self.output.1.as_fd()).unwrap()
    }

    /// A descriptor that is never ready.
    fn idle(&self) -> BorrowedFd<'_> {
        self.output.0.as_fd()
    }
}

/// What a poll without waiting finds.
fn ready(relay: &Relay, idle: BorrowedFd) -> [PollFlags; 3] {
    let mut interests = relay.interests(Place::Foreground, idle);
    poll(&mut interests, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap();
    interests.map(|one| one.revents())
}

const QUIET: [PollFlags; 3] = [PollFlags::empty(); 3];

#[test]
fn an_input_at_its_end_wakes_nobody() {
    let mut scene = scene();
    scene.input.1 = pipe().unwrap().1;
    let mut relay = scene.relay();
    assert!(!ready(&relay, scene.idle())[0].is_empty());
    while ready(&relay, scene.idle()) != QUIET {
        let events = ready(&relay, scene.idle());
        relay.serve(events);
    }
    assert!(relay.input.is_none() && relay.typed.is_empty());
}

#[test]
fn in_the_background_the_input_is_left_alone() {
    let mut scene = scene();
    scene.input.1.write_all(b"secret").unwrap();
    let relay = scene.relay();
    let mut interests = relay.interests(Place::Background, scene.idle());
    poll(&mut interests, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap();
    assert_eq!(interests.map(|one| one.revents()), QUIET);
}

#[test]
fn a_full_output_keeps_the_rest() {
    let scene = scene();
    let mut relay = scene.relay();
    loop {
        relay.shown.bytes.fill(b'x');
        (relay.shown.start, relay.shown.end) = (0, ROOM - 1);
        relay.show();
        if relay.holds_output() {
            break;
        }
    }
    assert!(ready(&relay, scene.output.0.as_fd())[2].is_empty());
    assert_eq!(relay.fetch(), Arrival::Nothing);
}

#[test]
fn an_output_without_readers_swallows() {
    let mut scene = scene();
    scene.output.0 = pipe().unwrap().0;
    let mut relay = scene.relay();
    (relay.shown.start, relay.shown.end) = (0, 5);
    relay.show();
    assert!(relay.output.is_none() && !relay.holds_output());
    write(&relay.slave, b"more").unwrap();
    assert_eq!(relay.fetch(), Arrival::Bytes);
    assert!(!relay.holds_output());
}

#[test]
fn the_end_is_typed_as_the_terminal_wants_it() {
    let scene = scene();
    let mut relay = scene.relay();
    for (last, end, typed) in [(b'\n', 4, &[4][..]), (b'x', 4, &[4, 4]), (b'x', 9, &[9, 9]), (b'x', 0, &[])] {
        let mut modes = tcgetattr(&relay.master).unwrap();
        modes.special_codes[SpecialCodeIndex::VEOF] = end;
        tcsetattr(&relay.master, OptionalActions::Now, &modes).unwrap();
        relay.last = last;
        relay.type_end();
        assert_eq!(&relay.typed.bytes[..relay.typed.end], typed);
    }
}

#[test]
fn the_callers_description_stays_blocking() {
    let scene = scene();
    let relay = scene.relay();
    assert!(matches!((&relay.input, &relay.output), (Some(Stream::Own(_)), Some(Stream::Own(_)))));
    assert!(!fcntl_getfl(&scene.output.1).unwrap().contains(OFlags::NONBLOCK));
    assert!(fcntl_getfl(relay.output.as_ref().unwrap()).unwrap().contains(OFlags::NONBLOCK));
}

#[test]
fn a_pty_master_is_not_opened_again() {
    let scene = scene();
    assert!(!can_be_reopened(scene.master.as_fd()));
    assert!(can_be_reopened(scene.relay().slave.as_fd()));
}

#[test]
fn what_is_no_master_is_refused() {
    let scene = scene();
    let pipe = scene.input.0.try_clone().unwrap();
    assert!(Relay::new(pipe.into(), scene.input.0.as_fd(), scene.output.1.as_fd()).is_err());
}

/// A program has read the end, or a change of modes has swept it away; but one that waits to be read is
/// enough.
#[test]
fn the_end_is_typed_again_when_it_is_gone() {
    let scene = scene();
    let mut relay = scene.relay();
    relay.input = None;
    relay.ended = true;
    relay.repeat_end();
    assert_eq!(relay.typed.end, 1);
    relay.type_in();
    relay.repeat_end();
    assert!(relay.typed.is_empty());
    tcflush(&relay.slave, QueueSelector::IFlush).unwrap();
    relay.repeat_end();
    assert!(!relay.typed.is_empty());
}
