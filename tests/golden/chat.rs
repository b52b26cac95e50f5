//! Chat templates against transformers (see chat.py beside this file).

use juror::model::chat::{ChatTemplate, Turn};
use juror::model::tokenizer::Piece;
use serde_json::{Value, json};

use super::here;

fn turns(case: &Value, are_data: bool) -> Vec<Turn> {
    let messages = case["messages"].as_array().unwrap();
    let piece = |text: &str| match are_data {
        true => Piece::data("response", text),
        false => Piece::template(text),
    };
    let roles = ["system", "user", "assistant"];
    messages
        .iter()
        .map(|message| Turn {
            role: roles.iter().find(|r| message["role"] == **r).unwrap(),
            content: vec![piece(message["content"].as_str().unwrap())],
        })
        .collect()
}

#[test]
fn templates_render_as_in_transformers() {
    let golden = super::json(here("chat.json"));
    let folder = tempfile::tempdir().unwrap();
    let tokens = json!({"bos_token": golden["bos"], "eos_token": {"content": golden["eos"]}});
    let config = folder.path().join("tokenizer_config.json");
    std::fs::write(config, tokens.to_string()).unwrap();
    let mut wrong = Vec::new();
    for case in golden["cases"].as_array().unwrap() {
        let template = golden["templates"][case["name"].as_str().unwrap()]
            .as_str()
            .unwrap();
        std::fs::write(folder.path().join("chat_template.jinja"), template).unwrap();
        let chat = ChatTemplate::read(folder.path()).unwrap().unwrap();
        let generate = case["generate"].as_bool().unwrap();
        let render = |turns: &[Turn]| {
            let pieces = chat.render(turns, generate).map_err(|e| e.to_string())?;
            Ok::<String, String>(pieces.iter().map(|p| p.text.as_str()).collect())
        };
        let got = render(&turns(case, false));
        let good = match (&got, case["text"].as_str()) {
            (Ok(got), Some(want)) => got == want,
            (Err(got), None) => got.contains(case["error"].as_str().unwrap()),
            _ => false,
        };
        if !good {
            let want = case["text"].as_str().or(case["error"].as_str()).unwrap();
            wrong.push(format!("{}:\n{got:?}\n{want:?}\n", case["name"]));
        }
        // As data, a text is left alone by all that only moves it around.
        if ["headers", "brackets", "turns"].contains(&case["name"].as_str().unwrap()) {
            let data = render(&turns(case, true));
            assert_eq!(got, data);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
