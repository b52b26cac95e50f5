//! Training against transformers, peft and trl (training.py): twenty steps from the same weights over the same
//! examples.

use std::path::Path;

use juror::kernel::Format;
use juror::model::architecture::DecoderConfig;
use juror::model::safetensors_folder::SafetensorsFolder;
use juror::train::tune::adam::{Adam, AdamSettings, clip};
use juror::train::tune::example::Example;
use juror::train::tune::judge_rows::JudgePair;
use juror::train::tune::lora::LoraConfig;
use juror::train::tune::net::{Net, Tape, Trained};
use juror::train::tune::objective::judge::Weights;
use juror::train::tune::objective::prefer::Loss;
use juror::train::tune::objective::{Desk, Figures, foresee, judge, prefer};
use juror::train::tune::ops::Bench;
use juror::train::tune::pair_rows::PreferencePair;
use juror::train::tune::schedule::{Course, Schedule};
use serde_json::Value;

use super::{here, ids, json, numbers, weights};

fn cases() -> Vec<(String, Value)> {
    let folder = std::fs::read_dir(here("training")).unwrap();
    let mut all: Vec<(String, Value)> = folder
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.to_string_lossy().contains(".steps."))
        .map(|path| {
            (
                path.file_stem().unwrap().to_string_lossy().into(),
                json(path),
            )
        })
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

/// The net of a case, with the adapter that it starts from.
pub fn net(golden: &Value, folder: &Path, format: Format) -> Net {
    weights::write_listed(golden, folder);
    let config = DecoderConfig::read(&folder.join("config.json")).unwrap();
    let tensors = SafetensorsFolder::open(folder).unwrap();
    let lora = &golden["lora"];
    let trained = match lora.is_null() {
        true => Trained::All,
        false => Trained::Adapter(LoraConfig {
            rank: lora["r"].as_u64().unwrap() as usize,
            alpha: lora["alpha"].as_f64().unwrap(),
            dropout: 0.0,
            targets: serde_json::from_value(lora["targets"].clone()).unwrap(),
        }),
    };
    let mut net = Net::load(config, &tensors, trained, format, 0).unwrap();
    if !lora.is_null() {
        let listed = weights::listed(&golden["adapter_tensors"]);
        let places = adapter_places(&net);
        assert_eq!(places.len(), listed.len());
        net.change(|values| {
            for (name, _, start) in &listed {
                let at = places.iter().find(|(place, _)| place == name).unwrap();
                values[at.1.clone()].copy_from_slice(start);
            }
        });
    }
    net
}

/// What lies where among the adapter's numbers, by PEFT's names.
fn adapter_places(net: &Net) -> Vec<(String, std::ops::Range<usize>)> {
    let adapter = net.adapter.as_ref().unwrap();
    let named = |part: &juror::train::tune::lora::Part| {
        let name = |side| format!("base_model.model.{}.{side}.weight", part.module.name);
        [
            (name("lora_A"), part.a.clone()),
            (name("lora_B"), part.b.clone()),
        ]
    };
    adapter.parts.iter().flat_map(named).collect()
}

fn places(net: &Net) -> Vec<(String, std::ops::Range<usize>)> {
    match &net.adapter {
        Some(_) => adapter_places(net),
        None => {
            let tensors = net.tensors.iter();
            tensors.map(|t| (t.name.clone(), t.range.clone())).collect()
        }
    }
}

fn example(value: &Value) -> Example {
    let ranges = value["targets"].as_array().unwrap().iter();
    Example {
        ids: ids(&value["ids"]),
        targets: ranges
            .map(|range| {
                let ends = ids(range);
                ends[0] as usize..ends[1] as usize
            })
            .collect(),
    }
}

/// One step's loss and gradient.
fn step(desk: &mut Desk<'_>, golden: &Value, items: &[Value], kl: Option<f64>) -> Figures {
    let of = |item: &Value, name: &str| ids(&item[name]);
    match golden["kind"].as_str().unwrap() {
        "judge" => {
            let pairs: Vec<JudgePair> = items
                .iter()
                .map(|item| JudgePair {
                    id: String::new(),
                    digit: 0,
                    teacher: example(&item["teacher"]),
                    student: example(&item["student"]),
                })
                .collect();
            let divergence = kl.or(golden["kl_weight"].as_f64()).unwrap();
            let weights = Weights {
                free: golden["free_weight"].as_f64().unwrap() as f32,
                divergence: divergence as f32,
            };
            judge::step(desk, &pairs.iter().collect::<Vec<_>>(), weights).unwrap()
        }
        "self" => {
            let pairs: Vec<PreferencePair> = items
                .iter()
                .map(|item| PreferencePair {
                    id: String::new(),
                    prompt: of(item, "prompt"),
                    chosen: of(item, "chosen"),
                    rejected: of(item, "rejected"),
                })
                .collect();
            let loss: Loss = serde_json::from_value(golden["loss"].clone()).unwrap();
            let beta = golden["beta"].as_f64().unwrap();
            prefer::step(desk, &pairs.iter().collect::<Vec<_>>(), loss, beta).unwrap()
        }
        _ => {
            let examples: Vec<Example> = items.iter().map(example).collect();
            foresee::step(desk, &examples.iter().collect::<Vec<_>>()).unwrap()
        }
    }
}

