//! The explorer on the terminal.
//!
//! [`State`](state::State) is all there is to know; [`update`](update::update) is pure and answers
//! a message with effects as data; [`view`](view::view) draws; [`run`](run::run) does what effects
//! ask for.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod effect;
pub mod finder;
mod follow;
pub mod glyphs;
pub mod ground;
pub mod key;
pub mod keymap;
pub mod layout;
pub mod look;
pub mod message;
pub mod run;
pub mod state;
pub mod terminal;
pub mod text;
pub mod theme;
mod theme_box;
pub mod update;
pub mod view;
pub mod watch;
pub mod widget;

mod comparer;
mod input;
mod keeper;
mod person;
mod searcher;
mod signals;
mod tables;
mod writer;

pub use run::{DataLoader, ExploreOptions, JudgeConnector, JudgeLink, run};
pub use state::{Loaded, RowError};

#[cfg(test)]
mod tests;
