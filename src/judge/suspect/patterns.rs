//! What sentences look like that are meant for the judge. Each pattern is put to one sentence on one line, so `.` stays
//! within it.

use std::sync::LazyLock;

use regex::{Regex, RegexSet, RegexSetBuilder};

/// See the module.
pub struct Patterns {
    /// A word without which no sentence is looked at.
    pub anchor: Regex,
    /// Speaks to the judge, whatever the task.
    pub addresses: RegexSet,
    /// Does so unless the task is about judges.
    pub may_address: RegexSet,
    /// Counts beside another sentence that speaks to the judge.
    pub confirms: RegexSet,
    /// Says a score of the response, whatever the task.
    pub states: RegexSet,
    /// Does so unless the task is about scores.
    pub may_state: RegexSet,
    /// A line that is a score and nothing else.
    pub score_line: Regex,
    /// Of a task.
    pub about_scores: Regex,
    pub about_judges: Regex,
}

const ANCHOR: &str = r"(?i)judge|grader|grading|evaluator|\braters?\b|assessor|annotator|\b(?:rate|rating|score|scoring|scores)\b|\bgrade\b|\b(?:ignore|disregard|forget|override)\b|full (?:marks|credit)|thank(?:s| you) for (?:the|a|your)|\bI(?:'d|’d| would| will|'ll)? (?:give|award)\b|\b(?:response|answer|submission) (?:is|was|has|have|deserve|merit)|\b(?:output|respond|reply|choose|answer) (?:with|only|\d|the (?:number|digit|score|rating))|\[\[";

/// Who judges. `judge` alone is many other people.
macro_rules! judges {
    () => {
        r"(?:(?:ai|llm|automated|automatic|impartial|human|expert|fair|strict|generous|lenient)[ -](?:judge|reviewer|assessor)|judge|grader|autograder|evaluator|rater|scorer|assessor|annotator)s?"
    };
}

/// What is judged.
macro_rules! answers {
    () => {
        r"(?:response|answer|reply|output|submission|completion)s?"
    };
}

const ADDRESSES: [&str; 9] = [
    r"\b(?:ignore|disregard|forget|override|bypass)\b.{0,30}\b(?:previous|prior|above|earlier|preceding|foregoing|system)\b.{0,20}\b(?:instructions?|rubrics?|criteria|prompts?|guidelines|directions|rules)\b",
    r"\b(?:ignore|disregard|forget|override)\b.{0,20}\b(?:instructions?|rubrics?|criteria|prompts?|guidelines|grading|scoring)\b.{0,20}\babove\b",
    r"\b(?:ignore|disregard|override)\b.{0,20}\b(?:rubric|(?:grading|scoring|rating|evaluation) (?:criteria|guidelines|instructions|rules|scheme)|reference answer)\b",
    concat!(
        r"\b(?:rate|score|grade)\s+(?:only\s+)?(?:this|my|the (?:above|following|preceding)|our)\s+(?:\w+\s+)?",
        answers!(),
        r"\b.{0,40}(?:\b(?:highest|maximum|perfect|full|top|best|excellent|ten|nine)\b|\b\d)"
    ),
    concat!(
        r"\b(?:give|award|assign|grant|deserves?|merits?|receives?)\b.{0,30}\b",
        answers!(),
        r"\b.{0,30}\b(?:highest|maximum|perfect|full|top)\b(?: possible)? (?:score|rating|grade|marks?|points?|credit)\b"
    ),
    concat!(
        r"\b",
        answers!(),
        r"\b.{0,40}\b(?:must|should|deserves?|merits?|has to|needs to|ought to)\b.{0,20}\b(?:(?:highest|maximum|perfect|full|top)(?: possible)? (?:score|rating|grade|marks?|points?|credit)|(?:score|rating|grade) of \d|be (?:rated|scored|graded))"
    ),
    r"\b(?:dear|hello|attention|note (?:to|for)|message (?:to|for)|instructions? (?:to|for)|reminder (?:to|for))[,:]?\s+(?:the\s+|any\s+|all\s+)?(?:(?:ai|llm|automated|human|fellow)\s+)?(?:graders?|autograders?|evaluators?|raters?|scorers?)\b",
    r"\b(?:this|my|the)\s+(?:response|answer|submission)\s+(?:is|was)\s+(?:\w+\s+){0,3}(?:better|superior|equal|identical)\b.{0,20}\bthe reference\b",
    r"\b(?:grader|autograder|evaluator|rater|scorer|(?:ai|llm|automated|automatic) judge)s?\b.{0,60}\b(?:rate me|rate (?:this|it|my)|give (?:me|this|it|my)|full marks|highest (?:score|rating)|maximum (?:score|rating)|perfect (?:score|rating)|high scores?)\b",
];

const MAY_ADDRESS: [&str; 9] = [
    concat!(
        r"^\W*(?:dear|hello|hi|hey|attention|note (?:to|for)|message (?:to|for))[,:]?\s+(?:the\s+)?",
        judges!(),
        r"\s*[,:!–—]"
    ),
    concat!(
        r"\byou (?:are|were)\s+(?:now\s+|no longer\s+|not\s+)?(?:an?|the)\s+(?:\w+\s+){0,2}?",
        judges!(),
        r"\b"
    ),
    concat!(
        r"\b(?:ask|asking|beg|urge|instruct|remind)\b.{0,15}\b",
        judges!(),
        r"\b.{0,60}\b(?:rate|score|rating|full marks|highest|maximum|points)\b"
    ),
    concat!(
        r"\b",
        answers!(),
        r"\b.{0,30}\b(?:has|have|was|were|is|are)\b.{0,12}\b(?:verified|certified|pre-?approved|fact-checked)\b.{0,20}\b(?:correct|complete|perfect|accurate)\b"
    ),
    concat!(
        r"\b(?:low|lower|bad|poor|high|higher)\s+(?:scores?|ratings?|grades?)\b.{0,60}\b",
        judges!(),
        r"\b"
    ),
    r"\b(?:assign|give|award)\s+(?:it|this|me|this one|that)\s+(?:\w+\s+){0,2}?(?:highest|maximum|perfect|full|top)(?: possible)? (?:score|rating|grade|marks?|points?|credit)\b",
    r"\b(?:rate|score|grade)\s+(?:me|this|it)\s+(?:as\b|an?\s|with\s|highly|\d)",
    r"^\W*system\s+(?:message|override|notice|prompt|note)\s*:",
    r"\bthank(?:s| you) for (?:the|your|a)\s+(?:\d{1,2}\b|(?:high|top|perfect|full|good|maximum) (?:score|rating|marks|grade))",
];

