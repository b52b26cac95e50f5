//! Win rates at equal length: AlpacaEval's logistic model (Dubois et al. 2024, arXiv 2404.04475, equation 1).
//!
//! For each generator m against the baseline b, `logit P(m wins on x) = (θ_m − θ_b) + φ_{m,b} · tanh(Δ/σ) + (ψ_m − ψ_b) · γ_x`
//! with Δ the difference of the two answers' characters and σ its standard deviation over the rows of m. The
//! length-controlled win rate is the mean over x of the probability with the middle term set to 0. The fit is the
//! released one ([`logistic`](super::logistic)) without its rows of the baseline asked for longer and shorter answers,
//! which are data of AlpacaEval's own: `length_controlled_noreg` there, and `length_controlled_minimal` without γ.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::super::bootstrap::{Interval, Resampler};
use super::super::correlation::mean;
use super::super::within::group_ids;
use super::bradley_terry::logistic;
use super::difficulty::{self, difficulty};
use super::logistic::{COLUMNS, Row, choose_c, dot, fit};
use super::{Draws, Games};

/// The win rate of one generator against the baseline, at the lengths that are and at equal lengths.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LengthControlled {
    #[serde(skip)]
    pub generator: usize,
    pub rows: usize,
    /// The share that it won.
    pub win_rate: Interval,
    /// `None` where it cannot be fitted; `why_not` says why.
    pub length_controlled: Option<Interval>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why_not: Option<&'static str>,
    /// Weights and penalty of the fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<Model>,
}

/// A fitted regression.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Model {
    /// `θ_m − θ_b`.
    pub model: f64,
    /// `φ_{m,b}`.
    pub length: f64,
    /// `ψ_m − ψ_b`; `None` where the term is left out.
    pub difficulty: Option<f64>,
    /// The inverse strength of the penalty, by cross-validation.
    pub c: f64,
}

/// All of them, and whether instructions have a difficulty.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Against {
    pub generators: Vec<LengthControlled>,
    /// Whether the instruction-difficulty term is kept, for every generator that shares its instructions with others.
    pub difficulty_kept: bool,
    /// Why the term is left out, for all or for some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difficulty_left_out: Option<String>,
    /// Numbers made of the length-controlled win rates, as asked for.
    #[serde(skip)]
    pub further: Vec<Interval>,
}

/// One generator's rows against the baseline.
struct Own {
    generator: usize,
    rows: Vec<usize>,
    won: Vec<f64>,
    /// Its characters minus the baseline's.
    longer_by: Vec<f64>,
    /// γ of each row; `None` without the term.
    difficulty: Option<Vec<f64>>,
    /// Penalty, and weights on all rows.
    fitted: Result<(f64, Row), &'static str>,
}

const NO_LENGTHS: &str = "some of its rows tell no lengths";
const ONE_LENGTH: &str = "all differences in length are equal";
const FEW: &str = "fewer than five rows";
const NOT_SETTLED: &str = "the regression did not settle";

