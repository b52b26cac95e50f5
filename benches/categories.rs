//! Trains the classifier of `juror collect` and tells how often it is right.
//!
//!     cargo bench --bench categories -- --data ../shared/data --out src/data/collect/category/weights.bin
//!
//! Learned from: the bundled samples and rows of the judge data that say what they are (by scenario or subject), and, at a
//! lower weight, instructions that a list of telling words decides. Rows of development parts are never learned from; those
//! that say what they are measure. The weights are hashed: no text can be read out of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use clap::Parser;
use juror::data::FieldMap;
use juror::data::collect::category::train::{Example, Settings, fit};
use juror::data::collect::category::{Category, Weights, classify};
use juror::data::collect::words::{normal, words};
use juror::data::container::RawRows;
use serde_json::{Map, Value};

#[derive(Parser)]
struct Arguments {
    /// Folder with the judge data
    #[arg(long, default_value = "../shared/data")]
    data: PathBuf,
    /// Where the weights go; without it, they are not kept
    #[arg(long)]
    out: Option<PathBuf>,
    #[arg(long, default_value_t = Settings::default().epochs)]
    epochs: usize,
    #[arg(long, default_value_t = Settings::default().rate)]
    rate: f32,
    /// Weight of an instruction that words decide
    #[arg(long, default_value_t = 0.3)]
    weak: f32,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// Words that tell of programs.
const CODING: &str = "python javascript java sql html css bash regex regexp c++ c# rust golang typescript php ruby kotlin swift \
    algorithm function code coding program programming compile compiler script api json xml yaml database query git github \
    docker linux shell recursion recursive array linked binary hash debug bug refactor loop variable class object stack queue \
    heap pointer unix react nodejs numpy pandas tensorflow excel spreadsheet vba latex webpage css3 html5 dataframe \
    iterator exception async thread server backend frontend framework";

/// Words that tell of what is taught.
const ACADEMIC: &str = "equation theorem derivative integral polynomial triangle rectangle radius circumference prove proof \
    probability variance algebra geometry calculus matrix vector molecule molecular atom atomic electron proton chemical \
    chemistry reaction acid enzyme dna rna protein mitosis meiosis photosynthesis respiration bacteria virus evolution \
    darwin genetics gene ecosystem physics velocity acceleration gravity gravitational momentum thermodynamics entropy quantum \
    relativity newton einstein wavelength planet planets galaxy astronomy biology biological cell cells neuron brain \
    philosophy philosopher philosophical kant plato aristotle ethics utilitarianism epistemology economics economic gdp \
    inflation macroeconomics microeconomics supply demand monopoly century empire revolution war treaty dynasty colonial \
    medieval ancient renaissance constitution amendment democracy congress supreme sociology psychology psychological \
    cognitive freud linguistics grammar noun verb adjective adverb metaphor simile alliteration literary shakespeare sonnet \
    hypothesis theory theories scientific scientist science mathematics mathematical math arithmetic fraction prime factorial \
    square root solve calculate compute sum geology volcano earthquake tectonic climate atmosphere continent capital \
    geography anatomy disease diagnosis symptoms immune vaccine organism species mammal carbon oxygen hydrogen nitrogen \
    thesis abstract peer-reviewed statistics statistical regression correlation median formula angle perimeter volume";

/// Words that tell of everyday life.
const COMMON: &str = "poem story email letter recipe cook dinner lunch breakfast friend party gift holiday vacation travel trip hotel \
    recommend suggest slogan tweet caption joke song lyrics birthday wedding restaurant shopping job interview resume colleague \
    boss manager customer company product brand advertisement marketing blog post social instagram headline tagline business \
    dog cat pet baby kids parents mother father sister brother neighbour neighbor house kitchen garden plant car bike clothes \
    dress shoes fashion movie film music game sport football team hobby budget money save diet healthy exercise sleep stress \
    habits advice tips apology invitation thank greeting dialogue conversation roleplay pretend character haiku limerick rap \
    newsletter announcement review summary rephrase paraphrase proofread tone polite cheerful schedule plan checklist weekend";

/// What is asked about a word, by category: examples of our own.
const ABOUT: [&[&str]; 3] = [
    &[
        "Help me with my {}.",
        "Write something nice about {}.",
        "Ideas for {}, please",
        "How do I choose {}?",
    ],
    &[
        "Write code for {}.",
        "How do I use {} in my program?",
        "Fix this {} bug",
        "Implement {} with an example",
    ],
    &[
        "What is {}?",
        "Explain {} to a student.",
        "Define {}.",
        "Describe the role of {} in theory.",
    ],
];

fn academic_subject(name: &str) -> Option<Category> {
    const SKIPPED: [&str; 16] = [
        "analyzing_general",
        "explaining_general",
        "default",
        "open_question",
        "verifying_fact",
        "counterfactual",
        "question_generation",
        "ranking",
        "topic_modeling",
        "data_analysis",
        "others",
        "classification_identification",
        "reading_comprehension",
        "writing_technical_document",
        "note_summarization",
        "value_judgement",
    ];
    Some(match name {
        name if SKIPPED.contains(&name) => return None,
        "coding" | "explaining_code" => Category::Coding,
        name if name.starts_with("code_") => Category::Coding,
        "math"
        | "reasoning"
        | "stem"
        | "humanities"
        | "math_reasoning"
        | "writing_scientific_paper" => Category::Academic,
        name if name.starts_with("solving_exam") => Category::Academic,
        _ => Category::Common,
    })
}

/// What a row says of itself.
fn stated(row: &Map<String, Value>) -> Option<Category> {
    let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
    match (text("source"), text("category")) {
        (source, category)
            if source.starts_with("autoj_") || source.starts_with("mtbench_turn") =>
        {
            academic_subject(category)
        }
        ("pandalm", "(Wolfram alpha)?") => Some(Category::Academic),
        (
            "pandalm",
            "Gmail" | "Tasty" | "Yelp" | "Twitter" | "Spotify" | "Netflix" | "Messenger"
            | "LinkedIn" | "Indeed" | "IMDB" | "ESPN" | "Reddit" | "Amazon" | "Goodreads"
            | "Instagram" | "Telegram" | "YouTube" | "Redfin",
        ) => Some(Category::Common),
        _ => None,
    }
}

/// What words say: clear cases alone.
fn by_words(task: &str) -> Option<Category> {
    let text = normal(task);
    let count = |list: &str| {
        let list: HashSet<&str> = list.split_whitespace().collect();
        words(&text)
            .take(80)
            .filter(|word| list.contains(word))
            .collect::<HashSet<_>>()
            .len()
    };
    let (coding, academic, common) = (count(CODING), count(ACADEMIC), count(COMMON));
    match (coding, academic) {
        (2.., 0) => Some(Category::Coding),
        (1, 0) if task.contains("```") || text.contains("python") || text.contains("sql") => {
            Some(Category::Coding)
        }
        (0, 2..) if common < 2 => Some(Category::Academic),
        (0, 1) if common == 0 && words(&text).count() < 14 => Some(Category::Academic),
        (0, 0) if common > 0 => Some(Category::Common),
        _ => None,
    }
}

/// As the data's description splits them.
fn is_dev(row: &Map<String, Value>, dev: &HashSet<String>, task: &str) -> bool {
    let key = key(task);
    let mut crc = flate2::Crc::new();
    crc.update(key.as_bytes());
    let arena = row.get("source").and_then(Value::as_str) == Some("arena_bench_v1");
    let own = if arena {
        crc.sum() % 2 == 1
    } else {
        crc.sum().is_multiple_of(5)
    };
    own || dev.contains(&key)
}

fn key(task: &str) -> String {
    task.to_lowercase()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect()
}

fn rows(path: &Path) -> impl Iterator<Item = Map<String, Value>> {
    RawRows::open(path, &FieldMap::new())
        .expect("data")
        .filter_map(|row| Some(row.ok()?.object))
}

fn task(row: &Map<String, Value>) -> String {
    let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
    match text("input") {
        "" => text("instruction").to_owned(),
        input => format!("{}\n\n{input}", text("instruction")),
    }
}

fn accuracy(name: &str, rows: &[Example], of: impl Fn(&str) -> Category) {
    let mut table = [[0usize; 3]; 3];
    for row in rows {
        table[row.category as usize][of(&row.task) as usize] += 1;
    }
    let right: usize = (0..3).map(|at| table[at][at]).sum();
    println!(
        "{name}: {right} of {} right, {:.3}",
        rows.len(),
        right as f64 / rows.len().max(1) as f64
    );
    for (category, line) in Category::ALL.iter().zip(table) {
        println!("    {category}: told {line:?} as common, coding, academic");
    }
}

fn main() {
    let arguments = Arguments::parse();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let hand: Vec<Example> = rows(&root.join("tests/collect/instructions.jsonl"))
        .map(|row| labelled(&row))
        .collect();
    accuracy("hand-labelled, weights on board", &hand, |task| {
        classify(task).0
    });
    if !arguments.data.is_dir() {
        println!(
            "{}: no such folder; nothing is trained",
            arguments.data.display()
        );
        return;
    }
    let data = |name: &str| arguments.data.join(name);
    let mut dev = HashSet::new();
    for row in rows(&data("alpaca_eval_judge.jsonl.gz")) {
        if row.get("instr_split").and_then(Value::as_str) == Some("dev") {
            dev.insert(key(&task(&row)));
        }
    }
    let (mut examples, mut measured) = (Vec::new(), Vec::new());
    for category in Category::ALL {
        let path = root.join("sample_data").join(format!("{category}.jsonl"));
        examples.extend(rows(&path).map(|row| labelled(&row)));
    }
    for (category, list) in [
        (Category::Common, COMMON),
        (Category::Coding, CODING),
        (Category::Academic, ACADEMIC),
    ] {
        for word in list.split_whitespace() {
            examples.extend(ABOUT[category as usize].iter().map(|about| Example {
                category,
                weight: arguments.weak,
                task: about.replace("{}", word),
            }));
        }
    }
    let mut seen: HashSet<String> = examples.iter().map(|example| key(&example.task)).collect();
    let hand_keys: HashSet<String> = hand.iter().map(|example| key(&example.task)).collect();
    for name in [
        "absolute_scores.jsonl.gz",
        "pairwise_human.jsonl.gz",
        "instruct_sample.jsonl.gz",
        "alpaca_eval_judge.jsonl.gz",
    ] {
        for row in rows(&data(name)) {
            let task = task(&row);
            let key = key(&task);
            if hand_keys.contains(&key) || !seen.insert(key) {
                continue;
            }
            let (category, weight) = match stated(&row) {
                Some(category) => (category, 1.0),
                None => match by_words(&task) {
                    Some(category) => (category, arguments.weak),
                    None => continue,
                },
            };
            let example = Example {
                category,
                weight,
                task,
            };
            match is_dev(&row, &dev, &example.task) {
                true if weight == 1.0 => measured.push(example),
                true => {}
                false => examples.push(example),
            }
        }
    }
    let stated = examples
        .iter()
        .filter(|example| example.weight == 1.0)
        .count();
    println!("{} examples, {stated} of them stated", examples.len());
    let settings = Settings {
        epochs: arguments.epochs,
        rate: arguments.rate,
        ..Settings::default()
    };
    let weights: Weights = fit(&examples, &settings);
    accuracy("development rows that state it", &measured, |task| {
        weights.classify(task).0
    });
    accuracy("hand-labelled", &hand, |task| weights.classify(task).0);
    if let Some(out) = &arguments.out {
        std::fs::write(out, weights.to_bytes()).expect("weights");
    }
}

fn labelled(row: &Map<String, Value>) -> Example {
    Example {
        category: row["category"]
            .as_str()
            .expect("category")
            .parse()
            .expect("category"),
        weight: 1.0,
        task: task(row),
    }
}
