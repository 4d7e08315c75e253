//! `crate-run list` and `crate-run state`: containers as a table, as JSON, or by name.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use super::log::push_visible;

/// What is told about one container. As JSON it is the state of the OCI runtime specification (runtime.md,
/// "State"), followed by the four keys that runc adds and its callers read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// The version of the specification that the container's configuration follows.
    pub oci_version: String,
    pub id: String,
    /// The first process as the host sees it; 0 when the container is stopped.
    pub pid: i32,
    /// `creating`, `created`, `running` or `stopped`.
    pub status: String,
    /// Absolute path.
    pub bundle: String,
    /// Absolute path.
    pub rootfs: String,
    /// RFC 3339, see [`crate::timestamp::rfc3339`].
    pub created: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// The name of the user whose container it is, or `#` and the uid.
    pub owner: String,
    /// The unit that is the container's cgroup, as crun tells it.
    #[serde(rename = "systemd-scope", skip_serializing_if = "Option::is_none")]
    pub systemd_scope: Option<String>,
}

/// One state as JSON over several lines, as runc's `state` prints it.
pub fn state(row: &Row) -> String {
    let mut text = serde_json::to_string_pretty(row).expect("strings and numbers become JSON");
    text.push('\n');
    text
}

/// All states as one JSON array on one line; an empty one is `[]`.
pub fn json(rows: &[Row]) -> String {
    let mut text = serde_json::to_string(rows).expect("strings and numbers become JSON");
    text.push('\n');
    text
}

/// The names, one on a line.
pub fn names(rows: &[Row]) -> String {
    rows.iter().map(|row| format!("{}\n", row.id)).collect()
}

/// The table of runc: columns at least 12 wide and 3 apart, whatever stands in them.
pub fn table(rows: &[Row]) -> String {
    let head = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"].map(str::to_owned);
    let lines: Vec<_> = std::iter::once(head).chain(rows.iter().map(cells)).collect();
    let widths: [usize; 6] = std::array::from_fn(|column| {
        let longest = lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        (longest + 3).max(12)
    });
    let mut text = String::new();
    for line in lines {
        let (last, cells) = line.split_last().expect("there are six columns");
        for (cell, width) in cells.iter().zip(widths) {
            write!(text, "{cell:width$}").expect("a String takes everything");
        }
        text.push_str(last);
        text.push('\n');
    }
    text
}

fn cells(row: &Row) -> [String; 6] {
    let pid = row.pid.to_string();
    [&row.id, &pid, &row.status, &row.bundle, &row.created, &row.owner].map(|cell| visible(cell))
}

/// The text on one line and without anything that steers the terminal: a bundle's path can hold any byte.
fn visible(text: &str) -> String {
    let mut cell = String::with_capacity(text.len());
    text.chars().for_each(|letter| push_visible(&mut cell, letter));
    cell
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, bundle: &str) -> Row {
        Row {
            oci_version: "1.3.0".into(),
            id: id.into(),
            pid: 4711,
            status: "running".into(),
            bundle: bundle.into(),
            rootfs: format!("{bundle}/rootfs"),
            created: "2026-02-28T23:59:59Z".into(),
            annotations: BTreeMap::new(),
            owner: "root".into(),
            systemd_scope: None,
        }
    }

    #[test]
    fn the_empty_table_is_its_head_as_runc_prints_it() {
        assert_eq!(table(&[]), "ID          PID         STATUS      BUNDLE      CREATED     OWNER\n");
        assert_eq!(json(&[]), "[]\n");
        assert_eq!(names(&[]), "");
    }

    #[test]
    fn columns_grow_with_their_content() {
        let rows = [row("a", "/b"), row("a-long-name-of-24-letters", "/b/ä")];
        assert_eq!(
            table(&rows),
            "ID                          PID         STATUS      BUNDLE      CREATED                OWNER\n\
             a                           4711        running     /b          2026-02-28T23:59:59Z   root\n\
             a-long-name-of-24-letters   4711        running     /b/ä        2026-02-28T23:59:59Z   root\n"
        );
    }

    #[test]
    fn a_path_cannot_forge_a_line() {
        let text = table(&[row("a", "/b\nroot\x1b[2J")]);
        assert_eq!(text.lines().count(), 2);
        assert!(text.contains("/b\\u000aroot\\u001b[2J"), "{text}");
    }

    #[test]
    fn the_state_has_the_keys_that_engines_read() {
        let mut row = row("a", "/b");
        row.annotations.insert("key".into(), "value".into());
        assert_eq!(
            state(&row),
            r#"{
  "ociVersion": "1.3.0",
  "id": "a",
  "pid": 4711,
  "status": "running",
  "bundle": "/b",
  "rootfs": "/b/rootfs",
  "created": "2026-02-28T23:59:59Z",
  "annotations": {
    "key": "value"
  },
  "owner": "root"
}
"#
        );
    }

    #[test]
    fn the_list_is_one_array_of_states() {
        let rows = [row("a", "/b"), row("c", "/d")];
        let array: serde_json::Value = serde_json::from_str(&json(&rows)).unwrap();
        let one: serde_json::Value = serde_json::from_str(&state(&rows[1])).unwrap();
        assert_eq!(array[1], one);
        assert!(one.get("annotations").is_none());
        assert_eq!(names(&rows), "a\nc\n");
    }
}
