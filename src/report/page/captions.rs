//! What stands under plots; the same text describes them to who cannot see them.

use crate::report::plot::{Measure, number, percent};
use crate::report::{BySlice, Figures, Section};

/// How intervals were made.
pub fn intervals(sections: &[Section]) -> String {
    let rounds = sections.first().map_or(0, |s| s.figures.rounds);
    let drawn = match rounds {
        0 => "without intervals (no rounds of the bootstrap were asked for)".to_owned(),
        rounds => format!(
            "with 95 % intervals by a bootstrap over instructions ({rounds} rounds; above 100,000 instructions by \
             sections)"
        ),
    };
    format!(
        "Estimates {drawn}; shares at the cut with Wilson’s 95 % interval, which takes rows for independent. A dash \
         stands for what is not defined on these rows."
    )
}

fn is_outside(figures: &Figures) -> bool {
    let bins = figures.histogram.bins;
    let cut = figures.cut.as_ref();
    let outside = cut.zip(bins).map(|(cut, bins)| {
        let ends = bins.low..=bins.high;
        !ends.contains(&cut.threshold)
    });
    outside.unwrap_or(false)
}

/// Where the cut is drawn.
fn cut(figures: &Figures) -> String {
    match &figures.cut {
        None => String::new(),
        Some(cut) if is_outside(figures) => format!(
            " The cut, {}, lies outside of what is shown.",
            number(cut.threshold)
        ),
        Some(cut) => format!(
            " The dashed line is the cut, {}: scores from there on are answered.",
            number(cut.threshold)
        ),
    }
}

pub fn histogram(figures: &Figures) -> String {
    let rows = figures.scored;
    let signal = &figures.signal;
    let what = match (&figures.label, &figures.good) {
        (Some(label), Some(rule)) if !figures.histogram.good.is_empty() => {
            let shown = figures.all.map_or(0, |all| all.rows);
            let left = match rows - shown {
                0 => String::new(),
                rows => format!(" {rows} scored rows without the label are not shown."),
            };
            format!(
                "{shown} rows by {signal}; those with a good label ({label} {rule}) above the axis, bad ones hatched below \
                 it.{left}"
            )
        }
        _ => format!("{rows} rows by {signal}."),
    };
    what + &cut(figures)
}

pub fn curve(figures: &Figures) -> String {
    let what = match figures.good.is_some() {
        true => "Share of bad ones among the answered",
        false => "Mean loss of the answered (0 at the highest label there is, 1 at the lowest)",
    };
    let point = match (&figures.cut, figures.at_cut) {
        (None, _) => String::new(),
        (Some(_), None) => " At the cut, no labelled row is answered.".into(),
        (Some(_), Some(at)) => format!(
            " The dot is the cut: {} of the labelled rows are answered.",
            percent(at.coverage)
        ),
    };
    format!(
        "{what}, when the highest scores are answered first. The dotted line is that of answering all.{point}"
    )
}

pub fn reliability(figures: &Figures) -> String {
    let Some(first) = figures.calibration.first() else {
        return String::new();
    };
    format!(
        "Probabilities of a good label, fitted to the scores of {} rows, against what came on {} rows of other \
         instructions, in {} bins of about equally many; whiskers are Wilson’s 95 % intervals of the isotonic fit. On \
         the dotted line promises hold.",
        first.fitted,
        first.reported,
        first.bins.len()
    )
}

pub fn scatter(figures: &Figures) -> String {
    let scatter = &figures.scatter;
    let shown = scatter.points.len();
    let which = match shown < scatter.rows {
        true => format!(
            "{shown} of {} rows, drawn at random but the same each time",
            scatter.rows
        ),
        false => format!("{shown} rows"),
    };
    let spread = match scatter.spread > 0.0 {
        true => format!(
            " Points are spread by up to ±{} along the label, so that equal ones are seen.",
            number(scatter.spread)
        ),
        false => String::new(),
    };
    let label = figures.label.as_deref().unwrap_or_default();
    let signs = match figures.good.is_some() {
        true => " Circles are good, triangles bad.",
        false => "",
    };
    format!(
        "{which} by {} and {label}.{signs}{spread}{}",
        figures.signal,
        cut(figures)
    )
}

pub fn slices(figures: &Figures, by: &BySlice) -> String {
    let measure = Measure::of(figures);
    let more = match by.more {
        0 => String::new(),
        more => format!(" {more} further values with fewer rows are not shown."),
    };
    let without = match by.without {
        0 => String::new(),
        rows => format!(" {rows} scored rows have no value."),
    };
    let kind = match measure {
        Measure::Risk | Measure::Coverage => "Wilson’s 95 % intervals",
        Measure::Pearson | Measure::Mean => "95 % intervals by bootstrap",
    };
    let whole = match measure {
        Measure::Mean => "",
        _ => " The dashed line is that of all rows.",
    };
    format!(
        "By {}, {}; whiskers are {kind}.{whole}{more}{without}",
        by.field,
        measure.name()
    )
}
