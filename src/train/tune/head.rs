//! Losses at chosen rows, over the vocabulary: a few rows at a time, never all of them at once.

use crate::kernel::vector;

use super::net::{Net, Tape};
use super::ops::Bench;
use super::ops::product::Weight;

/// Rows of logits held at a time.
const CHUNK: usize = 64;

/// A row whose next token is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ask {
    /// Row of the pack.
    pub row: usize,
    /// The token that follows it.
    pub token: u32,
    /// Factor on its negative log-probability in the loss.
    pub weight: f32,
}

/// Two rows of a pack, one of which is to foresee what the other does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lesson {
    pub teacher: usize,
    pub student: usize,
}

/// Gradients that come out of the head.
pub struct Gradients<'a> {
    /// Of [`Tape::hidden`], `[tokens, dim]`.
    pub hidden: &'a mut [f32],
    /// Of what is trained, as [`Net::trained`] lies.
    pub trained: &'a mut [f32],
}

/// The logits of some rows, and how steep the soft cap is there.
struct Logits {
    rows: Vec<usize>,
    states: Vec<f32>,
    values: Vec<f32>,
    slopes: Vec<f32>,
}

impl Net {
    fn logits_of(&self, bench: &Bench, hidden: &[f32], rows: Vec<usize>) -> Logits {
        let (dim, vocab) = (self.config.dim, self.config.vocab);
        let states: Vec<f32> = rows
            .iter()
            .flat_map(|row| &hidden[row * dim..(row + 1) * dim])
            .copied()
            .collect();
        let mut values = vec![0.0; rows.len() * vocab];
        self.head()
            .forward(bench, &self.parameters, &states, &mut values);
        let mut slopes = Vec::new();
        if let Some(cap) = self.config.final_cap {
            let cap = cap as f32;
            for value in &mut values {
                let t = (*value / cap).tanh();
                slopes.push(1.0 - t * t);
                *value = cap * t;
            }
        }
        Logits {
            rows,
            states,
            values,
            slopes,
        }
    }

    /// Takes the gradient of logits, which their values have become, back to the hidden states and the head.
    fn head_back(&self, bench: &Bench, mut logits: Logits, into: &mut Gradients<'_>) {
        let grads = logits.values.iter_mut().zip(&logits.slopes);
        grads.for_each(|(grad, slope)| *grad *= slope);
        let dim = self.config.dim;
        let mut back = vec![0.0; logits.states.len()];
        self.head()
            .backward(bench, &self.parameters, &logits.values, &mut back);
        for (row, back) in logits.rows.iter().zip(back.chunks(dim)) {
            let at = row * dim..(row + 1) * dim;
            vector::add_scaled(&mut into.hidden[at], back, 1.0);
        }
        if self.all() {
            self.head()
                .learn(bench, &logits.values, &logits.states, into.trained);
        }
    }

    /// Logits at `rows`, `[rows, vocab]`.
    pub fn logits(&self, bench: &Bench, tape: &Tape, rows: &[usize]) -> Vec<f32> {
        let chunks = rows.chunks(CHUNK);
        chunks
            .flat_map(|rows| self.logits_of(bench, &tape.hidden, rows.to_vec()).values)
            .collect()
    }

    /// Log-probability of each asked token.
    pub fn log_probabilities(&self, bench: &Bench, tape: &Tape, asks: &[Ask]) -> Vec<f64> {
        let mut all = Vec::with_capacity(asks.len());
        for asks in asks.chunks(CHUNK) {
            all.extend(self.asked(bench, tape, asks).1);
        }
        all
    }

    /// Probabilities at some rows, and the log-probability of each asked token.
    fn asked(&self, bench: &Bench, tape: &Tape, asks: &[Ask]) -> (Logits, Vec<f64>) {
        let rows = asks.iter().map(|ask| ask.row).collect();
        let mut logits = self.logits_of(bench, &tape.hidden, rows);
        let tokens: Vec<u32> = asks.iter().map(|ask| ask.token).collect();
        let found = softmax(bench, &mut logits.values, self.config.vocab, &tokens);
        (logits, found)
    }

