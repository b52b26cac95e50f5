//! What the person at the terminal is called.

use std::process::{Command, Stdio};

/// By the variables that shells set, then by the account, then `me`.
pub fn name(
    variable: impl Fn(&str) -> Option<String>,
    account: impl FnOnce() -> Option<String>,
) -> String {
    let given = |name: String| Some(name.trim().to_owned()).filter(|name| !name.is_empty());
    let set = ["USER", "LOGNAME", "USERNAME"]
        .into_iter()
        .find_map(|name| variable(name).and_then(given));
    set.or_else(|| account().and_then(given))
        .unwrap_or_else(|| "me".to_owned())
}

/// The name of the account, as the system tells it.
pub fn account() -> Option<String> {
    let said = Command::new("id")
        .arg("-un")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let name = String::from_utf8(said.stdout).ok()?;
    said.status.success().then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_variable_the_account_has_a_name() {
        let none = |_: &str| None;
        let only = |wanted: &'static str, value: &'static str| {
            move |name: &str| (name == wanted).then(|| value.to_owned())
        };
        let account = || Some("carol\n".to_owned());
        assert_eq!(name(only("USER", "ada"), account), "ada");
        assert_eq!(name(only("LOGNAME", "bob"), account), "bob");
        assert_eq!(name(only("USER", " "), account), "carol");
        assert_eq!(name(none, || None), "me");
    }
}
