//! Signs and their words in a line above a plot.

use plotters::coord::Shift;
use plotters::prelude::{
    Circle, Color, DrawingArea, PathElement, Rectangle, SVGBackend, Text, TriangleMarker,
};
use plotters::style::RGBColor;
use plotters::style::text_anchor::{HPos, VPos};

use super::{Area, Drawn, anchored, cause, palette::INK};
use crate::report::ReportError;

/// What stands before the words.
#[derive(Clone, Copy, Debug)]
pub enum Sign {
    Bar(RGBColor),
    Circle(RGBColor),
    Triangle(RGBColor),
    Line(RGBColor),
}

/// Height of the line.
const HEIGHT: i32 = 60;

/// Draws signs with their words above what is left of the area.
pub fn legend<'b>(
    area: &Area<'b>,
    signs: &[(Sign, &str)],
) -> Result<DrawingArea<SVGBackend<'b>, Shift>, ReportError> {
    let (above, rest) = area.split_vertically(HEIGHT);
    let mut x = 140;
    for (sign, words) in signs {
        draw(&above, *sign, x)?;
        let style = anchored(INK, HPos::Left, VPos::Center);
        above
            .draw(&Text::new(*words, (x + 60, HEIGHT / 2), style))
            .map_err(cause)?;
        // Half the height is about the width of a letter.
        x += 110 + 16 * words.chars().count() as i32;
    }
    Ok(rest)
}

fn draw(area: &Area<'_>, sign: Sign, x: i32) -> Drawn {
    let y = HEIGHT / 2;
    let done = match sign {
        Sign::Bar(color) => {
            let place = [(x, y - 16), (x + 44, y + 16)];
            area.draw(&Rectangle::new(place, color.filled()))
                .and_then(|()| area.draw(&Rectangle::new(place, color.stroke_width(2))))
        }
        Sign::Circle(color) => area.draw(&Circle::new((x + 30, y), 9, color.filled())),
        Sign::Triangle(color) => area.draw(&TriangleMarker::new((x + 30, y), 11, color.filled())),
        Sign::Line(color) => area.draw(&PathElement::new(
            [(x, y), (x + 48, y)],
            color.stroke_width(4),
        )),
    };
    done.map_err(cause)
}
