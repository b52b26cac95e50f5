//! Colours by role: a plot names roles, and the page's style sheet says what they look like by day, by night and on
//! paper.

use plotters::style::RGBColor;

/// Text and axes.
pub const INK: RGBColor = RGBColor(1, 0, 0);
/// Lines to read values off.
pub const GRID: RGBColor = RGBColor(2, 0, 0);
/// What is drawn where nothing tells good from bad.
pub const PLAIN: RGBColor = RGBColor(3, 0, 0);
pub const GOOD: RGBColor = RGBColor(4, 0, 0);
pub const BAD: RGBColor = RGBColor(5, 0, 0);
/// The cut and what belongs to it.
pub const CUT: RGBColor = RGBColor(6, 0, 0);
/// What others are compared with.
pub const REFERENCE: RGBColor = RGBColor(7, 0, 0);
/// A second line beside a plain one.
pub const SECOND: RGBColor = RGBColor(8, 0, 0);

const ROLES: [(RGBColor, &str); 8] = [
    (INK, "ink"),
    (GRID, "grid"),
    (PLAIN, "plain"),
    (GOOD, "good"),
    (BAD, "bad"),
    (CUT, "cut"),
    (REFERENCE, "reference"),
    (SECOND, "second"),
];

/// Says nothing that is not so without it.
const IDLE: [&str; 4] = [
    " stroke=\"none\"",
    " opacity=\"1\"",
    " stroke-width=\"1\"",
    " font-family=\"sans-serif\"",
];

/// Turns the fixed colours of roles into classes: `fill="#040000"` becomes the class `f-good`, `stroke="#040000"`
/// the class `s-good`. Other colours, and texts, stay.
pub fn recolour(svg: &str) -> String {
    let mut out = String::with_capacity(svg.len());
    let mut rest = svg;
    // Within attributes and texts the backend writes `<` and `>` as entities.
    while let Some((before, from)) = rest.split_once('<') {
        out += before;
        let (tag, after) = from.split_once('>').unwrap_or((from, ""));
        out.push('<');
        out += &classed(tag);
        out.push('>');
        rest = after;
    }
    out + rest
}

fn classed(tag: &str) -> String {
    let mut tag = IDLE
        .iter()
        .fold(tag.to_owned(), |tag, idle| tag.replace(idle, ""));
    let mut classes = Vec::new();
    for (RGBColor(r, g, b), role) in ROLES {
        for (part, letter) in [("fill", 'f'), ("stroke", 's')] {
            let fixed = format!(" {part}=\"#{r:02X}{g:02X}{b:02X}\"");
            if tag.contains(&fixed) {
                tag = tag.replace(&fixed, "");
                classes.push(format!("{letter}-{role}"));
            }
        }
    }
    let name = tag.find([' ', '/']).unwrap_or(tag.len());
    if !classes.is_empty() {
        tag.insert_str(name, &format!(" class=\"{}\"", classes.join(" ")));
    }
    tag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_become_classes() {
        let svg = "<svg>\n<rect x=\"1\" opacity=\"1\" fill=\"#040000\" stroke=\"none\"/>\n\
                   <line opacity=\"0.5\" stroke=\"#050000\"/><text fill=\"#010000\">a &lt;b fill=\"#010000\"</text>";
        let want = "<svg>\n<rect class=\"f-good\" x=\"1\"/>\n\
                    <line class=\"s-bad\" opacity=\"0.5\"/><text class=\"f-ink\">a &lt;b fill=\"#010000\"</text>";
        assert_eq!(recolour(svg), want);
        let other = "<rect fill=\"#123456\"/>";
        assert_eq!(recolour(other), other);
        assert_eq!(recolour("plain"), "plain");
    }
}
