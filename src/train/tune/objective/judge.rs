//! A judge that learns to rate without a reference from itself with one (Ye & Ng 2024, §3.4):
//! `L_ref + α · L_free + β · KL(teacher ‖ student)`.

use super::{Desk, Figures, add};
use crate::model::ModelError;
use crate::train::tune::example::Example;
use crate::train::tune::head::Lesson;
use crate::train::tune::judge_rows::JudgePair;
use crate::train::tune::net::Manner;
use crate::train::tune::pack::Pack;

/// Factors of the parts of the loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// Of the cross-entropy without the reference; 0.3 in the paper.
    pub free: f32,
    /// Of the divergence; 2 in the paper, 0 for no distillation.
    pub divergence: f32,
}

/// Loss and gradient of a batch: means over all target tokens, and over all digits for the divergence.
///
/// # Errors
/// A sequence longer than the context, an id outside the vocabulary.
pub fn step(
    desk: &mut Desk<'_>,
    batch: &[&JudgePair],
    weights: Weights,
) -> Result<Figures, ModelError> {
    let count = |of: fn(&JudgePair) -> usize| {
        batch.iter().map(|pair| of(pair)).sum::<usize>().max(1) as f64
    };
    let refs = count(|pair| pair.teacher.target_count());
    let frees = count(|pair| pair.student.target_count());
    let digits = count(digit_tokens);
    let (mut of_ref, mut of_free, mut of_divergence) = (0.0, 0.0, 0.0);
    let tokens = |pair: &&JudgePair| pair.teacher.ids.len() + pair.student.ids.len();
    for (n, some) in desk.passes(batch, tokens).into_iter().enumerate() {
        let (mut pack, mut lessons) = (Pack::default(), Vec::new());
        let (mut asks, mut by_students) = (Vec::new(), Vec::new());
        for pair in some {
            let teacher = add(&mut pack, &pair.teacher, (1.0 / refs) as f32);
            let student = add(&mut pack, &pair.student, weights.free / frees as f32);
            let rows = teacher[..digit_tokens(pair)].iter().zip(&student);
            lessons.extend(rows.map(|(teacher, student)| Lesson {
                teacher: teacher.row,
                student: student.row,
            }));
            asks.extend(teacher);
            by_students.extend(student);
        }
        let teachers = asks.len();
        asks.extend(by_students);
        desk.forward(&pack, desk.manner(n))?;
        let weight = weights.divergence / digits as f32;
        let (found, divergences) = desk.learn(&pack, |net, bench, tape, into| {
            let found = net.foresee(bench, tape, &asks, into);
            let distils = weights.divergence > 0.0;
            let lessons = if distils { &lessons[..] } else { &[] };
            (found, net.distil(bench, tape, lessons, weight, into))
        });
        of_ref -= found[..teachers].iter().sum::<f64>();
        of_free -= found[teachers..].iter().sum::<f64>();
        of_divergence += divergences.iter().sum::<f64>();
    }
    let (of_ref, of_free) = (of_ref / refs, of_free / frees);
    let of_divergence = of_divergence / digits;
    let loss =
        of_ref + f64::from(weights.free) * of_free + f64::from(weights.divergence) * of_divergence;
    Ok([
        ("loss", loss),
        ("ref", of_ref),
        ("free", of_free),
        ("kl", of_divergence),
    ]
    .into())
}

/// The expected digit of each example, renormalised over `digits`, values and tokens.
///
/// # Errors
/// As [`step`].
pub fn expected(
    desk: &mut Desk<'_>,
    examples: &[&Example],
    digits: &[(f64, u32)],
) -> Result<Vec<f64>, ModelError> {
    let mut all = Vec::with_capacity(examples.len());
    let vocab = desk.net.config.vocab;
    for some in desk.passes(examples, |e| e.ids.len()) {
        let mut pack = Pack::default();
        let asks = some.iter().map(|e| add(&mut pack, e, 0.0));
        let rows: Vec<usize> = asks.filter_map(|asks| Some(asks.first()?.row)).collect();
        desk.forward(&pack, Manner::looking())?;
        let logits = desk.net.logits(desk.bench, desk.tape, &rows);
        all.extend(logits.chunks(vocab).map(|logits| {
            let of = |token: u32| f64::from(logits[token as usize]);
            let most = digits.iter().map(|d| of(d.1)).fold(f64::MIN, f64::max);
            let (mut sum, mut mass) = (0.0, 0.0);
            for (value, token) in digits {
                let p = (of(*token) - most).exp();
                (sum, mass) = (sum + value * p, mass + p);
            }
            sum / mass
        }));
    }
    Ok(all)
}

/// Tokens of the digit: all targets but the end token.
fn digit_tokens(pair: &JudgePair) -> usize {
    match pair.teacher.target_count() {
        many @ 2.. => many - 1,
        few => few,
    }
}
