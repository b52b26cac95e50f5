//! Texts out of data: on screen, in messages, in the forms that a collection compares, before the detector.
#![no_main]

use juror::data::Record;
use juror::data::collect::language::foreign;
use juror::data::collect::near::shingle::{jaccard, shingles};
use juror::data::collect::words::{bare, content, normal, stem};
use juror::judge::TemplateSet;
use juror::judge::suspect::Detector;
use juror::tui::text::{clean, inert, truncate, width, wrap};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static DETECTOR: LazyLock<Detector> = LazyLock::new(|| {
    let special = ["<|im_end|>", "</s>", "[INST]"];
    Detector::new(&TemplateSet::standard().expect("standard templates"), special)
});

fuzz_target!(|text: &str| {
    for ascii in [false, true] {
        let shown = inert(text, ascii);
        assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{shown:?}");
        assert_eq!(inert(&shown, ascii), shown);
    }
    let _ = clean(text);
    for columns in [1, 7, 40] {
        let short = truncate(text, columns, "…");
        assert!(width(&short) <= columns || columns < 2, "{short:?}");
        let _ = wrap(text, columns);
    }
    let form = normal(text);
    assert!(!form.starts_with(' ') && !form.ends_with(' ') && !form.contains("  "), "{form:?}");
    let stems: Vec<_> = content(bare(&form)).map(stem).collect();
    assert!(stems.iter().all(|stem| !stem.contains(' ')));
    let set = shingles(&form);
    assert!(form.is_empty() || jaccard(&set, &set) == 1.0);
    let _ = foreign(&form);
    let record = Record {
        instruction: "Name a river.".into(),
        ..Record::default()
    };
    for span in DETECTOR.spans(&record, text) {
        assert!(text.get(span.range()).is_some(), "{span:?}");
    }
});
