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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;
    use crate::feature::rdt::{Lasts, Missing};

    /// A directory that looks like resctrl; gone when the test is.
    struct Looks(PathBuf);

    impl Looks {
        fn like(files: &[(&str, &str)]) -> Self {
            let place = std::env::temp_dir().join(format!("crate-run-rdt-{}", std::process::id()));
            for (name, text) in files {
                let file = place.join(name);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, text).unwrap();
            }
            Self(place)
        }
    }

    impl Drop for Looks {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_class_and_what_was_counted_for_it() {
        let looks = Looks::like(&[
            ("schemata", "    MB:0=100;1=100\n    L3:0=7ff;1=7ff\n"),
            ("web/schemata", "    MB:0= 20;1= 70\n    L3:0=7f0;1=01f\n"),
            ("info/L3/cbm_mask", "7ff\n"),
            ("info/L3/min_cbm_bits", "1\n"),
            ("info/L3/num_closids", "16\n"),
            ("web/mon_groups/a/mon_data/mon_L3_00/llc_occupancy", "4096\n"),
            ("web/mon_groups/a/mon_data/mon_L3_00/mbm_total_bytes", "30\n"),
            ("web/mon_groups/a/mon_data/mon_L3_00/mbm_local_bytes", "20\n"),
            ("web/mon_groups/a/mon_data/mon_L3_01/llc_occupancy", "Unavailable\n"),
        ]);
        let group = Group::class("web");
        let monitoring = Some(group.monitoring("a"));
        let class =
            Class { group, missing: Missing::Make, lasts: Lasts::Longer, lines: Vec::new(), monitoring };
        let rdt = of(&Tree::at(&looks.0).unwrap(), &class);
        assert_eq!(
            (rdt.l3_cache_schema.as_str(), rdt.mem_bw_schema_root.as_str()),
            ("L3:0=7f0;1=01f", "MB:0=100;1=100")
        );
        let info = CacheInfo { cbm_mask: "7ff".into(), min_cbm_bits: 1, num_closids: 16 };
        assert_eq!((rdt.l3_cache_info, rdt.mem_bw_info), (Some(info), None));
        assert_eq!(rdt.mbm_stats, [Bandwidth { mbm_total_bytes: 30, mbm_local_bytes: 20 }]);
        assert_eq!(rdt.cmt_stats, [Occupancy { llc_occupancy: 4096 }]);
        assert_eq!(rdt.schemata.len(), 2);
    }
}
