//! What is mounted where: mount_namespaces(7), proc_pid_mountinfo(5).

use super::Answer;
use crate::procfs;
use serde_json::{Value, json};

/// One line of mountinfo.
#[derive(Debug, PartialEq)]
pub struct Mount {
    pub id: u32,
    pub parent: u32,
    pub device: String,
    /// The directory of the filesystem which is visible at the target.
    pub root: String,
    pub target: String,
    /// Of this mount only, such as `ro`, `nosuid`.
    pub options: Vec<String>,
    /// Such as `shared:1` or `master:2`; empty for a private mount.
    pub propagation: Vec<String>,
    pub fstype: String,
    pub source: String,
    /// Of the whole filesystem, wherever it is mounted.
    pub super_options: Vec<String>,
}

/// The mount table of our mount namespace in the kernel's order.
pub fn table() -> Result<Vec<Mount>, String> {
    let text = procfs::read("/proc/self/mountinfo")?;
    text.lines()
        .map(|line| parse(line).ok_or_else(|| format!("mountinfo line not understood: {line}")))
        .collect()
}

pub fn answer() -> Answer {
    Ok(Value::Array(table()?.iter().map(to_json).collect()))
}

fn to_json(mount: &Mount) -> Value {
    json!({
        "id": mount.id, "parent": mount.parent, "device": mount.device, "root": mount.root,
        "target": mount.target, "options": mount.options, "propagation": mount.propagation,
        "fstype": mount.fstype, "source": mount.source, "super_options": mount.super_options,
    })
}

/// The number of optional fields varies, so a lone `-` marks their end.
fn parse(line: &str) -> Option<Mount> {
    let (front, back) = line.split_once(" - ")?;
    let mut front = front.split(' ');
    let mut back = back.split(' ');
    Some(Mount {
        id: front.next()?.parse().ok()?,
        parent: front.next()?.parse().ok()?,
        device: front.next()?.to_owned(),
        root: unescape(front.next()?),
        target: unescape(front.next()?),
        options: list(front.next()?),
        propagation: front.map(str::to_owned).collect(),
        fstype: back.next()?.to_owned(),
        source: unescape(back.next()?),
        super_options: list(back.next()?),
    })
}

fn list(options: &str) -> Vec<String> {
    options.split(',').map(unescape).collect()
}

/// The kernel writes blank, tab, newline, backslash and # as three octal digits behind a backslash.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let escaped = if first == b'\\' { behind.get(..3).and_then(octal) } else { None };
        match escaped {
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[3..];
            }
            None => {
                bytes.push(first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn octal(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_several_optional_fields() {
        let line =
            "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 propagate_from:2 - ext3 /dev/root rw,errors=continue";
        let mount = parse(line).unwrap();
        assert_eq!((mount.id, mount.parent, mount.device.as_str()), (36, 35, "98:0"));
        assert_eq!((mount.root.as_str(), mount.target.as_str()), ("/mnt1", "/mnt2"));
        assert_eq!(mount.options, ["rw", "noatime"]);
        assert_eq!(mount.propagation, ["master:1", "propagate_from:2"]);
        assert_eq!((mount.fstype.as_str(), mount.source.as_str()), ("ext3", "/dev/root"));
        assert_eq!(mount.super_options, ["rw", "errors=continue"]);
    }

    #[test]
    fn a_private_mount_has_no_optional_field() {
        let mount = parse("1 0 0:5 / /dev rw - tmpfs tmpfs rw,mode=755").unwrap();
        assert!(mount.propagation.is_empty());
    }

    #[test]
    fn escaped_characters_come_back() {
        let mount = parse(r"1 0 0:5 / /a\040b\134c rw - tmpfs my\011disk rw").unwrap();
        assert_eq!((mount.target.as_str(), mount.source.as_str()), ("/a b\\c", "my\tdisk"));
        assert_eq!(unescape(r"ends\04"), r"ends\04");
    }

    #[test]
    fn a_cut_line_is_refused() {
        assert_eq!(parse("36 35 98:0 /mnt1 /mnt2 rw"), None);
        assert_eq!(parse("36 35 98:0 / / rw - ext3"), None);
    }
}
