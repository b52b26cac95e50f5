//! Instructions, responses and labels: plain types, and the readers that fill them.

pub mod record;
pub mod score;
pub mod subject;

pub use record::{Record, Response};
pub use score::{LabelDistribution, ScoreCard, Verdict};
pub use subject::Subject;
