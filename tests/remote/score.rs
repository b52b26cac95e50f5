//! Scores from the likeliest tokens that a server tells.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::server::{Server, digits};
use super::{KEY, Place};
use crate::score::said;

fn near(a: &Value, b: f64) {
    let a = a.as_f64().unwrap();
    assert!((a - b).abs() < 1e-9, "{a}, {b} expected");
}

#[test]
fn a_row_is_that_of_a_model_of_this_machine() {
    let (server, place) = (Server::start(digits), Place::new(5));
    let (summary, rows) = place.score(&server.name(), &[]);
    let asked = server.asked();
    assert_eq!((rows.len(), asked.len()), (5, 5));
    for (row, n) in rows.iter().zip(0..) {
        assert_eq!(row["id"], n.to_string());
        // The prompt is in the request: the same distribution comes out of its length.
        let response = format!("Response {n}{}\n", "!".repeat(n));
        let own = asked
            .iter()
            .find(|seen| seen.text.contains(&response))
            .unwrap();
        assert_eq!(own.path, "/v1/chat/completions");
        let likely: Vec<f64> = digits(&own.text).iter().take(10).map(|(_, p)| *p).collect();
        let mass: f64 = likely.iter().sum();
        near(&row["self_eval"]["mass"], mass);
        let mean = likely
            .iter()
            .zip(0..)
            .map(|(p, d)| p * f64::from(d))
            .sum::<f64>()
            / mass;
        near(&row["signals"]["self_eval"], mean);
        near(&row["signals"]["self_eval_ref"], mean);
        assert_eq!(row["self_eval"]["labels"].as_array().unwrap().len(), 10);
        assert_eq!(row["judge"]["name"], "ours");
        assert_eq!(row["judge"]["hash"].as_str().unwrap().len(), 64);
        assert_eq!(row["prompt_tokens"], own.text.len(), "as the server counts");
        assert_eq!(
            (&row["mode"], &row["error"]),
            (&json!("reference"), &Value::Null)
        );
        assert!(
            row["self_eval"].get("missing").is_none(),
            "every label is listed"
        );
    }
    assert_eq!(summary["server"]["requests"], 5);
    assert_eq!(summary["server"]["written_tokens"], 5);
    assert_eq!(summary["prompt_tokens"], summary["server"]["prompt_tokens"]);
}

#[test]
fn both_modes_and_both_endpoints() {
    let (server, place) = (Server::start(digits), Place::new(2));
    let (_, free) = place.score(&server.name(), &["--mode", "free"]);
    assert_eq!(free[0]["mode"], "reference-free");
    assert!(
        server
            .asked()
            .iter()
            .all(|seen| !seen.text.contains("A, b and c."))
    );
    let signals = [
        "--signals",
        "self_eval_ref,self_eval_free",
        "--wrap",
        "none",
    ];
    let (_, both) = place.score(&server.name(), &signals);
    assert!(
        both.iter()
            .all(|row| row["signals"]["self_eval_ref"].is_number())
    );
    assert!(
        both.iter()
            .all(|row| row["signals"]["self_eval_free"].is_number())
    );
    let texts = server
        .asked()
        .into_iter()
        .filter(|seen| seen.path == "/v1/completions");
    assert_eq!(texts.count(), 4);
    let (_, around) = place.score(&server.name(), &["--wrap", "Q: {prompt}\nA:"]);
    assert!(around.iter().all(|row| row["error"].is_null()));
    let last = server.asked().pop().unwrap();
    assert!(
        last.text.starts_with("Q: ") && last.text.ends_with("\nA:"),
        "{}",
        last.text
    );
}

