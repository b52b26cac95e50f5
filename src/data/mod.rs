//! Instructions, responses and labels: plain types, and the readers that fill them.
//!
//! [`discover()`] turns DATA arguments into files, [`read()`] turns files
//! into records, [`records()`] does so one at a time. Formats are told by the shape of
//! their rows, never by the name of the file.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod alpaca;
pub mod atomic;
pub mod collect;
pub mod container;
pub mod conversation;
pub mod detect;
pub mod discover;
pub mod error;
pub mod export;
pub mod fence;
pub mod fields;
mod ids;
pub mod judged;
pub mod library;
pub mod options;
pub mod own;
pub mod pairs;
pub mod part;
pub mod preferences;
pub mod read;
pub mod record;
pub mod rows;
pub mod score;
pub mod scored;
pub mod shaped;
pub mod shard;
pub mod source;
pub mod stream;
pub mod subject;
pub mod time;
pub mod write;

pub use detect::Shape;
pub use discover::discover;
pub use error::{DataError, RowError};
pub use library::{Facts, Item, Library, Progress};
pub use options::{FieldMap, ReadOptions};
pub use read::{DataSet, Records, read, records};
pub use record::{Record, Response};
pub use score::{LabelDistribution, ScoreCard, Verdict};
pub use shard::Shard;
pub use stream::RecordStream;
pub use subject::{Subject, SubjectKey};
