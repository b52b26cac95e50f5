use super::*;

fn subject(response: &str) -> Subject {
    Subject {
        instruction: "Add.".into(),
        reference: Some("4".into()),
        response: response.into(),
        ..Subject::default()
    }
}

fn text(pieces: &[Piece]) -> String {
    pieces.iter().map(|p| p.text.as_str()).collect()
}

#[test]
fn slots_are_filled_in_one_pass() {
    let t = Template::parse("Q {instruction} A {input} {other} {{x}}", false);
    let filled = t.fill(&subject("{reference}"));
    assert_eq!(text(&filled), "Q Add. A {reference} {other} {{x}}");
    assert_eq!(filled[3].slot, Some("response"));
    let t = Template::parse("{{\"r\": \"{response}\"}}", true);
    assert_eq!(text(&t.fill(&subject("x"))), "{\"r\": \"x\"}");
}

#[test]
fn a_template_is_written_as_it_is_read() {
    let text = r#"
        labels = ["1", "5"]
        wrap = "<s>{prompt}</s>"
        label_prefix = " "
        free = "{instruction}\n\t'quoted' \"twice\" {response} {criterion}"
        slot_tokens = { response = 700 }
        [criteria]
        clear = "Is it?"
    "#;
    for set in [TemplateSet::standard(), TemplateSet::from_toml("own", text)] {
        let set = set.unwrap();
        let again = TemplateSet::from_toml("x", &set.to_toml()).unwrap();
        assert_eq!(again, set);
        assert_eq!(again.hash(), set.hash());
    }
}

#[test]
fn the_standard_templates_are_whole() {
    let set = TemplateSet::standard().unwrap();
    assert!(set.reference.is_some() && set.free.is_some());
    assert_eq!(set.scale, Scale::digits());
    assert_eq!(set.hash().len(), 64);
}

#[test]
fn a_text_file_serves_the_mode_that_its_slots_tell() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let with = write("with.txt", "{instruction} {reference} {input}\nRating: ");
    let without = write("without.txt", "{instruction} {input}\nRating: ");
    let set = TemplateSet::read(&[with.clone(), without], false).unwrap();
    assert!(set.reference.is_some() && set.free.is_some());
    assert!(TemplateSet::read(&[with.clone(), with], false).is_err());
    let blind = write("blind.txt", "{instruction}");
    let error = TemplateSet::read(&[blind], false).unwrap_err().to_string();
    assert!(error.contains("no slot {response}"), "{error}");
    let toml = write("t.toml", "free = '{response}'\nlabels = ['1', '5']");
    assert_eq!(
        TemplateSet::read(&[toml], false).unwrap().scale.values,
        [1.0, 5.0]
    );
}

#[test]
fn slot_tokens_are_of_slots_that_are_there() {
    let of = |most: &str| {
        let text = format!("free = '{{instruction}} {{response}}'\nslot_tokens = {most}");
        TemplateSet::from_toml("t.toml", &text)
    };
    let (short, long) = (of("{ response = 5 }"), of("{ response = 6 }"));
    assert_ne!(short.unwrap().hash(), long.unwrap().hash());
    for (wrong, told) in [
        ("{ reference = 5 }", "{reference}"),
        ("{ response = 0 }", "nothing"),
    ] {
        let error = of(wrong).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn criteria_and_their_slot_go_together() {
    let of = |text: &str| TemplateSet::from_toml("t.toml", text);
    let set = of(
        "free = '{criterion}: {response}'\n[criteria]\nclear = 'Is it clear?'\nbrief = 'Is it brief?'",
    );
    let set = set.unwrap();
    let names: Vec<&str> = set.criteria.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["brief", "clear"]);
    let one = of("free = '{criterion}: {response}'\n[criteria]\nclear = 'Is it clear?'").unwrap();
    assert_ne!(set.hash(), one.hash());
    let missing = of("free = '{criterion} {response}'")
        .unwrap_err()
        .to_string();
    assert!(missing.contains("no [criteria] table"), "{missing}");
    let unused = of("free = '{response}'\n[criteria]\na = 'b'")
        .unwrap_err()
        .to_string();
    assert!(unused.contains("no slot {criterion}"), "{unused}");
}

#[test]
fn wraps_are_parsed() {
    assert_eq!(Wrap::parse("chat"), Ok(Wrap::Chat));
    let around = Wrap::Around("<s>[INST] ".into(), " [/INST]".into());
    assert_eq!(Wrap::parse("<s>[INST] {prompt} [/INST]"), Ok(around));
    assert!(Wrap::parse("nothing").is_err());
}