#[test]
fn labels_that_are_not_listed_are_asked_for_where_the_server_takes_their_ids_or_texts() {
    for (field, requests) in [
        ("logprob_token_ids", 2),
        ("allowed_token_ids", 8),
        ("structured_outputs", 8),
    ] {
        let (server, place) = (Server::start(digits), Place::new(4));
        let (_, whole) = place.score(&server.name(), &["--wrap", "none", "--no-cache"]);
        server.with(|state| {
            state.picks = Some((field, 3));
            if field == "structured_outputs" {
                state.broken.insert("/tokenize");
            }
            state.seen.clear();
        });
        for wrap in ["none", "chat"] {
            let (summary, rows) = place.score(&server.name(), &["--wrap", wrap, "--no-cache"]);
            for (row, whole) in rows.iter().zip(&whole) {
                assert_eq!(row["signals"].is_object(), whole["signals"].is_object());
                if wrap == "none" {
                    assert_eq!(row["self_eval"], whole["self_eval"], "{field}");
                }
                assert!(row["self_eval"].get("missing").is_none(), "{field}: {row}");
                // Less where the best digit has a neighbour on one side alone.
                let mass = row["self_eval"]["mass"].as_f64().unwrap();
                assert!(
                    [0.84, 0.76].iter().any(|all| (mass - all).abs() < 1e-9),
                    "{mass}"
                );
            }
            assert_eq!(summary["server"]["incomplete"], 0);
        }
        // Three are told unasked; ids are asked for once a run.
        assert_eq!(server.asked().len(), 2 * 4 * requests, "{field}");
        let tokenized = server.with(|state| {
            let of = |seen: &&super::server::Seen| seen.path == "/tokenize";
            state.seen.iter().filter(of).count()
        });
        assert!(tokenized <= 2 * (2 + 10 * 8), "{tokenized}");
    }
}

#[test]
fn labels_that_are_not_listed_count_as_0_and_their_mass_is_bounded() {
    let likely = |_: &str| {
        vec![
            ("7".to_owned(), 0.6),
            ("Well".to_owned(), 0.3),
            ("8".to_owned(), 0.01),
        ]
    };
    let (server, place) = (Server::start(likely), Place::new(3));
    let (summary, rows) = place.score(&server.name(), &["--wrap", "none"]);
    for row in &rows {
        near(&row["self_eval"]["probs"][3], 0.0);
        near(&row["self_eval"]["mass"], 0.61);
        // Eight labels of at most 0.01 each.
        near(&row["self_eval"]["missing"], 0.08);
    }
    assert_eq!(summary["server"]["incomplete"], 3);
    near(&summary["server"]["missing"], 0.08);
    let none = Server::start(|_: &str| vec![("Sure".to_owned(), 0.9)]);
    let (_, rows) = place.score(&none.name(), &["--mode", "free"]);
    let cause = rows[0]["error"].as_str().unwrap();
    assert!(
        cause.contains("none of the labels") && cause.contains("Sure"),
        "{cause}"
    );
}

#[test]
fn a_scale_whose_labels_begin_one_another_is_asked_on() {
    let likely = |text: &str| match text.ends_with("Rating: 1") {
        true => vec![("0".to_owned(), 0.25), ("\n".to_owned(), 0.75)],
        false => vec![("1".to_owned(), 0.8), ("2".to_owned(), 0.2)],
    };
    let (server, place) = (Server::start(likely), Place::new(1));
    let template = place.text("ten.toml");
    let text = r#"labels = ["1", "2", "10"]
free = "{instruction} {response} Rating: "
"#;
    std::fs::write(&template, text).unwrap();
    let flags = ["--template", &template, "--mode", "free", "--wrap", "none"];
    let (_, rows) = place.score(&server.name(), &flags);
    let probs: Vec<f64> = serde_json::from_value(rows[0]["self_eval"]["probs"].clone()).unwrap();
    for (p, want) in probs.iter().zip([0.6, 0.2, 0.2]) {
        assert!((p - want).abs() < 1e-9, "{probs:?}");
    }
    // A chat cannot be asked on: that is said, not guessed.
    let (_, rows) = place.score(
        &server.name(),
        &["--template", &template, "--mode", "free", "--wrap", "chat"],
    );
    assert!(rows[0]["error"].as_str().unwrap().contains("--wrap none"));
}

