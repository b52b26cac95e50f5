//! Which rows of a pass attend together, and to what.
//!
//! A device that starts one operation after another is slow at many small ones: segments in a row
//! attend together over all that any of them sees, behind a mask. That computes scores nobody asks
//! for, so segments part where these become too many.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use candle_core::{Device, Tensor};

use super::AcceleratorKeys;
use crate::model::Result;
use crate::model::decoder::pass::{Keys, Link, Pass};

/// How much is computed at once.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Scores (of one head) that are computed together however few of them are asked for.
    pub small: usize,
    /// Beyond that: how many are computed for each that is asked for.
    pub waste: usize,
    /// Scores of all heads that are held at a time.
    pub held: usize,
}

/// 512 by 512 scores take a device hardly longer than starting on them; half a GiB holds the most.
pub const LIMITS: Limits = Limits {
    small: 1 << 18,
    waste: 2,
    held: 1 << 27,
};

/// What a hidden score becomes. Its exponential is zero beside any other; infinity is not safe from
/// fast arithmetic.
const HIDDEN: f32 = -1e30;

/// What is before a segment, as far as it says who attends to what.
#[derive(Clone, Debug, PartialEq)]
enum LinkShape {
    /// Keys are told apart by their address, which stands for nothing longer than a pass lives:
    /// only the pattern of which are the same enters the result.
    Known(usize, Range<usize>),
    Within(usize),
}

#[derive(Clone, Debug, PartialEq)]
struct SegmentShape {
    tokens: usize,
    held: usize,
    chain: Vec<LinkShape>,
}

/// All that [`Joint`] depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    segments: Vec<SegmentShape>,
    asking: Option<Vec<usize>>,
    window: Option<usize>,
    heads: usize,
}

impl Shape {
    pub fn of(
        pass: &Pass<AcceleratorKeys>,
        asking: Option<&[usize]>,
        window: Option<usize>,
        heads: usize,
    ) -> Self {
        let link = |link: &Link<AcceleratorKeys>| match link {
            Link::Known(known) => {
                LinkShape::Known(Arc::as_ptr(&known.keys) as usize, known.tokens.clone())
            }
            Link::Within(other) => LinkShape::Within(*other),
        };
        let segments = pass.segments.iter().map(|s| SegmentShape {
            tokens: s.ids.len(),
            held: s.keys.len(),
            chain: s.chain.iter().map(link).collect(),
        });
        Shape {
            segments: segments.collect(),
            asking: asking.map(<[usize]>::to_vec),
            window,
            heads,
        }
    }
}

/// Where keys and values are found.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// New tokens: rows of the pass.
    New(Range<usize>),
    /// The first tokens in a segment's own keys.
    Held { segment: usize, tokens: usize },
    /// A link of a segment's chain.
    Known { segment: usize, link: usize },
}

/// Some of a group's asking rows, and what each of them may see: all, where there is no mask.
pub struct Chunk {
    /// Among the asking rows.
    pub rows: Range<usize>,
    /// `[rows, keys]`, to be added to scores.
    pub mask: Option<Tensor>,
}

/// Segments that attend together.
pub struct Group {
    pub sources: Vec<Source>,
    pub chunks: Vec<Chunk>,
}

/// All attention of a layer.
pub struct Joint {
    pub groups: Vec<Group>,
}

/// What tells stretches of keys apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Stretch {
    New(usize),
    Held(usize),
    Known(usize, Range<usize>),
}

/// A stretch that a segment sees, and the position of its first token.
struct Run {
    stretch: Stretch,
    source: Source,
    position: usize,
    len: usize,
}

/// A segment and what it sees, in order; its own new tokens come last.
struct Viewer {
    runs: Vec<Run>,
    /// Its asking rows, among all asking rows.
    asking: Range<usize>,
    /// The position of its first new token, and the row.
    start: usize,
    first_row: usize,
}

impl Viewer {
    fn width(&self) -> usize {
        self.runs.iter().map(|r| r.len).sum()
    }
}

