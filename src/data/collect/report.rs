//! What was read, what is kept and what is not, by source, category and reason.

use serde::Serialize;
use serde_json::{Map, Value};

use super::category::Category;
use super::reason::Reason;
use super::row::Told;

/// Rows by reason.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reasons([u64; Reason::ALL.len()]);

impl Reasons {
    /// Counts a row.
    pub fn add(&mut self, reason: Reason) {
        self.0[reason as usize] += 1;
    }

    /// Rows of a reason.
    pub fn of(&self, reason: Reason) -> u64 {
        self.0[reason as usize]
    }

    /// All of them.
    pub fn sum(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The reasons that occur, with their rows.
    pub fn found(&self) -> impl Iterator<Item = (Reason, u64)> + '_ {
        Reason::ALL
            .into_iter()
            .map(|reason| (reason, self.of(reason)))
            .filter(|(_, count)| *count > 0)
    }
}

impl Serialize for Reasons {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.found().map(|(reason, count)| (reason.name(), count)))
    }
}

/// Kept rows by category.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Categories {
    pub common: u64,
    pub coding: u64,
    pub academic: u64,
}

impl Categories {
    /// Counts a row.
    pub fn add(&mut self, category: Category) {
        *match category {
            Category::Common => &mut self.common,
            Category::Coding => &mut self.coding,
            Category::Academic => &mut self.academic,
        } += 1;
    }

    /// In the order of [`Category::ALL`].
    pub fn counts(&self) -> [u64; 3] {
        [self.common, self.coding, self.academic]
    }
}

/// Figures of one source, or of all.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Counts {
    pub source: String,
    pub files: usize,
    pub read: u64,
    pub kept: u64,
    pub categories: Categories,
    /// Mean characters of the kept tasks in the form that is compared.
    pub mean_chars: Option<f64>,
    pub dropped: Reasons,
    #[serde(skip)]
    chars: u64,
}

impl Counts {
    /// Of a source, nothing counted yet.
    pub fn new(source: &str, files: usize) -> Self {
        Counts {
            source: source.to_owned(),
            files,
            ..Counts::default()
        }
    }

    /// Counts a kept row.
    pub fn keep(&mut self, category: Category, chars: u64) {
        self.kept += 1;
        self.chars += chars;
        self.categories.add(category);
        self.mean_chars = Some(self.chars as f64 / self.kept as f64);
    }

    fn add(&mut self, other: &Counts) {
        self.files += other.files;
        self.read += other.read;
        self.kept += other.kept;
        self.chars += other.chars;
        self.categories.common += other.categories.common;
        self.categories.coding += other.categories.coding;
        self.categories.academic += other.categories.academic;
        for (mine, more) in self.dropped.0.iter_mut().zip(other.dropped.0) {
            *mine += more;
        }
        if self.kept > 0 {
            self.mean_chars = Some(self.chars as f64 / self.kept as f64);
        }
    }
}

/// How categories were told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ToldCounts {
    pub rule: u64,
    pub row: u64,
    pub classifier: u64,
}

impl ToldCounts {
    /// Counts a row.
    pub fn add(&mut self, told: Told) {
        *match told {
            Told::Rule => &mut self.rule,
            Told::Row => &mut self.row,
            Told::Classifier => &mut self.classifier,
        } += 1;
    }
}

/// Everything that is told of a collection. Nothing in it depends on the machine or the clock.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    pub total: Counts,
    pub sources: Vec<Counts>,
    /// Of the kept rows.
    pub category_told_by: ToldCounts,
    /// Tasks that rows were checked against.
    pub tests: usize,
    /// Pairs of rows whose texts were compared.
    pub compared_pairs: u64,
    /// Times a row had more neighbours than it was compared with.
    pub crowded: u64,
    /// What rows had to keep to.
    pub settings: Map<String, Value>,
}

impl Report {
    /// Sums up.
    pub fn finish(&mut self) {
        let mut total = Counts::new("all", 0);
        for counts in &self.sources {
            total.add(counts);
        }
        self.total = total;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_sum_up() {
        let mut one = Counts::new("a", 1);
        one.read = 3;
        one.keep(Category::Coding, 10);
        one.keep(Category::Common, 20);
        one.dropped.add(Reason::Refusal);
        let mut report = Report {
            sources: vec![one.clone(), one],
            ..Report::default()
        };
        report.finish();
        assert_eq!(
            (
                report.total.read,
                report.total.kept,
                report.total.dropped.sum()
            ),
            (6, 4, 2)
        );
        assert_eq!(report.total.mean_chars, Some(15.0));
        let text = serde_json::to_string(&report.total).unwrap();
        assert!(text.contains(r#""dropped":{"refusal":2}"#), "{text}");
    }
}
