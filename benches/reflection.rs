//! The four losses of `juror ifd` with shared beginnings, beside separate passes.
//!
//!     cargo bench --bench reflection -- --data ../shared/data/instruct_sample.jsonl.gz
//!
//! Random weights in the 135M shape behind the starter's tokenizer (or `--student FOLDER`), alpaca wrapper, rows of
//! `alpaca_random_5000`. Told are the share of unique prefix-tree tokens among all tokens, and the time beside what that
//! share predicts: of separate passes (a prompt a pass), and of passes that are packed as ours but share nothing, each
//! prompt having a first token of its own. Blocks of rows take turns, so that both sides see the same machine.

use std::collections::BTreeSet;
use std::ops::AddAssign;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};
use clap::Parser;
use half::bf16;
use juror::data::{self, Record};
use juror::engine::local::Cast;
use juror::engine::{Answer, Engine, Job, Lane, Options, Task};
use juror::judge::student::{Asking, Student, Wrapper};
use juror::run::ifd::Texts;
use juror::stats::bootstrap::SplitMix64;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::json;

#[derive(Parser)]
struct Arguments {
    #[arg(long)]
    data: PathBuf,
    /// A model folder; without it, random weights
    #[arg(long)]
    student: Option<PathBuf>,
    /// Rows in all, and in one turn
    #[arg(long, default_value_t = 256)]
    rows: usize,
    #[arg(long, default_value_t = 64)]
    block: usize,
    #[arg(long)]
    threads: Option<usize>,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// Layers, width, width within, key and value width, vocabulary of the 135M shape.
const SHAPE: (usize, usize, usize, usize, usize) = (30, 576, 1536, 192, 49152);

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir()?;
    let student = match &arguments.student {
        Some(folder) => folder.clone(),
        None => {
            make(folder.path())?;
            folder.path().to_owned()
        }
    };
    let set = data::read(std::slice::from_ref(&arguments.data), &Default::default())?;
    let is_wanted = |r: &&Record| {
        r.meta
            .get("source")
            .is_some_and(|s| s == "alpaca_random_5000")
    };
    let records: Vec<&Record> = set
        .records
        .iter()
        .filter(is_wanted)
        .take(arguments.rows)
        .collect();
    let asking = Asking {
        wrapper: Wrapper::Alpaca,
        ..Asking::default()
    };
    let (mut ours, mut separate, mut packed) = (Time::default(), Time::default(), Time::default());
    let (mut all, mut paths) = (0, BTreeSet::<Vec<u32>>::new());
    let (engine, cast) = start(&student, arguments.threads, 512 << 20)?;
    let (bare, _) = start(&student, arguments.threads, 0)?;
    let asked = Student::new(Arc::clone(&cast.judge), asking)?;
    let plans = |records: &[&Record]| -> Result<Vec<Vec<Task>>> {
        let of = |r: &&Record| Ok(asked.plan(&Texts::of(r, r.responses.first()).pair())?.tasks);
        records.iter().map(of).collect()
    };
    // Weights are read from disk once, and threads started.
    time(&engine, plans(&records[..1])?, 1)?;
    time(&bare, plans(&records[..1])?, 1)?;
    let mut first = 100;
    for block in records.chunks(arguments.block) {
        let tasks = plans(block)?;
        for task in tasks.iter().flatten() {
            all += task.ids.len();
            paths.insert(task.ids.clone());
        }
        ours += time(&engine, tasks.clone(), usize::MAX)?;
        let alone: Vec<Vec<Task>> = tasks
            .iter()
            .flatten()
            .map(|task| vec![task.clone()])
            .collect();
        separate += time(&bare, alone, 1)?;
        let mut apart = tasks;
        for task in apart.iter_mut().flatten() {
            // Of another length where there is no BOS, but by a token at most.
            task.ids[0] = first;
            first = (first + 1) % 8000;
        }
        packed += time(&bare, apart, usize::MAX)?;
        eprintln!("{:.1} s, separate {:.1} s", ours.clock, separate.clock);
    }
    let unique = nodes(&paths);
    let share = unique as f64 / all as f64;
    println!(
        "{} rows, {all} tokens, {unique} of them unique in the prefix tree: share {share:.4}",
        records.len()
    );
    for (what, time) in [
        ("separate passes", separate),
        ("packed passes that share nothing", packed),
    ] {
        for (by, own, other) in [
            ("clock", ours.clock, time.clock),
            ("processor", ours.processor, time.processor),
        ] {
            println!(
                "{what}, by the {by}: {other:.2} s, predicted {:.2} s, ours {own:.2} s: {:.3} of the prediction (bar 1.10)",
                share * other,
                own / (share * other)
            );
        }
    }
    println!("{:.0} tokens a second", all as f64 / ours.clock);
    Ok(())
}

