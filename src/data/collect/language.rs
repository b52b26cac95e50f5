//! English or not: by script, then by the small words of languages in Latin script. Identifiers of languages by letter
//! statistics are unsure of a line of text, which most instructions are; small words are not.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::hash::{Hashed, text_hash};
use super::words::words;

/// Small words, each of one of these languages alone.
const SMALL: [(&str, &str); 9] = [
    (
        "English",
        "the of and is are was were this that these what which how why who when where with from for you your can could \
         would should write give list explain describe create make please following an my we they it be have has not \
         or if by at as there their then than does do about into sentence story name find generate provide",
    ),
    (
        "Spanish",
        "el los las del una unos que qué cómo cuál cuáles para por con está están más pero sobre este esta escribe \
         explica según también muy porque cuando donde lista siguiente crea su sus al lo entre",
    ),
    (
        "French",
        "le les des une du est sont que qui quoi pour dans avec sur cette ces vous nous votre comment pourquoi quelle \
         quel quels écris écrivez expliquez donnez liste être plus mais aux par au où et",
    ),
    (
        "German",
        "der das und ist sind ein eine einen einem einer nicht mit für auf von zu wie warum welche welcher schreibe \
         erkläre gib nenne bitte über den dem des auch oder wird werden ich sie wir zwischen zum zur",
    ),
    (
        "Italian",
        "il gli della delle dei degli che di è sono una uno per con questo questa come perché quale scrivi spiega elenca \
         più anche nel nella tra ed alla",
    ),
    (
        "Portuguese",
        "os uma um não é são que para com por mais como qual quais escreva explique liste sobre esta este da do das dos \
         em ou você seu sua entre na no ao",
    ),
    (
        "Dutch",
        "het een en van is zijn niet met voor op dat deze die hoe waarom welke schrijf geef leg uit je jij wij ook naar \
         aan worden bij",
    ),
    (
        "Indonesian or Malay",
        "yang dan di ke dari untuk dengan ini itu adalah apa bagaimana mengapa tidak pada sebuah tulis jelaskan buatlah \
         anda saya kita akan dalam oleh",
    ),
    (
        "Turkish or Vietnamese",
        "bir ve bu için ile nedir nasıl olarak daha bana yaz açıkla là và của các những một cho trong không được với \
         bạn hãy viết này",
    ),
];

/// The language of a normal text that is not English, as far as it can be told.
pub fn foreign(normal: &str) -> Option<&'static str> {
    if let Some(script) = foreign_script(normal) {
        return Some(script);
    }
    let mut counts = [0usize; SMALL.len()];
    let mut all = 0;
    for word in words(normal) {
        all += 1;
        for (language, count) in counts.iter_mut().enumerate() {
            let bit = TABLE.get(&text_hash(word)).copied().unwrap_or_default() >> language & 1;
            *count += usize::from(bit);
        }
    }
    let english = counts[0];
    let (best, count) = (1..SMALL.len())
        .map(|at| (at, counts[at]))
        .max_by_key(|(at, count)| (*count, SMALL.len() - at))?;
    // A foreign title within an English task has small words of its own.
    let enough = count >= 2 && count > 2 * english && count * 12 >= all;
    enough.then_some(SMALL[best].0)
}

/// The script of at least three in ten letters, where it is not the Latin one.
fn foreign_script(normal: &str) -> Option<&'static str> {
    if normal.is_ascii() {
        return None;
    }
    let mut letters = 0usize;
    let mut foreign: [usize; 6] = [0; 6];
    const NAMES: [&str; 6] = [
        "Cyrillic script",
        "Chinese or Japanese",
        "Korean",
        "Arabic or Hebrew script",
        "an Indian script",
        "another script",
    ];
    for c in normal.chars().filter(|c| c.is_alphabetic()) {
        letters += 1;
        let at = match c {
            'a'..='z' | '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' => continue,
            // Greek letters are symbols of mathematics and physics, too.
            '\u{370}'..='\u{3ff}' | '\u{2100}'..='\u{214f}' | '\u{1d400}'..='\u{1d7ff}' => continue,
            '\u{400}'..='\u{52f}' => 0,
            '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' => 1,
            '\u{1100}'..='\u{11ff}' | '\u{ac00}'..='\u{d7af}' => 2,
            '\u{590}'..='\u{6ff}' | '\u{750}'..='\u{77f}' => 3,
            '\u{900}'..='\u{dff}' => 4,
            _ => 5,
        };
        foreign[at] += 1;
    }
    let all: usize = foreign.iter().sum();
    // One Chinese character says about as much as three Latin letters.
    if all == 0 || all * 10 < letters * 3 {
        return None;
    }
    let most = foreign
        .iter()
        .enumerate()
        .max_by_key(|(_, count)| **count)?
        .0;
    Some(NAMES[most])
}

/// Small words, with a bit for each language that has it.
static TABLE: LazyLock<HashMap<u64, u16, Hashed>> = LazyLock::new(|| {
    let mut table: HashMap<u64, u16, Hashed> = HashMap::default();
    for (at, (_, small)) in SMALL.iter().enumerate() {
        for word in small.split_whitespace() {
            *table.entry(text_hash(word)).or_default() |= 1 << at;
        }
    }
    table
});

#[cfg(test)]
mod tests {
    use super::super::words::normal;
    use super::*;

    #[test]
    fn languages_are_told_apart() {
        for (text, want) in [
            ("Explain the water cycle.", None),
            ("Define photosynthesis", None),
            ("def add(a, b): return a + b", None),
            ("Translate 'où est la gare' to English for the guide.", None),
            ("Let α and β be the angles of the triangle.", None),
            (
                "Escribe un poema sobre el mar para los niños.",
                Some("Spanish"),
            ),
            (
                "Écrivez une lettre pour les clients avec des excuses",
                Some("French"),
            ),
            (
                "Schreibe eine Geschichte über den Mond und die Sterne",
                Some("German"),
            ),
            ("Напиши стихотворение о море", Some("Cyrillic script")),
            ("请写一首关于大海的诗", Some("Chinese or Japanese")),
            ("바다에 대한 시를 써 주세요", Some("Korean")),
        ] {
            assert_eq!(foreign(&normal(text)), want, "{text}");
        }
    }
}
