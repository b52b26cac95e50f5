//! Makes up instruction rows: templates with facts, planted duplicates, and rows with one fact exchanged.

#[path = "words.rs"]
mod words;

use juror::stats::bootstrap::SplitMix64;
use serde_json::json;
use words::{FIRST, LAST, PLACES, SUBJECTS, THINGS};

/// How planted duplicates differ from their originals.
pub const EDITS: [&str; 8] = [
    "marks and case",
    "politeness",
    "one slip of the pen",
    "two slips",
    "another word for the same",
    "an ending",
    "a phrase on top",
    "sentences in another order",
];

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// On its own.
    Base,
    /// An earlier row with an edit.
    Planted(usize),
    /// An earlier row with another fact.
    Hard,
}

/// A row, and the earlier one it was made of.
pub struct Made {
    pub kind: Kind,
    pub of: u32,
    instruction: String,
    input: String,
    output: String,
}

impl Made {
    /// As JSON.
    pub fn line(&self, id: usize) -> String {
        json!({"id": id, "instruction": self.instruction, "input": self.input, "output": self.output}).to_string()
    }
}

/// Slots are {t} thing, {p} place, {n} person, {s} subject, {y} number.
const TEMPLATES: [&str; 40] = [
    "Write a short story about a {t} and a {t} in {p}.",
    "Describe how {s} is taught in {p} and what {n} thought of it.",
    "Create a poem about a {t} who meets {n} in {p}.",
    "Explain {s} to a child who lives in {p} and loves every {t}.",
    "Write an email from {n} to {n} about a lost {t}.",
    "Give {y} reasons to visit {p} with {n}.",
    "What did {n} write about {s} in {y}?",
    "List {y} facts about the {t} that people in {p} know.",
    "Compose a dialogue between {n} and {n} about {s}.",
    "Plan a trip of {y} days from {p} to {p} for {n}.",
    "Summarise the history of {s} in {p} between {y} and {y}.",
    "Write a Python function that converts {y} rows of {s} data into a table for {n}.",
    "Write a SQL query that finds every {t} sold in {p} after {y}.",
    "Draft a speech that {n} could give in {p} about {s}.",
    "Suggest a name for a {t} shop in {p} owned by {n}.",
    "How far is {p} from {p} if a train takes {y} minutes at the speed {n} assumed?",
    "Compute the sum of {y}, {y} and {y}. Show every step.",
    "Write a letter of complaint about a broken {t} bought in {p} from {n}.",
    "Compare the {t} and the {t} as symbols in a novel by {n}.",
    "Design an experiment on {s} that {n} could do with a {t}.",
    "Write a review of a restaurant in {p} where {n} was served {t} soup.",
    "Generate a quiz of {y} questions about {s} for students in {p}.",
    "Explain the difference between {s} and {s} with an example from {p}.",
    "Write a news article: {n} has found a {t} in {p}. Keep it short and lively. Use the present tense.",
    "Translate this line for {n}: the {t} is in {p}.",
    "Give {n} advice on keeping a {t} in a flat in {p}. Mention the costs. Stay friendly.",
    "Tell a joke about {n}, a {t} and {s}.",
    "Find the error that {n} made in an essay on {s} from {y}.",
    "Write a song about leaving {p} with {n} and a {t}. It should rhyme. The mood is cheerful.",
    "Produce a table of {y} rows that compares {p} and {p} by {s}.",
    "Outline a lecture on {s} for {n}. Begin with a question. End with a summary.",
    "Implement a class {t} with a method for {s} and {y} fields.",
    "What would {n} answer when asked about {s} in {p}?",
    "Make a packing list for {n}, who takes a {t} to {p}.",
    "Write an advertisement for a {t} museum in {p} with {y} rooms.",
    "Describe the painting of a {t} that {n} saw in {p}. Mention colours, light and mood. Use at most {y} words.",
    "Invent a game for {y} players with a {t} and a {t}.",
    "Argue for and against a statue of {n} in {p}.",
    "Calculate how long {n} needs to read {y} pages on {s} at {y} pages an hour.",
    "Write a diary entry of {n} on the day the {t} came to {p}.",
];

const SENTENCES: [&str; 14] = [
    "In {y} {n} opened a small workshop in {p}.",
    "The {t} was first described by {n} during a journey to {p}.",
    "Few people in {p} cared for {s} before {n} wrote about it.",
    "After {y} years the {t} was sold to a collector in {p}.",
    "{n} and {n} disagreed about {s} for the rest of their lives.",
    "The report counts {y} visitors, most of them from {p}.",
    "A {t} stands on the market square of {p} to this day.",
    "Students of {s} still quote the letter that {n} sent in {y}.",
    "Nobody had expected that a {t} would matter to {s}.",
    "The museum in {p} keeps {y} drawings by {n}.",
    "Trains to {p} were late because of a {t} on the line.",
    "{n} measured the {t} and noted {y} grams.",
    "Prices in {p} rose by {y} per cent within a year.",
    "Without the help of {n} the work on {s} would have ended in {y}.",
];

