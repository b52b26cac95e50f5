//! Log-probabilities and rewards through the engine, against transformers.

use std::path::Path;

use juror::engine::{Answer, Ask, Engine, Options, Outcome, Role, Task};
use juror::model::sampling::Sampling;
use serde_json::Value;

use super::{answer, close, compute, here, numbers, open, tokenizer, weights};

/// An engine on a golden model, the model's prompt, and what transformers says of it.
fn golden_engine(case: &str, folder: &Path) -> (Engine, Vec<u32>, Value) {
    let config = here("architectures").join(format!("{case}.config.json"));
    weights::write_model(&config, folder);
    tokenizer::write(folder, None);
    let (engine, _) = open(Options {
        judge: folder.display().to_string(),
        threads: Some(2),
        ..Options::default()
    });
    let golden = weights::golden(&config);
    let prompt = &golden["prompt"];
    let length = prompt["length"].as_u64().unwrap() as usize;
    let ids = weights::prompt_ids(prompt["seed"].as_u64().unwrap(), length, 320);
    (engine, ids, golden)
}

fn task(ids: &[u32], ask: Ask) -> Task {
    Task {
        role: Role::Judge,
        ids: ids.to_vec(),
        ask,
    }
}

fn log_probs(outcome: &Outcome) -> &[f64] {
    match outcome {
        Outcome::LogProbs { values, .. } => values,
        other => panic!("{other:?}"),
    }
}

#[test]
fn negative_log_likelihoods_equal_transformers() {
    for case in ["llama2", "qwen2", "gemma2", "phi3-long", "olmo2"] {
        let folder = tempfile::tempdir().unwrap();
        let (engine, ids, golden) = golden_engine(case, folder.path());
        let outcomes = compute(&engine, vec![task(&ids, Ask::LogProbs { from: 1 })]);
        let values = log_probs(&outcomes[0]);
        assert_eq!(values.len(), ids.len() - 1);
        let mean = -values.iter().sum::<f64>() / values.len() as f64;
        let want = golden["mean_negative_log_likelihood"].as_f64().unwrap();
        assert!((mean - want).abs() < 1e-4, "{case}: {mean} is not {want}");
    }
}

#[test]
fn prompts_that_share_a_beginning_have_the_log_probabilities_they_have_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, ids, _) = golden_engine("qwen2", folder.path());
    let mut other = ids[..900].to_vec();
    other.extend(&ids[..300]);
    let label = || Ask::Labels {
        labels: vec![vec![ids[600]]],
        mass: true,
        top: None,
    };
    let outcomes = compute(
        &engine,
        vec![
            task(&ids, Ask::LogProbs { from: 1200 }),
            task(&other, Ask::LogProbs { from: 700 }),
            task(&ids[..600], label()),
            task(&ids, Ask::LogProbs { from: 1 }),
            task(&ids, Ask::LogProbs { from: ids.len() }),
        ],
    );
    let whole = log_probs(&outcomes[3]);
    close(log_probs(&outcomes[0]), &whole[1199..], 1e-4);
    close(&log_probs(&outcomes[1])[..200], &whole[699..899], 1e-4);
    assert_eq!(log_probs(&outcomes[1]).len(), 500);
    assert!(log_probs(&outcomes[4]).is_empty());
    let Outcome::Labels { probabilities, .. } = &outcomes[2] else {
        panic!("labels expected");
    };
    close(&[probabilities[0].ln()], &[whole[599]], 1e-4);
    // What is known from then on does not change what is asked anew.
    let again = compute(&engine, vec![task(&other, Ask::LogProbs { from: 700 })]);
    close(log_probs(&again[0]), log_probs(&outcomes[1]), 1e-4);
    let Outcome::LogProbs { computed, .. } = again[0] else {
        panic!("log-probabilities expected");
    };
    assert_eq!(computed, 1199 - 699, "only what is asked is computed again");
}

fn cause(engine: &Engine, ids: &[u32], ask: Ask) -> String {
    match answer(engine, vec![task(ids, ask)]) {
        Answer::Failed { cause, .. } => cause,
        other => panic!("{other:?}"),
    }
}

#[test]
fn texts_written_together_are_those_written_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, ids, _) = golden_engine("llama2", folder.path());
    let write = |from: usize, seed: u64, max_tokens: usize| {
        let sampling = Sampling {
            temperature: 1.5,
            top_p: 1.0,
            seed,
            max_tokens,
        };
        let end = vec![ids[0]];
        task(&ids[..from], Ask::Generate { sampling, end })
    };
    // More than are written at a time, of different lengths, some behind the same prompt.
    let tasks: Vec<Task> = (0..40)
        .map(|i| write(20 + 7 * (i % 5), i as u64, 5 + i % 13))
        .collect();
    let together = compute(&engine, tasks.clone());
    let text = |outcome: &Outcome| match outcome {
        Outcome::Generated { ids, ended, .. } => (ids.clone(), *ended),
        other => panic!("{other:?}"),
    };
    for (task, outcome) in tasks.into_iter().zip(&together) {
        assert_eq!(text(&compute(&engine, vec![task])[0]), text(outcome));
    }
    let computed = |outcome: &Outcome| match outcome {
        Outcome::Generated { computed, .. } => *computed,
        other => panic!("{other:?}"),
    };
    // Prompts of five lengths: what is behind the shortest is computed once for those that have it.
    assert!(together.iter().map(computed).sum::<usize>() >= 20 + 4 * 7);
    let together: Vec<_> = together.iter().map(text).collect();
    let (written, ended) = &together[12];
    assert!(*ended || written.len() == 17);
    assert_ne!(together[0], together[5], "other seeds, other texts");
}

#[test]
fn rewards_equal_transformers() {
    for case in ["llama-reward", "qwen2-reward"] {
        let folder = tempfile::tempdir().unwrap();
        let (engine, ids, golden) = golden_engine(case, folder.path());
        let asked = [&ids[..], &ids[..700], &ids].map(|ids| task(ids, Ask::Reward));
        let outcomes = compute(&engine, asked.to_vec());
        for at in [0, 2] {
            let Outcome::Reward { labels, .. } = &outcomes[at] else {
                panic!("a reward expected");
            };
            close(labels, &numbers(&golden["labels"]), 2e-4);
        }
        assert_ne!(outcomes[0], outcomes[1]);
        let generate = Ask::Generate {
            sampling: Sampling::default(),
            end: Vec::new(),
        };
        for ask in [
            Ask::Labels {
                labels: vec![vec![4]],
                mass: true,
                top: None,
            },
            Ask::LogProbs { from: 1 },
            generate,
        ] {
            let cause = cause(&engine, &ids, ask);
            assert!(
                cause.contains("needs a model with a language head"),
                "{cause}"
            );
        }
    }
}

#[test]
fn what_a_language_model_cannot_give_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, ids, _) = golden_engine("llama2", folder.path());
    let cause_of = |ask| cause(&engine, &ids, ask);
    let reward = cause_of(Ask::Reward);
    assert!(
        reward.contains("needs a model with a reward head"),
        "{reward}"
    );
    let first = cause_of(Ask::LogProbs { from: 0 });
    assert!(first.contains("nothing before it"), "{first}");
    assert!(cause_of(Ask::LogProbs { from: 1501 }).contains("1501"));
}