fn viewers(shape: &Shape) -> Vec<Viewer> {
    let mut row = 0;
    let rows: Vec<Range<usize>> = shape
        .segments
        .iter()
        .map(|s| {
            row += s.tokens;
            row - s.tokens..row
        })
        .collect();
    let mut asked = 0;
    let mut all = Vec::with_capacity(rows.len());
    for (at, segment) in shape.segments.iter().enumerate() {
        let mut position = 0;
        let mut runs = Vec::new();
        let mut see = |stretch, source, len| {
            if len > 0 {
                runs.push(Run {
                    stretch,
                    source,
                    position,
                    len,
                });
            }
            position += len;
            position
        };
        let new = |of: usize| (Stretch::New(of), Source::New(rows[of].clone()));
        for (link, before) in segment.chain.iter().enumerate() {
            match before {
                LinkShape::Known(address, tokens) => {
                    let stretch = Stretch::Known(*address, tokens.clone());
                    let source = Source::Known { segment: at, link };
                    see(stretch, source, tokens.len());
                }
                LinkShape::Within(other) => {
                    let (stretch, source) = new(*other);
                    see(stretch, source, rows[*other].len());
                }
            }
        }
        let held = Source::Held {
            segment: at,
            tokens: segment.held,
        };
        let start = see(Stretch::Held(at), held, segment.held);
        let (stretch, source) = new(at);
        see(stretch, source, segment.tokens);
        let end = match &shape.asking {
            None => rows[at].end,
            Some(asking) => asking.partition_point(|row| *row < rows[at].end),
        };
        all.push(Viewer {
            runs,
            asking: asked..end,
            start,
            first_row: rows[at].start,
        });
        asked = end;
    }
    all.retain(|v| !v.asking.is_empty());
    all
}

/// Stretches side by side, each once.
#[derive(Default)]
struct Columns {
    at: HashMap<Stretch, usize>,
    sources: Vec<Source>,
    width: usize,
}

impl Columns {
    /// Columns that `viewer` would add.
    fn more(&self, viewer: &Viewer) -> usize {
        let new = viewer.runs.iter();
        new.filter(|run| !self.at.contains_key(&run.stretch))
            .map(|run| run.len)
            .sum()
    }

    fn add(&mut self, viewer: &Viewer) {
        for run in &viewer.runs {
            if self.at.contains_key(&run.stretch) {
                continue;
            }
            self.at.insert(run.stretch.clone(), self.width);
            self.width += run.len;
            // Rows that follow one another are taken at once.
            match (self.sources.last_mut(), &run.source) {
                (Some(Source::New(before)), Source::New(rows)) if before.end == rows.start => {
                    before.end = rows.end;
                }
                _ => self.sources.push(run.source.clone()),
            }
        }
    }
}

impl Joint {
    pub fn new(shape: &Shape, limits: Limits, device: &Device) -> Result<Self> {
        let viewers = viewers(shape);
        let mut groups = Vec::new();
        let mut rest = viewers.as_slice();
        while !rest.is_empty() {
            let mut columns = Columns::default();
            let (mut count, mut rows, mut needed) = (0, 0, 0);
            for viewer in rest {
                let asking = viewer.asking.len();
                let computed = (rows + asking) * (columns.width + columns.more(viewer));
                needed += asking * viewer.width();
                if count > 0 && computed > limits.small.max(limits.waste * needed) {
                    break;
                }
                columns.add(viewer);
                rows += asking;
                count += 1;
            }
            let (group, others) = rest.split_at(count);
            groups.push(Group {
                chunks: chunks(shape, group, &columns, limits.held, device)?,
                sources: columns.sources,
            });
            rest = others;
        }
        Ok(Joint { groups })
    }
}

