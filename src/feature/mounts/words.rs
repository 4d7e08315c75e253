//! The option words: one table for the parser and for what `features` lists.
//!
//! The words are those of the specification (config.md, Linux mount options), of runc and of crun, and the
//! ones of mount(8) that are not the business of a filesystem. Whatever is not here goes to the filesystem.

use crate_run_sys::mounts::{Depth, attribute, propagation};

use Depth::{One, Tree};
use Effect::*;
use attribute::{NOATIME, NODEV, NODIRATIME, NOEXEC, NOSUID, NOSYMFOLLOW, RDONLY, RELATIME, STRICTATIME};
use propagation::{PRIVATE, SHARED, SLAVE, UNBINDABLE};

/// What one word does.
#[derive(Clone, Copy)]
pub enum Effect {
    /// Sets a MOUNT_ATTR_* on the mount, or on the whole tree.
    Set(Depth, u64),
    /// Clears it, also if the source of a bind mount has it.
    Clear(Depth, u64),
    /// Sets the access time policy, which is one field: each policy replaces the one before.
    Policy(Depth, u64),
    /// Takes this access time policy back to the kernel's default, and leaves any other.
    NoPolicy(Depth, u64),
    /// A propagation type.
    Propagate(Depth, u64),
    /// A bind mount.
    Bind(Depth),
    /// New options for what is mounted already.
    Remount,
    /// A tmpfs begins with what the image has at its place.
    CopyUp,
    /// The mount shows other ids.
    MapIds(Depth),
    /// A bind mount of a symbolic link makes the same link in the container.
    CopyLink,
    /// A symbolic link at the end of the source is the source.
    TakeLink,
    /// A symbolic link at the end of the target is the target.
    CoverLink,
    /// For any superblock, by the word of fsconfig(2) or the flag of mount(2). A bind mount has no superblock
    /// of its own, and that of the host stays as it is.
    Superblock(&'static str),
    /// The kernel's default, or a word for those who read fstab(5).
    Nothing,
}

/// What mount(8) adds for those words of fstab(5) that let users mount.
const BY_USERS: Effect = Set(One, NOSUID | NODEV | NOEXEC);
const BY_OWNER: Effect = Set(One, NOSUID | NODEV);

/// Every word, in the order of ASCII.
#[rustfmt::skip]
pub const TABLE: &[(&str, Effect)] = &[
    ("_netdev", Nothing),
    ("async", Superblock("async")),
    ("atime", NoPolicy(One, NOATIME)),
    ("auto", Nothing),
    ("bind", Bind(One)),
    ("copy-symlink", CopyLink),
    ("defaults", Nothing),
    ("dest-nofollow", CoverLink),
    ("dev", Clear(One, NODEV)),
    ("diratime", Clear(One, NODIRATIME)),
    ("dirsync", Superblock("dirsync")),
    ("exec", Clear(One, NOEXEC)),
    ("group", BY_OWNER),
    ("idmap", MapIds(One)),
    ("iversion", Superblock("iversion")),
    ("lazytime", Superblock("lazytime")),
    ("loud", Superblock("loud")),
    ("mand", Superblock("mand")),
    ("noatime", Policy(One, NOATIME)),
    ("noauto", Nothing),
    ("nodev", Set(One, NODEV)),
    ("nodiratime", Set(One, NODIRATIME)),
    ("noexec", Set(One, NOEXEC)),
    ("nofail", Nothing),
    ("nogroup", Nothing),
    ("noiversion", Superblock("noiversion")),
    ("nolazytime", Superblock("nolazytime")),
    ("nomand", Superblock("nomand")),
    ("noowner", Nothing),
    ("norelatime", NoPolicy(One, RELATIME)),
    ("nostrictatime", NoPolicy(One, STRICTATIME)),
    ("nosuid", Set(One, NOSUID)),
    ("nosymfollow", Set(One, NOSYMFOLLOW)),
    ("nouser", Nothing),
    ("nousers", Nothing),
    ("owner", BY_OWNER),
    ("private", Propagate(One, PRIVATE)),
    ("rasync", Superblock("async")),
    ("ratime", NoPolicy(Tree, NOATIME)),
    ("rbind", Bind(Tree)),
    ("rdev", Clear(Tree, NODEV)),
    ("rdiratime", Clear(Tree, NODIRATIME)),
    ("rdirsync", Superblock("dirsync")),
    ("relatime", Policy(One, RELATIME)),
    ("remount", Remount),
    ("rexec", Clear(Tree, NOEXEC)),
    ("ridmap", MapIds(Tree)),
    ("rmand", Superblock("mand")),
    ("rnoatime", Policy(Tree, NOATIME)),
    ("rnodev", Set(Tree, NODEV)),
    ("rnodiratime", Set(Tree, NODIRATIME)),
    ("rnoexec", Set(Tree, NOEXEC)),
    ("rnomand", Superblock("nomand")),
    ("rnorelatime", NoPolicy(Tree, RELATIME)),
    ("rnostrictatime", NoPolicy(Tree, STRICTATIME)),
    ("rnosuid", Set(Tree, NOSUID)),
    ("rnosymfollow", Set(Tree, NOSYMFOLLOW)),
    ("ro", Set(One, RDONLY)),
    ("rprivate", Propagate(Tree, PRIVATE)),
    ("rrelatime", Policy(Tree, RELATIME)),
    ("rro", Set(Tree, RDONLY)),
    ("rrw", Clear(Tree, RDONLY)),
    ("rshared", Propagate(Tree, SHARED)),
    ("rslave", Propagate(Tree, SLAVE)),
    ("rstrictatime", Policy(Tree, STRICTATIME)),
    ("rsuid", Clear(Tree, NOSUID)),
    ("rsymfollow", Clear(Tree, NOSYMFOLLOW)),
    ("rsync", Superblock("sync")),
    ("runbindable", Propagate(Tree, UNBINDABLE)),
    ("rw", Clear(One, RDONLY)),
    ("shared", Propagate(One, SHARED)),
    ("silent", Superblock("silent")),
    ("slave", Propagate(One, SLAVE)),
    ("src-nofollow", TakeLink),
    ("strictatime", Policy(One, STRICTATIME)),
    ("suid", Clear(One, NOSUID)),
    ("symfollow", Clear(One, NOSYMFOLLOW)),
    ("sync", Superblock("sync")),
    ("tmpcopyup", CopyUp),
    ("unbindable", Propagate(One, UNBINDABLE)),
    ("user", BY_USERS),
    ("users", BY_USERS),
];

/// What this word does; `None` leaves it to the filesystem.
pub fn effect(word: &str) -> Option<Effect> {
    let place = TABLE.binary_search_by_key(&word, |(name, _)| name).ok()?;
    Some(TABLE[place].1)
}

/// Every word, in the order of ASCII.
pub fn words() -> Vec<&'static str> {
    TABLE.iter().map(|(word, _)| *word).collect()
}

