//! The `rdma` controller: how many handles and objects of RDMA network cards.
//!
//! Kernel: `rdma.max` holds one line for each card; a write changes only the keys that it names, and all of
//! them are `max` in a new cgroup.
//!
//! OCI (config-linux.md, "RDMA"): each card must name at least one of `hcaHandles` and `hcaObjects`; what is
//! not named is not limited.
//!
//! Kernel: cgroup-v2.rst, "RDMA"; admin-guide/cgroup-v1/rdma.rst.

use std::collections::{BTreeMap, HashMap};

use oci_spec::runtime::LinuxRdma;

use super::limits::Setting;
use crate::bundle::finding::{Finding, Pointer};

/// One write to `rdma.max` for each card, in the order of the cards' names.
pub fn settings(cards: &HashMap<String, LinuxRdma>, at: &Pointer) -> Vec<Setting> {
    let mut list = Vec::new();
    for (card, limit) in cards.iter().collect::<BTreeMap<_, _>>() {
        let keys = [("hca_handle", limit.hca_handles()), ("hca_object", limit.hca_objects())];
        let words: Vec<String> =
            keys.iter().filter_map(|(key, number)| number.map(|number| format!("{key}={number}"))).collect();
        if !words.is_empty() {
            let value = format!("{card} {}", words.join(" "));
            let why = format!("at most so many handles and objects of the card {card}");
            list.push(Setting::new("rdma.max", value, why, at.key(card)));
        }
    }
    list
}

/// Names that would break the line, and cards without any limit.
pub fn findings(cards: &HashMap<String, LinuxRdma>, at: &Pointer) -> Vec<Finding> {
    let mut list = Vec::new();
    for (card, limit) in cards.iter().collect::<BTreeMap<_, _>>() {
        if card.is_empty() || card.contains(|sign: char| sign.is_whitespace() || sign.is_control()) {
            list.push(Finding::error(at.key(card), format!("{card:?} is not the name of a card")));
        }
        if limit.hca_handles().is_none() && limit.hca_objects().is_none() {
            let message = format!("no limit is given for the card {card}");
            list.push(Finding::error(at.key(card), message).cure("give hcaHandles, hcaObjects or both"));
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cards(json: &str) -> HashMap<String, LinuxRdma> {
        serde_json::from_str(json).expect("a map of LinuxRdma objects")
    }

    #[test]
    fn only_what_is_named_is_written() {
        let json = r#"{"mlx5_1": {"hcaHandles": 3, "hcaObjects": 10}, "mlx4_0": {"hcaObjects": 0}}"#;
        let list = settings(&cards(json), &Pointer::root());
        let values: Vec<&str> = list.iter().map(|setting| setting.value.as_str()).collect();
        assert_eq!(values, ["mlx4_0 hca_object=0", "mlx5_1 hca_handle=3 hca_object=10"]);
        assert_eq!(list[1].at.as_str(), "/mlx5_1");
    }

    #[test]
    fn a_card_needs_a_name_and_a_limit() {
        let found = |json| findings(&cards(json), &Pointer::root()).len();
        assert_eq!(found(r#"{"mlx5_1": {}}"#), 1);
        assert_eq!(found(r#"{"a\nb": {"hcaHandles": 1}}"#), 1);
        assert_eq!(found(r#"{"": {"hcaHandles": 1}}"#), 1);
        assert_eq!(found(r#"{"mlx5_1": {"hcaHandles": 1}}"#), 0);
    }
}
