//! On the bundled starter: whole trainings of a few steps.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::samples::{FILE, Sample};
use super::{Made, Rules};
use crate::data::{ReadOptions, Record};
use crate::engine::{Engine, Options};
use crate::judge::pairwise::verdict::Positions;
use crate::judge::pairwise::{Compared, Judgment, Pair, PairJudge, PairSetup, Rule, Winner};
use crate::judge::writing::Written;
use crate::kernel::Format;
use crate::model::sampling::Sampling;
use crate::train::tune::command::{Outcome, Told, run};
use crate::train::tune::config::{Config, Kind};
use crate::train::tune::log::{Entry, read as read_log};
use crate::train::tune::objective::prefer::Loss;
use crate::train::tune::pair_rows::{self, Prompt};
use crate::train::tune::rows::tests::{facts, files};

/// A folder with prompts in it, for outputs.
fn folder() -> tempfile::TempDir {
    let asked = [
        "Name a fruit.",
        "Why is the sky blue?",
        "What is 2 + 2?",
        "Say hello.",
        "How long should I boil an egg?",
    ];
    let rows = asked.iter().enumerate();
    let rows = rows.map(|(n, asked)| json!({"id": format!("p{n}"), "instruction": asked}));
    files(&[("prompts.jsonl", rows.collect())]).0
}

fn config(folder: &Path, output: &str, more: &str) -> Config {
    let text = format!(
        "model = 'starter'\noutput = '{0}/{output}'\nprompts = '{0}/prompts.jsonl'\nbatch_size = 2\n\
         max_new_tokens = 10\nlearning_rate = 0.01\nwarmup_steps = 0\nthreads = 2\n{more}",
        folder.display()
    );
    Config::parse(Kind::SelfTraining, "f", &text).unwrap()
}

/// What a training said.
#[derive(Default)]
struct Said {
    notes: Vec<String>,
    /// Of each step.
    figures: Vec<BTreeMap<&'static str, f64>>,
    evaluations: Vec<BTreeMap<&'static str, f64>>,
}

/// Trains, and stops behind a step where one is named.
fn train(config: &Config, resume: bool, stop_after: Option<usize>) -> (Outcome, Said) {
    let (stop, mut said) = (AtomicBool::new(false), Said::default());
    let outcome = run(config, resume, &stop, &mut |told| match told {
        Told::Note(note) => said.notes.push(note),
        Told::Taken(taken, _) => {
            said.figures.push(taken.figures.clone());
            stop.store(Some(taken.step) == stop_after, Ordering::Relaxed);
        }
        Told::Evaluated(_, figures) => said.evaluations.push(figures.clone()),
    });
    (outcome.unwrap(), said)
}

fn adapter(output: &Path) -> Vec<u8> {
    fs::read(output.join("adapter_model.safetensors")).unwrap()
}

