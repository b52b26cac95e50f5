//! What the engine is asked for, and what it answers: token ids in, numbers out.

use std::sync::mpsc::Sender;

use crate::model::sampling::Sampling;

/// Which of the engine's models computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    Judge,
    Embedder,
    Policy,
}

/// Which work goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Under the cursor: the newest replaces the one that waits or runs, and goes before any
    /// batch, between two forward passes.
    Interactive,
    /// First come, first served.
    Batch,
}

/// What is wanted at the end of a prompt.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// The probability of each label, given as its token ids.
    Labels {
        labels: Vec<Vec<u32>>,
        /// Among the whole vocabulary. Without it, where every label is one token, among the labels:
        /// the head is then computed for them alone.
        mass: bool,
        /// Labels that are not among so many of the likeliest tokens have probability 0.
        top: Option<usize>,
    },
    /// The log-probabilities of the prompt's own tokens from this one (at least 1) on, each given
    /// what is before it.
    LogProbs { from: usize },
    /// What a reward head says at the last token.
    Reward,
    /// A unit vector of the text.
    Embed,
    /// Text, ended by one of the ids.
    Generate { sampling: Sampling, end: Vec<u32> },
}

/// One prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    pub role: Role,
    pub ids: Vec<u32>,
    pub ask: Ask,
}

/// Prompts that belong together: answered as one, superseded as one.
#[derive(Debug)]
pub struct Job {
    /// Chosen by the sender; comes back with every answer.
    pub id: u64,
    pub lane: Lane,
    pub tasks: Vec<Task>,
    pub reply: Sender<Answer>,
}

/// The result of one task.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Probability of each label, in the order asked.
    Labels {
        probabilities: Vec<f64>,
        /// Whether among the whole vocabulary; else they sum to one.
        mass: bool,
        /// What labels with probability 0 may hold together at most, because a server tells the likeliest tokens alone.
        missing: f64,
        /// Tokens that had to be computed; the others were in the prefix cache.
        computed: usize,
    },
    /// Natural logarithms, one for each token from the first asked on.
    LogProbs { values: Vec<f64>, computed: usize },
    /// One number for each label of the reward head.
    Reward { labels: Vec<f64>, computed: usize },
    /// A unit vector.
    Embedding { vector: Vec<f32>, computed: usize },
    /// Ids without the end token, whether an end token was drawn, and how many tokens of the prompt had to be computed.
    Generated {
        ids: Vec<u32>,
        ended: bool,
        computed: usize,
    },
}

/// What comes back for a job.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// All tasks are done, in order.
    Done {
        id: u64,
        outcomes: Vec<Outcome>,
        seconds: f64,
    },
    /// One more token of a generation.
    Token { id: u64, token: u32 },
    /// Stopped on request, or superseded.
    Cancelled { id: u64 },
    /// Could not be computed.
    Failed { id: u64, cause: String },
}