fn schedule(golden: &Value) -> Schedule {
    let of = |name: &str| golden["schedule"][name].as_u64().unwrap() as usize;
    let course: Course = serde_json::from_value(golden["schedule"]["kind"].clone()).unwrap();
    Schedule {
        course,
        warmup: of("warmup"),
        total: of("total"),
        peak: golden["learning_rate"].as_f64().unwrap(),
    }
}

/// What twenty steps came to.
struct Replayed {
    losses: Vec<f64>,
    norms: Vec<f64>,
    figures: Vec<Figures>,
    net: Net,
}

struct Way {
    format: Format,
    threads: usize,
    pass_tokens: usize,
    recompute: bool,
    steps: usize,
    kl: Option<f64>,
}

const PLAIN: Way = Way {
    format: Format::F32,
    threads: 2,
    pass_tokens: 1 << 20,
    recompute: false,
    steps: 20,
    kl: None,
};

fn replay(golden: &Value, way: &Way) -> Replayed {
    let folder = tempfile::tempdir().unwrap();
    let mut net = net(golden, folder.path(), way.format);
    let steps = json(here("training").join(golden["steps"].as_str().unwrap()));
    let steps = steps.as_array().unwrap();
    let bench = Bench::new(way.threads);
    let settings = AdamSettings {
        weight_decay: golden["optimizer"]["weight_decay"].as_f64().unwrap(),
        ..AdamSettings::default()
    };
    let mut adam = Adam::new(settings, net.trained().len(), net.spared());
    let (mut tape, schedule) = (Tape::default(), schedule(golden));
    let (mut losses, mut norms, mut figures) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..way.steps {
        let mut grads = vec![0.0; net.trained().len()];
        let mut desk = Desk {
            net: &net,
            bench: &bench,
            tape: &mut tape,
            grads: &mut grads,
            seed: None,
            pass_tokens: way.pass_tokens,
            pass_units: usize::MAX,
            recompute: way.recompute,
        };
        let items = steps[n % steps.len()].as_array().unwrap();
        let found = step(&mut desk, golden, items, way.kl);
        losses.push(found["loss"]);
        figures.push(found);
        norms.push(clip(
            &bench,
            &mut grads,
            golden["max_grad_norm"].as_f64().unwrap(),
        ));
        net.change(|weights| adam.step(&bench, weights, &grads, schedule.rate(n)));
    }
    Replayed {
        losses,
        norms,
        figures,
        net,
    }
}

fn near(what: &str, got: &[f64], want: &[f64], tolerance: f64) {
    for (n, (got, want)) in got.iter().zip(want).enumerate() {
        let most = tolerance * want.abs().max(1.0);
        assert!(
            (got - want).abs() <= most,
            "{what} {n}: {got}, {want} expected"
        );
    }
}

#[test]
fn twenty_steps_equal_those_of_torch() {
    let mut replayed = 0;
    for (name, golden) in cases() {
        if golden["losses"].is_null() {
            continue;
        }
        let found = replay(&golden, &PLAIN);
        near(
            &format!("{name}: loss"),
            &found.losses,
            &numbers(&golden["losses"]),
            1e-4,
        );
        let norms = numbers(&golden["grad_norms"]);
        near(&format!("{name}: gradient"), &found.norms, &norms, 2e-4);
        let rates = numbers(&golden["learning_rates"]);
        let schedule = schedule(&golden);
        let ours: Vec<f64> = (0..20).map(|n| schedule.rate(n)).collect();
        near(&format!("{name}: rate"), &ours, &rates, 1e-9);
        if let Some(parts) = golden["parts"].as_object() {
            for (part, want) in parts {
                let ours: Vec<f64> = found.figures.iter().map(|f| f[part.as_str()]).collect();
                near(&format!("{name}: {part}"), &ours, &numbers(want), 1e-4);
            }
        }
        let places = places(&found.net);
        for tensor in golden["weights_after"].as_array().unwrap() {
            let wanted = tensor["name"].as_str().unwrap();
            let (_, at) = places.iter().find(|(name, _)| name == wanted).unwrap();
            let values = &found.net.trained()[at.clone()];
            let ours: Vec<f64> = ids(&tensor["at"])
                .iter()
                .map(|i| f64::from(values[*i as usize]))
                .collect();
            near(
                &format!("{name}: {wanted}"),
                &ours,
                &numbers(&tensor["values"]),
                1e-4,
            );
        }
        replayed += 1;
    }
    assert!(replayed >= 15, "{replayed} cases");
}

