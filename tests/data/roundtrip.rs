//! What is written in the own format reads back the same.

use std::collections::BTreeMap;

use juror::data::write::write_jsonl;
use juror::data::{Record, Response};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{good, read_bytes};

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-zA-Z \n\"\\\\{}é✓\u{1f600}]{0,20}x", ".{0,20}x"]
}

fn some_text() -> impl Strategy<Value = Option<String>> {
    proptest::option::of(text())
}

fn meta() -> impl Strategy<Value = Map<String, Value>> {
    let value = prop_oneof![
        Just(Value::Null),
        Just(json!(true)),
        Just(json!([1, "two", {"three": 3.5}])),
        Just(json!(-7)),
        text().prop_map(Value::String),
    ];
    proptest::collection::vec(("meta_[a-z]{1,5}", value), 0..4)
        .prop_map(|pairs| pairs.into_iter().collect())
}

prop_compose! {
    fn response(place: usize)(
        generator in some_text(),
        text in ".{0,40}",
        labels in proptest::collection::btree_map(
            prop_oneof![Just("p".to_string()), Just("score".to_string()), Just("rating".to_string())],
            (-64_000..64_000i32).prop_map(|number| f64::from(number) / 64.0),
            0..3,
        ),
        reason in some_text(),
        meta in meta(),
    ) -> Response {
        let labels: BTreeMap<String, f64> = labels;
        Response { id: format!("r{place}"), generator, text, labels, reason, meta }
    }
}

fn responses() -> impl Strategy<Value = Vec<Response>> {
    (0usize..4).prop_flat_map(|count| (0..count).map(response).collect::<Vec<_>>())
}

prop_compose! {
    fn record(place: usize)(
        instruction in text(),
        (input, context, reference) in (some_text(), some_text(), some_text()),
        (rubric, category) in (some_text(), some_text()),
        responses in responses(),
        meta in meta(),
    ) -> Record {
        Record {
            id: format!("q{place}"),
            instruction, input, context, reference, rubric, category, responses, meta,
        }
    }
}

fn set() -> impl Strategy<Value = Vec<Record>> {
    (1usize..5).prop_flat_map(|count| (0..count).map(record).collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_own_format(written in set()) {
        let mut bytes = Vec::new();
        write_jsonl(&written, &mut bytes).unwrap();
        let data = good(&bytes);
        prop_assert_eq!(&data.records, &written);
        // As an array, over several lines, and compressed, it is the same.
        let rows: Vec<Value> = bytes
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect();
        let array = serde_json::to_vec_pretty(&rows).unwrap();
        prop_assert_eq!(&good(&array).records, &written);
        let pretty: Vec<u8> = rows
            .iter()
            .flat_map(|row| serde_json::to_vec_pretty(row).unwrap())
            .collect();
        prop_assert_eq!(&good(&pretty).records, &written);
        let zstd = zstd::encode_all(&array[..], 1).unwrap();
        prop_assert_eq!(&read_bytes("t", zstd).unwrap().records, &written);
    }
}
