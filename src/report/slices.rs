//! The same figures for parts of the rows.

use serde::Serialize;

use super::cut::AtCut;
use super::rows::{Asked, Rows};
use crate::stats::correlation::mean;
use crate::stats::evaluation::{self, Correlations, Settings};
use crate::stats::{Interval, Resampler};

/// Slices that are shown, those with the most rows.
const SHOWN: usize = 30;

/// Figures by the values of a field.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BySlice {
    pub field: String,
    /// By falling number of rows.
    pub slices: Vec<Slice>,
    /// Further values, with fewer rows.
    pub more: usize,
    /// Scored rows without a value.
    pub without: usize,
}

/// Rows with one value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Slice {
    pub value: String,
    /// Rows with a score.
    pub scored: usize,
    /// Mean score.
    pub mean: Option<Interval>,
    /// With the label, where there is one.
    pub all: Option<Correlations>,
    pub cut: Option<AtCut>,
}

impl BySlice {
    /// `None` where rows have no slices.
    pub(super) fn of(rows: &Rows, scored: &[usize], asked: &Asked) -> Option<Self> {
        let slices = rows.slices.as_ref()?;
        let mut members = vec![Vec::new(); slices.names.len()];
        let mut without = 0;
        for row in scored {
            let place = slices.rows[*row].and_then(|place| members.get_mut(place as usize));
            match place {
                Some(members) => members.push(*row),
                None => without += 1,
            }
        }
        let mut order: Vec<usize> = (0..members.len()).collect();
        order.retain(|place| !members[*place].is_empty());
        order.sort_by_key(|place| (usize::MAX - members[*place].len(), *place));
        let more = order.len().saturating_sub(SHOWN);
        order.truncate(SHOWN);
        let each = order.iter();
        let slices: Vec<Slice> = each
            .map(|place| slice(slices.names[*place].clone(), &members[*place], rows, asked))
            .collect();
        (!slices.is_empty()).then(|| BySlice {
            field: rows
                .slices
                .as_ref()
                .map(|s| s.field.clone())
                .unwrap_or_default(),
            slices,
            more,
            without,
        })
    }
}

fn slice(value: String, members: &[usize], rows: &Rows, asked: &Asked) -> Slice {
    let scores: Vec<f64> = members.iter().map(|row| rows.scores[*row]).collect();
    let clusters: Vec<usize> = members.iter().map(|row| rows.clusters[*row]).collect();
    let labelled = rows.labelled(members);
    let settings = Settings {
        rounds: asked.rounds,
        seed: asked.seed,
        scale: rows.range,
    };
    let resampler = Resampler::new(&clusters, asked.seed).rounds(asked.rounds);
    Slice {
        value,
        scored: members.len(),
        mean: resampler.interval(|draw| Some(mean(&draw.pick(&scores))).filter(|m| m.is_finite())),
        all: labelled
            .as_ref()
            .map(|found| evaluation::correlations(&found.columns(), &settings)),
        cut: asked
            .cut
            .as_ref()
            .map(|cut| AtCut::of(cut, &scores, labelled.as_ref())),
    }
}
