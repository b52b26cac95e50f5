//! Statistics over plain numbers: no model, no terminal.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod agreement;
pub mod auc;
pub mod best_of;
pub mod bootstrap;
pub mod calibration;
pub mod correlation;
pub mod coverage;
pub mod drift;
pub mod evaluation;
pub mod histogram;
pub mod judge_figures;
pub mod kendall;
pub mod normalize;
pub mod pair_order;
pub mod pairwise;
pub mod prediction_powered;
pub mod preference;
pub mod preset;
pub mod ranking;
pub mod ridge;
pub mod selection;
pub mod show;
pub mod surface;
pub mod threshold;
pub mod within;

pub use auc::auroc;
pub use bootstrap::{Interval, Resample, Resampler};
pub use correlation::{pearson, ranks, spearman};
pub use judge_figures::{Comparison, Figures, JudgedRows, compare, figures};
pub use kendall::kendall;
pub use within::{Within, group_ids, within};