/// Length-controlled win rates of every generator that was compared with the baseline. `length_one` and
/// `length_other` are characters, NaN where unknown. Difficulties and penalties are found once, on all rows; the
/// bootstrap draws instructions and fits the rest anew. `further` makes other numbers of the rates (by generator, NaN for
/// none), such as a correlation.
pub fn length_controlled(
    games: &Games,
    (length_one, length_other): (&[f64], &[f64]),
    baseline: usize,
    draws: Draws,
    further: impl Fn(&[f64]) -> Vec<f64> + Sync,
) -> Against {
    let mut own: Vec<Own> = (0..games.generators)
        .filter_map(|generator| rows_of(games, (length_one, length_other), generator, baseline))
        .collect();
    let left_out = add_difficulty(games, &mut own);
    for one in &mut own {
        one.fitted = fitted(one);
    }
    // Where each row is among those of its generator.
    let mut places = vec![None; games.won.len()];
    for (at, one) in own.iter().enumerate() {
        for (place, row) in one.rows.iter().enumerate() {
            places[*row] = Some((at, place));
        }
    }
    let resampler = Resampler::new(games.instruction, draws.seed).rounds(draws.rounds);
    let found = resampler.intervals(|draw| {
        let mut drawn = vec![Vec::new(); own.len()];
        for (at, place) in draw.rows.iter().filter_map(|row| places[*row]) {
            drawn[at].push(place);
        }
        let each = own.iter().zip(&drawn);
        let rates: Vec<f64> = each
            .clone()
            .map(|(one, rows)| one.rate_at_equal_length(rows).unwrap_or(f64::NAN))
            .collect();
        let mut by_generator = vec![f64::NAN; games.generators];
        for (one, rate) in own.iter().zip(&rates) {
            by_generator[one.generator] = *rate;
        }
        let won = each.map(|(one, rows)| mean_of(rows.iter().map(|place| one.won[*place])));
        let mut values: Vec<f64> = won.collect();
        values.extend(rates);
        values.extend(further(&by_generator));
        Some(values)
    });
    let mut all = found.map_or_else(Vec::new, |(all, _)| all);
    let further = all.split_off((2 * own.len()).min(all.len()));
    let each = own.iter().zip(all.iter().zip(&all[own.len()..]));
    Against {
        difficulty_kept: own.iter().any(|one| one.difficulty.is_some()),
        difficulty_left_out: left_out,
        generators: each
            .map(|(one, (won, rate))| one.told(*won, *rate))
            .collect(),
        further,
    }
}

fn mean_of(values: impl Iterator<Item = f64>) -> f64 {
    mean(&values.collect::<Vec<_>>())
}

/// The rows of a generator with the baseline, seen from the generator's side; `None` without any.
fn rows_of(
    games: &Games,
    (length_one, length_other): (&[f64], &[f64]),
    generator: usize,
    baseline: usize,
) -> Option<Own> {
    let mut own = Own {
        generator,
        rows: Vec::new(),
        won: Vec::new(),
        longer_by: Vec::new(),
        difficulty: None,
        fitted: Err(FEW),
    };
    for row in 0..games.won.len() {
        let by = length_one[row] - length_other[row];
        let (won, by) = match (games.one[row], games.other[row]) {
            (one, other) if one == other => continue,
            (one, other) if (one, other) == (generator, baseline) => (games.won[row], by),
            (one, other) if (one, other) == (baseline, generator) => (1.0 - games.won[row], -by),
            _ => continue,
        };
        own.rows.push(row);
        own.won.push(won);
        own.longer_by.push(by);
    }
    (!own.rows.is_empty()).then_some(own)
}

