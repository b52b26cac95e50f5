use super::*;

/// The events that crossterm makes of bytes that come together.
fn events(bytes: &str) -> Vec<Event> {
    let mut events = Vec::new();
    let mut signs = bytes.chars();
    while let Some(sign) = signs.next() {
        let (code, modifiers) = match sign {
            '\u{1b}' => match signs.next() {
                Some(next) => (KeyCode::Char(next), KeyModifiers::ALT),
                None => (KeyCode::Esc, KeyModifiers::NONE),
            },
            '\u{7}' => (KeyCode::Char('g'), KeyModifiers::CONTROL),
            sign if sign.is_uppercase() => (KeyCode::Char(sign), KeyModifiers::SHIFT),
            sign => (KeyCode::Char(sign), KeyModifiers::NONE),
        };
        events.push(Event::Key(KeyEvent::new(code, modifiers)));
    }
    events
}

fn asked() -> Sieve {
    Sieve::new(Some(Instant::now()))
}

fn take(sieve: &mut Sieve, bytes: &str) -> Vec<Heard> {
    let taken = events(bytes).into_iter();
    taken
        .flat_map(|event| sieve.take(event, Instant::now()))
        .collect()
}

fn typed(bytes: &str) -> Vec<Heard> {
    events(bytes).into_iter().map(Heard::Event).collect()
}

#[test]
fn an_answer_is_heard_and_no_key_of_it() {
    for (answer, ground) in [
        ("\u{1b}]11;rgb:1414/1717/1f1f\u{7}", Ground::Dark),
        ("\u{1b}]11;rgb:fbfb/FAFA/f7f7\u{1b}\\", Ground::Light),
        ("\u{1b}]11;rgb:ff/ff/ff\u{7}", Ground::Light),
        ("\u{1b}]11;rgb:f/f/f\u{7}", Ground::Light),
        ("\u{1b}]11;rgba:0000/0000/0000/ffff\u{7}", Ground::Dark),
        ("\u{1b}]11;#fbfaf7\u{7}", Ground::Light),
    ] {
        let mut sieve = asked();
        let heard = take(&mut sieve, &format!("j{answer}k"));
        let mut expected = typed("j");
        expected.push(Heard::Ground(ground));
        expected.extend(typed("k"));
        assert_eq!(heard, expected, "{answer:?}");
        assert_eq!(sieve.patience(), None);
    }
}

#[test]
fn an_answer_that_says_nothing_is_no_keys_either() {
    for answer in [
        "\u{1b}]11;rgb:zz/0/0\u{7}",
        "\u{1b}]11;rgb:1/2\u{7}",
        "\u{1b}]11;\u{7}",
    ] {
        assert_eq!(take(&mut asked(), answer), [], "{answer:?}");
    }
    let long = format!("\u{1b}]11;{}", "0".repeat(LONGEST - PREFIX.len()));
    let mut sieve = asked();
    assert_eq!(take(&mut sieve, &long), []);
    assert_eq!(take(&mut sieve, "0j"), typed("0j"), "it goes on after that");
}

#[test]
fn an_answer_cut_in_two_is_one() {
    for (one, two) in [
        ("\u{1b}", "]11;rgb:ffff/ffff/ffff\u{7}"),
        ("\u{1b}]1", "1;rgb:ffff/ffff/ffff\u{7}"),
        ("\u{1b}]11;rgb:ffff/ffff/ffff\u{1b}", "\\"),
    ] {
        let mut sieve = asked();
        assert_eq!(take(&mut sieve, one), []);
        assert!(sieve.patience().is_some());
        assert_eq!(take(&mut sieve, two), [Heard::Ground(Ground::Light)]);
    }
}

#[test]
fn keys_that_only_begin_like_one_are_keys() {
    for keys in [
        "\u{1b}]j",
        "\u{1b}]12",
        "\u{1b}]1\u{7}",
        "\u{1b}]\u{1b}j",
        "]11;",
        "\u{1b}j",
    ] {
        assert_eq!(take(&mut asked(), keys), typed(keys), "{keys:?}");
    }
    let mut sieve = asked();
    assert_eq!(take(&mut sieve, "\u{1b}"), []);
    assert_eq!(sieve.late(), typed("\u{1b}"), "Esc is only late");
    assert_eq!(take(&mut sieve, "\u{1b}]11"), []);
    assert_eq!(sieve.late(), typed("\u{1b}]11"));
    let twice = take(&mut asked(), "\u{1b}]1\u{1b}]11;rgb:0/0/0\u{7}");
    assert_eq!(twice[..2], typed("\u{1b}]1"));
    assert_eq!(twice[2..], [Heard::Ground(Ground::Dark)]);
}

#[test]
fn half_an_answer_is_forgotten() {
    let mut sieve = asked();
    assert_eq!(take(&mut sieve, "\u{1b}]11;rgb:ff"), []);
    assert_eq!(sieve.patience(), Some(REST));
    assert_eq!(sieve.late(), []);
    assert_eq!(take(&mut sieve, "j"), typed("j"));
}

#[test]
fn other_events_pass_while_keys_are_held() {
    let mut sieve = asked();
    assert_eq!(take(&mut sieve, "\u{1b}]11;rgb:ff/ff"), []);
    let resize = Event::Resize(80, 24);
    let heard = sieve.take(resize.clone(), Instant::now());
    assert_eq!(heard, [Heard::Event(resize)]);
    assert_eq!(take(&mut sieve, "/ff\u{7}"), [Heard::Ground(Ground::Light)]);
}

#[test]
fn without_a_question_and_long_after_it_esc_is_a_key_at_once() {
    let mut silent = Sieve::new(None);
    assert_eq!(take(&mut silent, "\u{1b}]11;x"), typed("\u{1b}]11;x"));
    let mut sieve = asked();
    let later = Instant::now() + FRESH;
    let esc = events("\u{1b}").remove(0);
    assert_eq!(sieve.take(esc.clone(), later), [Heard::Event(esc)]);
}

#[test]
fn the_first_guess_is_the_last_number() {
    assert_eq!(Ground::guess(Some("15;0")), Some(Ground::Dark));
    assert_eq!(Ground::guess(Some("0;15")), Some(Ground::Light));
    assert_eq!(Ground::guess(Some("0;default;7")), Some(Ground::Light));
    assert_eq!(Ground::guess(Some("15;default")), None);
    assert_eq!(Ground::guess(Some("")), None);
    assert_eq!(Ground::guess(None), None);
}