fn chunks(
    shape: &Shape,
    group: &[Viewer],
    columns: &Columns,
    held: usize,
    device: &Device,
) -> Result<Vec<Chunk>> {
    let width = columns.width;
    let most = (held / (width * shape.heads).max(1)).max(1);
    let rows: Vec<(&Viewer, usize)> = group
        .iter()
        .flat_map(|viewer| viewer.asking.clone().map(move |asking| (viewer, asking)))
        .collect();
    let mut chunks = Vec::new();
    for rows in rows.chunks(most) {
        let mut mask = vec![HIDDEN; rows.len() * width];
        let mut seen = 0;
        for ((viewer, asking), mask) in rows.iter().zip(mask.chunks_mut(width.max(1))) {
            let row = shape.asking.as_ref().map_or(*asking, |rows| rows[*asking]);
            let end = viewer.start + row - viewer.first_row + 1;
            let from = shape.window.map_or(0, |w| end.saturating_sub(w));
            for run in &viewer.runs {
                let Some(column) = columns.at.get(&run.stretch) else {
                    continue;
                };
                let first = from.clamp(run.position, run.position + run.len) - run.position;
                let last = end.clamp(run.position, run.position + run.len) - run.position;
                if first < last {
                    mask[column + first..column + last].fill(0.0);
                    seen += last - first;
                }
            }
        }
        let mask = match seen == rows.len() * width {
            true => None,
            false => Some(Tensor::from_vec(mask, (rows.len(), width), device)?),
        };
        let first = rows.first().map_or(0, |(_, asking)| *asking);
        chunks.push(Chunk {
            rows: first..first + rows.len(),
            mask,
        });
    }
    Ok(chunks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A token, wherever it is kept.
    type Token = (u8, usize, usize);

    fn tokens(shape: &Shape, rows: &[usize], source: &Source) -> Vec<Token> {
        match source {
            Source::New(rows) => rows.clone().map(|row| (0, 0, row)).collect(),
            Source::Held { segment, tokens } => (0..*tokens).map(|t| (1, *segment, t)).collect(),
            Source::Known { segment, link } => match &shape.segments[*segment].chain[*link] {
                LinkShape::Known(address, range) => {
                    range.clone().map(|t| (2, *address, t)).collect()
                }
                LinkShape::Within(other) => {
                    let rows = rows[*other]..rows[*other] + shape.segments[*other].tokens;
                    tokens(shape, &[], &Source::New(rows))
                }
            },
        }
    }

    /// What each asking row sees, by the definition.
    fn defined(shape: &Shape, rows: &[usize]) -> Vec<Vec<Token>> {
        let mut all = Vec::new();
        for (segment, own) in shape.segments.iter().enumerate() {
            let mut before: Vec<Token> = (0..own.chain.len())
                .flat_map(|link| tokens(shape, rows, &Source::Known { segment, link }))
                .collect();
            let tokens_held = own.held;
            before.extend((0..tokens_held).map(|t| (1, segment, t)));
            for row in rows[segment]..rows[segment] + own.tokens {
                before.push((0, 0, row));
                if shape.asking.as_ref().is_none_or(|a| a.contains(&row)) {
                    let from = shape.window.map_or(0, |w| before.len().saturating_sub(w));
                    let mut seen = before[from..].to_vec();
                    seen.sort_unstable();
                    all.push(seen);
                }
            }
        }
        all
    }

    fn computed(shape: &Shape, rows: &[usize], joint: &Joint) -> Vec<Vec<Token>> {
        let mut all = Vec::new();
        for group in &joint.groups {
            let columns: Vec<Token> = group
                .sources
                .iter()
                .flat_map(|source| tokens(shape, rows, source))
                .collect();
            for chunk in &group.chunks {
                assert_eq!(chunk.rows.start, all.len());
                let masks = match &chunk.mask {
                    None => vec![vec![0.0; columns.len()]; chunk.rows.len()],
                    Some(mask) => mask.to_vec2::<f32>().unwrap(),
                };
                for mask in masks {
                    assert_eq!(mask.len(), columns.len());
                    let pairs = columns.iter().zip(mask);
                    let seen = pairs.filter(|(_, m)| *m == 0.0).map(|(token, _)| *token);
                    let mut seen: Vec<Token> = seen.collect();
                    seen.sort_unstable();
                    all.push(seen);
                }
                assert_eq!(chunk.rows.end, all.len());
            }
        }
        all
    }

    proptest! {
        #[test]
        fn rows_see_what_is_before_them(
            parts in proptest::collection::vec(
                (0usize..5, 0usize..3, proptest::option::of(0usize..4), 0usize..3, 0usize..5), 1..7),
            asking in proptest::option::of(proptest::collection::vec(any::<bool>(), 40)),
            window in proptest::option::of(1usize..6),
            (small, held) in (0usize..60, 1usize..60),
        ) {
            let mut segments: Vec<SegmentShape> = Vec::new();
            for (tokens, held, parent, address, known) in parts {
                let mut chain = Vec::new();
                match parent.filter(|parent| *parent < segments.len()) {
                    Some(parent) => {
                        chain.clone_from(&segments[parent].chain);
                        chain.push(LinkShape::Within(parent));
                    }
                    None => chain.push(LinkShape::Known(address, 0..known)),
                }
                segments.push(SegmentShape { tokens, held, chain });
            }
            let mut rows = Vec::new();
            let mut count = 0;
            for segment in &segments {
                rows.push(count);
                count += segment.tokens;
            }
            let asking = asking.map(|asks| (0..count).filter(|row| asks[*row]).collect());
            let shape = Shape { segments, asking, window, heads: 2 };
            let limits = Limits { small, waste: 1, held };
            let joint = Joint::new(&shape, limits, &Device::Cpu).unwrap();
            prop_assert_eq!(computed(&shape, &rows, &joint), defined(&shape, &rows));
        }
    }
}
