use serde_json::json;

use super::*;

fn read(rows: &[Value], wanted: &Wanted) -> (Judged, Vec<RowError>) {
    let file = tempfile::NamedTempFile::new().unwrap();
    let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
    std::fs::write(file.path(), lines.join("\n")).unwrap();
    let mut judged = Judged::default();
    let errors = judged.read(file.path(), &FieldMap::default(), wanted);
    (judged, errors.unwrap())
}

fn label(name: &str) -> Wanted {
    Wanted {
        label: Some(name.to_owned()),
        ..Wanted::default()
    }
}

#[test]
fn rows_of_pairs_become_columns() {
    let order = |principle: &str, order: Value, p_a: f64, p_b: f64| json!({"principle": principle, "order": order, "p_a": p_a, "p_b": p_b});
    let rows = [
        json!({"id": "1", "instruction_hash": "h", "winner": "a", "orders": [order("x", json!(1), 0.9, 0.1),
            order("x", json!(2), 0.8, 0.1), order("y", json!(1), 0.2, 0.5), order("y", json!(2), 0.2, 0.4)],
            "generator_a": "g", "generator_b": "h", "length_a": 10, "length_b": 12, "meta": {"label": "tie", "source": "s"},
            "labels": {}, "error": null}),
        json!({"id": "2", "instruction_hash": "h", "winner": null, "generator_a": "h", "generator_b": null, "response_b_id": "2",
            "length_a": 4, "length_b": 4, "labels": {"label": 1}, "meta": {}, "error": "too long"}),
    ];
    let wanted = Wanted {
        fields: vec!["source".into()],
        ..label("label")
    };
    let (found, errors) = read(&rows, &wanted);
    assert_eq!((found.len(), errors.len(), found.failed), (2, 0, 1));
    assert_eq!(found.verdict[0], 1.0);
    assert!(found.verdict[1].is_nan());
    assert_eq!(found.label, [0.5, 1.0]);
    assert_eq!(found.generators, ["g", "h"]);
    assert_eq!(found.generator_a, [Some(0), Some(1)]);
    assert_eq!(found.generator_b, [Some(1), None]);
    assert_eq!(found.longer(), [0.0, 0.5]);
    assert_eq!(found.clusters(None).unwrap(), [0, 0]);
    assert_eq!(found.clusters(Some("source")).unwrap(), [0, 2]);
    assert!(found.clusters(Some("other")).is_err());
    // Order 1: a wins x by 0.8 and loses y by 0.3; order 2: b leads x by 0.7, a leads y by 0.2.
    let order = found.orders[0].unwrap();
    assert_eq!((order.first, order.second), (1.0, 0.0));
    assert!((order.shift - (0.8 - 0.3 + 0.7 - 0.2) / 4.0).abs() < 1e-12);
    assert_eq!(found.orders[1], None);
}

#[test]
fn data_with_labels_are_judged_pairs_too() {
    let rows = [
        json!({"id": "1", "instruction": "I", "input": "", "response_a": "né", "response_b": "x", "label": "b",
            "generator_a": "g", "generator_b": "h", "order_votes": [1, -1]}),
        json!({"instr_id": 4, "instruction": "I", "response": "abc", "reference": "abcd", "generator": "g", "label": 0.25}),
        json!({"instruction": "J", "generator_1": "g", "generator_2": "k", "output_1": "abc", "output_2": "", "preference": 1.25,
            "label": 1.0}),
        json!({"question_id": 3, "model_a": "g", "model_b": "k", "label": "tie (bothbad)"}),
        json!({"id": "5", "response_a": "", "response_b": "x", "label": "A>>B"}),
        json!({"id": "6", "response_a": "", "response_b": "x", "label": 7}),
        json!({"id": "7", "instruction": "x"}),
    ];
    let (found, errors) = read(&rows, &label("label"));
    assert_eq!(found.label, [0.0, 0.25, 1.0, 0.5, 1.0]);
    assert_eq!(found.generators, ["g", "h", "reference", "k"]);
    assert_eq!(found.clusters(None).unwrap(), [0, 0, 1, 2, 3]);
    assert_eq!(found.length_a[..3], [2.0, 3.0, 3.0]);
    assert_eq!(found.longer()[..3], [1.0, 0.0, 1.0]);
    let order = found.orders[0].unwrap();
    assert_eq!((order.first, order.second, order.shift), (1.0, 0.0, 1.0));
    assert_eq!((errors[0].line, errors[1].line), (6, 7));
    assert!(errors[0].message.contains("field `label`: expected `a`"));
    assert!(errors[1].message.contains("no judged pair"));
    let (found, _) = read(&rows[2..3], &label("preference"));
    assert_eq!(found.label, [0.75]);
    let none = Wanted {
        only: vec![("generator_a".into(), "nobody".into())],
        ..label("label")
    };
    assert!(read(&rows, &none).0.is_empty());
}

#[test]
fn a_reference_is_one_of_the_two() {
    let row = |id: &str, side: &str| {
        json!({"id": id, "winner": "b", "generator_a": "g", "generator_b": null, "response_a_id": side,
            "response_b_id": "reference"})
    };
    let (found, _) = read(&[row("1", "x"), row("1", "y")], &Wanted::default());
    assert_eq!(found.generators, ["g", "reference"]);
    assert_eq!(found.generator_b, [Some(1), Some(1)]);
    assert_ne!(found.key[0], found.key[1]);
}

#[test]
fn who_won_is_told_in_many_ways() {
    let of = |value: Value| outcome("w", &value, false);
    for (value, want) in [
        (json!("A"), 1.0),
        (json!("model_b"), 0.0),
        (json!("a > b"), 1.0),
        (json!("tie (inconsistent)"), 0.5),
        (json!("0.5"), 0.5),
        (json!(0), 0.0),
        (json!(0.3), 0.3),
    ] {
        assert_eq!(of(value.clone()), Ok(want), "{value}");
    }
    for value in [json!(2), json!(true), json!("c"), json!("nan"), json!([])] {
        assert!(of(value.clone()).is_err(), "{value}");
    }
    assert_eq!(outcome("w", &json!(2), true), Ok(0.0));
    assert_eq!(outcome("w", &json!(0), true), Ok(0.5));
}
