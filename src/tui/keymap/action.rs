//! What keys can do, by name.

macro_rules! actions {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal,)+) => {
        /// Something a key does.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Action {
            $($(#[doc = $doc])* $variant,)+
        }

        impl Action {
            /// All of them.
            pub const ALL: &'static [Action] = &[$(Action::$variant,)+];

            /// In a sentence.
            pub fn about(self) -> &'static str {
                match self {
                    $(Action::$variant => concat!($($doc),*).trim_ascii(),)+
                }
            }

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
    /// The compare screen.
    Compare = "compare",
    /// The annotate screen.
    Annotate = "annotate",
    /// The runs screen.
    Runs = "runs",
    /// All actions, to be found by typing.
    Palette = "palette",
    /// Open the response in your editor ($VISUAL or $EDITOR).
    External = "external-editor",
    /// Give the terminal back to the shell until `fg`.
    Suspend = "suspend",
    /// Take back what was done last.
    Undo = "undo",
    /// Do again what was taken back.
    Redo = "redo",
    /// Write records, labels or preference pairs to a file.
    Export = "export",
    /// Load another judge.
    Judges = "judges",
    /// Load a second judge beside the first, or let it go.
    SecondJudge = "second-judge",
    /// A report of what is scored, as an HTML file.
    Report = "report",
    /// All records, the declined, disagreements, errors, the unlabelled, the suspicious: the next of these.
    QuickMode = "quick-mode",
    /// The one before.
    QuickModeBack = "quick-mode-back",
    /// Only records with a category, generator or other field of one value.
    Facets = "facets",
    /// Order the list by a signal or a label.
    Sort = "sort",
    /// Turn the order around.
    SortReverse = "sort-reverse",
    /// Take more of the records as training data.
    SelectMore = "select-more",
    /// Take less of them.
    SelectLess = "select-less",
    /// Which numbers the list shows.
    Columns = "columns",
    /// Mark what response and reference do not share.
    Diff = "diff",
    /// What each sentence is worth to the score.
    Attribute = "attribute",
    /// To the record where judge and label disagree most, then the next.
    Disagreeing = "most-disagreeing",
    /// Several responses written, best first.
    Samples = "samples",
    /// Why the judge prefers one of two responses, in its own words.
    Why = "why",
    /// The tournament among the record's responses.
    Bracket = "bracket",
    /// Edit the judge's template and watch the scores.
    Template = "template",
    /// Write the edited template to a file.
    SaveTemplate = "save-template",
    /// The prompt's tokens, the scored position, the likeliest tokens.
    Inspect = "inspect",
    /// Keep the response among those scored again with every template.
    Pin = "pin",
    /// Save the cut as a preset.
    SavePreset = "save-preset",
    /// Open the records behind what is marked, or the training under the cursor.
    OpenRecords = "open-records",
    /// Mark the bin to the right, or the next cell.
    NextBin = "next-bin",
    /// Mark the bin to the left, or the cell before.
    PreviousBin = "previous-bin",
    /// Write a comment.
    Comment = "comment",
    /// Write a comment on the response rated last.
    CommentLast = "comment-last",
    /// Pass over the response.
    Skip = "skip",
    /// Take the label back.
    ClearLabel = "clear-label",
    /// Show or hide judge and generator.
    Blind = "blind",
    /// The order in which responses come.
    Queue = "queue",
    /// Who annotates.
    Annotator = "annotator",
    /// Score everything, to a file.
    ScoreAll = "score-all",
    /// Score again what failed.
    Retry = "retry",
    /// Stop the job, or the training under the cursor.
    StopJob = "stop-job",
    /// Take a training from the list; its files stay.
    Forget = "forget-training",
    /// The training after this one in the list.
    NextTraining = "next-training",
    /// The training before this one in the list.
    PreviousTraining = "previous-training",
    /// Mark a run to compare the one under the cursor with.
    MarkRun = "mark-run",
    /// What happened, line by line.
    Log = "log",
}

impl Action {
    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|a| a.name() == name)
    }
}
