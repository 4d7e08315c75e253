//! The container's share of the caches and of the memory bandwidth, and what the processor counted for it.
//!
//! Kernel: resctrl.rst, "Info directory", "Resource alloc and monitor groups". `mon_data` has a directory for
//! each cache, `mon_L3_00`, with `llc_occupancy` and `mbm_*_bytes`; the kernel writes `Unavailable` where the
//! counter says nothing yet.

use serde::Serialize;

use super::is_nothing;
use crate::feature::rdt::Class;
use crate::resctrl::{Group, Tree};

/// runc's `intel_rdt`: empty on a machine without resctrl, and for a container that does not ask for a class.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Rdt {
    #[serde(skip_serializing_if = "is_nothing")]
    pub l3_cache_info: Option<CacheInfo>,
    #[serde(skip_serializing_if = "is_nothing")]
    pub l3_cache_schema_root: String,
    #[serde(skip_serializing_if = "is_nothing")]
    pub l3_cache_schema: String,
    #[serde(skip_serializing_if = "is_nothing")]
    pub mem_bw_info: Option<BandwidthInfo>,
    #[serde(skip_serializing_if = "is_nothing")]
    pub mem_bw_schema_root: String,
    #[serde(skip_serializing_if = "is_nothing")]
    pub mem_bw_schema: String,
    #[serde(skip_serializing_if = "is_nothing")]
    pub schemata: Vec<String>,
    #[serde(skip_serializing_if = "is_nothing")]
    pub mbm_stats: Vec<Bandwidth>,
    #[serde(skip_serializing_if = "is_nothing")]
    pub cmt_stats: Vec<Occupancy>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CacheInfo {
    #[serde(skip_serializing_if = "is_nothing")]
    pub cbm_mask: String,
    #[serde(skip_serializing_if = "is_nothing")]
    pub min_cbm_bits: u64,
    #[serde(skip_serializing_if = "is_nothing")]
    pub num_closids: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct BandwidthInfo {
    #[serde(skip_serializing_if = "is_nothing")]
    pub bandwidth_gran: u64,
    #[serde(skip_serializing_if = "is_nothing")]
    pub delay_linear: u64,
    #[serde(skip_serializing_if = "is_nothing")]
    pub min_bandwidth: u64,
    #[serde(skip_serializing_if = "is_nothing")]
    pub num_closids: u64,
}

/// In bytes, of one cache.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Bandwidth {
    pub mbm_total_bytes: u64,
    pub mbm_local_bytes: u64,
}

/// In bytes, of one cache.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Occupancy {
    pub llc_occupancy: u64,
}

impl Rdt {
    /// Of the class that the container's configuration asks for.
    pub fn read(class: Option<&Class>) -> Self {
        match (class, Tree::find()) {
            (Some(class), Ok(tree)) => of(&tree, class),
            _ => Self::default(),
        }
    }
}

fn of(tree: &Tree, class: &Class) -> Rdt {
    let lines = |group: &Group| -> Vec<String> {
        tree.text(group.as_str(), "schemata").lines().map(|line| line.trim().to_owned()).collect()
    };
    let (root, schemata) = (lines(&Group::root()), lines(&class.group));
    let line = |lines: &[String], resource: &str| {
        lines.iter().find(|line| line.starts_with(resource)).cloned().unwrap_or_default()
    };
    let counted = counters(tree, class.monitoring.as_ref().unwrap_or(&class.group));
    Rdt {
        l3_cache_info: cache_info(tree),
        l3_cache_schema_root: line(&root, "L3"),
        l3_cache_schema: line(&schemata, "L3"),
        mem_bw_info: bandwidth_info(tree),
        mem_bw_schema_root: line(&root, "MB:"),
        mem_bw_schema: line(&schemata, "MB:"),
        schemata,
        mbm_stats: counted.iter().filter_map(|cache| bandwidth(tree, cache)).collect(),
        cmt_stats: counted.iter().filter_map(|cache| occupancy(tree, cache)).collect(),
    }
}

/// The directories of a group in which the counters of one cache lie.
fn counters(tree: &Tree, group: &Group) -> Vec<String> {
    let place = if group.is_root() { "mon_data".to_owned() } else { format!("{group}/mon_data") };
    let caches = tree.directories(&place).into_iter().filter(|name| name.starts_with("mon_L3_"));
    caches.map(|name| format!("{place}/{name}")).collect()
}

fn number(tree: &Tree, directory: &str, name: &str) -> Option<u64> {
    tree.text(directory, name).trim().parse().ok()
}

fn bandwidth(tree: &Tree, cache: &str) -> Option<Bandwidth> {
    let mbm_total_bytes = number(tree, cache, "mbm_total_bytes")?;
    let mbm_local_bytes = number(tree, cache, "mbm_local_bytes").unwrap_or(0);
    Some(Bandwidth { mbm_total_bytes, mbm_local_bytes })
}

fn occupancy(tree: &Tree, cache: &str) -> Option<Occupancy> {
    number(tree, cache, "llc_occupancy").map(|llc_occupancy| Occupancy { llc_occupancy })
}

fn cache_info(tree: &Tree) -> Option<CacheInfo> {
    let info = |name| number(tree, "info/L3", name).unwrap_or(0);
    let info = CacheInfo {
        cbm_mask: tree.text("info/L3", "cbm_mask").trim().to_owned(),
        min_cbm_bits: info("min_cbm_bits"),
        num_closids: info("num_closids"),
    };
    (!is_nothing(&info)).then_some(info)
}

fn bandwidth_info(tree: &Tree) -> Option<BandwidthInfo> {
    let info = |name| number(tree, "info/MB", name).unwrap_or(0);
    let info = BandwidthInfo {
        bandwidth_gran: info("bandwidth_gran"),
        delay_linear: info("delay_linear"),
        min_bandwidth: info("min_bandwidth"),
        num_closids: info("num_closids"),
    };
    (!is_nothing(&info)).then_some(info)
}
