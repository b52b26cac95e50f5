//! Learning from preferences against the model without its adapter (Rafailov et al. 2023; hinge: Zhao et al. 2023;
//! ipo: Azar et al. 2024).

use serde::{Deserialize, Serialize};

use super::{Desk, Figures, passes};
use crate::model::ModelError;
use crate::train::tune::head::{Ask, Gradients};
use crate::train::tune::net::Manner;
use crate::train::tune::pack::Pack;

/// Two answers to a prompt, of which one is better.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preference {
    pub prompt: Vec<u32>,
    /// With its end token.
    pub chosen: Vec<u32>,
    pub rejected: Vec<u32>,
}

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

/// Loss and gradient of a batch: the mean over its pairs. Also told are the mean `Δ` and how often the chosen answer
/// is ahead.
///
/// # Errors
/// A sequence longer than the context, an id outside the vocabulary.
pub fn step(
    desk: &mut Desk<'_>,
    batch: &[Preference],
    loss: Loss,
    beta: f64,
) -> Result<Figures, ModelError> {
    let count = batch.len().max(1) as f64;
    let (mut sum, mut deltas, mut ahead) = (0.0, 0.0, 0.0);
    let tokens = |p: &Preference| p.prompt.len() + p.chosen.len() + p.rejected.len();
    for (n, some) in passes(batch, desk.pass_tokens, tokens)
        .into_iter()
        .enumerate()
    {
        let mut pack = Pack::default();
        let asks: Vec<[Vec<Ask>; 2]> = some.iter().map(|p| both(&mut pack, p)).collect();
        let flat: Vec<Ask> = asks.iter().flatten().flatten().copied().collect();
        let base = Manner {
            base: true,
            forget: true,
            ..Manner::default()
        };
        desk.forward(&pack, base)?;
        let before = desk.net.log_probabilities(desk.bench, desk.tape, &flat);
        desk.forward(&pack, desk.manner(n))?;
        let after = desk.net.log_probabilities(desk.bench, desk.tape, &flat);
        let mut ratios = after.iter().zip(&before).map(|(a, b)| a - b);
        let mut weighted = Vec::with_capacity(flat.len());
        for sides in &asks {
            let part = |asks: &[Ask]| match loss {
                Loss::IpoMean => 1.0 / asks.len().max(1) as f64,
                _ => 1.0,
            };
            let [chosen, rejected] = sides
                .each_ref()
                .map(|asks| part(asks) * ratios.by_ref().take(asks.len()).sum::<f64>());
            let delta = chosen - rejected;
            let (value, slope) = loss.at(delta, beta);
            sum += value;
            deltas += delta;
            ahead += f64::from(u8::from(delta > 0.0));
            for (asks, sign) in sides.iter().zip([-1.0, 1.0]) {
                let weight = (sign * slope * part(asks) / count) as f32;
                weighted.extend(asks.iter().map(|ask| Ask { weight, ..*ask }));
            }
        }
        let mut hidden = desk.hidden_gradient(&pack);
        let mut into = Gradients {
            hidden: &mut hidden,
            trained: &mut *desk.grads,
        };
        desk.net
            .foresee(desk.bench, desk.tape, &weighted, &mut into);
        desk.backward(&pack, &hidden);
    }
    Ok([
        ("loss", sum / count),
        ("delta", deltas / count),
        ("ahead", ahead / count),
    ]
    .into())
}

/// Both answers behind their prompt, which is computed once.
fn both(pack: &mut Pack, preference: &Preference) -> [Vec<Ask>; 2] {
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
