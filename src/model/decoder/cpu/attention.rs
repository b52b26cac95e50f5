//! Attention: which rows ask together, what each can see, where the answers go.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

use super::keys::CpuKeys;
use super::turns::Turns;
use super::{Cpu, Rows, TASK_ROWS, lock};
use crate::kernel::attend::{Scratch, Stretch, attend};
use crate::kernel::vector;
use crate::model::architecture::Rope;
use crate::model::decoder::compute::AttentionAt;
use crate::model::decoder::pass::{Link, Pass};

/// Rows of queries that one task attends for, at most and, where there are few, at least.
const QUERY_ROWS: usize = 64;
const FEW_ROWS: usize = 8;
/// Attention tasks per thread below which they are made smaller.
const TASKS: usize = 2;

/// Norms `x` in place: each head by itself, or all of it at once.
fn norm_heads(x: &mut [f32], weight: Option<&Vec<f32>>, eps: f32) {
    let Some(weight) = weight else { return };
    for part in x.chunks_mut(weight.len()) {
        let before = part.to_vec();
        vector::rms_norm(part, &before, weight, eps);
    }
}

/// Some asking rows of one segment, and where their result goes.
struct QueryTask<'a> {
    segment: usize,
    /// Rows of the pass.
    rows: &'a [usize],
    /// Heads of keys and values.
    heads: Range<usize>,
    /// Of each row what these heads give, side by side.
    out: &'a mut [f32],
}

/// What attending needs beside its operands; kept by each thread.
#[derive(Default)]
struct Room {
    queries: Vec<f32>,
    answers: Vec<f32>,
    scratch: Scratch,
}

thread_local! {
    static ROOM: RefCell<Room> = RefCell::default();
}

impl Cpu {
    /// The angles of at least `positions` positions; worked out once for all layers and passes.
    fn turns(&self, rope: &Rope, long: bool, positions: usize) -> Arc<Turns> {
        let frequencies = match &rope.long {
            Some((_, frequencies)) if long => frequencies,
            _ => &rope.frequencies,
        };
        let mut all = lock(&self.turns);
        let same = |t: &Arc<Turns>| t.frequencies == *frequencies && t.scale == rope.scale;
        let place = all.iter().position(same);
        if let Some(place) = place {
            if all[place].cos.len() >= positions * frequencies.len() {
                return Arc::clone(&all[place]);
            }
            all.swap_remove(place);
        }
        let positions = positions.next_power_of_two();
        let new = Arc::new(Turns::new(frequencies, rope.scale, positions));
        all.push(Arc::clone(&new));
        new
    }

    /// Norms and rotates queries and keys in place.
    fn turn(
        &self,
        at: &AttentionAt<'_, Vec<f32>>,
        qkv: &mut Rows,
        pass: &Pass<CpuKeys>,
        starts: &[usize],
    ) {
        let c = at.config;
        let eps = c.norm_eps as f32;
        let rope = &c.ropes[c.layers[at.layer].rope];
        let keys_end = (c.heads + c.kv_heads) * c.head_dim;
        let positions: Vec<usize> = pass
            .segments
            .iter()
            .zip(starts)
            .flat_map(|(segment, start)| *start..start + segment.ids.len())
            .collect();
        let end = positions.iter().max().map_or(0, |last| last + 1);
        let turns = self.turns(rope, pass.long, end);
        let size = TASK_ROWS * qkv.width;
        let width = qkv.width;
        let tasks = qkv.values.chunks_mut(size).zip(positions.chunks(TASK_ROWS));
        self.pool.each(
            tasks.collect(),
            |(rows, positions): (&mut [f32], &[usize])| {
                for (row, position) in rows.chunks_mut(width).zip(positions) {
                    let (queries, keys) = row[..keys_end].split_at_mut(c.heads * c.head_dim);
                    norm_heads(queries, at.query_norm, eps);
                    norm_heads(keys, at.key_norm, eps);
                    let (cos, sin) = turns.at(*position);
                    for head in row[..keys_end].chunks_mut(c.head_dim) {
                        vector::rotate(head, cos, sin);
                    }
                }
            },
        );
    }

