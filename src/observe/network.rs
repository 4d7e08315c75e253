//! What went through the network interfaces of a container that has a network namespace of its own.
//!
//! Man page: proc_pid_net(5), `/proc/PID/net/dev`: two lines of heading, then `name:` and sixteen figures,
//! eight received, eight sent.

use serde::Serialize;

use crate::state::ProcessId;

/// In the words of runc, whose type has none of its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Interface {
    pub name: String,
    pub rx_bytes: u64,
    pub rx_packets: u64,
    pub rx_errors: u64,
    pub rx_dropped: u64,
    pub tx_bytes: u64,
    pub tx_packets: u64,
    pub tx_errors: u64,
    pub tx_dropped: u64,
}

/// The interfaces that the process sees; `None` when they are the host's, or the process has ended.
pub fn read(process: &ProcessId) -> Option<Vec<Interface>> {
    let namespace = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/net")).ok();
    let pid = process.pid.to_string();
    if namespace(&pid)? == namespace("self")? {
        return None;
    }
    let text = std::fs::read_to_string(format!("/proc/{pid}/net/dev")).ok()?;
    // Its number was its own until now, so what was read is its too.
    process.is_alive().then(|| interfaces(&text))
}

fn interfaces(text: &str) -> Vec<Interface> {
    text.lines().skip(2).filter_map(interface).collect()
}

fn interface(line: &str) -> Option<Interface> {
    let (name, figures) = line.split_once(':')?;
    let figures: Vec<u64> = figures.split_whitespace().map_while(|figure| figure.parse().ok()).collect();
    let [rx_bytes, rx_packets, rx_errors, rx_dropped, _, _, _, _, rest @ ..] = figures.as_slice() else {
        return None;
    };
    let [tx_bytes, tx_packets, tx_errors, tx_dropped, ..] = rest else { return None };
    Some(Interface {
        name: name.trim().to_owned(),
        rx_bytes: *rx_bytes,
        rx_packets: *rx_packets,
        rx_errors: *rx_errors,
        rx_dropped: *rx_dropped,
        tx_bytes: *tx_bytes,
        tx_packets: *tx_packets,
        tx_errors: *tx_errors,
        tx_dropped: *tx_dropped,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_the_kernel() {
        let text = "Inter-|   Receive  |  Transmit\n face |bytes packets|bytes packets\n    \
                    lo:  100  2 0 1 0 0 0 0  200  4 3 0 0 0 0 0\n  bad: 1 2\n";
        let all = interfaces(text);
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].name.as_str(), all[0].rx_dropped), ("lo", 1));
        assert_eq!((all[0].tx_bytes, all[0].tx_packets, all[0].tx_errors), (200, 4, 3));
        let text = serde_json::to_string(&all[0]).unwrap();
        assert!(text.starts_with(r#"{"Name":"lo","RxBytes":100,"#), "{text}");
    }

    #[test]
    fn the_interfaces_of_the_host_are_not_the_containers() {
        assert_eq!(read(&ProcessId::of(std::process::id() as i32).unwrap()), None);
    }
}
