//! What a report is made of: columns of numbers.

use super::ReportError;

/// Rows in columns of equal length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// Name of the signal, as it is shown.
    pub signal: String,
    /// A number that rises with quality; NaN where a row has none.
    pub scores: Vec<f64>,
    /// Ends of the scale that the scores are on, where it has some.
    pub range: Option<(f64, f64)>,
    pub label: Option<Label>,
    /// Rows with the same number are not independent: those of one instruction.
    pub clusters: Vec<usize>,
    pub slices: Option<Slices>,
}

/// What people or others say of the rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Label {
    pub name: String,
    /// NaN where a row has none.
    pub values: Vec<f64>,
    pub good: Option<Good>,
}

/// Which rows are good.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Good {
    /// The rule in words, as in `>=6`.
    pub rule: String,
    /// For each row; without meaning where it has no label.
    pub rows: Vec<bool>,
}

/// Parts of the rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Slices {
    /// What tells them apart.
    pub field: String,
    pub names: Vec<String>,
    /// For each row the place of its name.
    pub rows: Vec<Option<u32>>,
}

/// From which score on to answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cut {
    pub threshold: f64,
    /// Where it comes from, in words, if it is more than a number.
    pub origin: Option<String>,
}

/// How to make the figures.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asked {
    /// Draws of the bootstrap; 0 leaves intervals out.
    pub rounds: usize,
    pub seed: u64,
    pub cut: Option<Cut>,
}

impl Rows {
    /// Whether the columns are of one length, and slices are among their names.
    pub(super) fn check(&self) -> Result<(), ReportError> {
        let expected = self.scores.len();
        let label = self.label.as_ref();
        let columns = [
            ("clusters", Some(self.clusters.len())),
            ("label", label.map(|label| label.values.len())),
            (
                "good",
                label.and_then(|label| Some(label.good.as_ref()?.rows.len())),
            ),
            ("slices", self.slices.as_ref().map(|s| s.rows.len())),
        ];
        match columns
            .iter()
            .find(|(_, found)| found.is_some_and(|found| found != expected))
        {
            Some((column, found)) => Err(ReportError::Length {
                column,
                found: found.unwrap_or_default(),
                expected,
            }),
            None => Ok(()),
        }
    }

    /// Places of the rows that have a score.
    pub(super) fn scored(&self) -> Vec<usize> {
        let rows = 0..self.scores.len();
        rows.filter(|row| !self.scores[*row].is_nan()).collect()
    }

    /// The part of the columns at these places that has a label too, if there is a label.
    pub(super) fn labelled(&self, places: &[usize]) -> Option<Labelled> {
        let label = self.label.as_ref()?;
        let there = |row: &&usize| !label.values[**row].is_nan();
        let kept: Vec<usize> = places.iter().filter(there).copied().collect();
        let good = label.good.as_ref();
        Some(Labelled {
            score: kept.iter().map(|row| self.scores[*row]).collect(),
            label: kept.iter().map(|row| label.values[*row]).collect(),
            cluster: kept.iter().map(|row| self.clusters[*row]).collect(),
            good: good.map(|good| kept.iter().map(|row| good.rows[*row]).collect()),
        })
        .filter(|found| !found.score.is_empty())
    }
}

/// Rows with a score and a label.
#[derive(Clone, Debug)]
pub(super) struct Labelled {
    pub score: Vec<f64>,
    pub label: Vec<f64>,
    pub cluster: Vec<usize>,
    pub good: Option<Vec<bool>>,
}

impl Labelled {
    pub fn columns(&self) -> crate::stats::evaluation::Rows<'_> {
        crate::stats::evaluation::Rows {
            score: &self.score,
            label: &self.label,
            cluster: &self.cluster,
        }
    }

    pub fn bad(&self) -> Option<Vec<bool>> {
        let good = self.good.as_ref()?;
        Some(good.iter().map(|good| !good).collect())
    }
}
