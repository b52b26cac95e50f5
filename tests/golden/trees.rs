//! Prompts computed together, over shared prefixes, on any number of threads, are what each is alone,
//! to the last bit.

use std::sync::mpsc::channel;

use juror::engine::{Answer, Ask, Engine, Job, Lane, LoadEvent, Options, Outcome, Role, Task};
use juror::kernel::Format;
use juror::model::ModelError;
use juror::model::decoder::compute::Compute;
use juror::model::decoder::pass::{Link, Pass, Wanted};
use proptest::prelude::*;

use super::{forward, here, sample_data, weights};

fn engine(format: Format, threads: usize, cache_bytes: usize) -> Engine {
    let (events, loading) = channel();
    let options = Options {
        judge: sample_data().join("starter").display().to_string(),
        device: "cpu".into(),
        dtype: Some(format),
        threads: Some(threads),
        cache_bytes,
        ..Options::default()
    };
    let engine = Engine::start(options, events).unwrap();
    let ready = loading.iter().find_map(|event| match event {
        LoadEvent::Ready(_) => Some(()),
        LoadEvent::Failed(error) => panic!("{error}"),
        LoadEvent::Stage { .. } => None,
    });
    ready.unwrap();
    engine
}

fn ask(engine: &Engine, prompts: &[Vec<u32>], mass: bool) -> Vec<Vec<f64>> {
    let (reply, answers) = channel();
    let task = |ids: &Vec<u32>| Task {
        role: Role::Judge,
        ids: ids.clone(),
        ask: Ask::Labels {
            labels: (20..30).map(|id| vec![id]).collect(),
            mass,
            top: None,
        },
    };
    engine.submit(Job {
        id: 1,
        lane: Lane::Batch,
        tasks: prompts.iter().map(task).collect(),
        reply,
    });
    let Answer::Done { outcomes, .. } = answers.recv().unwrap() else {
        panic!("the job is done");
    };
    let labels = |outcome| match outcome {
        Outcome::Labels { probabilities, .. } => probabilities,
        other => panic!("{other:?}"),
    };
    outcomes.into_iter().map(labels).collect()
}

/// A few stretches put together in different ways, so that beginnings are shared.
fn prompts() -> impl Strategy<Value = Vec<Vec<u32>>> {
    let stretch = proptest::collection::vec(7u32..8000, 1..90);
    let stretches = proptest::collection::vec(stretch, 4);
    let choices = proptest::collection::vec(proptest::collection::vec(0usize..4, 1..5), 1..9);
    (stretches, choices).prop_map(|(stretches, choices)| {
        let join = |choice: Vec<usize>| choice.iter().flat_map(|i| stretches[*i].clone()).collect();
        choices.into_iter().map(join).collect()
    })
}

#[test]
fn a_batch_is_its_prompts_one_by_one() {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 6,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    for format in [Format::F32, Format::Bf16, Format::Int8] {
        let alone = engine(format, 1, 0);
        let together = engine(format, 2, 64 << 20);
        let test = |prompts: Vec<Vec<u32>>| {
            let want: Vec<Vec<f64>> = prompts
                .iter()
                .flat_map(|p| ask(&alone, std::slice::from_ref(p), true))
                .collect();
            prop_assert_eq!(&ask(&together, &prompts, true), &want);
            // And again, with all but the last tokens known.
            prop_assert_eq!(&ask(&together, &prompts, true), &want);
            // Of the labels alone, the same logits among themselves.
            for (shares, whole) in ask(&together, &prompts, false).iter().zip(&want) {
                let mass: f64 = whole.iter().sum();
                for (share, p) in shares.iter().zip(whole) {
                    prop_assert!((share - p / mass).abs() < 1e-12, "{share} {p} {mass}");
                }
            }
            Ok(())
        };
        runner.run(&prompts(), test).unwrap();
    }
}

#[test]
fn a_tree_in_one_pass_is_its_paths_one_by_one() {
    for case in ["llama3", "mistral", "gemma3", "olmo2", "qwen3"] {
        let folder = tempfile::tempdir().unwrap();
        weights::write_model(
            &here(&format!("architectures/{case}.config.json")),
            folder.path(),
        );
        let decoder = forward::open(folder.path(), Format::F32, 2);
        let ids = weights::prompt_ids(7, 300, decoder.config().vocab);
        let (root, left, right, leaf) =
            (&ids[..110], &ids[110..180], &ids[180..190], &ids[190..300]);
        let part = |ids: &[u32], chain: Vec<usize>, wanted| {
            let chain = chain.into_iter().map(Link::Within).collect();
            forward::segment(&decoder, ids, chain, wanted)
        };
        let mut pass = Pass {
            segments: vec![
                part(root, vec![], Wanted::None),
                part(left, vec![0], Wanted::Last),
                part(right, vec![0], Wanted::All),
                part(leaf, vec![0, 2], Wanted::Last),
            ],
            long: false,
        };
        let rows = decoder.forward(&mut pass, &mut || Ok::<(), ModelError>(()));
        let rows = decoder.device().read(&rows.unwrap()).unwrap();
        let alone = |parts: &[&[u32]], rows: usize| {
            let (hidden, _) = forward::hidden(&decoder, &parts.concat(), &[]).unwrap();
            hidden[hidden.len() - rows * decoder.config().dim..].to_vec()
        };
        let want = [
            alone(&[root, left], 1),
            alone(&[root, right], right.len()),
            alone(&[root, right, leaf], 1),
        ];
        assert!(rows == want.concat(), "{case}");
    }
}
