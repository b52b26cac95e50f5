//! Two lanes: a latest-wins slot for interactive work, and a bounded queue for batches.

use std::collections::{HashSet, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::request::{Answer, Job, Lane};

/// Batch jobs that may wait before a sender has to.
const CAPACITY: usize = 4096;

#[derive(Default)]
struct Waiting {
    interactive: Option<Job>,
    batch: VecDeque<Job>,
    /// Jobs that run now, outermost first.
    running: Vec<(u64, Lane)>,
    /// Running jobs that should stop.
    stop: HashSet<u64>,
    closed: bool,
}

/// Shared by the handles and the thread that computes.
#[derive(Default)]
pub struct Queue {
    waiting: Mutex<Waiting>,
    /// There is a job. Each wakes one who computes: of hundreds that wait for servers, the others would find none.
    work: Condvar,
    /// The batch lane has room.
    room: Condvar,
}

fn cancelled(job: &Job) {
    // A receiver that is gone no longer wants to know.
    let _ = job.reply.send(Answer::Cancelled { id: job.id });
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // The state stays consistent between statements, so a panic elsewhere does not spoil it.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a job; waits while the batch lane is full. Whether a running job should stop for it.
    pub fn push(&self, job: Job) -> bool {
        let mut waiting = self.lock();
        if waiting.closed {
            cancelled(&job);
            return false;
        }
        let mut supersedes = false;
        match job.lane {
            Lane::Interactive => {
                if let Some(old) = waiting.interactive.replace(job) {
                    cancelled(&old);
                }
                let superseded: Vec<u64> = waiting
                    .running
                    .iter()
                    .filter(|(_, lane)| *lane == Lane::Interactive)
                    .map(|(id, _)| *id)
                    .collect();
                supersedes = !superseded.is_empty();
                waiting.stop.extend(superseded);
            }
            Lane::Batch => {
                while waiting.batch.len() >= CAPACITY && !waiting.closed {
                    waiting = self
                        .room
                        .wait(waiting)
                        .unwrap_or_else(PoisonError::into_inner);
                }
                if waiting.closed {
                    cancelled(&job);
                    return false;
                }
                waiting.batch.push_back(job);
            }
        }
        self.work.notify_one();
        supersedes
    }

    /// The next job, interactive first; waits for one; nothing once closed.
    pub fn next(&self) -> Option<Job> {
        let mut waiting = self.lock();
        loop {
            if waiting.closed {
                return None;
            }
            let job = waiting.interactive.take();
            if let Some(job) = job.or_else(|| waiting.batch.pop_front()) {
                waiting.running.push((job.id, job.lane));
                self.room.notify_one();
                return Some(job);
            }
            waiting = self
                .work
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// An interactive job that waits, if one does.
    pub fn next_interactive(&self) -> Option<Job> {
        let mut waiting = self.lock();
        let job = waiting.interactive.take()?;
        waiting.running.push((job.id, job.lane));
        Some(job)
    }

    /// A batch job that waits, if one does and nothing interactive is waiting.
    pub fn next_batch(&self) -> Option<Job> {
        let mut waiting = self.lock();
        if waiting.interactive.is_some() || waiting.closed {
            return None;
        }
        let job = waiting.batch.pop_front()?;
        waiting.running.push((job.id, job.lane));
        self.room.notify_one();
        Some(job)
    }

    /// Says that a running job has ended.
    pub fn ended(&self, id: u64) {
        let mut waiting = self.lock();
        waiting.running.retain(|(running, _)| *running != id);
        waiting.stop.remove(&id);
    }

    /// Whether a running job should stop.
    pub fn should_stop(&self, id: u64) -> bool {
        let waiting = self.lock();
        waiting.closed || waiting.stop.contains(&id)
    }

    /// Stops a job, waiting or running.
    pub fn cancel(&self, id: u64) {
        let mut waiting = self.lock();
        if waiting.interactive.as_ref().is_some_and(|j| j.id == id) {
            waiting.interactive.take().iter().for_each(cancelled);
        } else if let Some(at) = waiting.batch.iter().position(|j| j.id == id) {
            waiting.batch.remove(at).iter().for_each(cancelled);
        } else if waiting.running.iter().any(|(running, _)| *running == id) {
            waiting.stop.insert(id);
        }
        self.room.notify_one();
    }

    /// Ends everything: waiting jobs are cancelled, the thread comes to its end.
    pub fn close(&self) {
        let mut waiting = self.lock();
        waiting.closed = true;
        waiting.interactive.take().iter().for_each(cancelled);
        waiting.batch.drain(..).for_each(|job| cancelled(&job));
        self.work.notify_all();
        self.room.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, channel};

    fn job(id: u64, lane: Lane) -> (Job, Receiver<Answer>) {
        let (reply, answers) = channel();
        let job = Job {
            id,
            lane,
            tasks: Vec::new(),
            reply,
        };
        (job, answers)
    }

    #[test]
    fn the_newest_interactive_job_wins_and_goes_first() {
        let queue = Queue::default();
        let (batch, _b) = job(1, Lane::Batch);
        let (old, old_answers) = job(2, Lane::Interactive);
        let (new, _n) = job(3, Lane::Interactive);
        queue.push(batch);
        queue.push(old);
        queue.push(new);
        assert_eq!(old_answers.recv(), Ok(Answer::Cancelled { id: 2 }));
        assert_eq!(queue.next().map(|j| j.id), Some(3));
        assert_eq!(queue.next().map(|j| j.id), Some(1));
    }

    #[test]
    fn a_running_interactive_job_is_superseded_a_batch_is_not() {
        let queue = Queue::default();
        let (batch, _b) = job(1, Lane::Batch);
        queue.push(batch);
        queue.next();
        let (first, _f) = job(2, Lane::Interactive);
        assert!(!queue.push(first));
        assert!(!queue.should_stop(1));
        assert_eq!(queue.next_interactive().map(|j| j.id), Some(2));
        let (second, _s) = job(3, Lane::Interactive);
        assert!(queue.push(second));
        assert!(queue.should_stop(2) && !queue.should_stop(1));
        queue.ended(2);
        assert!(!queue.should_stop(2));
    }

    #[test]
    fn cancelling_reaches_waiting_and_running_jobs() {
        let queue = Queue::default();
        let (a, _a) = job(1, Lane::Batch);
        let (b, b_answers) = job(2, Lane::Batch);
        queue.push(a);
        queue.push(b);
        queue.next();
        queue.cancel(1);
        queue.cancel(2);
        assert!(queue.should_stop(1));
        assert_eq!(b_answers.recv(), Ok(Answer::Cancelled { id: 2 }));
        queue.close();
        assert!(queue.next().is_none());
    }
}
