//! Texts that the kernel can take.

use std::ffi::CString;

/// A text without NUL. The kernel would end it there, and so read another path or word than was checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text(CString);

impl Text {
    /// `None` when it holds a NUL.
    pub fn new(text: &str) -> Option<Self> {
        CString::new(text).ok().map(Self)
    }

    /// For the runtime's own look-ups.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// As the kernel wants it.
    pub fn text(&self) -> CString {
        self.0.clone()
    }
}

/// `text` as the kernel wants it. What holds a NUL has its finding and never comes so far; should it do so,
/// it becomes an empty text, which no call takes, and not the part that the kernel would read.
pub fn c_text(text: &str) -> CString {
    Text::new(text).unwrap_or_default().0
}

/// Those that are texts. What is not has its finding.
pub fn texts(strings: &[String]) -> Vec<Text> {
    strings.iter().filter_map(|string| Text::new(string)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_no_nul() {
        assert_eq!(Text::new("a\0b"), None);
        let text = Text::new("\u{fc} b").expect("a text");
        assert_eq!((text.as_str(), text.text().as_c_str()), ("\u{fc} b", c"\u{fc} b"));
        assert_eq!((c_text("/a").as_c_str(), c_text("/a\0/b").as_c_str()), (c"/a", c""));
    }
}