#[test]
fn what_was_scored_is_not_asked_again_wherever_the_model_is() {
    let (one, other, place) = (Server::start(digits), Server::start(digits), Place::new(6));
    let (_, first) = place.score(&one.name(), &[]);
    let (summary, again) = place.score(&other.name(), &[]);
    assert_eq!(first, again);
    assert!(other.asked().is_empty() && summary["server"]["requests"] == 0);
    place.score(&other.name(), &["--no-cache"]);
    assert_eq!(other.asked().len(), 6);
}

#[test]
fn several_servers_of_one_model_share_the_work_over_few_connections() {
    let (one, other, place) = (Server::start(digits), Server::start(digits), Place::new(60));
    for server in [&one, &other] {
        server.with(|state| state.delay = std::time::Duration::from_millis(20));
    }
    let names = format!("{},{}", one.name(), other.name());
    let (summary, rows) = place.score(&names, &["--max-in-flight", "6"]);
    assert!(rows.iter().all(|row| row["error"].is_null()));
    assert_eq!(summary["server"]["requests"], 60);
    for server in [&one, &other] {
        let asked = server.asked();
        assert!(asked.len() >= 15, "{}", asked.len());
        let connections: HashSet<usize> = asked.iter().map(|seen| seen.connection).collect();
        assert!(connections.len() <= 6, "kept alive: {}", connections.len());
    }
    let together = |state: &mut super::server::State| state.most_under_way;
    assert!(one.with(together) + other.with(together) <= 6);
    // The flag may be repeated, and servers of one judge have one model.
    let output = place.try_score(&one.name(), &["--judge", &other.name(), "--no-cache"]);
    assert!(output.status.success(), "{}", said(&output));
    let other_model = format!("{}#theirs", other.url);
    let output = place.try_score(
        &one.name(),
        &["--embedder", &format!("{},{other_model}", other.name())],
    );
    assert!(said(&output).contains("same #MODEL"), "{}", said(&output));
}

#[test]
fn the_key_is_sent_and_kept_nowhere() {
    let (server, place) = (Server::start(digits), Place::new(2));
    server.with(|state| {
        let said = r#"{"error":{"message":"bad key sk-the-secret-of-ours"}}"#;
        state.always = Some(("Response 1", super::server::Fault::Status(400, "", said)));
    });
    let (_, rows) = place.score(&server.name(), &[]);
    assert!(rows[1]["error"].as_str().unwrap().contains("bad key …"));
    assert!(
        server
            .asked()
            .iter()
            .all(|seen| seen.key == Some(format!("Bearer {KEY}")))
    );
    for entry in std::fs::read_dir(place.0.path().join("home"))
        .unwrap()
        .flatten()
    {
        let bytes = std::fs::read(entry.path()).unwrap_or_default();
        let found = bytes
            .windows(KEY.len())
            .any(|window| window == KEY.as_bytes());
        assert!(!found, "{}", entry.path().display());
    }
}

#[test]
fn cost_is_told_and_a_cap_holds() {
    let (server, place) = (Server::start(digits), Place::new(20));
    let flags = [
        "--price-in",
        "1000000",
        "--price-out",
        "1000000",
        "--no-cache",
    ];
    let (summary, _) = place.score(&server.name(), &flags);
    let used = &summary["server"];
    let tokens = used["prompt_tokens"].as_f64().unwrap() + used["written_tokens"].as_f64().unwrap();
    near(&used["cost"], tokens);
    let capped = [
        "--max-server-tokens",
        "1",
        "--max-in-flight",
        "1",
        "--no-cache",
    ];
    let (summary, rows) = place.score(&server.name(), &capped);
    assert_eq!(summary["server"]["requests"], 1);
    let causes = rows.iter().filter_map(|row| row["error"].as_str());
    assert_eq!(
        causes
            .filter(|cause| cause.contains("--max-server-tokens"))
            .count(),
        19
    );
}