/// What is put on top.
const PHRASES: [&str; 6] = [
    " Be creative.",
    " Use simple words.",
    " Think step by step.",
    " Keep the answer clear.",
    " Write in English.",
    " Make it interesting.",
];

const SAME: [(&str, &str); 8] = [
    ("Write a ", "Compose a "),
    ("Describe ", "Explain "),
    ("Create a ", "Write a "),
    ("Explain ", "Describe "),
    ("short ", "brief "),
    ("Give ", "Provide "),
    ("Compute ", "Calculate "),
    ("List ", "Name "),
];

/// A row before it is text.
#[derive(Clone)]
struct Filled {
    id: u32,
    template: usize,
    facts: Vec<String>,
    input: String,
}

/// Rows that duplicates are made of.
const RECENT: usize = 20_000;

/// Makes rows up, one after the other.
pub struct Maker {
    random: SplitMix64,
    words: [Vec<&'static str>; 5],
    recent: Vec<Filled>,
    known: std::collections::HashSet<u64>,
}

impl Maker {
    /// The same rows for the same seed.
    pub fn new(seed: u64) -> Self {
        let list = |text: &'static str| text.split_whitespace().collect::<Vec<_>>();
        Maker {
            random: SplitMix64(seed),
            words: [THINGS, PLACES, FIRST, LAST, SUBJECTS].map(list),
            recent: Vec::new(),
            known: Default::default(),
        }
    }

    fn below(&mut self, most: usize) -> usize {
        (self.random.next_u64() % most.max(1) as u64) as usize
    }

    /// A fact for a slot. The last tenth of each list is kept for exchanged facts, which so never meet another row.
    fn fact(&mut self, slot: char, reserved: bool) -> String {
        let mut word = |list: usize| {
            let all = self.words[list].len();
            let start = all - all / 10;
            let at = match reserved {
                true => start + (self.random.next_u64() % (all - start) as u64) as usize,
                false => (self.random.next_u64() % start as u64) as usize,
            };
            self.words[list][at]
        };
        match slot {
            't' => word(0).to_owned(),
            'p' => word(1).to_owned(),
            'n' => format!("{} {}", word(2), word(3)),
            's' => word(4).to_owned(),
            _ => (2 + self.below(1900) + if reserved { 2000 } else { 0 }).to_string(),
        }
    }

    fn fill(&mut self, template: &str) -> (String, Vec<String>) {
        let facts: Vec<String> = slots(template).map(|slot| self.fact(slot, false)).collect();
        (filled(template, &facts), facts)
    }

    fn passage(&mut self, sentences: usize) -> String {
        let mut text = Vec::new();
        for _ in 0..sentences {
            let at = self.below(SENTENCES.len());
            text.push(self.fill(SENTENCES[at]).0);
        }
        text.join(" ")
    }

    /// One more row or several; `id` is that of the first.
    pub fn next_rows(&mut self, id: u32) -> Vec<Made> {
        let draw = self.below(100);
        let ready = self.recent.len() > 1000;
        let made = match draw {
            0..8 if ready => self.planted(),
            8..16 if ready => self.hard(),
            _ => self.base(id),
        };
        vec![made]
    }

