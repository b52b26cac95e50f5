//! What was selected against what was not: length, category, calculation, novelty.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;
use serde::Serialize;

use super::bootstrap::quantile;
use super::correlation::mean;

/// What is told of one row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Features {
    /// Of the response.
    pub characters: usize,
    /// Of the response; 0 where nobody counted.
    pub tokens: usize,
    /// Of the task with its input.
    pub task_characters: usize,
    /// Whether task or response has arithmetic ([`calculates`]).
    pub calculates: bool,
    pub category: String,
}

/// One of the two sides.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Side {
    pub rows: usize,
    /// Means and a median of the response's length.
    pub characters: Option<f64>,
    pub median_characters: Option<f64>,
    /// `None` where nobody counted tokens.
    pub tokens: Option<f64>,
    pub task_characters: Option<f64>,
    /// Share of rows with arithmetic.
    pub calculation: Option<f64>,
    /// Mean cosine distance of a task to the nearest other of its side ([`novelty`]).
    pub novelty: Option<f64>,
}

/// Rows of a category on either side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Category {
    pub name: String,
    pub selected: usize,
    pub rest: usize,
}

/// Both sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Statistics {
    pub selected: Side,
    pub rest: Side,
    /// The most frequent first.
    pub categories: Vec<Category>,
}

/// Figures of the selected rows (`true`) and of the others.
pub fn statistics(rows: &[(Features, bool)]) -> Statistics {
    let side = |selected: bool| {
        let own: Vec<&Features> = rows
            .iter()
            .filter(|(_, is)| *is == selected)
            .map(|(features, _)| features)
            .collect();
        let column = |of: &dyn Fn(&Features) -> f64| -> Vec<f64> {
            own.iter().map(|features| of(features)).collect()
        };
        let average =
            |of: &dyn Fn(&Features) -> f64| Some(mean(&column(of))).filter(|x| x.is_finite());
        let mut characters = column(&|f| f.characters as f64);
        characters.sort_by(f64::total_cmp);
        let counted = own.iter().any(|f| f.tokens > 0);
        Side {
            rows: own.len(),
            characters: average(&|f| f.characters as f64),
            median_characters: quantile(&characters, 0.5),
            tokens: average(&|f| f.tokens as f64).filter(|_| counted),
            task_characters: average(&|f| f.task_characters as f64),
            calculation: average(&|f| f64::from(u8::from(f.calculates))),
            novelty: None,
        }
    };
    let mut counts: HashMap<&str, (usize, usize)> = HashMap::new();
    for (features, selected) in rows {
        let count = counts.entry(&features.category).or_default();
        match selected {
            true => count.0 += 1,
            false => count.1 += 1,
        }
    }
    let mut categories: Vec<Category> = counts
        .into_iter()
        .map(|(name, (selected, rest))| Category {
            name: name.to_owned(),
            selected,
            rest,
        })
        .collect();
    categories.sort_by(|a, b| {
        (b.selected + b.rest)
            .cmp(&(a.selected + a.rest))
            .then(a.name.cmp(&b.name))
    });
    Statistics {
        selected: side(true),
        rest: side(false),
        categories,
    }
}

/// Two numbers with an operator between them: `+ * × ÷ ^` anyhow, `- − /` with blanks around them (otherwise they are
/// dates, ranges and fractions), or an equals sign.
static ARITHMETIC: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"\d\s*[+*×÷^]\s*[-−]?\d|\d\s+[-−/]\s+\d|\d\)?\s*=\s*[-−]?\s*[$€£]?\s*\d").ok()
});

/// Whether a text has arithmetic: two numbers with an operator or an equals sign between them.
pub fn calculates(text: &str) -> bool {
    ARITHMETIC
        .as_ref()
        .is_some_and(|arithmetic| arithmetic.is_match(text))
}

/// Words of a task that is about programs.
const PROGRAMS: [&str; 16] = [
    "code",
    "coding",
    "python",
    "java",
    "javascript",
    "sql",
    "html",
    "css",
    "regex",
    "c++",
    "c#",
    "algorithm",
    "program",
    "script",
    "function",
    "bash",
];

