//! Colours as the eye tells them apart: OKLab, where equal steps look equally far.

use ratatui::style::Color;

/// Red, green and blue.
pub type Rgb = (u8, u8, u8);

/// A colour as lightness and two opponent axes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lab {
    /// From black at 0 to white at 1.
    pub light: f64,
    /// From green to red.
    pub a: f64,
    /// From blue to yellow.
    pub b: f64,
}

/// The sixteen terminal colours as xterm draws them. Terminals let people change them, so they
/// serve to find the nearest one, and for nothing finer.
const SIXTEEN: [Rgb; 16] = [
    (0, 0, 0),
    (205, 0, 0),
    (0, 205, 0),
    (205, 205, 0),
    (0, 0, 238),
    (205, 0, 205),
    (0, 205, 205),
    (229, 229, 229),
    (127, 127, 127),
    (255, 0, 0),
    (0, 255, 0),
    (255, 255, 0),
    (92, 92, 255),
    (255, 0, 255),
    (0, 255, 255),
    (255, 255, 255),
];

/// The sixteen by name, in their order.
pub const NAMES: [Color; 16] = [
    Color::Black,
    Color::Red,
    Color::Green,
    Color::Yellow,
    Color::Blue,
    Color::Magenta,
    Color::Cyan,
    Color::Gray,
    Color::DarkGray,
    Color::LightRed,
    Color::LightGreen,
    Color::LightYellow,
    Color::LightBlue,
    Color::LightMagenta,
    Color::LightCyan,
    Color::White,
];

/// What one of the 256 colours looks like: the sixteen, a cube of six steps a side, greys.
pub fn indexed(index: u8) -> Rgb {
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    match index {
        0..=15 => SIXTEEN[usize::from(index)],
        16..=231 => {
            let place = usize::from(index - 16);
            (STEPS[place / 36], STEPS[place / 6 % 6], STEPS[place % 6])
        }
        232.. => {
            let grey = 8 + 10 * (index - 232);
            (grey, grey, grey)
        }
    }
}

/// What a colour looks like; `None` for the terminal's own, which nobody knows.
pub fn rgb(color: Color) -> Option<Rgb> {
    match color {
        Color::Rgb(r, g, b) => Some((r, g, b)),
        Color::Indexed(index) => Some(indexed(index)),
        named => {
            let place = NAMES.iter().position(|name| *name == named)?;
            Some(SIXTEEN[place])
        }
    }
}

/// Light itself, without the curve that screens apply.
pub fn linear(channel: u8) -> f64 {
    let c = f64::from(channel) / 255.0;
    if c <= 0.040_45 {
        c / 12.92
    } else {
        ((c + 0.055) / 1.055).powf(2.4)
    }
}

fn curved(light: f64) -> u8 {
    let light = light.clamp(0.0, 1.0);
    let c = if light <= 0.003_130_8 {
        light * 12.92
    } else {
        1.055 * light.powf(1.0 / 2.4) - 0.055
    };
    (c * 255.0).round() as u8
}

impl Lab {
    /// Of a colour on screen.
    pub fn of((r, g, b): Rgb) -> Self {
        let (r, g, b) = (linear(r), linear(g), linear(b));
        let long = 0.412_221_470_8 * r + 0.536_332_536_3 * g + 0.051_445_992_9 * b;
        let medium = 0.211_903_498_2 * r + 0.680_699_545_1 * g + 0.107_396_956_6 * b;
        let short = 0.088_302_461_9 * r + 0.281_718_837_6 * g + 0.629_978_700_5 * b;
        let (l, m, s) = (long.cbrt(), medium.cbrt(), short.cbrt());
        Lab {
            light: 0.210_454_255_3 * l + 0.793_617_785 * m - 0.004_072_046_8 * s,
            a: 1.977_998_495_1 * l - 2.428_592_205 * m + 0.450_593_709_9 * s,
            b: 0.025_904_037_1 * l + 0.782_771_766_2 * m - 0.808_675_766 * s,
        }
    }

    /// On screen; what a screen cannot show is cut to what it can.
    pub fn rgb(self) -> Rgb {
        let l = self.light + 0.396_337_777_4 * self.a + 0.215_803_757_3 * self.b;
        let m = self.light - 0.105_561_345_8 * self.a - 0.063_854_172_8 * self.b;
        let s = self.light - 0.089_484_177_5 * self.a - 1.291_485_548 * self.b;
        let (l, m, s) = (l.powi(3), m.powi(3), s.powi(3));
        (
            curved(4.076_741_662_1 * l - 3.307_711_591_3 * m + 0.230_969_929_2 * s),
            curved(-1.268_438_004_6 * l + 2.609_757_401_1 * m - 0.341_319_396_5 * s),
            curved(-0.004_196_086_3 * l - 0.703_418_614_7 * m + 1.707_614_701 * s),
        )
    }

    /// How far apart two colours look, squared.
    pub fn distance(self, other: Lab) -> f64 {
        (self.light - other.light).powi(2) + (self.a - other.a).powi(2) + (self.b - other.b).powi(2)
    }

    /// How colourful it is; greys are at 0.
    pub fn chroma(self) -> f64 {
        self.a.hypot(self.b)
    }

    /// How far the hues of two colours are apart, in degrees up to 180.
    pub fn hue_distance(self, other: Lab) -> f64 {
        let hue = |lab: Lab| lab.b.atan2(lab.a).to_degrees();
        let apart = (hue(self) - hue(other)).abs();
        apart.min(360.0 - apart)
    }

    /// On the way to another colour, that far.
    pub fn towards(self, other: Lab, share: f64) -> Lab {
        let between = |from: f64, to: f64| from + (to - from) * share;
        Lab {
            light: between(self.light, other.light),
            a: between(self.a, other.a),
            b: between(self.b, other.b),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_is_light_and_greys_have_no_colour() {
        let white = Lab::of((255, 255, 255));
        assert!((white.light - 1.0).abs() < 1e-4 && white.chroma() < 1e-4);
        assert!(Lab::of((0, 0, 0)).light.abs() < 1e-9);
        assert!(Lab::of((90, 90, 90)).chroma() < 1e-4);
    }

    #[test]
    fn there_and_back_is_the_same_colour() {
        for index in 0..=255 {
            let colour = indexed(index);
            assert_eq!(Lab::of(colour).rgb(), colour);
        }
    }

    #[test]
    fn the_cube_and_the_greys_are_where_terminals_have_them() {
        assert_eq!(indexed(16), (0, 0, 0));
        assert_eq!(indexed(110), (135, 175, 215));
        assert_eq!(indexed(231), (255, 255, 255));
        assert_eq!((indexed(232), indexed(255)), ((8, 8, 8), (238, 238, 238)));
    }

    #[test]
    fn the_terminals_own_colour_is_not_known() {
        assert_eq!(rgb(Color::Reset), None);
        assert_eq!(rgb(Color::DarkGray), Some((127, 127, 127)));
    }
}