    /// Gradient of `−Σ weight · ln p(token)`; gives back each log-probability.
    pub fn foresee(
        &self,
        bench: &Bench,
        tape: &Tape,
        asks: &[Ask],
        into: &mut Gradients<'_>,
    ) -> Vec<f64> {
        let vocab = self.config.vocab;
        let mut all = Vec::with_capacity(asks.len());
        for asks in asks.chunks(CHUNK) {
            let (mut logits, found) = self.asked(bench, tape, asks);
            all.extend(found);
            let parts = logits.values.chunks_mut(vocab).zip(asks).collect();
            bench.pool.each(parts, |(row, ask): (&mut [f32], &Ask)| {
                row[ask.token as usize] -= 1.0;
                row.iter_mut().for_each(|p| *p *= ask.weight);
            });
            self.head_back(bench, logits, into);
        }
        all
    }

    /// Gradient of `weight · Σ KL(teacher ‖ student)` for the student alone: the teacher's distribution stays as it
    /// is (methods: judge training). Gives back each divergence in nats.
    pub fn distil(
        &self,
        bench: &Bench,
        tape: &Tape,
        lessons: &[Lesson],
        weight: f32,
        into: &mut Gradients<'_>,
    ) -> Vec<f64> {
        let vocab = self.config.vocab;
        let mut all = Vec::with_capacity(lessons.len());
        for lessons in lessons.chunks(CHUNK) {
            let of = |pick: fn(&Lesson) -> usize| {
                let rows = lessons.iter().map(pick).collect();
                self.logits_of(bench, &tape.hidden, rows)
            };
            let (mut teacher, mut student) = (of(|l| l.teacher), of(|l| l.student));
            let mut divergences = vec![0.0; lessons.len()];
            let rows = teacher.values.chunks_mut(vocab);
            let parts = rows.zip(student.values.chunks_mut(vocab));
            let parts = parts.zip(&mut divergences).collect();
            bench.pool.each(
                parts,
                |((teacher, student), divergence): ((&mut [f32], &mut [f32]), &mut f64)| {
                    *divergence = diverge(teacher, student, weight);
                },
            );
            all.extend(divergences);
            self.head_back(bench, student, into);
        }
        all
    }

    fn head(&self) -> &Weight {
        &self.head
    }
}

/// `ln Σ e^logit`.
fn log_sum(logits: &[f32]) -> f64 {
    let max = f64::from(vector::max(logits));
    let sum: f64 = logits.iter().map(|l| (f64::from(*l) - max).exp()).sum();
    max + sum.ln()
}

/// Logits become probabilities; gives back the log-probability of each row's token.
fn softmax(bench: &Bench, logits: &mut [f32], vocab: usize, tokens: &[u32]) -> Vec<f64> {
    let mut found = vec![0.0; tokens.len()];
    let parts = logits.chunks_mut(vocab).zip(tokens).zip(&mut found);
    bench.pool.each(
        parts.collect(),
        |((row, token), found): ((&mut [f32], &u32), &mut f64)| {
            let logit = row[*token as usize];
            let max = vector::max(row);
            let sum = vector::exp_shifted(row, max);
            let share = 1.0 / sum;
            row.iter_mut().for_each(|p| *p *= share);
            *found = f64::from(logit - max) - f64::from(sum).ln();
        },
    );
    found
}

/// KL(teacher ‖ student) of one row; the student's logits become its gradient, `weight · (p_student − p_teacher)`.
fn diverge(teacher: &mut [f32], student: &mut [f32], weight: f32) -> f64 {
    let (of_teacher, of_student) = (log_sum(teacher), log_sum(student));
    let mut divergence = 0.0;
    for (t, s) in teacher.iter().zip(student) {
        let (log_t, log_s) = (f64::from(*t) - of_teacher, f64::from(*s) - of_student);
        let p = log_t.exp();
        divergence += p * (log_t - log_s);
        *s = weight * (log_s.exp() - p) as f32;
    }
    divergence
}
