//! Plots as SVG, to be put into a page whose style sheet knows the roles of [`palette`].

mod bars;
mod curve;
mod histogram;
mod legend;
mod palette;
mod reliability;
mod scatter;

use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::{
    Cartesian2d, Color, DrawingArea, IntoDrawingArea, IntoFont, PathElement, SVGBackend, Text,
    TextStyle,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};

pub use bars::{Measure, slices};
pub use curve::risk_coverage;
pub use histogram::scores;
pub use reliability::reliability;
pub use scatter::by_label;

use super::ReportError;
use palette::{CUT, GRID, INK};

/// Plots are drawn twice as large as they are shown: the backend rounds to whole units.
const SIZE: (u32, u32) = (1280, 800);

/// Height of text, as the backend counts it.
const TEXT: u32 = 36;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
type Drawn = Result<(), ReportError>;

/// Whatever the backend says, in words.
fn cause<E: std::fmt::Display>(error: E) -> ReportError {
    ReportError::Page(error.to_string())
}

/// What is told of a plot to who cannot see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Tells this plot from the others of the page.
    pub id: String,
    pub title: String,
    /// What it shows.
    pub description: String,
}

/// Draws a plot, and gives it its title and description.
fn svg(
    about: &About,
    size: (u32, u32),
    paint: impl FnOnce(&Area<'_>) -> Drawn,
) -> Result<String, ReportError> {
    let mut raw = String::new();
    {
        let area = SVGBackend::with_string(&mut raw, size).into_drawing_area();
        paint(&area)?;
        area.present().map_err(cause)?;
    }
    // The page is HTML: it needs neither a namespace nor a size in pixels.
    let inner = raw
        .split_once('>')
        .and_then(|(_, inner)| inner.trim_end().strip_suffix("</svg>"))
        .ok_or_else(|| ReportError::Page("a plot has no frame".into()))?;
    let (width, height) = size;
    let About {
        id,
        title,
        description,
    } = about;
    let [id, title, description] = [id, title, description].map(|text| escaped(text));
    Ok(format!(
        "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"{id}-title {id}-desc\">\
         <title id=\"{id}-title\">{title}</title><desc id=\"{id}-desc\">{description}</desc>{}</svg>",
        palette::recolour(inner)
    ))
}

fn escaped(text: &str) -> String {
    minijinja::HtmlEscape(text).to_string()
}

/// Text of a role.
fn text(color: plotters::style::RGBColor) -> TextStyle<'static> {
    ("sans-serif", TEXT).into_font().color(&color)
}

/// Text that ends, stands in the middle or begins at its place.
fn anchored(
    color: plotters::style::RGBColor,
    horizontal: HPos,
    vertical: VPos,
) -> TextStyle<'static> {
    text(color).pos(Pos::new(horizontal, vertical))
}

/// What an axis says of itself and of its values.
struct Axis<'a> {
    ends: (f64, f64),
    name: &'a str,
    tick: &'a dyn Fn(&f64) -> String,
}

/// Axes over an area, with lines to read values off.
fn chart<'a, 'b>(
    area: &'a Area<'b>,
    x: &Axis<'_>,
    y: &Axis<'_>,
) -> Result<Chart<'a, 'b>, ReportError> {
    let mut chart = ChartBuilder::on(area)
        .margin_top(16)
        .margin_right(60)
        .x_label_area_size(104)
        .y_label_area_size(136)
        .build_cartesian_2d(x.ends.0..x.ends.1, y.ends.0..y.ends.1)
        .map_err(cause)?;
    chart
        .configure_mesh()
        .x_desc(x.name)
        .y_desc(y.name)
        .x_labels(9)
        .y_labels(7)
        .x_label_formatter(&x.tick)
        .y_label_formatter(&y.tick)
        .label_style(text(INK))
        .axis_desc_style(text(INK))
        .axis_style(INK.stroke_width(2))
        .bold_line_style(GRID.stroke_width(2))
        .light_line_style(plotters::style::TRANSPARENT)
        .draw()
        .map_err(cause)?;
    Ok(chart)
}

/// The cut as a standing line with its value.
fn cut_line(chart: &mut Chart<'_, '_>, threshold: f64, x: (f64, f64), y: (f64, f64)) -> Drawn {
    if !(x.0..=x.1).contains(&threshold) {
        return Ok(());
    }
    let line = [(threshold, y.0), (threshold, y.1)];
    chart
        .draw_series([PathElement::new(line, CUT.stroke_width(4))])
        .map_err(cause)?;
    // On the side where there is room.
    let (side, gap) = match threshold - x.0 > 0.5 * (x.1 - x.0) {
        true => (HPos::Right, -0.01),
        false => (HPos::Left, 0.01),
    };
    let at = (threshold + gap * (x.1 - x.0), y.1);
    let words = format!("cut {}", number(threshold));
    chart
        .draw_series([Text::new(words, at, anchored(CUT, side, VPos::Top))])
        .map_err(cause)?;
    Ok(())
}

/// A number as short as it can be with four digits.
pub fn number(value: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    if !(1e-3..1e6).contains(&value.abs()) {
        return format!("{value:.2e}");
    }
    let digits = (3 - value.abs().log10().floor() as i32).clamp(0, 6) as usize;
    let found = format!("{value:.digits$}");
    match found.contains('.') {
        true => found.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => found,
    }
    .replace('-', "−")
}

/// A share in per cent.
pub fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// A value on an axis: rounding leaves 0.30000000000000004.
fn tick(value: &f64) -> String {
    number((value * 1e9).round() / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (value, want) in [
            (0.0, "0"),
            (0.5, "0.5"),
            (6.0, "6"),
            (-1.25, "−1.25"),
            (0.123_456, "0.1235"),
            (123.456, "123.5"),
            (99_999.0, "99999"),
            (1e300, "1.00e300"),
            (1e-9, "1.00e-9"),
        ] {
            assert_eq!(number(value), want);
        }
        assert_eq!(tick(&0.300_000_000_000_000_04), "0.3");
        assert_eq!(percent(0.416), "42 %");
    }

    #[test]
    fn a_plot_tells_what_it_is() {
        let about = About {
            id: "p1".into(),
            title: "<b>".into(),
            description: "a & b".into(),
        };
        let paint = |area: &Area<'_>| {
            let drawn = area.draw(&Text::new("</script>", (10, 10), text(INK)));
            drawn.map_err(cause)
        };
        let found = svg(&about, (20, 20), paint).unwrap();
        assert!(
            found.starts_with("<svg viewBox=\"0 0 20 20\" role=\"img\""),
            "{found}"
        );
        assert!(
            found.contains("<title id=\"p1-title\">&lt;b&gt;</title>"),
            "{found}"
        );
        assert!(
            found.contains("a &amp; b") && found.contains("class=\"f-ink\""),
            "{found}"
        );
        assert!(
            !found.contains("</script>") && !found.contains("http"),
            "{found}"
        );
        assert!(
            found.ends_with("</svg>") && found.matches("<svg").count() == 1,
            "{found}"
        );
    }
}
