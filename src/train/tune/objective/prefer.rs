//! Learning from preferences against the model without its adapter (Rafailov et al. 2023; hinge: Zhao et al. 2023;
//! ipo: Azar et al. 2024).

use serde::{Deserialize, Serialize};

use super::{Desk, Figures};
use crate::model::ModelError;
use crate::train::tune::head::Ask;
use crate::train::tune::net::Manner;
use crate::train::tune::pack::Pack;
use crate::train::tune::pair_rows::PreferencePair;

/// How the difference `Δ` of log-ratios becomes a loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// `−ln σ(βΔ)`.
    #[default]
    Sigmoid,
    /// `max(0, 1 − βΔ)`.
    Hinge,
    /// `(Δ − 1/2β)²` on summed log-probabilities.
    IpoSum,
    /// The same on log-probabilities averaged over each answer's tokens.
    IpoMean,
}

impl Loss {
    /// Loss and its slope in `Δ`.
    fn at(self, delta: f64, beta: f64) -> (f64, f64) {
        match self {
            Loss::Sigmoid => {
                let x = -beta * delta;
                let loss = x.max(0.0) + (-x.abs()).exp().ln_1p();
                (loss, -beta / (1.0 + (-x).exp()))
            }
            Loss::Hinge => match 1.0 - beta * delta {
                rest if rest > 0.0 => (rest, -beta),
                _ => (0.0, 0.0),
            },
            Loss::IpoSum | Loss::IpoMean => {
                let rest = delta - 1.0 / (2.0 * beta);
                (rest * rest, 2.0 * rest)
            }
        }
    }
}

/// What a batch comes to, summed over its pairs.
#[derive(Default)]
struct Sums {
    loss: f64,
    delta: f64,
    ahead: f64,
}

impl Sums {
    fn figures(&self, pairs: usize) -> Figures {
        let count = pairs.max(1) as f64;
        [
            ("loss", self.loss / count),
            ("delta", self.delta / count),
            ("ahead", self.ahead / count),
        ]
        .into()
    }
}

/// Pairs of a pass, with the log-probabilities that the model gives their tokens without the adapter and, in some manner,
/// with it.
struct Seen {
    pack: Pack,
    asks: Vec<[Vec<Ask>; 2]>,
    before: Vec<f64>,
    after: Vec<f64>,
}

fn see(desk: &mut Desk<'_>, some: &[&PreferencePair], manner: Manner) -> Result<Seen, ModelError> {
    let mut pack = Pack::default();
    let asks: Vec<[Vec<Ask>; 2]> = some.iter().map(|p| both(&mut pack, p)).collect();
    let flat: Vec<Ask> = asks.iter().flatten().flatten().copied().collect();
    let mut look = |manner| -> Result<Vec<f64>, ModelError> {
        desk.forward(&pack, manner)?;
        Ok(desk.net.log_probabilities(desk.bench, desk.tape, &flat))
    };
    let (before, after) = (look(Manner::base())?, look(manner)?);
    Ok(Seen {
        pack,
        asks,
        before,
        after,
    })
}

/// Loss and gradient of a batch: the mean over its pairs. Also told are the mean `Δ` and how often the chosen answer
/// is ahead.
///
/// # Errors
/// A sequence longer than the context, an id outside the vocabulary.
pub fn step(
    desk: &mut Desk<'_>,
    batch: &[&PreferencePair],
    loss: Loss,
    beta: f64,
) -> Result<Figures, ModelError> {
    let mut sums = Sums::default();
    for (n, some) in desk.passes(batch, |p| p.tokens()).into_iter().enumerate() {
        let seen = see(desk, some, desk.manner(n))?;
        let weighted = weigh(&seen, (loss, beta), &mut sums, batch.len());
        desk.learn(&seen.pack, |net, bench, tape, into| {
            net.foresee(bench, tape, &weighted, into)
        });
    }
    Ok(sums.figures(batch.len()))
}

/// The figures of [`step`] alone.
///
/// # Errors
/// As [`step`].
pub fn loss(
    desk: &mut Desk<'_>,
    batch: &[&PreferencePair],
    loss: Loss,
    beta: f64,
) -> Result<Figures, ModelError> {
    let mut sums = Sums::default();
    for some in desk.passes(batch, |p| p.tokens()) {
        let seen = see(desk, some, Manner::looking())?;
        weigh(&seen, (loss, beta), &mut sums, batch.len());
    }
    Ok(sums.figures(batch.len()))
}

/// Asks weighted by what the loss loses with their log-probabilities.
fn weigh(seen: &Seen, (loss, beta): (Loss, f64), sums: &mut Sums, pairs: usize) -> Vec<Ask> {
    let mut ratios = seen.after.iter().zip(&seen.before).map(|(a, b)| a - b);
    let mut weighted = Vec::with_capacity(seen.after.len());
    for sides in &seen.asks {
        let part = |asks: &[Ask]| match loss {
            Loss::IpoMean => 1.0 / asks.len().max(1) as f64,
            _ => 1.0,
        };
        let [chosen, rejected] = sides
            .each_ref()
            .map(|asks| part(asks) * ratios.by_ref().take(asks.len()).sum::<f64>());
        let delta = chosen - rejected;
        let (value, slope) = loss.at(delta, beta);
        sums.loss += value;
        sums.delta += delta;
        sums.ahead += f64::from(u8::from(delta > 0.0));
        for (asks, sign) in sides.iter().zip([-1.0, 1.0]) {
            let weight = (sign * slope * part(asks) / pairs.max(1) as f64) as f32;
            weighted.extend(asks.iter().map(|ask| Ask { weight, ..*ask }));
        }
    }
    weighted
}

/// Both answers behind their prompt, which is computed once.
fn both(pack: &mut Pack, preference: &PreferencePair) -> [Vec<Ask>; 2] {
    let prompt = pack.add(None, &preference.prompt);
    [&preference.chosen, &preference.rejected].map(|answer| {
        let segment = pack.add(Some(prompt), answer);
        let last = pack.segments[prompt].rows.end - 1;
        let rows = pack.segments[segment].rows.clone();
        let before = [last].into_iter().chain(rows);
        let asked = before.zip(answer);
        asked
            .map(|(row, token)| Ask {
                row,
                token: *token,
                weight: 1.0,
            })
            .collect()
    })
}