    fn base(&mut self, id: u32) -> Made {
        let (template, facts, instruction) = loop {
            let template = self.below(TEMPLATES.len());
            let (instruction, facts) = self.fill(TEMPLATES[template]);
            let mut sorted = facts.clone();
            sorted.sort();
            let hash = sorted.iter().fold(template as u64, |hash, fact| {
                fact.bytes().fold(hash, |hash, byte| {
                    (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
                })
            });
            // By chance the same as an earlier one: not planted, and so not made.
            if self.known.insert(hash) {
                break (template, facts, instruction);
            }
        };
        let input = match self.below(10) {
            0..3 => {
                let sentences = 2 + self.below(5);
                self.passage(sentences)
            }
            _ => String::new(),
        };
        let filled = Filled {
            id,
            template,
            facts,
            input: input.clone(),
        };
        match self.recent.len() < RECENT {
            true => self.recent.push(filled),
            false => {
                let at = self.below(RECENT);
                self.recent[at] = filled;
            }
        }
        self.row(Kind::Base, 0, instruction, input)
    }

    fn row(&mut self, kind: Kind, of: u32, instruction: String, input: String) -> Made {
        let sentences = 2 + self.below(6);
        let output = match self.below(100) {
            0 => "I'm sorry, but I cannot help with that.".to_owned(),
            _ => self.passage(sentences),
        };
        Made {
            kind,
            of,
            instruction,
            input,
            output,
        }
    }

    fn hard(&mut self) -> Made {
        let at = self.below(self.recent.len());
        let from = self.recent[at].clone();
        let mut facts = from.facts.clone();
        let slot = self.below(facts.len());
        let kind = slots(TEMPLATES[from.template]).nth(slot).unwrap_or('t');
        facts[slot] = self.fact(kind, true);
        let instruction = filled(TEMPLATES[from.template], &facts);
        self.row(Kind::Hard, from.id, instruction, from.input)
    }

    fn planted(&mut self) -> Made {
        let at = self.below(self.recent.len());
        let from = self.recent[at].clone();
        let text = filled(TEMPLATES[from.template], &from.facts);
        let mut edit = self.below(EDITS.len());
        let mut input = from.input;
        let whole = text.len() + input.len();
        let mut instruction = match edit {
            2 => self.slip(&text),
            3 if whole > 70 => {
                let once = self.slip(&text);
                self.slip(&once)
            }
            4 => SAME
                .iter()
                .find(|(word, _)| text.contains(word))
                .map_or_else(String::new, |(a, b)| text.replacen(a, b, 1)),
            5 => self.ending(&text),
            6 if whole > 90 => {
                let at = self.below(PHRASES.len());
                text.clone() + PHRASES[at]
            }
            7 => reordered(&text),
            _ => String::new(),
        };
        if instruction.is_empty() || instruction == text {
            // This text has nothing to be edited so.
            edit = self.below(2);
            instruction = match (edit, self.below(3)) {
                (0, 0) => text.to_uppercase(),
                (0, 1) => text.replace(' ', "  ").replace('.', " !"),
                (0, _) => format!("\"{}\"", text.trim_end_matches('.')),
                (_, 0) => format!("Please {}{}", text[..1].to_lowercase(), &text[1..]),
                (_, 1) => format!("Can you {}{} Thanks", text[..1].to_lowercase(), &text[1..]),
                (_, _) => format!(
                    "Hello, I would like you to {}{}",
                    text[..1].to_lowercase(),
                    &text[1..]
                ),
            };
        }
        if edit == 0 {
            input = input.replace(". ", ".\n");
        }
        self.row(Kind::Planted(edit), from.id, instruction, input)
    }

    /// One letter wrong in a word of five letters or more, beyond its first.
    fn slip(&mut self, text: &str) -> String {
        let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        let long: Vec<usize> = (0..words.len())
            .filter(|at| {
                words[*at].len() >= 5 && words[*at].chars().all(|c| c.is_ascii_alphabetic())
            })
            .collect();
        if long.is_empty() {
            return String::new();
        }
        let at = long[self.below(long.len())];
        let mut letters: Vec<char> = words[at].chars().collect();
        let place = 1 + self.below(letters.len() - 2);
        match self.below(3) {
            0 => letters.swap(place, place + 1),
            1 => {
                letters.remove(place);
            }
            _ => letters.insert(place, letters[place]),
        }
        words[at] = letters.into_iter().collect();
        words.join(" ")
    }

    fn ending(&mut self, text: &str) -> String {
        const NOUNS: [&str; 11] = [
            "question",
            "step",
            "row",
            "field",
            "room",
            "error",
            "experiment",
            "cost",
            "statue",
            "essay",
            "example",
        ];
        let found = NOUNS
            .iter()
            .find(|noun| text.contains(&format!(" {noun} ")));
        found.map_or_else(String::new, |noun| match *noun {
            "essay" => text.replacen(noun, "essays", 1),
            noun => text.replacen(&format!(" {noun} "), &format!(" {noun}s "), 1),
        })
    }
}

fn slots(template: &str) -> impl Iterator<Item = char> + '_ {
    template
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.chars().next())
}

fn filled(template: &str, facts: &[String]) -> String {
    let mut out = String::with_capacity(template.len() + 32);
    let mut facts = facts.iter();
    for (at, part) in template.split('{').enumerate() {
        match at {
            0 => out += part,
            _ => {
                out += facts.next().map_or("", String::as_str);
                out += &part[2..];
            }
        }
    }
    out
}

/// The first sentence to the end.
fn reordered(text: &str) -> String {
    let sentences: Vec<&str> = text.split_inclusive(". ").collect();
    match sentences.as_slice() {
        [first, second, third] => format!("{second}{} {}", third.trim(), first.trim()),
        _ => String::new(),
    }
}
