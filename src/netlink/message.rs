//! The messages of netlink(7): a header, a body of fixed size, attributes. Numbers are in the machine's
//! order.

const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
const NLM_F_DUMP: u16 = 0x300;
const NLM_F_CREATE_EXCL: u16 = 0x600;
/// In a reply: the list has changed while it was told.
const NLM_F_DUMP_INTR: u16 = 0x10;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;

const HEADER: usize = 16;
/// The size of `struct ifinfomsg`.
pub const LINK: usize = 16;

/// A question that is being put together.
pub struct Message {
    bytes: Vec<u8>,
    flags: u16,
}

/// An answer: its type, and what follows the header.
pub struct Reply {
    pub kind: u16,
    pub body: Vec<u8>,
}

impl Message {
    /// A question of this type with this body.
    pub fn new(kind: u16, body: &[u8]) -> Self {
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(body);
        Self { bytes, flags: NLM_F_REQUEST | NLM_F_ACK }
    }

    /// A question about an interface; 0 for any.
    pub fn of_link(kind: u16, index: u32) -> Self {
        Self::of_link_flags(kind, index, 0, 0)
    }

    /// The same, with flags for those that `change` names.
    pub fn of_link_flags(kind: u16, index: u32, flags: u32, change: u32) -> Self {
        let numbers = [0, index, flags, change];
        Self::new(kind, &numbers.map(u32::to_ne_bytes).concat())
    }

    /// Wants the whole list; its end takes the place of the acknowledgement.
    pub fn dump(mut self) -> Self {
        self.flags = NLM_F_REQUEST | NLM_F_DUMP;
        self
    }

    /// Wants something made that is not there yet.
    pub fn new_one(mut self) -> Self {
        self.flags |= NLM_F_CREATE_EXCL;
        self
    }

    /// Adds an attribute, padded to four bytes.
    pub fn bytes(mut self, kind: u16, value: &[u8]) -> Self {
        self.bytes.extend_from_slice(&((4 + value.len()) as u16).to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(value);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self
    }

    /// Adds a name.
    pub fn text(self, kind: u16, value: &str) -> Self {
        self.bytes(kind, &[value.as_bytes(), b"\0"].concat())
    }

    /// Adds a number of 32 bits.
    pub fn number(self, kind: u16, value: u32) -> Self {
        self.bytes(kind, &value.to_ne_bytes())
    }

    /// As it is sent.
    pub fn finish(mut self) -> Vec<u8> {
        let length = self.bytes.len() as u32;
        self.bytes[..4].copy_from_slice(&length.to_ne_bytes());
        self.bytes[6..8].copy_from_slice(&self.flags.to_ne_bytes());
        self.bytes
    }
}

/// Four bytes at `place` as a number; 0 beyond the end.
pub fn u32_at(bytes: &[u8], place: usize) -> u32 {
    bytes.get(place..).and_then(|rest| rest.first_chunk()).map_or(0, |chunk| u32::from_ne_bytes(*chunk))
}

fn u16_at(bytes: &[u8], place: usize) -> u16 {
    bytes.get(place..).and_then(|rest| rest.first_chunk()).map_or(0, |chunk| u16::from_ne_bytes(*chunk))
}

/// The attributes after the body of fixed size: type and value. Cut off where a length makes no sense.
pub fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    /// The kernel marks nested attributes and byte orders in the type.
    const TYPE: u16 = 0x3fff;
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(bytes, 0));
        let value = bytes.get(4..length)?;
        let kind = u16_at(bytes, 2) & TYPE;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// What has come so far.
#[derive(Default)]
pub struct Replies {
    pub list: Vec<Reply>,
    /// The list has changed while it was told: it may lack something.
    pub torn: bool,
}

/// Takes the replies out of one packet. True: that was the last one. Errors: the kernel's refusal.
pub fn collect(mut packet: &[u8], replies: &mut Replies) -> rustix::io::Result<bool> {
    while packet.len() >= HEADER {
        let length = u32_at(packet, 0) as usize;
        let (kind, flags) = (u16_at(packet, 4), u16_at(packet, 6));
        let Some(body) = packet.get(HEADER..length) else { return Err(rustix::io::Errno::BADMSG) };
        replies.torn |= flags & NLM_F_DUMP_INTR != 0;
        match kind {
            NLMSG_DONE => return Ok(true),
            NLMSG_ERROR => {
                return match u32_at(body, 0) as i32 {
                    0 => Ok(true),
                    code @ -4095..=-1 => Err(rustix::io::Errno::from_raw_os_error(-code)),
                    _ => Err(rustix::io::Errno::BADMSG),
                };
            }
            _ => replies.list.push(Reply { kind, body: body.to_vec() }),
        }
        packet = packet.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_padded_and_knows_its_length() {
        let bytes = Message::of_link(16, 7).text(3, "abcd").finish();
        assert_eq!(bytes.len(), HEADER + LINK + 4 + 8);
        assert_eq!((u32_at(&bytes, 0), u32_at(&bytes, HEADER + 4)), (bytes.len() as u32, 7));
        let found: Vec<(u16, &[u8])> = attributes(&bytes[HEADER + LINK..]).collect();
        assert_eq!(found, [(3, b"abcd\0".as_slice())]);
    }

    #[test]
    fn replies_end_with_a_word_or_an_error() {
        let packet = |kind: u16, body: u32| Message::new(kind, &body.to_ne_bytes()).finish();
        let mut replies = Replies::default();
        let two = [packet(16, 1), packet(NLMSG_DONE, 0)].concat();
        assert_eq!((collect(&two, &mut replies), replies.list.len()), (Ok(true), 1));
        let refusal = packet(NLMSG_ERROR, (-19i32) as u32);
        assert_eq!(collect(&refusal, &mut replies), Err(rustix::io::Errno::NODEV));
        assert_eq!(collect(&packet(16, 1), &mut replies), Ok(false), "there is more to come");
        assert_eq!(collect(&packet(16, 1)[..18], &mut replies), Err(rustix::io::Errno::BADMSG));
    }

    #[test]
    fn lengths_that_make_no_sense_end_the_list() {
        assert_eq!(attributes(&[3, 0, 1, 0]).count(), 0);
        assert_eq!(attributes(&[200, 0, 1, 0, 9]).count(), 0);
        assert_eq!(attributes(&[]).count(), 0);
    }
}