    /// What [`Compute::attend`] says.
    pub(super) fn attended(
        &self,
        at: &AttentionAt<'_, Vec<f32>>,
        qkv: Rows,
        pass: &mut Pass<CpuKeys>,
    ) -> Rows {
        let rows = pass.rows();
        let starts: Vec<usize> = (0..pass.segments.len()).map(|s| pass.start(s)).collect();
        let mut qkv = qkv;
        self.turn(at, &mut qkv, pass, &starts);
        let stores = pass.segments.iter_mut().map(|s| &mut s.keys);
        let stores = stores.zip(rows.iter().cloned()).collect();
        self.pool
            .each(stores, |(store, rows): (&mut CpuKeys, Range<usize>)| {
                keep(at, &qkv, store, rows);
            });

        let c = at.config;
        let q_dim = c.heads * c.head_dim;
        let all: Vec<usize>;
        let asking = match at.asking {
            Some(asking) => asking,
            None => {
                all = (0..qkv.count()).collect();
                &all
            }
        };
        // Few rows (a response being typed, a token being generated) are shared out by heads, and in
        // smaller groups.
        let wanted = TASKS * self.pool.threads();
        let of = |rows: &Range<usize>| {
            let end = asking.partition_point(|row| *row < rows.end);
            (end - asking.partition_point(|row| *row < rows.start)).div_ceil(QUERY_ROWS)
        };
        let few = rows.iter().map(of).sum::<usize>() < wanted;
        let (together, heads) = match few {
            true => {
                let groups = wanted.div_ceil(c.kv_heads);
                (asking.len().div_ceil(groups).clamp(FEW_ROWS, QUERY_ROWS), 1)
            }
            false => (QUERY_ROWS, c.kv_heads),
        };
        let mut answers = self.blank(asking.len(), q_dim);
        let (mut tasks, mut rest) = (Vec::new(), asking);
        let mut out = answers.values.as_mut_slice();
        for (segment, rows) in rows.iter().enumerate() {
            let count = rest.partition_point(|row| *row < rows.end);
            let (own, others) = rest.split_at(count);
            rest = others;
            for rows in own.chunks(together) {
                let (part, others) = out.split_at_mut(rows.len() * q_dim);
                out = others;
                let size = rows.len() * (q_dim / c.kv_heads) * heads;
                for (place, part) in part.chunks_mut(size).enumerate() {
                    tasks.push(QueryTask {
                        segment,
                        rows,
                        heads: place * heads..(place + 1) * heads,
                        out: part,
                    });
                }
            }
        }
        // Groups of rows whose heads stand one after another, to be brought side by side.
        let split: Vec<usize> = match heads < c.kv_heads {
            true => tasks
                .iter()
                .step_by(c.kv_heads)
                .map(|t| t.rows.len())
                .collect(),
            false => Vec::new(),
        };
        let pass = &*pass;
        self.pool.each(tasks, |task| {
            let first = rows[task.segment].start;
            answer(at, &qkv, pass, starts[task.segment], first, task);
        });
        let mut rest = answers.values.as_mut_slice();
        for count in split {
            let (part, others) = rest.split_at_mut(count * q_dim);
            rest = others;
            if count > 1 {
                side_by_side(part, count, q_dim / c.kv_heads);
            }
        }
        answers
    }
}

/// Copies the new tokens' keys and values to their segment.
fn keep(at: &AttentionAt<'_, Vec<f32>>, qkv: &Rows, store: &mut CpuKeys, rows: Range<usize>) {
    let c = at.config;
    let (q_dim, kv_dim) = (c.heads * c.head_dim, c.kv_heads * c.head_dim);
    store.reserve(rows.len());
    for (token, row) in (store.len..).zip(rows) {
        let row = &qkv.values[row * qkv.width + q_dim..(row + 1) * qkv.width];
        let (keys, values) = row.split_at(kv_dim);
        for head in 0..c.kv_heads {
            let to = store.at(head, &(token..token + 1));
            let from = head * c.head_dim..(head + 1) * c.head_dim;
            let layer = &mut store.layers[at.layer];
            layer.keys[to.clone()].copy_from_slice(&keys[from.clone()]);
            layer.values[to].copy_from_slice(&values[from]);
        }
    }
}

