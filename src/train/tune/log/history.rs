//! A log as it is looked at: curves, the latest figures, how it stands.

use std::collections::VecDeque;

use indexmap::IndexMap;

use super::read::BadLine;
use super::{Entry, Eval, Reason, Start, Step};

/// Points of a curve that are kept: more than a terminal has columns.
const POINTS: usize = 4096;
/// Entries that are kept as they are.
const RECENT: usize = 200;
/// Bad lines that are kept.
const BAD: usize = 20;
/// Steps that a speed is taken over.
const SPEED: usize = 20;

/// A curve of bounded size: where there are too many points, neighbours become their mean.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    points: Vec<(f64, f64)>,
    /// Values that one point stands for.
    stride: u32,
    /// Sums of steps and values that are not a point yet, and how many.
    open: (f64, f64, u32),
    /// The latest: step and value.
    last: Option<(f64, f64)>,
}

impl Default for Series {
    fn default() -> Self {
        Series {
            points: Vec::new(),
            stride: 1,
            open: (0.0, 0.0, 0),
            last: None,
        }
    }
}

impl Series {
    /// Adds the value at a step. A value that is no number is remembered as the latest but is no point.
    pub fn push(&mut self, step: usize, value: f64) {
        let step = step as f64;
        self.last = Some((step, value));
        if !value.is_finite() {
            return;
        }
        let (steps, values, count) = self.open;
        self.open = (steps + step, values + value, count + 1);
        if self.open.2 < self.stride {
            return;
        }
        self.points.extend(self.unfinished());
        self.open = (0.0, 0.0, 0);
        if self.points.len() >= POINTS {
            let mean = |pair: &[(f64, f64)]| {
                let count = pair.len().max(1) as f64;
                let sum = |of: fn(&(f64, f64)) -> f64| pair.iter().map(of).sum::<f64>() / count;
                (sum(|point| point.0), sum(|point| point.1))
            };
            self.points = self.points.chunks(2).map(mean).collect();
            self.stride *= 2;
        }
    }

    fn unfinished(&self) -> Option<(f64, f64)> {
        let (steps, values, count) = self.open;
        let count = f64::from(count);
        (count > 0.0).then(|| (steps / count, values / count))
    }

    /// The points: step and value, in the order of the steps.
    pub fn points(&self) -> Vec<(f64, f64)> {
        let points = self.points.iter().copied();
        points.chain(self.unfinished()).collect()
    }

    /// The latest value.
    pub fn last(&self) -> Option<f64> {
        self.last.map(|(_, value)| value)
    }
}

/// What a log comes to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// The latest beginning.
    pub start: Option<Start>,
    /// The latest step.
    pub step: Option<Step>,
    pub eval: Option<Eval>,
    /// The step of the latest checkpoint.
    pub saved: Option<usize>,
    /// How it ended, and what was said of that.
    pub end: Option<(Reason, String)>,
    pub loss: Series,
    /// Parts of the loss by name.
    pub parts: IndexMap<String, Series>,
    pub learning_rate: Series,
    pub grad_norm: Series,
    pub tokens_per_s: Series,
    /// Figures of evaluations by name.
    pub figures: IndexMap<String, Series>,
    /// The latest entries, the latest at the end.
    pub recent: VecDeque<Entry>,
    /// The first lines that are no entries, and how many there are of them.
    pub bad: Vec<BadLine>,
    pub bad_count: usize,
    /// Tokens a second of the latest steps.
    speeds: VecDeque<f64>,
}

impl History {
    /// Of entries in their order.
    pub fn of(entries: impl IntoIterator<Item = Entry>) -> Self {
        let mut history = History::default();
        for entry in entries {
            history.add(entry);
        }
        history
    }

