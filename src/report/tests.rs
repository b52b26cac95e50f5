//! The page as a whole.

use super::*;

const HOSTILE: &str = "</script><b onload=x>&\"'\u{7}{{ 7 * 7 }}";

fn rows(count: usize) -> Rows {
    let score = |row: usize| (row * 37 % 90) as f64 / 10.0;
    let label = |row: usize| (score(row) * 0.6 + (row % 4) as f64).round();
    Rows {
        signal: "self_eval".into(),
        scores: (0..count).map(score).collect(),
        range: Some((0.0, 9.0)),
        label: Some(Label {
            name: "rating".into(),
            values: (0..count).map(label).collect(),
            good: Some(Good {
                rule: ">=5".into(),
                rows: (0..count).map(|row| label(row) >= 5.0).collect(),
            }),
        }),
        clusters: (0..count).map(|row| row / 4).collect(),
        slices: Some(Slices {
            field: "category".into(),
            names: vec!["one".into(), HOSTILE.into()],
            rows: (0..count)
                .map(|row| (row % 5 > 0).then_some((row % 2) as u32))
                .collect(),
        }),
    }
}

fn asked(threshold: f64) -> Asked {
    Asked {
        rounds: 20,
        seed: 1,
        cut: Some(Cut {
            threshold,
            origin: None,
        }),
    }
}

fn page(rows: &Rows, asked: &Asked) -> (String, Figures) {
    let figures = figures(rows, asked).unwrap();
    let section = Section {
        facts: Facts {
            name: HOSTILE.into(),
            ..Facts::default()
        },
        figures: figures.clone(),
    };
    let report = Report {
        title: HOSTILE.into(),
        version: "1".into(),
        made: utc(0),
        sections: vec![section],
    };
    (render(&report).unwrap(), figures)
}

#[test]
fn all_plots_with_every_colour_of_the_style_sheet() {
    let (found, figures) = page(&rows(200), &asked(4.0));
    assert_eq!(found.matches("<figure>").count(), 5);
    assert_eq!(found.matches("role=\"img\"").count(), 5);
    assert_eq!(found.matches("<desc ").count(), 5);
    assert!(figures.missing.is_empty(), "{:?}", figures.missing);
    let plots = found.split_once("</style>").unwrap().1;
    assert!(!plots.contains("=\"#"), "a fixed colour is left");
    assert!(!found.contains("http:") && !found.contains("https:") && !found.contains("<script"));
    let cut = figures.cut.unwrap();
    let on = cut.labelled.unwrap();
    assert_eq!(on.coverage, cut.coverage);
    assert_eq!(on.coverage.share, Some(figures.at_cut.unwrap().coverage));
    assert_eq!(on.risk.share, Some(figures.at_cut.unwrap().risk));
    let by = figures.by.unwrap();
    assert_eq!((by.slices.len(), by.without), (2, 40));
}

#[test]
fn what_data_say_stays_text() {
    let mut rows = rows(80);
    rows.signal = HOSTILE.into();
    let label = rows.label.as_mut().unwrap();
    label.name = HOSTILE.into();
    label.good.as_mut().unwrap().rule = HOSTILE.into();
    rows.slices.as_mut().unwrap().field = HOSTILE.into();
    let (found, _) = page(&rows, &asked(4.0));
    let bare = ["</script>", "<b ", "\u{7}", "\"'", ">49<", "} 49"];
    for text in bare {
        assert!(!found.contains(text), "{text:?}");
    }
    assert!(found.contains("&lt;b onload") && found.contains("{{ 7 * 7 }}"));
    // What is missing names the label, too.
    rows.label.as_mut().unwrap().good = None;
    let (found, _) = page(&rows, &Asked::default());
    assert!(found.contains("Not in this report"));
    bare.iter()
        .for_each(|text| assert!(!found.contains(text), "{text:?}"));
}

#[test]
fn without_labels_there_are_scores_and_coverage() {
    let mut rows = rows(80);
    rows.label = None;
    let (found, figures) = page(&rows, &asked(4.0));
    // Scores and slices.
    assert_eq!(found.matches("<figure>").count(), 2);
    assert_eq!((figures.all, figures.left_out), (None, 0));
    assert!(figures.cut.unwrap().coverage.share.unwrap() > 0.4);
    assert_eq!(figures.missing.len(), 1);
    assert!(figures.missing[0].cure.contains("--label NAME"));
    rows.slices = None;
    let (found, figures) = page(&rows, &Asked::default());
    assert_eq!(found.matches("<figure>").count(), 1);
    let cures: Vec<&str> = figures.missing.iter().map(|m| m.cure.as_str()).collect();
    assert!(cures[1].contains("--threshold NUMBER") && cures[2].contains("--by FIELD"));
}

#[test]
fn rows_of_every_kind_can_be_drawn() {
    for scores in [
        vec![1.0],
        vec![0.5; 9],
        vec![f64::MAX, f64::MIN, 0.0],
        vec![f64::INFINITY, 1.0, 2.0],
        vec![f64::INFINITY; 2],
        vec![0.1, 0.1 + f64::EPSILON, f64::NAN],
        vec![1e-300, 2e-300],
        vec![f64::MIN_POSITIVE, 0.0],
        vec![-5.0, -3.25, -4.0],
    ] {
        for label in [0.0, 1e300] {
            let count = scores.len();
            let mut rows = rows(count);
            rows.range = None;
            rows.scores = scores.clone();
            let values = &mut rows.label.as_mut().unwrap().values;
            values[0] = label;
            values[count - 1] = f64::NAN;
            for threshold in [0.0, 0.1, -1e9, 1e300] {
                let (found, figures) = page(&rows, &asked(threshold));
                assert!(
                    found.ends_with("</html>") && !found.contains("NaN"),
                    "{scores:?}"
                );
                assert_eq!(figures.rows, count);
            }
        }
    }
}

#[test]
fn columns_that_do_not_fit_are_refused() {
    let mut short = rows(8);
    short.clusters.pop();
    let error = figures(&short, &Asked::default()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("`clusters` has 7 rows, the scores have 8"),
        "{error}"
    );
    let mut none = rows(8);
    none.scores = vec![f64::NAN; 8];
    let error = figures(&none, &Asked::default()).unwrap_err();
    assert!(matches!(error, ReportError::NoScore { .. }), "{error}");
}
