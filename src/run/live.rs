//! The live judge: what the explorer asks, and what comes back, as plain messages.
//!
//! Commands go in over a channel and are answered by events that carry the command's ticket.
//! Nothing here blocks the caller.

use std::path::PathBuf;

use crate::data::ScoreCard;
pub use crate::data::Subject;
pub use crate::engine::Lane;
use crate::judge::attribution::Attribution;
use crate::judge::inspect::Inspection;
pub use crate::judge::pairwise::Pair;
use crate::judge::pairwise::{Judgment, PairSetup};
pub use crate::model::sampling::Sampling;
use crate::stats::preset::Source;

/// Names one command; chosen by whoever sends it, larger for later.
pub type Ticket = u64;

/// What the explorer can ask for.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Score one response in every mode that applies. An interactive command supersedes an
    /// unfinished earlier interactive one, which is then answered by `Cancelled`.
    Score {
        ticket: Ticket,
        subject: Subject,
        lane: Lane,
    },
    /// Write a response to an instruction.
    Generate {
        ticket: Ticket,
        instruction: String,
        sampling: Sampling,
    },
    /// What each sentence of a response is worth, in the mode with reference or without.
    Attribute {
        ticket: Ticket,
        subject: Subject,
        with_reference: bool,
    },
    /// The prompt as the judge sees it, and what is likely behind it.
    Inspect {
        ticket: Ticket,
        subject: Subject,
        with_reference: bool,
    },
    /// Which of two responses is better, by every principle in both orders.
    Pair { ticket: Ticket, pair: Pair },
    /// Why, in the judge's words.
    Reason { ticket: Ticket, reason: Reason },
    /// Judge by another template file from now on (TOML); answered by `Ready` or `TemplateFailed`.
    Template { text: String },
    /// Stop one command; answered by `Cancelled` if it had not ended.
    Cancel(Ticket),
    /// Stop all waiting scores of the batch lane.
    CancelBatch,
}

/// A verdict whose reason is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason {
    pub pair: Pair,
    /// Which of the principles.
    pub principle: usize,
    /// Whether the second response stands in position A.
    pub swapped: bool,
    /// The position that won: 0 is A, 1 is B.
    pub position: usize,
}

/// What the live judge says of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct JudgeInfo {
    /// As shown in the status line.
    pub name: String,
    /// First characters of the hash of its weights.
    pub hash: String,
    /// Number of weights.
    pub parameters: u64,
    /// Longest prompt in tokens.
    pub context: usize,
    /// Smallest and largest value of its scale.
    pub scale: (f64, f64),
    /// Where it was loaded from.
    pub path: Option<PathBuf>,
    /// Whole hashes of its weights and of its templates, joined by `+`.
    pub identity: String,
    /// What else its scores depend on.
    pub source: Source,
    /// Its templates: their name, and all of them as a file in TOML.
    pub template: (String, String),
    /// Special tokens of its tokenizer, as they are written.
    pub special: Vec<String>,
}

/// What comes back.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Loading goes on; `done` of `total` bytes where known.
    Loading {
        stage: String,
        done: u64,
        total: u64,
    },
    /// The judge can score.
    Ready(JudgeInfo),
    /// There is no judge; browsing goes on without.
    LoadFailed { cause: String, cure: String },
    /// A score is complete.
    Scored {
        ticket: Ticket,
        card: ScoreCard,
        seconds: f64,
    },
    /// More text of a response being written.
    Token { ticket: Ticket, text: String },
    /// The response is complete.
    Generated { ticket: Ticket, text: String },
    /// What the sentences are worth.
    Attributed {
        ticket: Ticket,
        attribution: Attribution,
    },
    /// What the judge sees.
    Inspected {
        ticket: Ticket,
        inspection: Box<Inspection>,
    },
    /// Which response of a pair is better.
    Paired {
        ticket: Ticket,
        judgment: Box<Judgment>,
        seconds: f64,
    },
    /// Why.
    Reasoned { ticket: Ticket, text: String },
    /// A template that cannot be used; the one before stays.
    TemplateFailed { cause: String },
    /// The command ended without a result, on request.
    Cancelled { ticket: Ticket },
    /// The command ended without a result.
    Failed { ticket: Ticket, error: String },
}

/// What the live judge is made of.
#[derive(Clone, Debug, Default)]
pub struct LiveOptions {
    pub engine: crate::engine::Options,
    pub setup: crate::judge::Setup,
    pub pairs: PairSetup,
    /// Where scores are kept and looked up; `None` computes all of them.
    pub cache: Option<PathBuf>,
}
