use super::*;

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
        let bound = Layer::ALL
            .iter()
            .find_map(|(layer, ..)| keymap.hint(*layer, *action));
        let (_, desc) = bound.unwrap_or_else(|| panic!("{} is not bound", action.name()));
        assert!(!desc.is_empty(), "{} has no description", action.name());
        assert_eq!(Action::parse(action.name()), Some(*action));
    }
}

#[test]
fn keys_in_each_others_way_are_told() {
    let said = |text: &str| Keymap::parse(text).unwrap_err().to_string();
    let twice = said("normal = [{ on = ['j', 'x'], run = 'up' }, { on = 'x', run = 'down' }]");
    assert!(
        twice.contains("in normal, x for up and x for down"),
        "{twice}"
    );
    let hidden = said("runs = [{ on = 'g', run = 'up' }, { on = 'g g', run = 'top' }]");
    assert!(hidden.contains("g for up and gg for top"), "{hidden}");
    let own = Keymap::parse("normal = [{ on = 'g', run = 'up', desc = 'up' }]").unwrap();
    let keymap = Keymap::standard().over(own);
    assert_eq!(
        keymap.conflict(),
        None,
        "what is in the way of an own row gives way"
    );
    assert_eq!(
        keymap.look_up(Layer::Normal, &keys("g")),
        Lookup::Found(Action::Up)
    );
}

#[test]
fn a_screen_has_its_own_keys_over_the_usual_ones() {
    let text = "threshold = [{ on = 'j', run = 'solve', desc = 'x' }]\nnormal = [{ on = ['j', 'k'], run = 'down', desc = 'y' }]";
    let keymap = Keymap::parse(text).unwrap();
    let found = |layer, on: &str| keymap.look_up(layer, &keys(on));
    assert_eq!(found(Layer::Threshold, "j"), Lookup::Found(Action::Solve));
    assert_eq!(found(Layer::Threshold, "k"), Lookup::Found(Action::Down));
    assert_eq!(found(Layer::Runs, "j"), Lookup::Found(Action::Down));
    assert_eq!(found(Layer::Overlay, "j"), Lookup::None);
    assert_eq!(keymap.reachable(Layer::Threshold).len(), 2);
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
        Err(KeymapError::Layer(_))
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
