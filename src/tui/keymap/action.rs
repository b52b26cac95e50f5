//! What keys can do, by name.

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// Something a key does.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Action {
            $($(#[$doc])* $variant,)+
        }

        impl Action {
            /// All of them.
            pub const ALL: &'static [Action] = &[$(Action::$variant,)+];

            /// As keymaps write it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Action::$variant => $name,)+
                }
            }
        }
    };
}

actions! {
    /// Leave the program.
    Quit = "quit",
    /// Stop what is going on; with nothing going on, leave the program.
    Cancel = "cancel",
    /// One step out: of an overlay, the filter, a screen.
    Back = "back",
    /// All keys.
    Help = "help",
    /// The explore screen.
    Explore = "explore",
    /// The judge screen.
    Judge = "judge",
    /// The threshold screen.
    Threshold = "threshold",
    /// Good labels begin higher.
    GoodUp = "good-up",
    /// Good labels begin lower.
    GoodDown = "good-down",
    /// Find the cut for a risk.
    Solve = "solve",
    /// Find it for the next risk.
    NextTarget = "next-target",
    /// Down in the focused pane.
    Down = "down",
    /// Up in the focused pane.
    Up = "up",
    /// To the first line.
    Top = "top",
    /// To the last line.
    Bottom = "bottom",
    /// Down by half a pane.
    HalfDown = "half-down",
    /// Up by half a pane.
    HalfUp = "half-up",
    /// The next pane.
    NextPane = "next-pane",
    /// The pane before.
    PreviousPane = "previous-pane",
    /// The next record, whatever pane is focused.
    NextRecord = "next-record",
    /// The record before.
    PreviousRecord = "previous-record",
    /// The next response of the record.
    NextResponse = "next-response",
    /// The response before.
    PreviousResponse = "previous-response",
    /// Type a filter.
    Filter = "filter",
    /// The next match, around the end.
    NextMatch = "next-match",
    /// The match before, around the start.
    PreviousMatch = "previous-match",
    /// Show the scores with reference, or those without, first.
    ToggleMode = "toggle-mode",
    /// Raise the threshold by 0.01.
    ThresholdUp = "threshold-up",
    /// Lower the threshold by 0.01.
    ThresholdDown = "threshold-down",
    /// Raise the threshold by 0.05.
    ThresholdUpMore = "threshold-up-more",
    /// Lower the threshold by 0.05.
    ThresholdDownMore = "threshold-down-more",
    /// Edit the response.
    Edit = "edit",
    /// Have a response written.
    Generate = "generate",
    /// Copy the response.
    Copy = "copy",
    /// Paste what was copied, as a response of one's own.
    Paste = "paste",
    /// Choose a theme.
    Themes = "themes",
    /// Rows that could not be read.
    Errors = "errors",
    /// Take what is chosen or typed.
    Accept = "accept",
}

impl Action {
    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|a| a.name() == name)
    }
}
