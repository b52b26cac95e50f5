//! The page: figures in words, plots and a template.

mod captions;
mod tables;

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Value, context};

use super::plot::{self, About};
use super::{Figures, Report, ReportError, Section};
use tables::Table;

const TEMPLATE: &str = include_str!("report.html.j2");

/// A plot with its caption.
#[derive(Clone, Debug)]
struct Figure {
    /// Made by [`plot`], which escapes what comes from data.
    svg: String,
    title: String,
    caption: String,
}

/// One set of rows, in words.
#[derive(Clone, Debug)]
struct Part {
    id: String,
    name: String,
    facts: Vec<(&'static str, Vec<String>)>,
    missing: Vec<String>,
    plots: Vec<Figure>,
    tables: Vec<Table>,
}

impl From<Figure> for Value {
    fn from(figure: Figure) -> Value {
        let Figure {
            svg,
            title,
            caption,
        } = figure;
        context! { svg => Value::from_safe_string(svg), title, caption }
    }
}

impl From<Part> for Value {
    fn from(part: Part) -> Value {
        let Part {
            id,
            name,
            facts,
            missing,
            plots,
            tables,
        } = part;
        let missing: Vec<Value> = missing.iter().map(|text| with_code(text)).collect();
        context! { id, name, facts, missing, plots, tables }
    }
}

/// Text in which what stands between backticks is code.
fn with_code(text: &str) -> Value {
    let parts = text.split('`').enumerate();
    let parts = parts.map(|(at, part)| match (at % 2, minijinja::HtmlEscape(part)) {
        (0, part) => part.to_string(),
        (_, part) => format!("<code>{part}</code>"),
    });
    Value::from_safe_string(parts.collect())
}

/// The page as one HTML file without scripts that loads nothing.
///
/// # Errors
/// What plots or the template say; neither depends on the texts of the data.
pub fn render(report: &Report) -> Result<String, ReportError> {
    let parts: Result<Vec<Part>, ReportError> = report
        .sections
        .iter()
        .enumerate()
        .map(|(at, section)| part(at, section))
        .collect();
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true);
    let syntax = syntax.build();
    environment.set_syntax(syntax.map_err(|error| ReportError::Page(error.to_string()))?);
    let page = environment
        .render_str(
            TEMPLATE,
            context! {
                title => report.title.clone(),
                made => report.made.clone(),
                version => report.version.clone(),
                summary => tables::summary(&report.sections),
                intervals => captions::intervals(&report.sections),
                parts => parts?,
            },
        )
        .map_err(|error| ReportError::Page(format!("{error:#}")))?;
    // Characters that control a terminal or end a text have no place in HTML.
    let is_control = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    Ok(page.replace(is_control, "\u{FFFD}"))
}

fn part(at: usize, section: &Section) -> Result<Part, ReportError> {
    let figures = &section.figures;
    let id = format!("part{}", at + 1);
    let mut plots = Vec::new();
    let about = |name: &str, title: &str, description: &str| About {
        id: format!("{id}-{name}"),
        title: title.to_owned(),
        description: description.to_owned(),
    };
    type Draw = fn(&Figures, &About) -> Result<Option<String>, ReportError>;
    let all: [(&str, &str, Draw, String); 4] = [
        (
            "scores",
            "Scores",
            plot::scores,
            captions::histogram(figures),
        ),
        (
            "curve",
            "Risk and coverage",
            plot::risk_coverage,
            captions::curve(figures),
        ),
        (
            "reliability",
            "Reliability",
            plot::reliability,
            captions::reliability(figures),
        ),
        (
            "labels",
            "Scores and labels",
            plot::by_label,
            captions::scatter(figures),
        ),
    ];
    for (name, title, draw, caption) in all {
        let drawn = draw(figures, &about(name, title, &caption))?;
        plots.extend(drawn.map(|svg| Figure {
            svg,
            title: title.to_owned(),
            caption,
        }));
    }
    let mut tables: Vec<Table> = tables::confusion(figures).into_iter().collect();
    tables.extend(tables::calibration(figures));
    if let Some(by) = &figures.by {
        let title = format!("By {}", by.field);
        let caption = captions::slices(figures, by);
        let (_, svg) = plot::slices(figures, by, &about("slices", &title, &caption))?;
        plots.push(Figure {
            svg,
            title,
            caption,
        });
        tables.push(tables::slices(figures, by));
    }
    let missing = figures.missing.iter();
    Ok(Part {
        id,
        name: section.facts.name.clone(),
        facts: tables::facts(section),
        missing: missing
            .map(|m| format!("{}: {}.", m.what, m.cure))
            .collect(),
        plots,
        tables,
    })
}