/// A category where the data tell none: `coding` where one of the texts has a fenced block of code or the task a word
/// about programs, `calculation` where one has arithmetic, else `common`.
pub fn category(task: &str, response: &str) -> &'static str {
    let words = task.split(|c: char| !(c.is_alphanumeric() || c == '+' || c == '#'));
    let named = |word: &str| {
        let word = word.to_lowercase();
        PROGRAMS.contains(&word.as_str())
    };
    if task.contains("```") || response.contains("```") || words.into_iter().any(named) {
        "coding"
    } else if calculates(task) || calculates(response) {
        "calculation"
    } else {
        "common"
    }
}

/// Mean over the vectors (of length one) of `1 − cosine` to the nearest other: 0 where each has a twin. It falls as a
/// set grows, so only sets of one size compare. `None` for fewer than two.
pub fn novelty(vectors: &[Vec<f32>]) -> Option<f64> {
    if vectors.len() < 2 {
        return None;
    }
    let cosine = |a: &[f32], b: &[f32]| -> f32 { a.iter().zip(b).map(|(x, y)| x * y).sum() };
    let mut nearest = vec![f32::NEG_INFINITY; vectors.len()];
    for (at, one) in vectors.iter().enumerate() {
        for (other, two) in vectors.iter().enumerate().skip(at + 1) {
            let near = cosine(one, two);
            nearest[at] = nearest[at].max(near);
            nearest[other] = nearest[other].max(near);
        }
    }
    let distance = nearest
        .iter()
        .map(|near| 1.0 - f64::from(near.clamp(-1.0, 1.0)));
    Some(distance.sum::<f64>() / vectors.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_is_told_from_dates_and_ranges() {
        for text in [
            "2+2", "3 * -4", "7 × 8", "12 - 5", "10/2 = 5", "(1) = 1", "2^10", "6 / 3", "5=$5",
        ] {
            assert!(calculates(text), "{text}");
        }
        for text in [
            "2024-01-02",
            "24/7",
            "pages 3-5",
            "x = 5",
            "C++ 11",
            "1. one",
            "a + b",
            "",
        ] {
            assert!(!calculates(text), "{text}");
        }
    }

    #[test]
    fn tasks_have_a_category() {
        assert_eq!(category("Write a Python loop", ""), "coding");
        assert_eq!(category("Explain", "```\nx\n```"), "coding");
        assert_eq!(category("What is 2 + 2?", "4"), "calculation");
        assert_eq!(category("Describe encoding", "a"), "common");
        assert_eq!(category("Port it to C++.", "a"), "coding");
    }

    #[test]
    fn sides_are_told_apart() {
        let row = |characters, category: &str, selected| {
            let features = Features {
                characters,
                tokens: characters / 2,
                calculates: characters > 5,
                category: category.into(),
                ..Features::default()
            };
            (features, selected)
        };
        let found = statistics(&[row(10, "a", true), row(2, "b", false), row(4, "a", false)]);
        assert_eq!(found.selected.characters, Some(10.0));
        assert_eq!(found.selected.calculation, Some(1.0));
        assert_eq!(
            (found.rest.rows, found.rest.median_characters),
            (2, Some(3.0))
        );
        assert_eq!(found.rest.tokens, Some(1.5));
        let names: Vec<_> = found
            .categories
            .iter()
            .map(|c| (&*c.name, c.selected, c.rest))
            .collect();
        assert_eq!(names, [("a", 1, 1), ("b", 0, 1)]);
        let none = statistics(&[]);
        assert_eq!((none.rest.rows, none.rest.characters), (0, None));
    }

    #[test]
    fn twins_are_not_new() {
        let (x, y) = (vec![1.0, 0.0], vec![0.0, 1.0]);
        assert_eq!(novelty(&[x.clone(), y.clone()]), Some(1.0));
        assert_eq!(novelty(&[x.clone(), y, x.clone()]), Some(1.0 / 3.0));
        assert_eq!(novelty(&[x]), None);
    }
}
