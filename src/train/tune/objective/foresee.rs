//! Instruction tuning: the mean cross-entropy of all target tokens of a batch.

use super::{Desk, Figures, add};
use crate::model::ModelError;
use crate::train::tune::example::Example;
use crate::train::tune::head::Ask;
use crate::train::tune::net::Manner;
use crate::train::tune::pack::Pack;

/// Loss and gradient of a batch.
///
/// # Errors
/// A sequence longer than the context, an id outside the vocabulary.
pub fn step(desk: &mut Desk<'_>, batch: &[&Example]) -> Result<Figures, ModelError> {
    let count: usize = batch.iter().map(|e| e.target_count()).sum();
    let weight = 1.0 / count.max(1) as f32;
    let mut sum = 0.0;
    for (n, some) in desk.passes(batch, |e| e.ids.len()).into_iter().enumerate() {
        let (pack, asks) = packed(some, weight);
        desk.forward(&pack, desk.manner(n))?;
        let found = desk.learn(&pack, |net, bench, tape, into| {
            net.foresee(bench, tape, &asks, into)
        });
        sum -= found.iter().sum::<f64>();
    }
    Ok([("loss", sum / count.max(1) as f64)].into())
}

/// The loss alone.
///
/// # Errors
/// As [`step`].
pub fn loss(desk: &mut Desk<'_>, batch: &[&Example]) -> Result<Figures, ModelError> {
    let count: usize = batch.iter().map(|e| e.target_count()).sum();
    let mut sum = 0.0;
    for some in desk.passes(batch, |e| e.ids.len()) {
        let (pack, asks) = packed(some, 1.0);
        desk.forward(&pack, Manner::looking())?;
        let found = desk.net.log_probabilities(desk.bench, desk.tape, &asks);
        sum -= found.iter().sum::<f64>();
    }
    Ok([("loss", sum / count.max(1) as f64)].into())
}

fn packed(examples: &[&Example], weight: f32) -> (Pack, Vec<Ask>) {
    let mut pack = Pack::default();
    let asks = examples
        .iter()
        .flat_map(|example| add(&mut pack, example, weight))
        .collect();
    (pack, asks)
}