/// Gives rows the difficulty of their instruction; why not, where some generators get none.
fn add_difficulty(games: &Games, own: &mut [Own]) -> Option<String> {
    // Who cannot be fitted tells nothing of difficulty.
    let able: Vec<usize> = (0..own.len())
        .filter(|at| own[*at].features(None).is_ok())
        .collect();
    let mut judged: HashMap<usize, HashSet<usize>> = HashMap::new();
    for at in &able {
        for row in &own[*at].rows {
            let generators = judged.entry(games.instruction[*row]).or_default();
            generators.insert(*at);
        }
    }
    let shared = |row: &usize| {
        let generators = judged.get(&games.instruction[*row]);
        generators.is_some_and(|generators| generators.len() > 1)
    };
    let keeps: Vec<bool> = own
        .iter()
        .map(|one| 2 * one.rows.iter().filter(|row| shared(row)).count() >= one.rows.len())
        .collect();
    let keeps = |at: &usize| able.contains(at) && keeps[*at];
    let kept: Vec<usize> = (0..own.len()).filter(keeps).collect();
    let why = "its term would explain the very verdicts that it is made from";
    if kept.is_empty() {
        return Some(format!(
            "each instruction has one generator beside the baseline, so its difficulty cannot be told from that \
             generator's own luck: {why}"
        ));
    }
    let (mut generator, mut instruction, mut longer, mut won) = (vec![], vec![], vec![], vec![]);
    for (place, at) in kept.iter().enumerate() {
        let one = &own[*at];
        let features = one.features(None).unwrap_or_default();
        for ((row, x), y) in one.rows.iter().zip(features).zip(&one.won) {
            generator.push(place);
            instruction.push(games.instruction[*row]);
            longer.push(x[1]);
            won.push(*y);
        }
    }
    let numbers = group_ids(instruction.iter().copied());
    let rows = difficulty::Rows {
        generator: &generator,
        instruction: &numbers,
        longer: &longer,
        won: &won,
    };
    let count = numbers.iter().max().map_or(0, |most| most + 1);
    let Some(found) = difficulty(&rows, kept.len(), count) else {
        return Some("its regression over all generators did not settle".to_owned());
    };
    let of: HashMap<usize, f64> = instruction
        .iter()
        .zip(&numbers)
        .filter(|(instruction, _)| judged.get(instruction).is_some_and(|g| g.len() > 1))
        .map(|(instruction, number)| (*instruction, found[*number]))
        .collect();
    for at in &kept {
        let gamma = |row: &usize| of.get(&games.instruction[*row]).copied().unwrap_or(0.0);
        own[*at].difficulty = Some(own[*at].rows.iter().map(gamma).collect());
    }
    let others = able.len() - kept.len();
    (others > 0).then(|| {
        format!(
            "for {others} of {} generators: most of their instructions were judged for no other one, and {why}",
            able.len()
        )
    })
}

fn fitted(own: &Own) -> Result<(f64, Row), &'static str> {
    let rows = own.features(None)?;
    let c = match rows.len() < 5 {
        true => return Err(FEW),
        false => choose_c(&rows, &own.won).ok_or(NOT_SETTLED)?,
    };
    let weights = fit(&rows, &own.won, c, [0.0; COLUMNS]).ok_or(NOT_SETTLED)?;
    Ok((c, weights))
}

