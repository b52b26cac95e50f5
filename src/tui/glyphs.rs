//! The signs the screens are drawn with: one set for Unicode terminals, one for plain ASCII.

use ratatui::symbols::border;

/// A set of signs; every member is one column wide unless it says otherwise.
#[derive(Debug, PartialEq, Eq)]
pub struct Glyphs {
    /// Only ASCII may be drawn.
    pub ascii: bool,
    /// Pane borders.
    pub border: border::Set<'static>,
    /// Partial cells of a horizontal bar, from nearly empty to full.
    pub bar: &'static [&'static str],
    /// The same for bars that stand one below the other, with their track and mark.
    pub thin: (&'static [&'static str], &'static str, &'static str),
    /// Columns of a vertical bar, from nearly empty to full.
    pub column: &'static [&'static str],
    /// The part of a bar not reached, where the theme has no background for it.
    pub track: &'static str,
    /// Where the threshold stands in a bar.
    pub mark: &'static str,
    /// Between parts of a line, one column.
    pub dot: &'static str,
    /// Something is left out; one column in Unicode, three in ASCII.
    pub ellipsis: &'static str,
    /// Not known yet.
    pub unknown: &'static str,
    /// A number that belongs to an older text.
    pub stale: &'static str,
    /// Every scored response is answered.
    pub full: &'static str,
    /// Some are.
    pub half: &'static str,
    /// None is.
    pub empty: &'static str,
    /// The judge is ready.
    pub ready: &'static str,
    /// Something failed.
    pub cross: &'static str,
    /// It is among those.
    pub check: &'static str,
    /// Something needs attention.
    pub warning: &'static str,
    /// The row under the cursor.
    pub pointer: &'static str,
    /// A response of the record, not its last.
    pub branch: &'static str,
    /// The last response of the record.
    pub corner: &'static str,
    /// A rule.
    pub rule: &'static str,
    /// The threshold.
    pub tau: &'static str,
    /// Plus or minus.
    pub plus_minus: &'static str,
    /// Times, between two lengths.
    pub times: &'static str,
    /// Frames of a thing going on.
    pub spinner: &'static [&'static str],
    /// Quotation marks.
    pub quotes: (&'static str, &'static str),
    /// Where a pane is scrolled to, on its border.
    pub scroll: &'static str,
    /// A draft with changes.
    pub changed: &'static str,
    /// From one thing to another.
    pub arrow: &'static str,
}

/// For terminals that show Unicode.
pub static UNICODE: Glyphs = Glyphs {
    ascii: false,
    border: border::ROUNDED,
    bar: &["▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"],
    thin: (&["╸", "━"], "─", "┃"),
    column: &["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
    track: "·",
    mark: "│",
    dot: "·",
    ellipsis: "…",
    unknown: "·",
    stale: "…",
    full: "●",
    half: "◐",
    empty: "○",
    ready: "●",
    cross: "✗",
    check: "✓",
    warning: "▲",
    pointer: "▌",
    branch: "├",
    corner: "└",
    rule: "─",
    tau: "τ",
    plus_minus: "±",
    times: "×",
    spinner: &["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"],
    quotes: ("“", "”"),
    scroll: "┃",
    changed: "✎",
    arrow: "→",
};

/// For terminals that show ASCII only.
pub static ASCII: Glyphs = Glyphs {
    ascii: true,
    border: border::Set {
        top_left: "+",
        top_right: "+",
        bottom_left: "+",
        bottom_right: "+",
        vertical_left: "|",
        vertical_right: "|",
        horizontal_top: "-",
        horizontal_bottom: "-",
    },
    bar: &["#"],
    thin: (&["="], ".", "|"),
    column: &["_", ".", "-", "=", "+", "*", "#"],
    track: ".",
    mark: "|",
    dot: "-",
    ellipsis: "...",
    unknown: ".",
    stale: "~",
    full: "@",
    half: "%",
    empty: "o",
    ready: "*",
    cross: "x",
    check: "+",
    warning: "!",
    pointer: ">",
    branch: "|",
    corner: "`",
    rule: "-",
    tau: "t",
    plus_minus: "+-",
    times: "x",
    spinner: &["|", "/", "-", "\\"],
    quotes: ("\"", "\""),
    scroll: "#",
    changed: "*",
    arrow: "->",
};

impl Glyphs {
    /// The set for this terminal.
    pub fn for_terminal(ascii: bool) -> &'static Glyphs {
        if ascii { &ASCII } else { &UNICODE }
    }

    /// The spinner's sign at this tick.
    pub fn spin(&self, tick: u64) -> &'static str {
        let index = (tick % self.spinner.len().max(1) as u64) as usize;
        self.spinner.get(index).copied().unwrap_or("*")
    }
}
