//! Figures as rows of words.

use minijinja::{Value, context};

use crate::report::{BySlice, Figures, Origin, Section, Share};
use crate::stats::show::{NONE, figure, interval};

/// A table; the first column names its rows.
#[derive(Clone, Debug)]
pub struct Table {
    pub caption: String,
    pub head: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

/// A measure with what it says, and its value for each set of rows.
#[derive(Clone, Debug)]
pub struct Measured {
    name: &'static str,
    /// In a few words.
    says: &'static str,
    values: Vec<String>,
}

/// Measures by sets of rows.
#[derive(Clone, Debug)]
pub struct Summary {
    names: Vec<String>,
    rows: Vec<Measured>,
}

impl From<Table> for Value {
    fn from(table: Table) -> Value {
        let Table {
            caption,
            head,
            rows,
        } = table;
        context! { caption, head, rows }
    }
}

impl From<Measured> for Value {
    fn from(row: Measured) -> Value {
        let Measured { name, says, values } = row;
        context! { name, says, values }
    }
}

impl From<Summary> for Value {
    fn from(summary: Summary) -> Value {
        let Summary { names, rows } = summary;
        context! { names, rows }
    }
}

/// `71.2 % [68.0, 74.1], 359 of 504`.
pub fn share(found: Share) -> String {
    let Some(value) = found.share else {
        return NONE.into();
    };
    let ends = found.interval.map_or_else(String::new, |(low, high)| {
        format!(" [{:.1}, {:.1}]", low * 100.0, high * 100.0)
    });
    format!(
        "{:.1} %{ends}, {} of {}",
        value * 100.0,
        found.part,
        found.whole
    )
}

type Measure = fn(&Figures) -> String;

fn error_of(figures: &Figures, fit: &str) -> String {
    let found = figures.calibration.iter().find(|c| c.fit == fit);
    figure(found.and_then(|c| c.ece))
}

const MEASURES: [(&str, &str, Measure); 16] = [
    ("Rows", "with signal and label", |f| {
        f.all
            .map_or_else(|| NONE.into(), |all| all.rows.to_string())
    }),
    ("Left out", "without signal or label", |f| {
        f.left_out.to_string()
    }),
    ("Pearson", "", |f| interval(f.all.and_then(|a| a.pearson))),
    ("Spearman", "", |f| interval(f.all.and_then(|a| a.spearman))),
    ("Kendall τ-b", "", |f| {
        interval(f.all.and_then(|a| a.kendall))
    }),
    ("Good", "share of good labels", |f| {
        figure(f.selective.and_then(|s| s.good))
    }),
    ("AUROC", "that a good row scores above a bad one", |f| {
        interval(f.selective.and_then(|s| s.auroc))
    }),
    ("AURC", "area under risk by coverage, less is better", |f| {
        interval(f.selective.and_then(|s| s.aurc))
    }),
    ("Excess AURC", "the same beyond the best order", |f| {
        interval(f.selective.and_then(|s| s.excess_aurc))
    }),
    ("ECE, isotonic fit", "expected calibration error", |f| {
        error_of(f, "isotonic")
    }),
    ("ECE, affine fit", "", |f| error_of(f, "affine")),
    (
        "Quadratic kappa",
        "agreement with the label beyond chance",
        |f| interval(f.agreement.and_then(|a| a.quadratic_kappa)),
    ),
    (
        "Gwet’s AC1",
        "the same, steady where one label is nearly all",
        |f| interval(f.agreement.and_then(|a| a.gwet_ac1)),
    ),
    ("Cut", "answered are scores from here on", |f| {
        let cut = f.cut.as_ref();
        cut.map_or_else(
            || NONE.into(),
            |cut| crate::report::plot::number(cut.threshold),
        )
    }),
    ("Coverage", "share answered of all scored rows", |f| {
        let cut = f.cut.as_ref();
        cut.map_or_else(|| NONE.into(), |cut| share(cut.coverage))
    }),
    ("Risk", "share of bad ones among the answered", |f| {
        let found = f.cut.as_ref().and_then(|cut| cut.labelled);
        found.map_or_else(|| NONE.into(), |found| share(found.risk))
    }),
];

/// All measures.
pub fn summary(sections: &[Section]) -> Summary {
    let row = |(name, says, value): &(&'static str, &'static str, Measure)| Measured {
        name,
        says,
        values: sections.iter().map(|s| value(&s.figures)).collect(),
    };
    Summary {
        names: sections.iter().map(|s| s.facts.name.clone()).collect(),
        rows: MEASURES.iter().map(row).collect(),
    }
}

fn origins(found: &[Origin]) -> Vec<String> {
    let one = |origin: &Origin| match origin.hash.is_empty() {
        true => origin.name.clone(),
        false => format!("{} ({:.12})", origin.name, origin.hash),
    };
    found.iter().map(one).collect()
}

/// Where rows come from; what is not known is left out.
pub fn facts(section: &Section) -> Vec<(&'static str, Vec<String>)> {
    let (facts, figures) = (&section.facts, &section.figures);
    let label = figures.label.as_ref().map(|name| match &figures.good {
        Some(rule) => format!("{name}, good: {rule}"),
        None => name.clone(),
    });
    let cut = figures.cut.as_ref().map(|cut| {
        let value = crate::report::plot::number(cut.threshold);
        match &cut.origin {
            Some(origin) => format!("{value}, {origin}"),
            None => value,
        }
    });
    let mut judges = origins(&facts.judges);
    if facts.mixed {
        judges
            .push("rows differ in judge, template, embedder or fusion and are taken as one".into());
    }
    let all = [
        ("File", vec![facts.name.clone()]),
        ("Rows", vec![facts.rows.to_string()]),
        ("Only rows with", facts.only.clone()),
        ("Rows with an error", vec![facts.errors.to_string()]),
        (
            "Lines that cannot be read",
            match facts.unreadable {
                0 => Vec::new(),
                lines => vec![lines.to_string()],
            },
        ),
        ("Judge", judges),
        ("Template", origins(&facts.templates)),
        ("Mode", facts.modes.clone()),
        ("Embedder", origins(&facts.embedders)),
        ("Fusion", facts.fusion.iter().cloned().collect()),
        ("Signal", vec![figures.signal.clone()]),
        ("Label", label.into_iter().collect()),
        ("Cut", cut.into_iter().collect()),
    ];
    let told = all.into_iter();
    told.filter(|(_, values)| !values.is_empty()).collect()
}

fn words(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

/// Counts of good and bad rows on both sides of the cut.
pub fn confusion(figures: &Figures) -> Option<Table> {
    let found = figures.cut.as_ref()?.labelled?.confusion;
    let row = |name: &str, good: usize, bad: usize| {
        vec![
            name.to_owned(),
            good.to_string(),
            bad.to_string(),
            (good + bad).to_string(),
        ]
    };
    Some(Table {
        caption: "Labelled rows at the cut.".into(),
        head: words(&["", "good", "bad", "both"]),
        rows: vec![
            row("answered", found.answered_good, found.answered_bad),
            row("declined", found.declined_good, found.declined_bad),
        ],
    })
}

/// How far fitted probabilities hold.
pub fn calibration(figures: &Figures) -> Option<Table> {
    let row = |c: &crate::stats::evaluation::Calibration| {
        let mut row = vec![
            c.fit.to_owned(),
            c.fitted.to_string(),
            c.reported.to_string(),
        ];
        row.extend([c.ece, c.brier, c.log_loss].map(figure));
        row
    };
    let rows: Vec<_> = figures.calibration.iter().map(row).collect();
    (!rows.is_empty()).then(|| Table {
        caption: "Fits from score to the probability of a good label, made on half of the instructions and reported \
                  on the others."
            .into(),
        head: words(&[
            "fit",
            "fitted on",
            "reported on",
            "ECE",
            "Brier",
            "log loss",
        ]),
        rows,
    })
}

/// Everything there is of each slice.
pub fn slices(figures: &Figures, by: &BySlice) -> Table {
    let mut head = words(&[by.field.as_str(), "rows", "mean score"]);
    let (labels, cut) = (figures.all.is_some(), figures.cut.is_some());
    let risk = figures.cut.as_ref().is_some_and(|c| c.labelled.is_some());
    if labels {
        head.extend(words(&["labelled", "Pearson", "Spearman"]));
    }
    if cut {
        head.push("coverage".into());
    }
    if risk {
        head.push("risk".into());
    }
    let row = |slice: &crate::report::Slice| {
        let mut row = vec![
            slice.value.clone(),
            slice.scored.to_string(),
            interval(slice.mean),
        ];
        if labels {
            row.push(slice.all.map_or(0, |all| all.rows).to_string());
            row.push(interval(slice.all.and_then(|all| all.pearson)));
            row.push(interval(slice.all.and_then(|all| all.spearman)));
        }
        let at = slice.cut.as_ref();
        if cut {
            row.push(at.map_or_else(|| NONE.into(), |at| share(at.coverage)));
        }
        if risk {
            let found = at.and_then(|at| at.labelled);
            row.push(found.map_or_else(|| NONE.into(), |found| share(found.risk)));
        }
        row
    };
    Table {
        caption: format!("Rows by {}.", by.field),
        head,
        rows: by.slices.iter().map(row).collect(),
    }
}
