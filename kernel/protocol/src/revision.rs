//! Which protocol is spoken.

/// A protocol revision this server speaks. The order is the order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Revision {
    /// The first public one.
    V2024_11_05,
    /// Streamable HTTP, annotations, batches.
    V2025_03_26,
    /// Structured results, resource links, elicitation; no batches.
    V2025_06_18,
    /// The last one with a handshake.
    V2025_11_25,
    /// Stateless: every request describes itself.
    V2026_07_28,
}

impl Revision {
    /// Everything we speak, newest first, as error messages and `server/discover` list it.
    pub const ALL: [Self; 5] =
        [Self::V2026_07_28, Self::V2025_11_25, Self::V2025_06_18, Self::V2025_03_26, Self::V2024_11_05];

    /// What `initialize` falls back to when a client asks for something we do not know.
    pub const LATEST_LEGACY: Self = Self::V2025_11_25;

    /// What a request without any version is taken for, as the specification allows.
    pub const UNSTATED: Self = Self::V2025_03_26;

    /// The revision of this exact name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|revision| revision.as_str() == name)
    }

    /// The date that names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2024_11_05 => "2024-11-05",
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// Whether requests describe themselves and there is no handshake.
    pub fn is_modern(self) -> bool {
        self >= Self::V2026_07_28
    }

    /// Answers the version of an `initialize`: the same if we speak it, else our newest with a handshake.
    pub fn negotiate(asked: &str) -> Self {
        Self::parse(asked).filter(|revision| !revision.is_modern()).unwrap_or(Self::LATEST_LEGACY)
    }

    /// Whether a body may hold several messages.
    pub fn has_batches(self) -> bool {
        self == Self::V2025_03_26
    }

    /// Whether a result may hold a `resource_link` block.
    pub fn has_resource_links(self) -> bool {
        self >= Self::V2025_06_18
    }

    /// Whether the server may ask the human at the client.
    pub fn has_elicitation(self) -> bool {
        self >= Self::V2025_06_18
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_gets_what_it_asked_for_or_our_newest_with_a_handshake() {
        for (asked, given) in [
            ("2024-11-05", Revision::V2024_11_05),
            ("2025-03-26", Revision::V2025_03_26),
            ("2025-11-25", Revision::V2025_11_25),
            ("2026-07-28", Revision::V2025_11_25),
            ("1999-01-01", Revision::V2025_11_25),
            ("", Revision::V2025_11_25),
        ] {
            assert_eq!(Revision::negotiate(asked), given, "{asked}");
        }
    }

    #[test]
    fn every_name_reads_back_and_nothing_else_does() {
        for revision in Revision::ALL {
            assert_eq!(Revision::parse(revision.as_str()), Some(revision));
        }
        for wrong in ["2026-07-29", " 2026-07-28", "2026-07-28 ", "draft", ""] {
            assert_eq!(Revision::parse(wrong), None, "{wrong:?}");
        }
    }
}
