//! What the words of a mount's `options` add up to: attributes, propagation, and data for the filesystem.

use crate_run_sys::mounts::{Depth, attribute, propagation};

use crate::feature::mounts::words::{Effect, effect, is_known_to_fsconfig, is_mark, is_news, opposite};
use crate::plan::TreeChange;

/// What the words of one mount add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// MOUNT_ATTR_* to set and to clear on the mount itself.
    pub set: u64,
    pub clear: u64,
    /// The same for the whole tree.
    pub tree_set: u64,
    pub tree_clear: u64,
    /// Propagation types, as listed.
    pub propagation: Vec<(u64, Depth)>,
    /// `bind` or `rbind`.
    pub bind: Option<Depth>,
    /// `remount`.
    pub remount: bool,
    /// `tmpcopyup`: a tmpfs begins with what the image has at its place.
    pub copy_up: bool,
    /// `idmap` or `ridmap`.
    pub ids: Option<Ids>,
    /// `copy-symlink`, `src-nofollow`, `dest-nofollow`.
    pub copy_link: bool,
    pub take_link: bool,
    pub cover_link: bool,
    /// Words for the filesystem itself, in order.
    pub data: Vec<String>,
    /// Words for any superblock, such as `sync`, each at most once; of a bind mount they change nothing.
    pub superblock: Vec<&'static str>,
}

/// The word `idmap` or `ridmap`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids {
    pub depth: Depth,
    /// What follows the `=`, as crun has it; empty when there is nothing.
    pub text: String,
    /// Its place among the words.
    pub index: usize,
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
        let (name, text) = match word.split_once('=') {
            Some((name @ ("idmap" | "ridmap"), text)) => (name, text),
            _ => (word, ""),
        };
        match effect(name) {
            Some(Effect::MapIds(depth)) => self.ids = Some(Ids { depth, text: text.to_owned(), index }),
            Some(Effect::Set(depth, bits)) => self.attribute(depth, bits, 0),
            Some(Effect::Clear(depth, bits)) => self.attribute(depth, 0, bits),
            Some(Effect::Policy(depth, policy)) => self.policy(depth, policy),
            Some(Effect::NoPolicy(depth, policy)) => {
                let (set, clear) = self.both(depth);
                if *clear & attribute::ATIME == 0 || *set & attribute::ATIME == policy {
                    self.policy(depth, attribute::RELATIME);
                }
            }
            Some(Effect::Propagate(depth, kind)) => self.propagation.push((kind, depth)),
            Some(Effect::Bind(depth)) => self.bind = Some(depth),
            Some(Effect::Remount) => self.remount = true,
            Some(Effect::CopyUp) => self.copy_up = true,
            Some(Effect::CopyLink) => self.copy_link = true,
            Some(Effect::TakeLink) => self.take_link = true,
            Some(Effect::CoverLink) => self.cover_link = true,
            Some(Effect::Superblock(word)) => {
                self.superblock.retain(|earlier| *earlier != word && Some(*earlier) != opposite(word));
                self.superblock.push(word);
            }
            Some(Effect::Nothing) => {}
            None if is_mark(word) => {}
            None => self.data.extend(split(word)),
        }
    }

    fn both(&mut self, depth: Depth) -> (&mut u64, &mut u64) {
        match depth {
            Depth::One => (&mut self.set, &mut self.clear),
            Depth::Tree => (&mut self.tree_set, &mut self.tree_clear),
        }
    }

    fn attribute(&mut self, depth: Depth, on: u64, off: u64) {
        let (set, clear) = self.both(depth);
        *set = *set & !off | on;
        *clear = *clear & !on | off;
    }

    /// mount_setattr(2) wants the whole field cleared with each policy.
    fn policy(&mut self, depth: Depth, policy: u64) {
        let (set, clear) = self.both(depth);
        *set = *set & !attribute::ATIME | policy;
        *clear |= attribute::ATIME;
    }

    /// The attributes of a new mount, which has nothing below it: the words for the tree first, as for a bind
    /// mount.
    pub fn attributes(&self) -> u64 {
        self.tree_set & !self.clear | self.set
    }

    /// The same as a change of a mount that has none.
    pub fn change(&self, attributes: u64) -> TreeChange {
        TreeChange {
            set: attributes,
            clear: if attributes & attribute::ATIME != 0 { attribute::ATIME } else { 0 },
            propagation: self.of_new(),
            ..TreeChange::default()
        }
    }

    /// What a new superblock is told: first what any takes, then its own data.
    pub fn of_superblock(&self) -> impl Iterator<Item = &str> {
        let known = self.superblock.iter().copied().filter(|word| is_news(word));
        known.chain(self.data.iter().map(String::as_str))
    }

    /// What an existing superblock is told.
    pub fn of_remount(&self) -> impl Iterator<Item = &str> {
        let known = self.superblock.iter().copied().filter(|word| is_known_to_fsconfig(word));
        known.chain(self.data.iter().map(String::as_str))
    }

    /// Does a remount reach the superblock? With `bind` it is about the mount alone (mount(2), MS_REMOUNT).
    pub fn changes_superblock(&self) -> bool {
        self.remount && self.bind.is_none() && self.of_remount().next().is_some()
    }

    /// What the propagation types add up to on a new mount: nobody is its peer or master, so `slave` finds
    /// nothing to be a slave of (mount_namespaces(7)).
    pub fn of_new(&self) -> u64 {
        let add = |before, (kind, _): &(u64, Depth)| match (before, *kind) {
            (propagation::SHARED, propagation::SLAVE) => propagation::PRIVATE,
            (_, propagation::SLAVE) => before,
            (_, kind) => kind,
        };
        self.propagation.iter().fold(0, add)
    }
}

