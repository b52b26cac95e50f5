//! What is to be computed for one response, and what each outcome will be.

use crate::engine::Task;

/// Which numbers are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signals {
    pub self_eval_ref: bool,
    pub self_eval_free: bool,
    pub cosine: bool,
    /// Of the response behind its instruction, under the policy.
    pub ppl: bool,
    /// What a reward head says.
    pub reward: bool,
    /// Read out of what the judge writes.
    pub generated: bool,
    /// The mode is the one without reference, even where there is one: what is fused, and what the
    /// judge sees where a signal has no mode in its name.
    pub fuse_free: bool,
}

impl Default for Signals {
    fn default() -> Self {
        Signals {
            self_eval_ref: true,
            self_eval_free: true,
            cosine: true,
            ppl: false,
            reward: false,
            generated: false,
            fuse_free: false,
        }
    }
}

/// Texts whose embeddings are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Text {
    Response,
    Reference,
    /// What the policy wrote instead.
    Sample(usize),
}

/// What each outcome of a plan is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    WithReference,
    Free,
    /// A chunk of a text that is compared with others, and its tokens.
    Chunk {
        of: Text,
        tokens: usize,
    },
    Ppl,
    Reward,
    Written,
}

/// Tasks for an engine, and what their outcomes mean.
#[derive(Clone, Debug)]
pub struct Plan {
    pub tasks: Vec<Task>,
    pub(super) parts: Vec<Part>,
    /// An empty response is like nothing: its cosine is 0.
    pub(super) blank: bool,
    pub(super) fuse_free: bool,
    /// Samples that the response is compared with.
    pub(super) samples: usize,
    /// Tokens of the judge's prompts.
    pub prompt_tokens: usize,
    /// Whether a prompt was cut.
    pub truncated: bool,
    /// Why a signal cannot be had; the others can.
    pub(super) trouble: Option<String>,
}

impl Plan {
    /// Tells why a signal cannot be had.
    pub fn add_trouble(&mut self, cause: String) {
        self.trouble = Some(both(self.trouble.take(), cause));
    }

    /// How many outcomes it is read from.
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// Whether there is nothing to compute.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }
}

/// Causes one after the other.
pub(super) fn both(earlier: Option<String>, cause: String) -> String {
    match earlier {
        Some(earlier) => format!("{earlier}; {cause}"),
        None => cause,
    }
}
