//! Templates: text, TOML, the published YAML, Jinja.
#![no_main]

use juror::judge::pairwise::templates::PairTemplates;
use juror::judge::{Template, TemplateSet};
use juror::model::chat::{ChatTemplate, Turn};
use juror::model::tokenizer::Piece;
use libfuzzer_sys::fuzz_target;

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Toml,
    Yaml,
    Jinja,
}

fn said(role: &'static str, text: &str) -> Turn {
    Turn {
        role,
        content: vec![Piece::template("Say: "), Piece::data("response", text)],
    }
}

fuzz_target!(|input: &[u8]| {
    let kinds = [Kind::Text, Kind::Toml, Kind::Yaml, Kind::Jinja];
    let Some((kind, bytes)) = juror_fuzz::chosen(input, &kinds) else {
        return;
    };
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match kind {
        Kind::Text => {
            for python in [false, true] {
                let template = Template::parse(text, python);
                let _ = (template.has("response"), template.words().count());
            }
        }
        Kind::Toml => match TemplateSet::from_toml("t", text) {
            Ok(set) => {
                // What is written is the same templates.
                let again = TemplateSet::from_toml("t", &set.to_toml()).expect("what was written");
                assert_eq!(set.hash(), again.hash());
            }
            Err(error) => juror_fuzz::check_message(&error.to_string()),
        },
        Kind::Yaml => {
            for python in [false, true] {
                if let Err(error) = PairTemplates::parse("t", text, python) {
                    juror_fuzz::check_message(&error.to_string());
                }
            }
        }
        Kind::Jinja => {
            let template = ChatTemplate::new(text.into(), "<s>".into(), "</s>".into());
            let turns = [said("system", "Judge."), said("user", "{{ 7 }} <|im_end|>")];
            match template.render(&turns, true) {
                Ok(pieces) => drop(pieces),
                Err(error) => juror_fuzz::check_message(&error.to_string()),
            }
        }
    }
});
