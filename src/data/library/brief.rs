//! What is known of a record whose place alone is kept: enough to find it again, to tell whether the next row belongs to it,
//! and for the keys of its responses.

use smallvec::SmallVec;

use crate::data::detect::Shape;
use crate::data::record::Record;
use crate::data::subject::{Shared, SubjectKey};

/// A record without its texts.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Brief {
    pub id: String,
    pub shape: Shape,
    /// Equal where everything but the answers is.
    pub task: SubjectKey,
    /// In the order of the responses.
    pub keys: SmallVec<[SubjectKey; 1]>,
}

/// The texts of a record that are the same for all its responses.
#[derive(Default)]
pub(super) struct Task<'t> {
    pub instruction: &'t str,
    pub input: Option<&'t str>,
    pub context: Option<&'t str>,
    pub reference: Option<&'t str>,
    pub rubric: Option<&'t str>,
    pub category: Option<&'t str>,
}

impl Brief {
    pub fn new<'t>(
        id: String,
        shape: Shape,
        task: &Task<'_>,
        responses: impl Iterator<Item = &'t str>,
    ) -> Self {
        let shared = Shared::new(
            (task.instruction, task.input),
            [task.context, task.reference, task.rubric],
        );
        Brief {
            id,
            shape,
            task: shared.and_category(task.category),
            keys: responses.map(|text| shared.and_response(text)).collect(),
        }
    }

    pub fn of(record: &Record, shape: Shape) -> Self {
        let task = Task {
            instruction: &record.instruction,
            input: record.input.as_deref(),
            context: record.context.as_deref(),
            reference: record.reference.as_deref(),
            rubric: record.rubric.as_deref(),
            category: record.category.as_deref(),
        };
        let responses = record.responses.iter().map(|r| r.text.as_str());
        Brief::new(record.id.clone(), shape, &task, responses)
    }

    /// Whether the next row is one more response of this record; see [`Found::takes`](crate::data::read::Found).
    pub fn takes(&self, row: &Brief) -> bool {
        self.shape == row.shape && self.shape.gathers() && self.task == row.task
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::data::read::Found;

    fn record() -> impl Strategy<Value = Record> {
        let text = || prop_oneof![Just(""), Just("a"), Just("a\n\na"), Just("\n\na")];
        let maybe = move || proptest::option::of(text().prop_map(str::to_owned));
        let rest = (maybe(), maybe(), maybe(), maybe(), maybe());
        (text(), rest).prop_map(
            |(instruction, (input, context, reference, rubric, category))| Record {
                instruction: instruction.to_owned(),
                input,
                context,
                reference,
                rubric,
                category,
                ..Record::default()
            },
        )
    }

    proptest! {
        #[test]
        fn rows_are_gathered_as_whole_records_are(one in record(), other in record()) {
            for shape in [Shape::Row, Shape::Pair] {
                let found = Found { record: one.clone(), shape, start: None, row: 0 };
                let briefs = [&one, &other].map(|record| Brief::of(record, shape));
                prop_assert_eq!(briefs[0].takes(&briefs[1]), found.takes(&other, shape));
                prop_assert!(!briefs[0].takes(&Brief::of(&one, Shape::Outputs)));
            }
        }
    }
}
