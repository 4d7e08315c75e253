//! Handles and objects of RDMA cards.
//!
//! Kernel: cgroup-v2.rst, "RDMA Interface Files": a line is `mlx4_0 hca_handle=2 hca_object=2000`.

use serde::Serialize;

use super::{Files, is_nothing};

/// As runc's cgroup library names it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Rdma {
    #[serde(rename = "rdma_limit", skip_serializing_if = "is_nothing")]
    pub limit: Vec<Card>,
    #[serde(rename = "rdma_current", skip_serializing_if = "is_nothing")]
    pub current: Vec<Card>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Card {
    pub device: String,
    pub hca_handles: u64,
    pub hca_objects: u64,
}

impl Rdma {
    /// From `rdma.max` and `rdma.current`.
    pub fn read(files: &Files) -> Self {
        Self { limit: cards(&files.text("rdma.max")), current: cards(&files.text("rdma.current")) }
    }
}

fn cards(text: &str) -> Vec<Card> {
    text.lines().filter_map(card).collect()
}

fn card(line: &str) -> Option<Card> {
    let (device, fields) = line.split_once(' ')?;
    let value = |name: &str| {
        let field = fields.split(' ').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
        // runc's fields have 32 bits, and all of them set for no limit.
        field.map_or(0, super::figure).min(u32::MAX.into())
    };
    Some(Card {
        device: device.to_owned(),
        hca_handles: value("hca_handle"),
        hca_objects: value("hca_object"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_a_line() {
        let cards = cards("mlx4_0 hca_handle=2 hca_object=max\nodd\n");
        let card = Card { device: "mlx4_0".into(), hca_handles: 2, hca_objects: u32::MAX.into() };
        assert_eq!(cards, [card]);
    }
}
