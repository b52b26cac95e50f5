//! Colours by role: a style is asked for by a dotted name, and the names fall back to the left.

mod base16;
mod color;
pub mod contrast;
mod depth;
pub mod folder;
mod grammar;
pub mod lab;
mod set;

use std::collections::HashMap;

use ratatui::style::{Modifier, Style};

pub use depth::Depth;
pub use grammar::ThemeError;
pub use set::ThemeSet;

/// Styles by role.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Theme {
    /// As it is chosen by.
    pub name: String,
    styles: HashMap<String, Style>,
}

impl Theme {
    /// The style of a role: of the whole name if it is there, otherwise of the name without its
    /// last part, and so on; at the end no style at all.
    pub fn style(&self, role: &str) -> Style {
        let mut name = role;
        loop {
            if let Some(style) = self.styles.get(name) {
                return *style;
            }
            match name.rfind('.') {
                Some(dot) => name = &name[..dot],
                None => return Style::default(),
            }
        }
    }

    /// Whether the theme names this very role.
    pub fn has(&self, role: &str) -> bool {
        self.styles.contains_key(role)
    }

    /// The same theme without colour: what a background set apart is reversed instead, dimmed
    /// text stays dim.
    pub fn without_colour(mut self) -> Self {
        const REVERSED: [&str; 4] = [
            "ui.selection",
            "ui.tab.active",
            "ui.chip",
            "verdict.decline",
        ];
        for (role, style) in &mut self.styles {
            let mut plain = Style::default().add_modifier(style.add_modifier);
            if REVERSED.contains(&role.as_str()) {
                plain = plain.add_modifier(Modifier::REVERSED);
            }
            if role.ends_with(".dim") || role == "stale" {
                plain = plain.add_modifier(Modifier::DIM);
            }
            if role.starts_with("score.good") || role == "verdict.answer" {
                plain = plain.add_modifier(Modifier::BOLD);
            }
            *style = plain;
        }
        self
    }
}

#[cfg(test)]
mod tests;
