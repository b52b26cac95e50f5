//! Rows that an interrupted run has written: checked against the data and settings, and counted.

use serde_json::Value;

use super::{ScoreError, Scorer, mode_name};
use crate::data::{Record, Verdict};

impl Scorer<'_> {
    /// Counts a row that an interrupted run has written for this response.
    pub(super) fn count_finished(
        &mut self,
        row: &str,
        record: &Record,
        place: usize,
    ) -> Result<(), ScoreError> {
        let number = self.summary.rows + 1;
        let wrong = |cause: String| ScoreError::Resume { row: number, cause };
        let row: Value = serde_json::from_str(row).map_err(|e| wrong(e.to_string()))?;
        let response = record.responses.get(place);
        let id = response.map_or("", |response| &response.id);
        let hash = record.instruction_hash();
        // Where nobody is shown it, a reference may be missing.
        let shown = self.with_reference(record) && record.reference.is_some();
        let expected = [
            ("/id", record.id.as_str()),
            ("/response_id", id),
            ("/instruction_hash", &hash),
            ("/mode", mode_name(shown)),
            ("/judge/hash", &self.judge_name.hash),
            ("/template/hash", &self.template_name.hash),
        ];
        for (field, expected) in expected {
            let found = row.pointer(field).and_then(Value::as_str);
            if found != Some(expected) {
                let found = found.unwrap_or("nothing");
                return Err(wrong(format!(
                    "its `{}` is {found}, where {expected} is expected",
                    field.trim_start_matches('/').replace('/', ".")
                )));
            }
        }
        let signals = row.get("signals");
        for signal in &self.run.signals {
            if signals.and_then(|s| s.get(signal.name())).is_none() {
                return Err(wrong(format!("it has no {}", signal.name())));
            }
        }
        if let Some(preset) = &self.run.cut {
            let mode = row.get("mode").and_then(Value::as_str).unwrap_or_default();
            let value = signals.and_then(|s| s.get(&preset.signal)?.as_f64());
            match value.filter(|_| preset.covers(mode)) {
                Some(value) => self.cut_values.push(value),
                None => self.summary.undecided += usize::from(!preset.covers(mode)),
            }
            let answered = row.get("verdict").and_then(Value::as_str);
            self.summary.answered += usize::from(answered == Some(Verdict::Answer.word()));
        }
        let failed = row.get("error").is_some_and(|error| !error.is_null());
        let tokens = row.get("prompt_tokens").and_then(Value::as_u64);
        self.summary.rows += 1;
        self.summary.resumed += 1;
        self.summary.errors += usize::from(failed);
        self.summary.failed += usize::from(failed);
        self.summary.prompt_tokens += tokens.unwrap_or(0) as usize;
        Ok(())
    }
}