/// What a segment's tokens can see, of one head: its chain and itself.
fn stretches<'a>(
    pass: &'a Pass<CpuKeys>,
    segment: usize,
    layer: usize,
    head: usize,
) -> Vec<Stretch<'a>> {
    let stretch = |keys: &'a CpuKeys, tokens: Range<usize>| {
        let at = keys.at(head, &tokens);
        let layer = &keys.layers[layer];
        Stretch {
            keys: &layer.keys[at.clone()],
            values: &layer.values[at],
        }
    };
    let own = &pass.segments[segment];
    let chain = own.chain.iter().map(|link| match link {
        Link::Known(known) => stretch(&known.keys, known.tokens.clone()),
        Link::Within(other) => {
            let other = &pass.segments[*other];
            let held = other.keys.len;
            stretch(&other.keys, held..held + other.ids.len())
        }
    });
    let itself = stretch(&own.keys, 0..own.keys.len + own.ids.len());
    chain.chain([itself]).collect()
}

/// Attends for some rows of a segment, whose first row in the pass is `first` and stands at position
/// `start`.
fn answer(
    at: &AttentionAt<'_, Vec<f32>>,
    qkv: &Rows,
    pass: &Pass<CpuKeys>,
    start: usize,
    first: usize,
    task: QueryTask<'_>,
) {
    let c = at.config;
    let (dim, share) = (c.head_dim, c.heads / c.kv_heads);
    let window = c.layers[at.layer].window;
    // Queries that share a key-value head are stacked.
    let visible: Vec<Range<usize>> = task
        .rows
        .iter()
        .flat_map(|row| {
            let end = start + row - first + 1;
            let from = window.map_or(0, |w| end.saturating_sub(w));
            std::iter::repeat_n(from..end, share)
        })
        .collect();
    let stacked = task.rows.len() * share;
    let out_dim = task.heads.len() * share * dim;
    ROOM.with_borrow_mut(|room| {
        room.queries.resize(stacked * dim, 0.0);
        room.answers.resize(stacked * dim, 0.0);
        for (place, head) in task.heads.enumerate() {
            let columns = head * share * dim..(head + 1) * share * dim;
            let queries = room.queries.chunks_mut(share * dim);
            for (row, to) in task.rows.iter().zip(queries) {
                let row = &qkv.values[row * qkv.width..(row + 1) * qkv.width];
                to.copy_from_slice(&row[columns.clone()]);
            }
            attend(
                &room.queries,
                dim,
                stacked,
                dim,
                &stretches(pass, task.segment, at.layer, head),
                &visible,
                c.attention_scale as f32,
                c.attention_cap.map(|cap| cap as f32),
                &mut room.answers,
                dim,
                &mut room.scratch,
            );
            let columns = place * share * dim..(place + 1) * share * dim;
            let answers = room.answers.chunks(share * dim);
            for (out, from) in task.out.chunks_mut(out_dim).zip(answers) {
                out[columns.clone()].copy_from_slice(from);
            }
        }
    });
}

/// Attention of the rows of one text among themselves.
pub(super) fn among(qkv: &Rows, heads: usize, text: Range<usize>, out: &mut [f32]) {
    let (width, count) = (qkv.width / 3, text.len());
    let dim = width / heads.max(1);
    let rows = &qkv.values[text.start * qkv.width..text.end * qkv.width];
    let visible = vec![0..count; count];
    let (mut keys, mut values) = (Vec::new(), Vec::new());
    ROOM.with_borrow_mut(|room| {
        for head in 0..heads {
            keys.clear();
            values.clear();
            for row in rows.chunks(qkv.width) {
                keys.extend_from_slice(&row[width + head * dim..][..dim]);
                values.extend_from_slice(&row[2 * width + head * dim..][..dim]);
            }
            let stretch = Stretch {
                keys: &keys,
                values: &values,
            };
            attend(
                &rows[head * dim..],
                qkv.width,
                count,
                dim,
                &[stretch],
                &visible,
                1.0 / (dim as f32).sqrt(),
                None,
                &mut out[head * dim..],
                width,
                &mut room.scratch,
            );
        }
    });
}

/// From `[head][row]` to `[row][head]`, `width` numbers each.
fn side_by_side(part: &mut [f32], rows: usize, width: usize) {
    let by_head = part.to_vec();
    for (head, own) in by_head.chunks(rows * width).enumerate() {
        let places = part.chunks_mut(by_head.len() / rows);
        for (row, to) in own.chunks(width).zip(places) {
            to[head * width..(head + 1) * width].copy_from_slice(row);
        }
    }
}
