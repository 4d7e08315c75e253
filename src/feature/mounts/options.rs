//! The words of a mount's `options`: mount attributes, propagation, and data for the filesystem.

use crate_run_sys::mounts::{Depth, attribute, propagation};

use crate::bundle::finding::{Finding, Pointer};
use crate::plan::Deep;

/// What the words of one mount add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// MOUNT_ATTR_* to set and to clear on the mount itself.
    pub set: u64,
    pub clear: u64,
    /// The same for the whole tree.
    pub tree_set: u64,
    pub tree_clear: u64,
    /// The last propagation word.
    pub propagation: Option<(u64, Deep)>,
    /// `bind` or `rbind`.
    pub bind: Option<Depth>,
    /// `remount`.
    pub remount: bool,
    /// `tmpcopyup`: a tmpfs begins with what the image has at its place.
    pub copy_up: bool,
    /// Words for the filesystem itself, in order.
    pub data: Vec<String>,
    /// Words for any superblock, such as `sync`; of a bind mount they change nothing.
    pub superblock: Vec<String>,
    /// Words that are known and not supported.
    refused: Vec<usize>,
}

/// What one word does.
enum Effect {
    Set(u64),
    Clear(u64),
    TreeSet(u64),
    TreeClear(u64),
    Propagate(u64, Deep),
    Bind(Depth),
    Remount,
    CopyUp,
    /// For the superblock, of whatever type it is.
    Superblock,
    /// The default of every mount, or nothing that this kernel interface knows.
    Nothing,
    /// Known, and not to be had.
    Refused,
    /// Not ours: the filesystem decides.
    Data,
}

fn effect(word: &str) -> Effect {
    use Effect::*;
    use attribute::*;
    match word {
        "ro" => Set(RDONLY),
        "rw" => Clear(RDONLY),
        "nosuid" => Set(NOSUID),
        "suid" => Clear(NOSUID),
        "nodev" => Set(NODEV),
        "dev" => Clear(NODEV),
        "noexec" => Set(NOEXEC),
        "exec" => Clear(NOEXEC),
        "nosymfollow" => Set(NOSYMFOLLOW),
        "symfollow" => Clear(NOSYMFOLLOW),
        "nodiratime" => Set(NODIRATIME),
        "diratime" => Clear(NODIRATIME),
        "noatime" => Set(NOATIME),
        "strictatime" => Set(STRICTATIME),
        "relatime" | "atime" | "norelatime" | "nostrictatime" => Set(RELATIME),
        "rro" => TreeSet(RDONLY),
        "rrw" => TreeClear(RDONLY),
        "rnosuid" => TreeSet(NOSUID),
        "rsuid" => TreeClear(NOSUID),
        "rnodev" => TreeSet(NODEV),
        "rdev" => TreeClear(NODEV),
        "rnoexec" => TreeSet(NOEXEC),
        "rexec" => TreeClear(NOEXEC),
        "rnosymfollow" => TreeSet(NOSYMFOLLOW),
        "rsymfollow" => TreeClear(NOSYMFOLLOW),
        "rnodiratime" => TreeSet(NODIRATIME),
        "rdiratime" => TreeClear(NODIRATIME),
        "rnoatime" => TreeSet(NOATIME),
        "rstrictatime" => TreeSet(STRICTATIME),
        "rrelatime" | "ratime" | "rnorelatime" | "rnostrictatime" => TreeSet(RELATIME),
        "shared" => Propagate(propagation::SHARED, Deep::One),
        "rshared" => Propagate(propagation::SHARED, Deep::Tree),
        "slave" => Propagate(propagation::SLAVE, Deep::One),
        "rslave" => Propagate(propagation::SLAVE, Deep::Tree),
        "private" => Propagate(propagation::PRIVATE, Deep::One),
        "rprivate" => Propagate(propagation::PRIVATE, Deep::Tree),
        "unbindable" => Propagate(propagation::UNBINDABLE, Deep::One),
        "runbindable" => Propagate(propagation::UNBINDABLE, Deep::Tree),
        "bind" => Bind(Depth::One),
        "rbind" => Bind(Depth::Tree),
        "remount" => Remount,
        "tmpcopyup" => CopyUp,
        "sync" | "dirsync" | "lazytime" => Superblock,
        "defaults" | "async" | "nomand" | "mand" | "nolazytime" | "iversion" | "noiversion" | "silent"
        | "loud" | "nofail" | "auto" | "noauto" | "user" | "nouser" => Nothing,
        "idmap" | "ridmap" => Refused,
        _ => Data,
    }
}

/// Every word that is supported, for `features`.
#[rustfmt::skip]
pub const WORDS: &[&str] = &[
    "async", "atime", "auto", "bind", "defaults", "dev", "diratime", "dirsync", "exec", "iversion",
    "lazytime", "loud", "mand",
    "noatime", "noauto", "nodev", "nodiratime", "noexec", "nofail", "noiversion", "nolazytime", "nomand",
    "norelatime", "nostrictatime", "nosuid", "nosymfollow", "nouser", "private", "ratime", "rbind",
    "rdev", "rdiratime", "relatime", "remount", "rexec", "rnoatime", "rnodev", "rnodiratime", "rnoexec",
    "rnorelatime", "rnostrictatime", "rnosuid", "rnosymfollow", "ro", "rprivate", "rrelatime", "rro",
    "rrw", "rshared", "rslave", "rstrictatime", "rsuid", "rsymfollow", "runbindable", "rw", "shared",
    "silent", "slave", "strictatime", "suid", "symfollow", "sync", "tmpcopyup", "unbindable", "user",
];

