use super::*;

const LAYERS: [Layer; 5] = [
    Layer::Everywhere,
    Layer::Normal,
    Layer::Editor,
    Layer::Prompt,
    Layer::Overlay,
];

fn keys(names: &str) -> Vec<Key> {
    Key::parse_sequence(names).unwrap()
}

#[test]
fn the_standard_keymap_is_sound() {
    let text = include_str!("default.toml");
    assert_eq!(Keymap::parse(text), Ok(Keymap::standard()));
}

#[test]
fn every_action_is_bound_and_described() {
    let keymap = Keymap::standard();
    for action in Action::ALL {
        let bound = LAYERS.iter().find_map(|layer| keymap.hint(*layer, *action));
        let (_, desc) = bound.unwrap_or_else(|| panic!("{} is not bound", action.name()));
        assert!(!desc.is_empty(), "{} has no description", action.name());
        assert_eq!(Action::parse(action.name()), Some(*action));
    }
}

#[test]
fn no_sequence_means_two_things_in_one_layer() {
    let keymap = Keymap::standard();
    for layer in LAYERS {
        let mut seen: Vec<&Vec<Key>> = Vec::new();
        for binding in keymap.layer(layer) {
            for sequence in &binding.on {
                let clash = seen
                    .iter()
                    .any(|s| s.starts_with(sequence) || sequence.starts_with(s));
                assert!(!clash, "{layer:?}: {sequence:?}");
                seen.push(sequence);
            }
        }
    }
}

#[test]
fn sequences_are_found_step_by_step() {
    let keymap = Keymap::standard();
    assert_eq!(keymap.look_up(Layer::Normal, &keys("g")), Lookup::Prefix);
    assert_eq!(
        keymap.look_up(Layer::Normal, &keys("g g")),
        Lookup::Found(Action::Top)
    );
    assert_eq!(keymap.look_up(Layer::Normal, &keys("g x")), Lookup::None);
    assert_eq!(
        keymap.look_up(Layer::Editor, &keys("ctrl-c")),
        Lookup::Found(Action::Cancel)
    );
    assert_eq!(keymap.look_up(Layer::Editor, &keys("j")), Lookup::None);
    let next = keymap.continuations(Layer::Normal, &keys("g"));
    assert_eq!(next, [(keys("g").as_slice(), "first")]);
}

#[test]
fn digits_and_mistakes_are_refused() {
    let row = |on: &str, run: &str| format!("normal = [{{ on = '{on}', run = '{run}' }}]");
    assert!(matches!(
        Keymap::parse(&row("7", "quit")),
        Err(KeymapError::Digit(_))
    ));
    assert!(matches!(
        Keymap::parse(&row("g 7", "quit")),
        Err(KeymapError::Digit(_))
    ));
    assert!(matches!(
        Keymap::parse(&row("hyper-x", "quit")),
        Err(KeymapError::Key(_))
    ));
    assert!(matches!(
        Keymap::parse(&row("x", "fly")),
        Err(KeymapError::Action(_))
    ));
    assert!(matches!(
        Keymap::parse("normal = 3"),
        Err(KeymapError::Syntax(_))
    ));
    assert!(matches!(
        Keymap::parse("nirmal = []"),
        Err(KeymapError::Syntax(_))
    ));
}

#[test]
fn own_rows_win_over_standard_ones() {
    let own = Keymap::parse("normal = [{ on = 'j', run = 'up', desc = 'up' }]").unwrap();
    let keymap = Keymap::standard().over(own);
    assert_eq!(
        keymap.look_up(Layer::Normal, &keys("j")),
        Lookup::Found(Action::Up)
    );
    assert_eq!(
        keymap.look_up(Layer::Normal, &keys("down")),
        Lookup::Found(Action::Down)
    );
}

#[test]
fn sequences_are_shown_as_they_are_typed() {
    assert_eq!(sequence_label(&keys("g g"), false), "gg");
    assert_eq!(sequence_label(&keys("ctrl-d"), false), "Ctrl-d");
    assert_eq!(sequence_label(&keys("down"), true), "Down");
}
