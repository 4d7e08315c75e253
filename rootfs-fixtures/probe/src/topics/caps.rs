//! What we may do: capabilities(7).

use super::Answer;
use crate::procfs;
use serde_json::{Map, Value, json};

/// In the order of their numbers, linux/capability.h.
const NAMES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

const SETS: [(&str, &str); 5] = [
    ("inheritable", "CapInh"),
    ("permitted", "CapPrm"),
    ("effective", "CapEff"),
    ("bounding", "CapBnd"),
    ("ambient", "CapAmb"),
];

pub fn answer() -> Answer {
    let mut answer = Map::new();
    for (name, key) in SETS {
        let hex = procfs::own_status(key)?;
        answer.insert(name.to_owned(), json!({ "names": names(&hex)?, "hex": hex }));
    }
    answer.insert("no_new_privs".to_owned(), json!(procfs::own_status("NoNewPrivs")? == "1"));
    let securebits = rustix::thread::capabilities_secure_bits().map(|bits| bits.bits());
    answer.insert("securebits".to_owned(), securebits.map_or(Value::Null, Value::from));
    Ok(Value::Object(answer))
}

/// The names of the bits of a hexadecimal mask; a bit that is too new to have a name here is called `CAP_41`.
fn names(hex: &str) -> Result<Vec<String>, String> {
    let mask = u64::from_str_radix(hex, 16).map_err(|error| format!("capability mask {hex}: {error}"))?;
    let name = |bit: usize| NAMES.get(bit).map_or_else(|| format!("CAP_{bit}"), |name| (*name).to_owned());
    Ok((0..64).filter(|bit| mask >> bit & 1 == 1).map(name).collect())
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn a_mask_is_read_bit_by_bit() {
        assert_eq!(names("0000000000000401").unwrap(), ["CAP_CHOWN", "CAP_NET_BIND_SERVICE"]);
        assert_eq!(names("0000030000000000").unwrap(), ["CAP_CHECKPOINT_RESTORE", "CAP_41"]);
        assert!(names("xyz").is_err());
    }

    #[test]
    fn the_mask_of_dockers_default_set_has_fourteen_names() {
        let expected = [
            "CAP_CHOWN",
            "CAP_DAC_OVERRIDE",
            "CAP_FOWNER",
            "CAP_FSETID",
            "CAP_KILL",
            "CAP_SETGID",
            "CAP_SETUID",
            "CAP_SETPCAP",
            "CAP_NET_BIND_SERVICE",
            "CAP_NET_RAW",
            "CAP_SYS_CHROOT",
            "CAP_MKNOD",
            "CAP_AUDIT_WRITE",
            "CAP_SETFCAP",
        ];
        assert_eq!(names("00000000a80425fb").unwrap(), expected);
    }
}
