//! What a person sets: keys, themes, names of fields, sources of a collection, trainings.
#![no_main]

use juror::data::FieldMap;
use juror::data::collect::source::Sources;
use juror::tui::key::Key;
use juror::tui::keymap::Keymap;
use juror::tui::theme::{ThemeSet, folder};
use libfuzzer_sys::fuzz_target;

#[derive(Clone, Copy)]
enum Kind {
    Keymap,
    Theme,
    Scheme,
    Fields,
    Sources,
    Keys,
}

fuzz_target!(|input: &[u8]| {
    use Kind::*;
    let kinds = [Keymap, Theme, Scheme, Fields, Sources, Keys];
    let Some((kind, bytes)) = juror_fuzz::chosen(input, &kinds) else {
        return;
    };
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match kind {
        Keymap => {
            if let Err(error) = self::Keymap::parse(text) {
                juror_fuzz::check_message(&error.to_string());
            }
        }
        Theme => {
            let (_, errors) = ThemeSet::new(&[("mine".into(), text.into())], true);
            for error in errors {
                juror_fuzz::check_message(&error.to_string());
            }
        }
        Scheme => {
            juror_fuzz::file("mine.yaml", bytes);
            drop(folder::read(juror_fuzz::folder()));
        }
        Fields => {
            if let Err(error) = FieldMap::parse(&text.lines().collect::<Vec<_>>()) {
                juror_fuzz::check_message(&error.to_string());
            }
        }
        Sources => {
            let path = juror_fuzz::file("sources.toml", bytes);
            if let Err(error) = self::Sources::default().add_config(&path, &FieldMap::new()) {
                juror_fuzz::check_message(&error.to_string());
            }
        }
        Keys => drop(Key::parse_typed(text)),
    }
});
