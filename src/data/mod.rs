//! Instructions, responses and labels: plain types, and the readers that fill them.

pub mod record;
pub mod score;

pub use record::{Record, Response};
pub use score::{LabelDistribution, ScoreCard, Verdict};