    /// Takes one more entry.
    pub fn add(&mut self, entry: Entry) {
        if self.recent.len() >= RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(entry.clone());
        match entry {
            Entry::Start(start) => {
                self.start = Some(start);
                self.end = None;
            }
            Entry::Step(step) => self.add_step(step),
            Entry::Eval(eval) => {
                for (name, value) in &eval.figures {
                    let series = self.figures.entry(name.clone()).or_default();
                    series.push(eval.step, *value);
                }
                self.eval = Some(eval);
            }
            Entry::Saved { step } => self.saved = Some(step),
            Entry::End { reason, message } => self.end = Some((reason, message)),
        }
    }

    fn add_step(&mut self, step: Step) {
        let at = step.step;
        self.loss.push(at, step.loss);
        for (name, value) in &step.parts {
            let series = self.parts.entry(name.clone()).or_default();
            series.push(at, *value);
        }
        self.learning_rate.push(at, step.learning_rate);
        self.grad_norm.push(at, step.grad_norm);
        self.tokens_per_s.push(at, step.tokens_per_s);
        if self.speeds.len() >= SPEED {
            self.speeds.pop_front();
        }
        self.speeds.push_back(step.tokens_per_s);
        self.step = Some(step);
    }

    /// Takes a line that is no entry.
    pub fn add_bad(&mut self, bad: BadLine) {
        self.bad_count += 1;
        if self.bad.len() < BAD {
            self.bad.push(bad);
        }
    }

    /// Steps done, of how many; a total that nobody told is 0.
    pub fn progress(&self) -> (usize, usize) {
        let total = self.start.as_ref().map_or(0, |start| start.steps);
        let from = self.start.as_ref().map_or(0, |start| start.from);
        (self.step.as_ref().map_or(from, |step| step.step), total)
    }

    /// Tokens a second over the latest steps.
    pub fn speed(&self) -> Option<f64> {
        let known = self.speeds.iter().filter(|speed| **speed > 0.0);
        let (sum, count) = known.fold((0.0, 0.0), |(sum, count), speed| (sum + speed, count + 1.0));
        (count > 0.0).then(|| sum / count)
    }

    /// Seconds until all steps are done, at the speed of the latest ones; without evaluations and checkpoints.
    pub fn eta(&self) -> Option<f64> {
        let step = self.step.as_ref()?;
        let (done, total) = self.progress();
        let left = total.checked_sub(done).filter(|_| done > 0)?;
        let each = step.tokens as f64 / done as f64;
        Some(left as f64 * each / self.speed()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_keeps_its_shape_in_bounded_space() {
        let mut series = Series::default();
        for step in 1..=3 {
            series.push(step, step as f64);
        }
        assert_eq!(series.points(), [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0)]);
        for step in 4..=100_000 {
            series.push(step, step as f64);
        }
        let points = series.points();
        assert!(points.len() <= POINTS && points.len() > POINTS / 4);
        assert!(
            points.iter().all(|(step, value)| step == value),
            "a line stays one"
        );
        assert!(points.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(series.last(), Some(100_000.0));
        series.push(100_001, f64::NAN);
        assert!(series.last().unwrap().is_nan());
        assert!(series.points().iter().all(|(_, value)| value.is_finite()));
    }

    #[test]
    fn the_time_left_follows_from_tokens() {
        let start = Start {
            steps: 100,
            ..Start::default()
        };
        let mut history = History::of([Entry::Start(start.clone())]);
        assert_eq!((history.progress(), history.eta()), ((0, 100), None));
        for step in 1..=40 {
            history.add(Entry::Step(Step {
                step,
                tokens: step as u64 * 50,
                // Slow at first; that is forgotten.
                tokens_per_s: if step < 20 { 1.0 } else { 25.0 },
                ..Step::default()
            }));
        }
        assert_eq!(history.progress(), (40, 100));
        assert_eq!(history.eta(), Some(60.0 * 50.0 / 25.0));
        // Gone on with: what it ended with is no longer so.
        history.add(Entry::End {
            reason: Reason::Cancelled,
            message: String::new(),
        });
        assert!(history.end.is_some());
        history.add(Entry::Start(Start { from: 40, ..start }));
        assert!(history.end.is_none());
    }
}
