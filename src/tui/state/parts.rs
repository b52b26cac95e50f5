//! The parts of what the explorer knows.

use super::{DataFailure, DraftId, Exported, Listed, Row, Scores};
use crate::data::ScoreCard;
use crate::run::live::{JudgeInfo, Ticket};

/// How far the data is.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum DataStatus {
    /// Being read; records may be there already.
    #[default]
    Loading,
    /// There, possibly without any record.
    Ready,
    /// Cannot be read.
    Failed(DataFailure),
}

/// How far the judge is.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum JudgeStatus {
    /// None was asked for.
    #[default]
    Absent,
    /// Being loaded.
    Loading {
        stage: String,
        done: u64,
        total: u64,
    },
    /// Can score.
    Ready(JudgeInfo),
    /// Cannot be loaded.
    Failed { cause: String, cure: String },
}

/// A response being written by the judge's model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    /// The command it answers.
    pub ticket: Ticket,
    /// Where the text goes.
    pub draft: DraftId,
    /// What the draft held before.
    pub before: String,
    /// Characters so far.
    pub chars: usize,
    /// Characters when a score was last asked for.
    pub scored: usize,
}

/// What lies over the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Overlay {
    /// All keys, scrolled by this many lines.
    Help { scroll: usize },
    /// Rows that could not be read.
    Errors { scroll: usize },
    /// Themes; the one before stands by for Esc.
    Themes { chosen: usize, before: String },
    /// Lines to choose from, narrowed by what is typed.
    Pick {
        listed: Listed,
        query: String,
        chosen: usize,
    },
    /// One line to type.
    Line { purpose: Purpose, text: String },
    /// The prompt's tokens, once they are there.
    Inspect { scroll: usize },
    /// The tournament among the record's responses.
    Bracket { scroll: usize },
    /// What happened.
    Log { scroll: usize },
}

/// What a typed line is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// On this response.
    Comment(Row),
    Annotator,
    Preset,
    Report,
    Export(Exported),
}

/// A judge beside the first.
#[derive(Clone, Debug)]
pub struct Second {
    /// As it was asked for.
    pub name: String,
    pub status: JudgeStatus,
    pub scores: Scores,
}

/// How a notice is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Plain,
    Warning,
}

/// A line for the person, until the next key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub text: String,
    pub tone: Tone,
}

/// What is shown of the subject under the cursor.
#[derive(Clone, Debug, Default)]
pub struct Shown<'a> {
    /// The numbers, of this text or of an older one.
    pub card: Option<&'a ScoreCard>,
    /// The numbers belong to an older text.
    pub stale: bool,
    /// A score of this text is on its way.
    pub pending: bool,
    /// Why this text has no score.
    pub failure: Option<&'a str>,
    /// There is no text.
    pub blank: bool,
}