/// The word that takes this superblock word back.
pub fn opposite(word: &str) -> Option<&'static str> {
    Some(match word {
        "sync" => "async",
        "async" => "sync",
        "mand" => "nomand",
        "nomand" => "mand",
        "lazytime" => "nolazytime",
        "nolazytime" => "lazytime",
        "iversion" => "noiversion",
        "noiversion" => "iversion",
        "silent" => "loud",
        "loud" => "silent",
        _ => return None,
    })
}

/// Does a new superblock have to be told? The others are its defaults.
pub fn is_news(word: &str) -> bool {
    matches!(word, "sync" | "dirsync" | "mand" | "lazytime" | "iversion" | "silent")
}

/// Does fsconfig(2) know this superblock word? It has none for two flags of mount(2).
pub fn is_known_to_fsconfig(word: &str) -> bool {
    !matches!(word, "iversion" | "noiversion" | "silent" | "loud")
}

/// A mark for people and tools: those of mount(8), and the words by which engines ask themselves for SELinux
/// labels.
pub fn is_mark(word: &str) -> bool {
    let begins = ["x-", "X-", "comment="].iter().any(|start| word.starts_with(start));
    begins || matches!(word, "" | "z" | "Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order() {
        let words = words();
        assert!(words.windows(2).all(|pair| pair[0] < pair[1]), "{words:?}");
    }

    #[test]
    fn every_word_is_found() {
        assert!(words().iter().all(|word| effect(word).is_some()));
        assert!(effect("size=1m").is_none() && effect("acl").is_none());
    }

    #[test]
    fn superblock_words_come_in_pairs() {
        for (word, effect) in TABLE {
            let Superblock(name) = effect else { continue };
            match opposite(name) {
                Some(other) => assert_eq!(opposite(other), Some(*name), "{word}"),
                None => assert_eq!(*name, "dirsync"),
            }
        }
    }
}
