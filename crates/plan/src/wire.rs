//! The flat form of a plan.
//!
//! Numbers are little-endian and unaligned. A text is its length (with the final NUL), then its bytes with
//! the NUL, so that the child can hand the kernel a pointer into the plan. A list of texts is their number,
//! then the texts. An entry is: step number (u16), code (u8), flags (u8), fields.

use core::ffi::CStr;

use crate::slot::Handle;

/// The first bytes of a plan; the child refuses anything else.
pub const MAGIC: u32 = 0x316e_6c50;

/// Flag of an entry: the next entry is the other way to do this one, taken when this one fails.
pub const HAS_ALTERNATIVE: u8 = 1;
/// Flag of an entry: it is the other way of the entry before it.
pub const IS_ALTERNATIVE: u8 = 2;

/// Reads a plan from its bytes; every method answers `None` when the bytes do not have what it wants.
#[derive(Clone, Copy)]
pub struct Reader<'p> {
    rest: &'p [u8],
}

impl<'p> Reader<'p> {
    /// A reader at the first byte.
    pub fn new(bytes: &'p [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Has everything been read?
    pub fn at_end(&self) -> bool {
        self.rest.is_empty()
    }

    fn take(&mut self, count: usize) -> Option<&'p [u8]> {
        let (head, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(head)
    }

    /// One byte.
    pub fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|b| b[0])
    }

    /// Two bytes.
    pub fn u16(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_le_bytes)
    }

    /// Four bytes.
    pub fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_le_bytes)
    }

    /// Eight bytes.
    pub fn u64(&mut self) -> Option<u64> {
        self.take(8)?.try_into().ok().map(u64::from_le_bytes)
    }

    /// A byte string.
    pub fn bytes(&mut self) -> Option<&'p [u8]> {
        let length = self.u32()? as usize;
        self.take(length)
    }

    /// A C string.
    pub fn text(&mut self) -> Option<&'p CStr> {
        CStr::from_bytes_with_nul(self.bytes()?).ok()
    }

    /// A list of C strings, read lazily.
    pub fn texts(&mut self) -> Option<Texts<'p>> {
        let count = self.u32()? as usize;
        let list = Texts { count, reader: *self };
        for _ in 0..count {
            self.text()?;
        }
        Some(list)
    }

    /// A descriptor.
    pub fn handle(&mut self) -> Option<Handle> {
        self.u32().map(|number| Handle::decode(number as i32))
    }
}

/// A list of C strings inside a plan.
#[derive(Clone, Copy)]
pub struct Texts<'p> {
    count: usize,
    reader: Reader<'p>,
}

impl Texts<'_> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl<'p> Iterator for Texts<'p> {
    type Item = &'p CStr;

    fn next(&mut self) -> Option<&'p CStr> {
        self.count = self.count.checked_sub(1)?;
        self.reader.text()
    }
}

#[cfg(feature = "host")]
pub use writer::Writer;

#[cfg(feature = "host")]
mod writer {
    use alloc::vec::Vec;
    use core::ffi::CStr;

    use crate::slot::{Handle, Slot};

    /// Writes a plan. `number_of` tells the real number of a descriptor that the runtime has opened.
    pub struct Writer<'n> {
        bytes: Vec<u8>,
        number_of: &'n dyn Fn(Slot) -> i32,
    }

    impl<'n> Writer<'n> {
        /// A plan of nothing but its head: the magic number and the line to the runtime.
        pub fn new(number_of: &'n dyn Fn(Slot) -> i32) -> Self {
            let mut bytes = Vec::with_capacity(16 * 1024);
            bytes.extend_from_slice(&super::MAGIC.to_le_bytes());
            let mut writer = Self { bytes, number_of };
            writer.slot(Slot::LINE);
            writer
        }

        /// The finished plan.
        pub fn finish(self) -> Vec<u8> {
            self.bytes
        }

        /// The head of an entry.
        pub fn entry(&mut self, step: u16, code: u8, flags: u8) {
            self.bytes.extend_from_slice(&step.to_le_bytes());
            self.bytes.extend_from_slice(&[code, flags]);
        }

        pub(crate) fn u32(&mut self, value: u32) {
            self.bytes.extend_from_slice(&value.to_le_bytes());
        }

        pub(crate) fn u64(&mut self, value: u64) {
            self.bytes.extend_from_slice(&value.to_le_bytes());
        }

        pub(crate) fn bytes(&mut self, value: &[u8]) {
            self.u32(value.len() as u32);
            self.bytes.extend_from_slice(value);
        }

        pub(crate) fn text(&mut self, value: &CStr) {
            self.bytes(value.to_bytes_with_nul());
        }

        pub(crate) fn slot(&mut self, slot: Slot) {
            let handle = match slot.inherited() {
                true => Handle::Inherited((self.number_of)(slot)),
                false => Handle::Own(slot.0 as usize),
            };
            self.u32(handle.encode() as u32);
        }
    }
}
