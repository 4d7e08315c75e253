//! Bytes and requests, for each disk.
//!
//! Kernel: cgroup-v2.rst, "IO Interface Files": a line of `io.stat` is
//! `8:16 rbytes=1459200 wbytes=314773504 rios=192 wios=353 dbytes=0 dios=0`.

use serde::Serialize;

use super::pressure::Pressure;
use super::{Files, is_nothing, v1};

/// What v2 counts, in the tables of v1.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockIo {
    #[serde(skip_serializing_if = "is_nothing")]
    pub io_service_bytes_recursive: Vec<Entry>,
    #[serde(skip_serializing_if = "is_nothing")]
    pub io_serviced_recursive: Vec<Entry>,
    #[serde(skip_serializing_if = "is_nothing")]
    pub psi: Option<Pressure>,
}

/// One figure of one disk.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    #[serde(skip_serializing_if = "is_nothing")]
    pub major: u64,
    #[serde(skip_serializing_if = "is_nothing")]
    pub minor: u64,
    pub op: &'static str,
    #[serde(skip_serializing_if = "is_nothing")]
    pub value: u64,
}

impl BlockIo {
    /// From `io.stat` and `io.pressure`.
    pub fn read(files: &Files) -> Self {
        let tables = match files.is_bound("blkio") {
            true => v1::disks(files),
            false => tables(&files.text("io.stat")),
        };
        Self { psi: Pressure::read(files, "io.pressure"), ..tables }
    }
}

fn tables(text: &str) -> BlockIo {
    let mut tables = BlockIo::default();
    for line in text.lines() {
        let mut fields = line.split_whitespace();
        let disk = fields.next().and_then(|numbers| numbers.split_once(':'));
        let Some((Ok(major), Ok(minor))) = disk.map(|(major, minor)| (major.parse(), minor.parse())) else {
            continue;
        };
        for (name, value) in fields.filter_map(|field| field.split_once('=')) {
            let (table, op) = match name {
                "rbytes" => (&mut tables.io_service_bytes_recursive, "Read"),
                "wbytes" => (&mut tables.io_service_bytes_recursive, "Write"),
                "rios" => (&mut tables.io_serviced_recursive, "Read"),
                "wios" => (&mut tables.io_serviced_recursive, "Write"),
                // Discarded data has no table.
                _ => continue,
            };
            table.push(Entry { major, minor, op, value: value.parse().unwrap_or(0) });
        }
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_four_entries_in_two_tables() {
        let tables =
            tables("8:16 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=5 dios=1\nodd line\n254:0 rbytes=7\n");
        let bytes: Vec<_> = tables
            .io_service_bytes_recursive
            .iter()
            .map(|entry| (entry.major, entry.minor, entry.op, entry.value))
            .collect();
        assert_eq!(bytes, [(8, 16, "Read", 10), (8, 16, "Write", 20), (254, 0, "Read", 7)]);
        assert_eq!(tables.io_serviced_recursive.len(), 2);
        let text = serde_json::to_string(&tables.io_serviced_recursive[0]).unwrap();
        assert_eq!(text, r#"{"major":8,"minor":16,"op":"Read","value":1}"#);
    }
}
