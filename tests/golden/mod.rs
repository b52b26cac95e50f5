//! The engine against independent implementations (see make.py beside this file).

mod accelerator;
mod architectures;
mod chat;
mod chat_fuzz;
pub mod forward;
mod ifd;
mod pair_stats;
mod pairwise;
mod quantize;
pub mod selectit;
mod signals;
mod special;
mod stats;
pub mod tokenizer;
mod training;
mod trees;
pub mod weights;

use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;

use juror::data::Subject;
use juror::engine::{Answer, Ask, Engine, Job, Lane, LoadEvent, Options, Outcome, Role, Task};
use juror::judge::similarity::{self, Long};
use juror::judge::{Judge, Setup, Signals};
use juror::kernel::Format;
use juror::model::decoder::Decoder;
use juror::model::decoder::cpu::Cpu;
use juror::model::decoder::pass::Known;
use juror::model::pooling;
use serde_json::Value;

fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

fn json(path: PathBuf) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_f64().unwrap())
        .collect()
}

fn ids(value: &Value) -> Vec<u32> {
    numbers(value).iter().map(|v| *v as u32).collect()
}

fn close(got: &[f64], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len());
    for (got, want) in got.iter().zip(want) {
        assert!((got - want).abs() < tolerance, "{got} is not {want}");
    }
}

fn llama() -> Decoder<Cpu> {
    forward::open(&here("llama"), Format::F32, 2)
}

#[test]
fn a_grouped_head_llama_equals_transformers() {
    let decoder = llama();
    for case in json(here("llama/golden.json")).as_array().unwrap() {
        let (hidden, _) = forward::hidden(&decoder, &ids(&case["ids"]), &[]).unwrap();
        let got = forward::last_log_probs(&decoder, &hidden);
        close(&got, &numbers(&case["log_probs"]), 2e-5);
    }
}

#[test]
fn a_prefix_computed_before_changes_nothing() {
    let decoder = llama();
    let golden = json(here("llama/golden.json"));
    let case = &golden.as_array().unwrap()[3];
    let ids = ids(&case["ids"]);
    let (_, known) = forward::hidden(&decoder, &ids[..40], &[]).unwrap();
    let some = Known {
        tokens: 0..25,
        ..known
    };
    let (hidden, _) = forward::hidden(&decoder, &ids[25..], &[some]).unwrap();
    let (whole, _) = forward::hidden(&decoder, &ids, &[]).unwrap();
    assert_eq!(
        hidden,
        whole[whole.len() - hidden.len()..],
        "to the last bit"
    );
    let got = forward::last_log_probs(&decoder, &hidden);
    close(&got, &numbers(&case["log_probs"]), 2e-5);
}

#[test]
fn the_context_and_the_vocabulary_are_kept() {
    let decoder = llama();
    let long = forward::hidden(&decoder, &[1; 65], &[]).unwrap_err();
    assert!(long.to_string().contains("context of 64"), "{long}");
    let strange = forward::hidden(&decoder, &[96], &[]).unwrap_err();
    assert!(
        strange.to_string().contains("vocabulary of 96"),
        "{strange}"
    );
}

#[test]
fn a_bert_embedder_equals_sentence_transformers() {
    let folder = here("bert").display().to_string();
    let (engine, judge) = load(Some(folder));
    let embedder = &judge.cast().embedder;
    for case in json(here("bert/golden.json")).as_array().unwrap() {
        let text = case["text"].as_str().unwrap();
        let chunks = similarity::encode(embedder, text, None, Long::Truncate).unwrap();
        assert_eq!(chunks.len(), 1);
        let task = Task {
            role: Role::Embedder,
            ids: chunks[0].0.clone(),
            ask: Ask::Embed,
        };
        let Outcome::Embedding { vector, .. } = compute(&engine, vec![task]).remove(0) else {
            panic!("an embedding expected");
        };
        let got: Vec<f64> = vector.iter().map(|x| f64::from(*x)).collect();
        close(&got, &numbers(&case["embedding"]), 1e-5);
    }
}

#[test]
fn a_text_in_several_passes_has_the_mean_of_all_its_states() {
    let (engine, judge) = load(None);
    let tokenizer = &judge.cast().judge.tokenizer;
    let ids = tokenizer
        .encode_data(&"one two three. ".repeat(120), true)
        .unwrap()
        .ids;
    assert!(ids.len() > 300, "more than one pass");
    let task = |ids: &[u32]| Task {
        role: Role::Embedder,
        ids: ids.to_vec(),
        ask: Ask::Embed,
    };
    let mut outcomes = compute(&engine, vec![task(&ids), task(&ids)]);
    let again = outcomes.pop().unwrap();
    let Outcome::Embedding { vector, computed } = outcomes.pop().unwrap() else {
        panic!("an embedding expected");
    };
    assert_eq!(computed, ids.len());
    assert_eq!(
        again,
        Outcome::Embedding {
            vector: vector.clone(),
            computed: 0
        }
    );
    let decoder = forward::open(&sample_data().join("starter"), Format::F32, 2);
    let (hidden, _) = forward::hidden(&decoder, &ids, &[]).unwrap();
    let mut whole = vec![0.0; decoder.config().dim];
    for row in hidden.chunks(whole.len()) {
        whole.iter_mut().zip(row).for_each(|(w, x)| *w += x);
    }
    pooling::normalize(&mut whole);
    assert!(pooling::cosine(&whole, &vector) > 0.999_999);
}