#[test]
fn how_a_batch_is_cut_changes_next_to_nothing() {
    for name in [
        "sft-llama-lora",
        "judge-qwen2-lora",
        "self-llama-sigmoid",
        "sft-gemma2-full",
    ] {
        let golden = json(here("training").join(format!("{name}.json")));
        let plain = replay(&golden, &Way { steps: 6, ..PLAIN });
        for way in [
            Way {
                recompute: true,
                steps: 6,
                ..PLAIN
            },
            Way {
                pass_tokens: 40,
                steps: 6,
                ..PLAIN
            },
            Way {
                threads: 1,
                steps: 6,
                ..PLAIN
            },
        ] {
            let other = replay(&golden, &way);
            near(name, &other.losses, &plain.losses, 2e-6);
            near(name, &other.norms, &plain.norms, 2e-5);
        }
        // Twice the same is the same to the last bit.
        let again = replay(&golden, &Way { steps: 6, ..PLAIN });
        assert_eq!(again.net.trained(), plain.net.trained());
        let twice = replay(
            &golden,
            &Way {
                recompute: true,
                steps: 6,
                ..PLAIN
            },
        );
        assert_eq!(
            twice.net.trained(),
            plain.net.trained(),
            "{name}: computed twice"
        );
    }
}

#[test]
fn half_precision_stays_near() {
    for name in ["sft-llama-lora", "sft-qwen2-full", "sft-gemma3-lora"] {
        let golden = json(here("training").join(format!("{name}.json")));
        let half = replay(
            &golden,
            &Way {
                format: Format::Bf16,
                ..PLAIN
            },
        );
        near(name, &half.losses, &numbers(&golden["losses"]), 2e-2);
    }
}

#[test]
fn the_teacher_is_not_taught_by_the_student() {
    for name in ["judge-llama-lora", "judge-qwen2-lora"] {
        let golden = json(here("training").join(format!("{name}.json")));
        let ours = replay(&golden, &Way { steps: 5, ..PLAIN });
        let attached = numbers(&golden["losses_attached"]);
        assert!((ours.losses[4] - attached[4]).abs() > 5e-3, "{name}");
        let norms = numbers(&golden["grad_norms_attached"]);
        assert!((ours.norms[0] - norms[0]).abs() > 1.0, "{name}");
        let ablation = &golden["ablation"];
        let without = replay(
            &golden,
            &Way {
                steps: 3,
                kl: Some(0.0),
                ..PLAIN
            },
        );
        near(name, &without.losses, &numbers(&ablation["losses"]), 1e-4);
        near(
            name,
            &without.norms,
            &numbers(&ablation["grad_norms"]),
            2e-4,
        );
    }
}

/// An adapter that peft wrote gives the logits that peft gives; ours, written as a file, gives the same to the engine.
#[test]
fn adapters_are_pefts() {
    let golden = json(here("training").join("adapter.json"));
    let folder = tempfile::tempdir().unwrap();
    let net = net(&golden, folder.path(), Format::F32);
    let bench = Bench::new(1);
    let mut pack = juror::train::tune::pack::Pack::default();
    let ids = ids(&golden["ids"]);
    pack.add(None, &ids);
    let columns: Vec<usize> = numbers(&golden["columns"])
        .iter()
        .map(|c| *c as usize)
        .collect();
    let manner = juror::train::tune::net::Manner::looking();
    let base = juror::train::tune::net::Manner::base();
    for (name, manner) in [("logits", manner), ("logits_without", base)] {
        let mut tape = Tape::default();
        net.forward(&bench, &pack, manner, &mut tape).unwrap();
        for at in golden[name].as_array().unwrap() {
            let logits = net.logits(&bench, &tape, &[at[0].as_u64().unwrap() as usize]);
            let ours: Vec<f64> = columns.iter().map(|c| f64::from(logits[*c])).collect();
            near(name, &ours, &numbers(&at[1]), 1e-4);
        }
    }
    let written = folder.path().join("adapter");
    let named = folder.path().display().to_string();
    juror::train::tune::files::write_model(&net, &named, folder.path(), &written).unwrap();
    let adapter = juror::model::adapter::Adapter::read(&written).unwrap();
    let tensors = SafetensorsFolder::open(folder.path()).unwrap();
    let merged = juror::model::adapter::Adapted::new(tensors, adapter).unwrap();
    let config = DecoderConfig::read(&folder.path().join("config.json")).unwrap();
    let merged = Net::load(config, &merged, Trained::All, Format::F32, 0).unwrap();
    let mut tape = Tape::default();
    merged.forward(&bench, &pack, base, &mut tape).unwrap();
    let last = golden["logits"].as_array().unwrap().last().unwrap();
    let logits = merged.logits(&bench, &tape, &[last[0].as_u64().unwrap() as usize]);
    let ours: Vec<f64> = columns.iter().map(|c| f64::from(logits[*c])).collect();
    near("merged", &ours, &numbers(&last[1]), 1e-4);
}
