//! Which of two responses is better, by one token, once for each principle and order (SELF-JUDGE; Lee et al. 2024,
//! arXiv 2402.11253, §3).

pub mod judge;
mod lesson;
mod many;
mod prompt;
pub mod rationale;
pub mod templates;
pub mod verdict;

pub use judge::{Compared, PairJudge, PairPlan, PairSetup};
pub use prompt::Lesson;
pub use templates::PairTemplates;
pub use verdict::{Judgment, Rule, Winner};

/// Two responses to one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pair {
    /// What was asked, with the turns before it.
    pub context: String,
    pub a: String,
    pub b: String,
}

impl Pair {
    /// Two texts as answers to a record. The context is the task alone where nothing comes before it, else all turns,
    /// `User: …\n\nAssistant: …\n\nUser: …`, trimmed.
    pub fn of(record: &crate::data::Record, a: &str, b: &str) -> Self {
        let task = record.task();
        let context = match &record.context {
            None => task,
            Some(before) => format!("{before}\n\nUser: {task}").trim().to_owned(),
        };
        Pair {
            context,
            a: a.to_owned(),
            b: b.to_owned(),
        }
    }

    /// The texts as they stand in an order: `false` is the first order, in which `a` stands in position A.
    pub fn placed(&self, swapped: bool) -> (&str, &str) {
        match swapped {
            false => (&self.a, &self.b),
            true => (&self.b, &self.a),
        }
    }
}