fn starter() -> (Engine, Judge) {
    load(None)
}

fn load(embedder: Option<String>) -> (Engine, Judge) {
    open(Options {
        judge: sample_data().join("starter").display().to_string(),
        embedder,
        ..Options::default()
    })
}

fn open(options: Options) -> (Engine, Judge) {
    let (events, loading) = channel();
    let options = Options {
        device: "cpu".into(),
        dtype: Some(Format::F32),
        ..options
    };
    let engine = Engine::start(options, events).unwrap();
    let cast = loading.iter().find_map(|event| match event {
        LoadEvent::Ready(cast) => Some(cast),
        LoadEvent::Failed(error) => panic!("{error}"),
        LoadEvent::Stage { .. } => None,
    });
    (engine, Judge::new(cast.unwrap(), Setup::default()).unwrap())
}

fn sample_data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sample_data")
}

fn compute(engine: &Engine, tasks: Vec<Task>) -> Vec<Outcome> {
    match answer(engine, tasks) {
        Answer::Done { outcomes, .. } => outcomes,
        other => panic!("{other:?}"),
    }
}

fn answer(engine: &Engine, tasks: Vec<Task>) -> Answer {
    let (reply, answers) = channel();
    engine.submit(Job {
        id: 1,
        lane: Lane::Batch,
        tasks,
        reply,
    });
    // Tokens are told of one by one as a text is written.
    let mut ended = answers
        .iter()
        .filter(|a| !matches!(a, Answer::Token { .. }));
    ended.next().unwrap()
}

#[test]
fn the_starter_equals_transformers_from_text_to_probabilities() {
    let (engine, judge) = starter();
    let files: Vec<PathBuf> = ["common", "coding", "academic"]
        .iter()
        .map(|name| sample_data().join(format!("{name}.jsonl")))
        .collect();
    let set = juror::data::read(&files, &Default::default()).unwrap();
    for case in json(here("starter.json")).as_array().unwrap() {
        let record = set.records.iter().find(|r| case["id"] == r.id.as_str());
        let record = record.unwrap();
        let response = record
            .responses
            .iter()
            .find(|r| case["response"] == r.id.as_str());
        let with_reference = case["with_reference"].as_bool().unwrap();
        let want = Signals {
            self_eval_ref: with_reference,
            self_eval_free: !with_reference,
            cosine: false,
            ..Signals::default()
        };
        let subject = Subject::of(record, &response.unwrap().text);
        let plan = judge.plan(&subject, want).unwrap();
        assert_eq!(plan.tasks[0].ids, ids(&case["ids"]), "{}", case["id"]);
        let outcomes = compute(&engine, plan.tasks.clone());
        let Outcome::Labels { probabilities, .. } = &outcomes[0] else {
            panic!("labels expected");
        };
        close(probabilities, &numbers(&case["digits"]), 1e-4);
    }
}

#[test]
fn labels_of_several_tokens_multiply_and_do_not_swallow_each_other() {
    let (engine, judge) = starter();
    let id = |t: &str| judge.cast().judge.tokenizer.id(t).unwrap();
    let prompt = judge
        .cast()
        .judge
        .tokenizer
        .encode_data("How many? ", true)
        .unwrap()
        .ids;
    let task = |labels: Vec<Vec<u32>>, extra: &[u32]| Task {
        role: Role::Judge,
        ids: [prompt.as_slice(), extra].concat(),
        ask: Ask::Labels {
            labels,
            mass: true,
            top: None,
        },
    };
    let probabilities = |tasks: Vec<Task>| -> Vec<Vec<f64>> {
        let of = |outcome: Outcome| match outcome {
            Outcome::Labels { probabilities, .. } => probabilities,
            other => panic!("{other:?}"),
        };
        compute(&engine, tasks).into_iter().map(of).collect()
    };
    let ask = |labels, extra: &[u32]| probabilities(vec![task(labels, extra)]).remove(0);
    let (one, zero) = (id("1"), id("0"));
    let first = ask(vec![vec![one]], &[])[0];
    let then = ask(vec![vec![zero]], &[one])[0];
    let both = ask(vec![vec![one], vec![one, zero]], &[]);
    close(&both, &[first * (1.0 - then), first * then], 1e-5);

    // Those of many prompts go on together, and each as if it were alone.
    let tasks: Vec<Task> = (0..70u32)
        .map(|n| {
            task(
                vec![vec![one], vec![one, zero], vec![zero, one, n]],
                &[n, 70],
            )
        })
        .collect();
    let alone = tasks
        .iter()
        .map(|task| probabilities(vec![task.clone()]).remove(0));
    let alone: Vec<_> = alone.collect();
    assert_eq!(probabilities(tasks), alone);
}
