//! Who won, in any of the ways in which data say it.

use serde_json::Value;

/// What answer a won: 1, 0, ½ for a tie, or a probability. `one_to_two`: numbers as AlpacaEval has them, 1 for the
/// first answer and 2 for the second.
///
/// # Errors
/// Anything else, with the field's name.
pub fn outcome(name: &str, value: &Value, one_to_two: bool) -> Result<f64, String> {
    let found = match value {
        Value::String(text) => word(text).or_else(|| scaled(text.trim().parse().ok()?, one_to_two)),
        Value::Number(number) => number.as_f64().and_then(|x| scaled(x, one_to_two)),
        _ => None,
    };
    let numbers = if one_to_two { "1 to 2" } else { "0 to 1" };
    found.ok_or_else(|| {
        format!("field `{name}`: expected `a`, `b`, `tie` or a number from {numbers} (what a won), found {value}")
    })
}

fn scaled(number: f64, one_to_two: bool) -> Option<f64> {
    match one_to_two {
        // Old annotations have 0 for a draw.
        true if number == 0.0 => Some(0.5),
        true => (1.0..=2.0).contains(&number).then_some(2.0 - number),
        false => (0.0..=1.0).contains(&number).then_some(number),
    }
}

fn word(text: &str) -> Option<f64> {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let text = text.to_lowercase();
    match text.as_str() {
        "a" | "model_a" | "response_a" | "a>b" | "a>>b" | "b<a" | "b<<a" => Some(1.0),
        "b" | "model_b" | "response_b" | "b>a" | "b>>a" | "a<b" | "a<<b" => Some(0.0),
        "a=b" | "b=a" | "draw" | "equal" | "both" => Some(0.5),
        // Arena's `tie (bothbad)`, MT-bench's `tie (inconsistent)`.
        _ => text.starts_with("tie").then_some(0.5),
    }
}