fn samples(output: &Path) -> Vec<Sample> {
    let text = fs::read_to_string(output.join(FILE)).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The model without an adapter, and its judge.
fn judge() -> (Engine, PairJudge) {
    let options = Options {
        device: "cpu".into(),
        dtype: Some(Format::F32),
        threads: Some(2),
        ..Options::default()
    };
    let (engine, cast) = Engine::load(options, |_, _, _| ()).unwrap();
    let judge = PairJudge::new(cast, PairSetup::default()).unwrap();
    (engine, judge)
}

#[test]
fn what_the_judge_prefers_is_learned() {
    let folder = folder();
    let first = config(folder.path(), "a", "max_steps = 2");
    let (outcome, said) = train(&first, false, None);
    let all = samples(&first.output);
    let kept: f64 = said.figures.iter().map(|figures| figures["kept"]).sum();
    assert_eq!(all.len() as f64, 2.0 * kept);
    assert!(all.len() >= 2, "the starter does not repeat itself always");
    let (engine, judge) = judge();
    let pair = |s: &Sample| Pair {
        context: s.instruction.clone(),
        a: s.chosen.clone(),
        b: s.rejected.clone(),
    };
    let pairs: Vec<Pair> = all.iter().map(pair).collect();
    for (sample, verdict) in all.iter().zip(judge.compare(&engine, &pairs).unwrap()) {
        let judgment = verdict.unwrap().judgment;
        assert_eq!(judgment.advances(), Winner::A, "{sample:?}");
        assert_eq!(judgment.s_a, sample.score_chosen);
        assert_eq!(judgment.s_b, sample.score_rejected);
        assert_eq!(sample.id, format!("{}/{}", sample.step, sample.prompt_id));
    }
    // Behind the first step the policy is no longer the model that it was.
    assert_eq!(said.figures[0]["delta"], 0.0);
    assert!((said.figures[0]["loss"] - 2f64.ln()).abs() < 1e-6);
    assert_ne!(said.figures[1]["delta"], 0.0);
    assert_eq!(outcome.model, format!("starter+{}", first.output.display()));
    // What is counted is what was computed, and the file can be replayed.
    let paths = [first.output.join(FILE)];
    let replayed = pair_rows::read(&paths, &ReadOptions::default(), &facts(true), 2048).unwrap();
    assert_eq!(replayed.pairs.len(), all.len());
    assert!(outcome.tokens > 0);
    assert!(!first.output.join("policy").exists());
    // The same seed, the same bytes; another one, others.
    let again = config(folder.path(), "b", "max_steps = 2");
    train(&again, false, None);
    assert_eq!(adapter(&first.output), adapter(&again.output));
    assert_eq!(samples(&again.output), all);
    let other = config(folder.path(), "c", "max_steps = 2\nseed = 1");
    train(&other, false, None);
    assert_ne!(samples(&other.output), all);
}

#[test]
fn resumed_it_comes_to_the_same() {
    let folder = folder();
    let whole = config(folder.path(), "whole", "max_steps = 4");
    train(&whole, false, None);
    let cut = config(folder.path(), "cut", "max_steps = 4");
    let (outcome, _) = train(&cut, false, Some(2));
    assert_eq!((outcome.end, outcome.steps), ("cancelled", 2));
    // A kill behind the checkpoint leaves what is of later steps, and a line that is half there.
    let path = cut.output.join(FILE);
    let mut text = fs::read_to_string(&path).unwrap();
    let later = Sample {
        step: 3,
        ..samples(&cut.output)[0].clone()
    };
    text += &format!("{}\n{{\"step\":", serde_json::to_string(&later).unwrap());
    fs::write(&path, text).unwrap();
    let (outcome, _) = train(&cut, true, None);
    assert_eq!((outcome.end, outcome.steps), ("done", 4));
    assert_eq!(adapter(&whole.output), adapter(&cut.output));
    assert_eq!(samples(&whole.output), samples(&cut.output));
}

#[test]
fn from_answers_that_are_the_same_nothing_is_learned() {
    let folder = folder();
    // As good as greedy.
    let config = config(folder.path(), "o", "max_steps = 1\ntemperature = 0.000001");
    let (outcome, said) = train(&config, false, None);
    assert_eq!(outcome.tokens, 0);
    assert!(said.figures[0].values().all(|value| *value == 0.0));
    assert!(samples(&config.output).is_empty());
    let report = "pairs from 2 rows; left out: 2 answered in the same words twice";
    assert_eq!(said.notes.last().unwrap(), report);
    // `B` is where it began: nothing.
    let bytes = adapter(&config.output);
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    for (name, tensor) in file.tensors() {
        let is_zero = tensor.data().iter().all(|byte| *byte == 0);
        assert_eq!(is_zero, name.contains("lora_B"), "{name}");
    }
}

#[test]
fn every_answer_ends_whether_the_policy_ended_it_or_not() {
    let rules = Rules {
        loss: Loss::Sigmoid,
        beta: 0.1,
        sampling: Sampling {
            max_tokens: 10,
            ..Sampling::default()
        },
        limit: 16,
        end: 7,
    };
    // With the end there are never more than `limit`.
    let rooms = [1, 5, 6, 14, 15, 16].map(|prompt| rules.room(prompt));
    assert_eq!(rooms, [10, 10, 9, 1, 0, 0]);
    let prompt = Prompt {
        record: Record::default(),
        ids: vec![1, 2],
    };
    let answer = |id: u32, ended| Written {
        ids: vec![id],
        text: format!("{id}"),
        ended,
    };
    let judged = |p_a: f64, p_b: f64| {
        let orders = [Positions { p_a, p_b }, Positions { p_a: p_b, p_b: p_a }];
        Compared {
            judgment: Judgment::new([("p", orders)], Rule::default()).unwrap(),
            computed_tokens: 0,
        }
    };
    // Of equals the earlier goes on.
    for (verdict, chosen, rejected, tie) in [
        (judged(0.6, 0.2), 3, 4, false),
        (judged(0.2, 0.6), 4, 3, false),
        (judged(0.4, 0.4), 3, 4, true),
    ] {
        let both = [answer(3, true), answer(4, false)];
        let made = Made::new(&prompt, both, &verdict, 1, rules.end);
        assert_eq!(made.pair.prompt, [1, 2]);
        assert_eq!(made.pair.chosen, [chosen, 7]);
        assert_eq!(made.pair.rejected, [rejected, 7]);
        assert_eq!(made.sample.chosen, format!("{chosen}"));
        assert_eq!(made.sample.tie, tie);
        assert!(made.sample.score_chosen >= made.sample.score_rejected);
    }
}

#[test]
fn what_belongs_to_another_training_is_left_alone() {
    let folder = folder();
    let first = config(folder.path(), "o", "max_steps = 3");
    train(&first, false, Some(2));
    let before = fs::read(first.output.join("log.jsonl")).unwrap();
    let refused = |more: &str| {
        let other = config(folder.path(), "o", more);
        let stop = AtomicBool::new(false);
        run(&other, true, &stop, &mut |_| ())
            .unwrap_err()
            .to_string()
    };
    for more in ["max_steps = 3\nseed = 1", "max_steps = 3\nloss = 'hinge'"] {
        let error = refused(more);
        assert!(
            error.contains("checkpoint-2") && error.contains("other settings"),
            "{error}"
        );
    }
    let full = Config {
        lora: None,
        ..first
    };
    let error = run(
        &Config {
            output: folder.path().join("full"),
            ..full
        },
        false,
        &AtomicBool::new(false),
        &mut |_| (),
    );
    let error = error.unwrap_err().to_string();
    assert!(error.contains("lora_r"), "{error}");
    assert_eq!(fs::read(folder.path().join("o/log.jsonl")).unwrap(), before);
}

fn steps(output: &Path) -> Vec<usize> {
    let (entries, bad) = read_log(&output.join("log.jsonl")).unwrap();
    assert!(bad.is_empty());
    let step = |entry| match entry {
        Entry::Step(step) => Some(step.step),
        _ => None,
    };
    entries.into_iter().filter_map(step).collect()
}

#[test]
fn iterations_go_on_where_the_last_has_ended() {
    let folder = folder();
    let prompts = folder.path().join("prompts.jsonl");
    let more = format!(
        "max_steps = 2\niterations = 2\neval_steps = 2\neval_data = '{}'",
        prompts.display()
    );
    let whole = config(folder.path(), "whole", &more);
    let (outcome, said) = train(&whole, false, None);
    let first: PathBuf = whole.output.join("iteration-1");
    assert_eq!(
        outcome.model,
        format!("starter+{}+{}", first.display(), whole.output.display())
    );
    assert_eq!((outcome.steps, steps(&whole.output)), (4, vec![1, 2, 3, 4]));
    // The model of the second is what the first has made of it: at its beginning nothing has changed yet.
    assert_eq!(said.figures[2]["delta"], 0.0);
    assert_ne!(adapter(&first), adapter(&whole.output));
    for figures in &said.evaluations {
        assert!(figures["compared"] == 5.0 && (0.0..=1.0).contains(&figures["win_rate"]));
    }
    assert_eq!(said.evaluations.len(), 2);
    // Stopped in the first or in the second, or killed between them.
    for at in [1, 3] {
        let cut = config(folder.path(), &format!("cut{at}"), &more);
        assert_eq!(train(&cut, false, Some(at)).0.end, "cancelled");
        if at == 3 {
            fs::remove_dir_all(cut.output.join("checkpoint-1")).unwrap();
        }
        let (resumed, _) = train(&cut, true, None);
        assert_eq!(adapter(&cut.output), adapter(&whole.output), "{at}");
        assert_eq!(samples(&cut.output), samples(&whole.output), "{at}");
        assert_eq!((resumed.steps, steps(&cut.output)), (4, vec![1, 2, 3, 4]));
        assert_eq!(resumed.tokens, outcome.tokens, "{at}");
    }
}