/// Nodes of the tree of all beginnings: sorted, each text adds what it does not share with the one before.
fn nodes(paths: &BTreeSet<Vec<u32>>) -> usize {
    let mut before: &[u32] = &[];
    let mut count = 0;
    for path in paths {
        let shared = path.iter().zip(before).take_while(|(a, b)| a == b).count();
        count += path.len() - shared;
        before = path;
    }
    count
}

fn start(folder: &Path, threads: Option<usize>, cache_bytes: usize) -> Result<(Engine, Cast)> {
    let options = Options {
        judge: folder.display().to_string(),
        device: "cpu".into(),
        threads,
        cache_bytes,
        ..Options::default()
    };
    Ok(Engine::load(options, |_, _, _| ())?)
}

/// By the clock, and of all threads of this process: the latter is what counts beside other work.
#[derive(Clone, Copy, Default)]
struct Time {
    clock: f64,
    processor: f64,
}

impl AddAssign for Time {
    fn add_assign(&mut self, more: Time) {
        self.clock += more.clock;
        self.processor += more.processor;
    }
}

/// Seconds of the processor so far; in steps of 10 ms, and where the system does not tell, none.
fn processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind = stat.rsplit(')').next().unwrap_or_default();
    let fields = behind.split_whitespace().skip(11).take(2);
    fields
        .filter_map(|ticks| ticks.parse::<f64>().ok())
        .sum::<f64>()
        / 100.0
}

/// What jobs take, so many at a time.
fn time(engine: &Engine, jobs: Vec<Vec<Task>>, ahead: usize) -> Result<Time> {
    let (started, busy) = (Instant::now(), processor());
    let (reply, answers) = channel();
    let (mut waiting, mut left) = (jobs.into_iter().enumerate(), 0);
    loop {
        while left < ahead
            && let Some((id, tasks)) = waiting.next()
        {
            let (id, lane, reply) = (id as u64, Lane::Batch, reply.clone());
            engine.submit(Job {
                id,
                lane,
                tasks,
                reply,
            });
            left += 1;
        }
        if left == 0 {
            return Ok(Time {
                clock: started.elapsed().as_secs_f64(),
                processor: processor() - busy,
            });
        }
        match answers.recv().context("the engine stopped")? {
            Answer::Done { .. } => left -= 1,
            Answer::Failed { cause, .. } => bail!("{cause}"),
            Answer::Cancelled { .. } => bail!("cancelled"),
            Answer::Token { .. } => (),
        }
    }
}

/// Random weights of the 135M shape, with the starter's tokenizer.
fn make(folder: &Path) -> Result<()> {
    let (layers, wide, within, keys, vocabulary) = SHAPE;
    let mut draw = SplitMix64(5);
    let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    let mut add = |name: String, shape: Vec<usize>| {
        let count: usize = shape.iter().product();
        let mut unit = || (draw.next_u64() >> 40) as f32 / (1 << 23) as f32 - 1.0;
        let bytes = (0..count).flat_map(|_| {
            let weight = if shape.len() == 1 {
                1.0 + 0.1 * unit()
            } else {
                0.035 * unit()
            };
            bf16::from_f32(weight).to_le_bytes()
        });
        let bytes = bytes.collect();
        tensors.push((name, shape, bytes));
    };
    add("model.embed_tokens.weight".into(), vec![vocabulary, wide]);
    add("model.norm.weight".into(), vec![wide]);
    for layer in 0..layers {
        let matrices = [
            ("self_attn.q_proj", wide, wide),
            ("self_attn.k_proj", keys, wide),
            ("self_attn.v_proj", keys, wide),
            ("self_attn.o_proj", wide, wide),
            ("mlp.gate_proj", within, wide),
            ("mlp.up_proj", within, wide),
            ("mlp.down_proj", wide, within),
        ];
        for (name, rows, columns) in matrices {
            add(
                format!("model.layers.{layer}.{name}.weight"),
                vec![rows, columns],
            );
        }
        for name in ["input_layernorm", "post_attention_layernorm"] {
            add(format!("model.layers.{layer}.{name}.weight"), vec![wide]);
        }
    }
    let views = tensors.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::BF16, shape.clone(), bytes);
        Ok((name.as_str(), view.map_err(|e| anyhow!("{e}"))?))
    });
    let views: Vec<_> = views.collect::<Result<_>>()?;
    safetensors::serialize_to_file(views, None, &folder.join("model.safetensors"))?;
    let config = json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": vocabulary, "hidden_size": wide,
        "intermediate_size": within, "num_hidden_layers": layers, "num_attention_heads": 9, "num_key_value_heads": 3,
        "max_position_embeddings": 4096, "rope_theta": 100000.0, "rms_norm_eps": 1e-6, "hidden_act": "silu",
        "tie_word_embeddings": true, "bos_token_id": 0, "eos_token_id": 1, "torch_dtype": "bfloat16",
    });
    std::fs::write(folder.join("config.json"), config.to_string())?;
    let starter = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample_data/starter");
    std::fs::copy(
        starter.join("tokenizer.json"),
        folder.join("tokenizer.json"),
    )?;
    Ok(())
}