impl Own {
    /// Model, length and difficulty of the rows, or of some of them; lengths standardised over these.
    fn features(&self, drawn: Option<&[usize]>) -> Result<Vec<Row>, &'static str> {
        let all: Vec<usize>;
        let rows = match drawn {
            Some(drawn) => drawn,
            None => {
                all = (0..self.rows.len()).collect();
                &all
            }
        };
        let n = rows.len() as f64;
        let center = mean_of(rows.iter().map(|row| self.longer_by[*row]));
        if center.is_nan() {
            return Err(NO_LENGTHS);
        }
        let squares = rows
            .iter()
            .map(|row| (self.longer_by[*row] - center).powi(2));
        let deviation = (squares.sum::<f64>() / (n - 1.0)).sqrt();
        if deviation.is_nan() || deviation <= 0.0 {
            return Err(ONE_LENGTH);
        }
        let feature = |row: &usize| {
            let gamma = self.difficulty.as_ref().map_or(0.0, |all| all[*row]);
            // Not centred: answers of equal length have 0.
            [1.0, (self.longer_by[*row] / deviation).tanh(), gamma]
        };
        Ok(rows.iter().map(feature).collect())
    }

    /// On drawn rows, the fit begun from that on all rows, its penalty kept.
    fn rate_at_equal_length(&self, drawn: &[usize]) -> Option<f64> {
        let (c, start) = self.fitted.ok()?;
        let rows = self.features(Some(drawn)).ok()?;
        let targets: Vec<f64> = drawn.iter().map(|row| self.won[*row]).collect();
        let weights = fit(&rows, &targets, c, start)?;
        let at_equal_length = |row: &Row| logistic(dot(&[row[0], 0.0, row[2]], &weights));
        Some(mean_of(rows.iter().map(at_equal_length)))
    }

    fn told(&self, win_rate: Interval, rate: Interval) -> LengthControlled {
        LengthControlled {
            generator: self.generator,
            rows: self.rows.len(),
            win_rate,
            length_controlled: (!rate.estimate.is_nan()).then_some(rate),
            why_not: match self.fitted {
                Err(why) => Some(why),
                Ok(_) => rate.estimate.is_nan().then_some(NOT_SETTLED),
            },
            model: self.fitted.ok().map(|(c, weights)| Model {
                model: weights[0],
                length: weights[1],
                difficulty: self.difficulty.is_some().then_some(weights[2]),
                c,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::bootstrap::SplitMix64;
    use super::*;

    struct Data {
        one: Vec<usize>,
        other: Vec<usize>,
        won: Vec<f64>,
        instruction: Vec<usize>,
        lengths: (Vec<f64>, Vec<f64>),
    }

    /// Two generators against generator 2 by a judge of length alone: the first is longer on most instructions.
    fn by_length(shared: bool) -> Data {
        let mut random = SplitMix64(7);
        let mut data = Data {
            one: vec![],
            other: vec![],
            won: vec![],
            instruction: vec![],
            lengths: (vec![], vec![]),
        };
        for i in 0..400usize {
            for generator in 0..2usize {
                let length =
                    500.0 + random.below(400) as f64 + if generator == 0 { 150.0 } else { 0.0 };
                let theirs = 500.0 + random.below(400) as f64;
                let p = logistic((length - theirs) / 60.0);
                let won = f64::from(u8::from((random.below(1000) as f64) < 1000.0 * p));
                // Sides change.
                let swap = (i + generator) % 2 == 0;
                data.one.push(if swap { 2 } else { generator });
                data.other.push(if swap { generator } else { 2 });
                data.won.push(if swap { 1.0 - won } else { won });
                data.lengths.0.push(if swap { theirs } else { length });
                data.lengths.1.push(if swap { length } else { theirs });
                data.instruction
                    .push(if shared { i } else { 2 * i + generator });
            }
        }
        data
    }

    fn found(data: &Data, rounds: usize) -> Against {
        let games = Games {
            one: &data.one,
            other: &data.other,
            won: &data.won,
            instruction: &data.instruction,
            generators: 3,
        };
        let lengths = (&data.lengths.0[..], &data.lengths.1[..]);
        let draws = Draws { rounds, seed: 3 };
        length_controlled(&games, lengths, 2, draws, |rates| vec![rates[0] - rates[1]])
    }

    #[test]
    fn length_alone_is_no_merit() {
        let against = found(&by_length(true), 100);
        assert!(against.difficulty_kept && against.difficulty_left_out.is_none());
        let first = &against.generators[0];
        assert!(first.win_rate.estimate > 0.7, "{first:?}");
        let rate = first.length_controlled.unwrap();
        assert!((rate.estimate - 0.5).abs() < 0.06, "{first:?}");
        assert!(rate.low < rate.estimate && rate.estimate < rate.high);
        let second = against.generators[1].length_controlled.unwrap();
        let gap = rate.estimate - second.estimate;
        assert!((against.further[0].estimate - gap).abs() < 1e-15);
        assert_eq!(first.rows, 400);
    }

    #[test]
    fn difficulty_needs_others_on_the_same_instructions() {
        let against = found(&by_length(false), 0);
        assert!(!against.difficulty_kept);
        let why = against.difficulty_left_out.unwrap();
        assert!(why.contains("one generator beside the baseline"), "{why}");
        assert!(against.generators[0].model.unwrap().difficulty.is_none());
    }

    #[test]
    fn what_cannot_be_fitted_says_why() {
        let mut data = by_length(true);
        data.lengths.0[0] = f64::NAN;
        let against = found(&data, 10);
        assert_eq!(against.generators[0].why_not, Some(NO_LENGTHS));
        assert!(against.generators[0].length_controlled.is_none());
        assert!(against.generators[0].win_rate.estimate > 0.7);
        assert!(against.generators[1].length_controlled.is_some());
        // The other's instructions are now judged for it alone.
        assert!(!against.difficulty_kept);
        data.lengths = (vec![1.0; 800], vec![1.0; 800]);
        let against = found(&data, 0);
        assert_eq!(against.generators[1].why_not, Some(ONE_LENGTH));
    }
}
