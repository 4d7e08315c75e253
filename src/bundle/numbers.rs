//! Lists of numbers as the specification writes processors and memory nodes: `0-3,7`.
//!
//! As in runc, an element may be empty and may have blanks around it (config.md, execCPUAffinity;
//! config-linux.md, Memory policy).

use std::fmt;
use std::ops::RangeInclusive;

/// No machine has as many processors or nodes.
const LARGEST: u32 = 65_535;

/// What is wrong with a list, in its element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    NoNumber(String),
    Reversed(String),
    TooLarge(String),
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoNumber(element) => write!(f, "{element:?} is neither a number nor a range"),
            Self::Reversed(element) => write!(f, "the range {element} ends before it begins"),
            Self::TooLarge(element) => write!(f, "{element} is larger than {LARGEST}"),
        }
    }
}

/// The ranges of the list, in its order; none for an empty list.
pub fn ranges(list: &str) -> Result<Vec<RangeInclusive<u32>>, Wrong> {
    let elements = list.split(',').map(str::trim).filter(|element| !element.is_empty());
    elements.map(range).collect()
}

fn range(element: &str) -> Result<RangeInclusive<u32>, Wrong> {
    let number = |digits: &str| {
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Wrong::NoNumber(element.to_owned()));
        }
        let number = digits.parse().ok().filter(|number| *number <= LARGEST);
        number.ok_or_else(|| Wrong::TooLarge(digits.to_owned()))
    };
    let (first, last) = element.split_once('-').unwrap_or((element, element));
    let (first, last) = (number(first)?, number(last)?);
    if first > last { Err(Wrong::Reversed(element.to_owned())) } else { Ok(first..=last) }
}

/// One bit for each number, in words of 64 bits as the kernel reads bitmaps.
pub fn bitmap(ranges: &[RangeInclusive<u32>]) -> Vec<u64> {
    let words = ranges.iter().map(|range| *range.end() as usize / 64 + 1).max().unwrap_or(0);
    let mut map = vec![0u64; words];
    for number in ranges.iter().cloned().flatten() {
        map[number as usize / 64] |= 1 << (number % 64);
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read() {
        assert_eq!(ranges("0-3,7"), Ok(vec![0..=3, 7..=7]));
        assert_eq!(ranges("5"), Ok(vec![5..=5]));
        assert_eq!(ranges(""), Ok(vec![]));
        assert_eq!(ranges(",1,, 2-3 ,"), Ok(vec![1..=1, 2..=3]), "empty elements and blanks");
        assert_eq!(ranges("1023-1025,4096"), Ok(vec![1023..=1025, 4096..=4096]));
    }

    #[test]
    fn what_is_no_list_is_named() {
        for (list, message) in [
            ("0;1", r#""0;1" is neither a number nor a range"#),
            ("0,-1", r#""-1" is neither a number nor a range"#),
            ("1-", r#""1-" is neither a number nor a range"#),
            ("1-2-3", r#""1-2-3" is neither a number nor a range"#),
            ("+1", r#""+1" is neither a number nor a range"#),
            ("0x1", r#""0x1" is neither a number nor a range"#),
            ("\u{663}", "\"\u{663}\" is neither a number nor a range"),
            ("3-1", "the range 3-1 ends before it begins"),
            ("65536", "65536 is larger than 65535"),
            ("0-99999999999999999999", "99999999999999999999 is larger than 65535"),
        ] {
            assert_eq!(ranges(list).unwrap_err().to_string(), message, "{list}");
        }
    }

    #[test]
    fn bitmaps_have_a_bit_for_each_number() {
        assert_eq!(bitmap(&[0..=2, 63..=64]), [1 << 63 | 7, 1]);
        assert_eq!(bitmap(&[128..=128]), [0, 0, 1]);
        assert_eq!(bitmap(&[]), [0; 0]);
    }
}