/// Cuts a list at its commas, as mount(2) reads it: not inside quotation marks, which are left out, and not
/// where a backslash stands before (overlayfs).
fn split(list: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let (mut quoted, mut escaped) = (false, false);
    for letter in list.chars() {
        let word = words.last_mut().expect("there is one");
        match letter {
            '"' if !escaped => quoted = !quoted,
            ',' if !quoted && !escaped => words.push(String::new()),
            _ => word.push(letter),
        }
        escaped = letter == '\\' && !escaped;
    }
    words.retain(|word| !word.is_empty());
    words
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
        assert_eq!((options.set, options.clear), (attribute::STRICTATIME, attribute::ATIME));
        assert_eq!(parse("sync async dirsync").superblock, ["async", "dirsync"]);
        assert_eq!(parse("rmand mand nomand rsync").superblock, ["nomand", "sync"]);
    }

    #[test]
    fn a_new_mount_has_what_was_asked_last() {
        assert_eq!(parse("nosuid strictatime").attributes(), attribute::NOSUID | attribute::STRICTATIME);
        assert_eq!(parse("rro rnoatime").attributes(), attribute::RDONLY | attribute::NOATIME);
        assert_eq!(parse("rro rw relatime").attributes(), 0);
    }

    #[test]
    fn access_time_clears_the_whole_field() {
        for word in ["noatime", "relatime", "strictatime", "atime", "norelatime"] {
            assert_eq!(parse(word).clear & attribute::ATIME, attribute::ATIME, "{word}");
        }
        assert_eq!(parse("nodiratime").clear, 0);
        assert_eq!(parse("rrelatime").tree_clear, attribute::ATIME);
    }

    #[test]
    fn a_policy_is_taken_back_by_its_own_word_only() {
        assert_eq!(parse("noatime nostrictatime").set, attribute::NOATIME);
        assert_eq!(parse("noatime norelatime").set, attribute::NOATIME);
        assert_eq!(parse("noatime atime").set, attribute::RELATIME);
        assert_eq!(parse("rstrictatime ratime").tree_set, attribute::STRICTATIME);
    }

    #[test]
    fn data_goes_to_the_filesystem() {
        let options = parse("nosuid mode=755 size=65536k,nr_inodes=10 x-systemd.automount sync z");
        assert_eq!(options.superblock, ["sync"], "a bind mount may have it");
        assert_eq!(options.data, ["mode=755", "size=65536k", "nr_inodes=10"]);
    }

    #[test]
    fn a_comma_can_be_part_of_a_word() {
        let options = parse(r#"context="system_u:object_r:tmp_t:s0:c1,c2",size=1m lowerdir=/a\,b:/c,,"#);
        let words = ["context=system_u:object_r:tmp_t:s0:c1,c2", "size=1m", r"lowerdir=/a\,b:/c"];
        assert_eq!(options.data, words);
    }

    #[test]
    fn a_new_mount_has_no_master() {
        assert_eq!(parse("rslave").of_new(), 0);
        assert_eq!(parse("shared slave").of_new(), propagation::PRIVATE);
        assert_eq!(parse("private slave rshared").of_new(), propagation::SHARED);
    }

    #[test]
    fn what_users_may_mount_is_harmless() {
        let harmless = attribute::NOSUID | attribute::NODEV | attribute::NOEXEC;
        assert_eq!(parse("user").attributes(), harmless);
        assert_eq!(parse("users exec").attributes(), attribute::NOSUID | attribute::NODEV);
    }
}
