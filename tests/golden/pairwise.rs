//! Judgments of pairs and tournaments against an independent implementation on transformers (see pairwise.py).

use juror::data::{Record, Response};
use juror::engine::Options;
use juror::judge::pairwise::{Pair, PairJudge, PairSetup, PairTemplates, Rule};
use juror::run::tournament::{Runner, TournamentRun};
use serde_json::Value;

use super::{close, compute, here, json, numbers, open, tokenizer, weights};

#[test]
fn pairs_and_tournaments_equal_transformers() {
    for case in json(here("pairwise.json")).as_array().unwrap() {
        let name = case["model"].as_str().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let config = here("architectures").join(format!("{name}.config.json"));
        weights::write_model(&config, folder.path());
        tokenizer::write(folder.path(), None);
        let (engine, judge) = open(Options {
            judge: folder.path().display().to_string(),
            threads: Some(2),
            ..Options::default()
        });
        let templates = case["templates"].as_str().unwrap();
        let templates = PairTemplates::parse("golden", templates, false).unwrap();
        let rule = Rule {
            as_released: case["as_released"].as_bool().unwrap(),
            renormalize: case["renormalize"].as_bool().unwrap(),
            ..Rule::default()
        };
        let setup = PairSetup {
            templates: Some(templates),
            rule,
            ..PairSetup::default()
        };
        let judge = PairJudge::new(judge.cast().clone(), setup).unwrap();
        for pair in case["pairs"].as_array().unwrap() {
            let text = |key: &str| pair[key].as_str().unwrap().to_owned();
            let asked = Pair {
                context: text("context"),
                a: text("a"),
                b: text("b"),
            };
            let plan = judge.plan(&asked).unwrap();
            let found = judge.read(&compute(&engine, plan.tasks)).unwrap().judgment;
            for (got, want) in found
                .principles
                .iter()
                .zip(pair["principles"].as_array().unwrap())
            {
                assert_eq!(want["principle"], got.principle.as_str());
                nearly(got.s_a, &want["s_a"]);
                nearly(got.s_b, &want["s_b"]);
                for (got, want) in got.orders.iter().zip(want["orders"].as_array().unwrap()) {
                    close(&[got.p_a, got.p_b], &numbers(want), 1e-4);
                }
            }
            nearly(found.s_a, &pair["s_a"]);
            nearly(found.s_b, &pair["s_b"]);
            assert_eq!(pair["winner"], found.winner.word(), "{name}: {pair}");
        }
        let run = TournamentRun {
            seed: 7,
            n: None,
            strict: true,
        };
        let cases = case["tournaments"].as_array().unwrap();
        let records: Vec<Record> = cases.iter().map(record).collect();
        let mut out = Vec::new();
        let runner = Runner::new(&judge, &engine, run);
        let (summary, winners) = runner.run(&records, &mut out, &mut |_, _| ()).unwrap();
        assert_eq!(summary.judgments, 1 + 4 + 7);
        let rows = String::from_utf8(out).unwrap();
        for ((row, want), winner) in rows.lines().zip(cases).zip(winners) {
            let row: Value = serde_json::from_str(row).unwrap();
            let place = |id: &Value| id.as_str().unwrap().parse::<usize>().unwrap();
            let rounds = row["rounds"].as_array().unwrap().iter().map(|round| {
                let matches = round.as_array().unwrap().iter();
                let places = |m: &Value| m.as_array().unwrap().iter().map(place).collect();
                matches.map(places).collect()
            });
            let rounds: Vec<Vec<Vec<usize>>> = rounds.collect();
            assert_eq!(want["rounds"], serde_json::json!(rounds), "{name}");
            assert_eq!(want["winner"], serde_json::json!(winner));
            assert_eq!(place(&row["winner"]), winner.unwrap());
        }
    }
}

/// Within 1e-4, and to a thousandth of itself: without renormalisation scores are small.
fn nearly(got: f64, want: &Value) {
    let want = want.as_f64().unwrap();
    let away = (got - want).abs();
    assert!(away < 1e-4 && away < 1e-3 * want, "{got} is not {want}");
}

fn record(case: &Value) -> Record {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let responses = case["responses"].as_array().unwrap().iter().enumerate();
    Record {
        id: text(&case["id"]),
        instruction: text(&case["instruction"]),
        responses: responses
            .map(|(at, response)| Response {
                id: at.to_string(),
                text: text(response),
                ..Response::default()
            })
            .collect(),
        ..Record::default()
    }
}
