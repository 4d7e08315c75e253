//! Kernel settings: sysctl(8), proc_sys(5).

use super::or_error;
use crate::procfs;
use serde_json::{Map, Value};

/// `net.ipv4.ip_forward` and `net/ipv4/ip_forward` are the same key. As in sysctl(8) the separator that comes
/// first decides: after a slash, dots belong to names, as in `net/ipv4/conf/eth0.1/forwarding`.
pub fn answer(keys: &[String]) -> Value {
    let entry = |key: &String| {
        let text = procfs::read(&format!("/proc/sys/{}", path(key)));
        (key.clone(), or_error(text.map(|text| text.trim_end().to_owned())))
    };
    Value::Object(keys.iter().map(entry).collect::<Map<_, _>>())
}

fn path(key: &str) -> String {
    match key.find(['.', '/']) {
        Some(first) if key[first..].starts_with('.') => key.chars().map(swap).collect(),
        _ => key.to_owned(),
    }
}

fn swap(letter: char) -> char {
    match letter {
        '.' => '/',
        '/' => '.',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::path;

    #[test]
    fn the_first_separator_decides() {
        assert_eq!(path("kernel.shmmax"), "kernel/shmmax");
        assert_eq!(path("net/ipv4/conf/eth0.1/forwarding"), "net/ipv4/conf/eth0.1/forwarding");
        assert_eq!(path("net.ipv4.conf.eth0/1.forwarding"), "net/ipv4/conf/eth0.1/forwarding");
    }
}