/// The access time words; they replace each other, so the whole field is cleared with each.
fn is_atime(word: &str) -> bool {
    word.trim_start_matches('r').ends_with("atime") && !word.ends_with("diratime")
}

impl Options {
    /// Reads the words from left to right: a later word wins over an earlier one.
    pub fn parse(words: &[String]) -> Self {
        let mut options = Self::default();
        for (index, word) in words.iter().enumerate() {
            options.add(index, word);
        }
        options
    }

    fn add(&mut self, index: usize, word: &str) {
        let time = if is_atime(word) { attribute::ATIME } else { 0 };
        match effect(word) {
            Effect::Set(bit) => {
                self.set = self.set & !time | bit;
                self.clear = self.clear & !bit | time;
            }
            Effect::Clear(bit) => {
                self.clear |= bit;
                self.set &= !bit;
            }
            Effect::TreeSet(bit) => {
                self.tree_set = self.tree_set & !time | bit;
                self.tree_clear = self.tree_clear & !bit | time;
            }
            Effect::TreeClear(bit) => {
                self.tree_clear |= bit;
                self.tree_set &= !bit;
            }
            Effect::Propagate(kind, deep) => self.propagation = Some((kind, deep)),
            Effect::Bind(depth) => self.bind = Some(depth),
            Effect::Remount => self.remount = true,
            Effect::CopyUp => self.copy_up = true,
            Effect::Superblock => self.superblock.push(word.to_owned()),
            Effect::Nothing => {}
            Effect::Refused => self.refused.push(index),
            // An engine's own marks (mount(8): x-*) are for people and tools, not for the kernel.
            Effect::Data if word.starts_with("x-") || word.is_empty() => {}
            Effect::Data => self.data.extend(word.split(',').map(str::to_owned)),
        }
    }

    /// The attributes of a new mount, which has nothing below it: the words for the tree first, as for a bind
    /// mount.
    pub fn attributes(&self) -> u64 {
        self.tree_set & !self.clear | self.set
    }

    /// What is wrong with the words, at the pointer of the list, for a mount that brings no filesystem of its
    /// own.
    pub fn findings_without_filesystem(&self, at: &Pointer) -> Vec<Finding> {
        let data = self.data.iter().find(|word| !matches!(word.as_str(), "z" | "Z"));
        let Some(word) = data else { return Vec::new() };
        let what = if self.remount { "a remount" } else { "bind mounts" };
        let message = format!(
            "{what} cannot have any filesystem-specific options applied, and {word:?} is not a mount option"
        );
        vec![Finding::error(at.clone(), message).cure("leave it out, or correct the spelling")]
    }

    /// What is wrong with the words, at the pointer of the list.
    pub fn findings(&self, at: &Pointer) -> Vec<Finding> {
        let mut found: Vec<Finding> = self
            .refused
            .iter()
            .map(|index| Finding::error(at.index(*index), "this mount option is not supported yet"))
            .collect();
        if self.data.iter().any(|word| word.contains('\0')) {
            found.push(Finding::error(at.clone(), "mount options must be free of NUL characters"));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Options {
        Options::parse(&words.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn later_words_win() {
        let options = parse("ro nosuid rw");
        assert_eq!((options.set, options.clear), (attribute::NOSUID, attribute::RDONLY));
        let options = parse("noatime strictatime");
        assert_eq!(
            (options.set, options.clear),
            (attribute::STRICTATIME, attribute::ATIME & !attribute::STRICTATIME | attribute::ATIME)
        );
    }

    #[test]
    fn a_new_mount_has_what_was_asked_last() {
        assert_eq!(parse("nosuid strictatime").attributes(), attribute::NOSUID | attribute::STRICTATIME);
        assert_eq!(parse("rro rnoatime").attributes(), attribute::RDONLY | attribute::NOATIME);
        assert_eq!(parse("rro rw relatime").attributes(), 0);
    }

    #[test]
    fn access_time_clears_the_whole_field() {
        for word in ["noatime", "relatime", "strictatime", "atime"] {
            assert_eq!(parse(word).clear & attribute::ATIME, attribute::ATIME, "{word}");
        }
        assert_eq!(parse("nodiratime").clear, 0);
        assert_eq!(parse("rrelatime").tree_clear, attribute::ATIME);
    }

    #[test]
    fn data_goes_to_the_filesystem() {
        let options = parse("nosuid mode=755 size=65536k,nr_inodes=10 x-systemd.automount sync");
        assert_eq!(options.superblock, ["sync"], "a bind mount may have it");
        assert_eq!(options.data, ["mode=755", "size=65536k", "nr_inodes=10"]);
        let found = options.findings_without_filesystem(&Pointer::from("/mounts/0/options"));
        assert!(found[0].message.contains("filesystem-specific"));
    }

    #[test]
    fn every_supported_word_has_an_effect() {
        for word in WORDS {
            assert!(!matches!(effect(word), Effect::Data | Effect::Refused), "{word}");
        }
    }
}
