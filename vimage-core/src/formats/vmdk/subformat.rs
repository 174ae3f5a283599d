//! What a descriptor's createType can be.

use std::fmt;

/// The kinds of VMDK, under VMware's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subformat {
    /// One growing file with its descriptor inside.
    MonolithicSparse,
    /// A descriptor and one file of plain bytes.
    MonolithicFlat,
    /// A descriptor and growing files of at most 2 GB.
    TwoGbMaxExtentSparse,
    /// A descriptor and files of plain bytes of at most 2 GB.
    TwoGbMaxExtentFlat,
    /// One compressed file without rewrites: the transport format of OVF.
    StreamOptimized,
}

impl Subformat {
    /// All that can be written.
    pub const ALL: [Subformat; 5] = [
        Subformat::MonolithicSparse,
        Subformat::MonolithicFlat,
        Subformat::TwoGbMaxExtentSparse,
        Subformat::TwoGbMaxExtentFlat,
        Subformat::StreamOptimized,
    ];

    /// The name, as in a descriptor and for `-o subformat`.
    pub fn name(self) -> &'static str {
        match self {
            Subformat::MonolithicSparse => "monolithicSparse",
            Subformat::MonolithicFlat => "monolithicFlat",
            Subformat::TwoGbMaxExtentSparse => "twoGbMaxExtentSparse",
            Subformat::TwoGbMaxExtentFlat => "twoGbMaxExtentFlat",
            Subformat::StreamOptimized => "streamOptimized",
        }
    }

    /// The kind called `name`, whatever its case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|subformat| subformat.name().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Subformat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