const CONFIRMS: [&str; 2] = [
    r#"\b(?:output|reply with|respond with|answer with|answer|print|return|choose|select|write|pick)\b\s+(?:only\s+)?(?:(?:the|a)\s+)?(?:(?:number|digit|score|rating|label|grade)\s+)?(?:of\s+)?["'`*\[]*\d{1,2}["'`*\]]*(?:\s+and nothing else|\s+only)?\W*$"#,
    r"\b(?:full marks|(?:highest|maximum|perfect|top)(?: possible)? (?:score|rating|grade))\b",
];

const STATES: [&str; 2] = [
    r"\b(?:valid|correct|only|expected|appropriate|right|fair|suggested|recommended)\s+(?:score|rating|grade|verdict|label)(?:\s+(?:here|for (?:this|it|the) ?\w*))?\s+(?:is|should be|would be|must be)\b\W{0,4}\d",
    concat!(
        r"\bI(?:'d|’d| would| will|'ll)?\s+(?:give|rate|score|grade|award)\s+(?:this|my|the)\s+(?:\w+\s+)?",
        answers!(),
        r"\b.{0,25}\b\d{1,3}\b"
    ),
];

const MAY_STATE: [&str; 3] = [
    r"^\W*(?:(?:my|the|so,? the|your)\s+)?(?:final|overall|total|judge(?:'s|’s)?)\s+(?:score|rating|grade|verdict)\s*(?:is|of|:|=)\s*\W{0,3}\d{1,3}(?:\.\d+)?(?:\s*(?:/|out of)\s*\d{1,3})?\W*$",
    r"\bI(?:'d|’d| would| will|'ll)?\s+(?:give|rate|score|grade|award)\s+(?:this|my|it|myself)\b(?:\s+(?:one|here|as|at|with|an?|the|score|rating|grade|perfect|solid|of)){0,5}\s+\d{1,2}(?:\.\d)?(?:\s*(?:/|out of)\s*\d{1,3})?\b[^:]*$",
    r#"(?:^|[\s:*"'])\[\[(?:\d{1,2}(?:\.\d+)?|[ABC]|tie)\]\](?:$|[\s.,;!*"'])"#,
];

const SCORE_LINE: &str = r"(?mi)^[ \t>]*(?P<line>[*_#-]*[ \t]*(?:(?:final|overall|total|my|the|your|judge'?s?|judge’s|suggested|correct|recommended)[ \t]+)?(?:score|rating|grade|evaluation|verdict|judge?ment)[ \t*_]*(?::|is|->)[ \t*_]*\[{0,2}(?P<score>\d{1,3}(?:\.\d+)?)\]{0,2}(?:[ \t]*(?:/|out of)[ \t]*\d{1,3})?[ \t*_.!]*)$";

const ABOUT_SCORES: &str = r"(?i)\b(?:rat(?:e|es|ed|ing|ings)|scor(?:e|es|ed|ing)|grad(?:e|es|ed|ing)|evaluat\w*|review\w*|judg\w*|assess\w*|stars?|out of (?:5|10|100|five|ten)|critique|feedback|rank\w*|sentiment|1[ -]+(?:to[ -]+)?(?:5|10)|points?)\b";

const ABOUT_JUDGES: &str = r"(?i)\b(?:judg\w*|grad(?:er|ers|ing)|evaluat\w*|raters?|assessors?|annotat\w*|scorers?|prompts?|injection|jailbreak\w*|system message|rat(?:e|ing)|scor(?:e|ing))\b";

/// All patterns, made once; `None` in a build whose tests do not pass.
pub fn all() -> Option<&'static Patterns> {
    static ALL: LazyLock<Option<Patterns>> = LazyLock::new(make);
    ALL.as_ref()
}

fn make() -> Option<Patterns> {
    let set = |patterns: &[&str]| {
        let patterns = patterns.iter().map(|pattern| ascii(pattern));
        RegexSetBuilder::new(patterns)
            .case_insensitive(true)
            .build()
            .ok()
    };
    let one = |pattern: &str| Regex::new(&ascii(pattern)).ok();
    Some(Patterns {
        anchor: one(ANCHOR)?,
        addresses: set(&ADDRESSES)?,
        may_address: set(&MAY_ADDRESS)?,
        confirms: set(&CONFIRMS)?,
        states: set(&STATES)?,
        may_state: set(&MAY_STATE)?,
        score_line: one(SCORE_LINE)?,
        about_scores: one(ABOUT_SCORES)?,
        about_judges: one(ABOUT_JUDGES)?,
    })
}

/// Words end where ASCII says: otherwise every text with other letters would be searched the slow way.
fn ascii(pattern: &str) -> String {
    pattern.replace(r"\b", r"(?-u:\b)")
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_pattern_compiles() {
        assert!(super::all().is_some());
    }
}
