//! The sequencer: moves what transactions have published from the outbox into the log, and removes what is old.
//!
//! One process by preference, which holds a lock of its session. It sleeps until a publisher notifies it. A
//! notification costs every publisher a lock that is held until its commit is on the disk, so after a burst the
//! sequencer promises to look by itself, and publishers do not notify until the promise has passed. Every other
//! process looks once a second, so that the death of the sequencer costs a second of latency and nothing else.

use std::{convert::Infallible, sync::Arc, sync::atomic::Ordering, time::Duration};

use tokio::time::{Instant, sleep, timeout_at};
use tokio_postgres::types::Type;

use super::{
    call::{Param, Seen, call, column, epoch, seq},
    connect::Session,
    failure::Failure,
    link::Backoff,
    shared::Shared,
};
use crate::resume::Cursor;

/// The time between two looks of a process that is not notified.
const LOOK: Duration = Duration::from_secs(1);

/// The time between two looks of a process whose notifications do not arrive.
const DEAF: Duration = Duration::from_millis(100);

/// The time between two checks that notifications arrive.
const HEARING: Duration = Duration::from_secs(15);

/// The number of milliseconds for which a promise is valid; longer than any pause while it is kept.
const PROMISE: i32 = 500;

/// The number of events numbered at once.
const COUNT: i32 = 5_000;

/// The pauses between two looks while a promise is kept and nothing arrives: doubled each time.
const PAUSES: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(20));

/// The time after which topics are forgotten if there are too many, and the number that is remembered.
const FORGET: Duration = Duration::from_secs(10);
const MAX_TOPICS: i64 = 100_000;

/// The pause after another process had the turn.
const REFUSED: Duration = Duration::from_millis(10);

/// The number of notifications during one numbering that make a burst.
const BURST: u64 = 2;

/// Numbers and trims until the task is aborted.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut backoff = Backoff::default();
    loop {
        if let Ok(session) = shared.link.get() {
            let mut sequencer = Sequencer {
                shared: &shared,
                session: &session,
                is_first: false,
                promises: false,
                next_forget: Instant::now(),
            };
            let failure = match sequencer.run(&mut backoff).await {
                Ok(never) => match never {},
                Err(failure) => failure,
            };
            shared.check_broken(&session, &failure);
            tracing::debug!(error = %failure, "numbering failed; it is tried again");
        }
        backoff.pause().await;
    }
}

struct Sequencer<'a> {
    shared: &'a Shared,
    session: &'a Session,
    /// Whether this process is the one that is notified.
    is_first: bool,
    /// Whether this process has promised to look by itself.
    promises: bool,
    /// When topics are forgotten next.
    next_forget: Instant,
}

impl Sequencer<'_> {
    async fn run(&mut self, backoff: &mut Backoff) -> Result<Infallible, Failure> {
        let (mut next_chores, mut next_hearing) = (Instant::now(), Instant::now() + HEARING);
        let mut pause = PAUSES.0;
        loop {
            let is_full_look = Instant::now() >= next_chores;
            if is_full_look {
                next_chores = Instant::now() + LOOK;
                self.chores().await?;
            }
            if Instant::now() >= next_hearing {
                next_hearing = Instant::now() + HEARING;
                self.shared.link.target.check_hearing(self.session).await?;
            }
            let rings = self.shared.wakes.rings.load(Ordering::Relaxed);
            let taken = self.number(is_full_look).await?;
            *backoff = Backoff::default();
            if taken < 0 {
                sleep(REFUSED).await;
                continue;
            }
            let is_burst = self.shared.wakes.rings.load(Ordering::Relaxed) - rings >= BURST;
            self.promises |= self.is_first && (is_burst || taken == COUNT);
            if taken == 0 {
                if self.rest().await? {
                    self.promises = false;
                } else if self.promises {
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSES.1);
                    continue;
                }
            } else if self.promises {
                pause = PAUSES.0;
                continue;
            }
            self.wait(next_chores).await?;
        }
    }

    /// Numbers what waits; returns how many events, or -1 if another process has the turn.
    async fn number(&self, is_full_look: bool) -> Result<i32, Failure> {
        let seen = Seen::new(self.shared.mark.newest());
        // Ids may begin again, if the table is emptied by hand.
        let floor = if is_full_look { 0 } else { self.session.floor.load(Ordering::Relaxed) };
        let promise = if self.promises || self.is_deaf() { PROMISE } else { 0 };
        let [fresh, newest, at] = seen.params();
        let params = [fresh, newest, at, (&floor, Type::INT8), (&COUNT, Type::INT4), (&promise, Type::INT4)];
        let sql = self.shared.schema.sql("select * from {sse}.sequence($1, $2, $3, $4, $5, $6)");
        let rows = call(&self.session.writer, &sql, &params).await?;
        let Some(row) = rows.first() else { return Ok(0) };
        let taken: i32 = column(row, 0)?;
        if taken >= 0 {
            self.shared.mark.returned(Cursor::new(epoch(column(row, 1)?), seq(column(row, 2)?)));
            self.shared.wakes.report_announced(column(row, 3)?);
        }
        Ok(taken)
    }

    /// Withdraws the promise; returns `false`, and the promise stays, if a transaction may commit without notifying.
    async fn rest(&self) -> Result<bool, Failure> {
        let promise = if self.promises { PROMISE } else { 0 };
        let sql = self.shared.schema.sql("select {sse}.rest($1, $2)");
        let params: [Param<'_>; 2] = [(&promise, Type::INT4), (&self.is_first, Type::BOOL)];
        let rows = call(&self.session.writer, &sql, &params).await?;
        let floor: Option<i64> = rows.first().map(|row| column(row, 0)).transpose()?.flatten();
        if let Some(floor) = floor {
            self.session.floor.store(floor, Ordering::Relaxed);
        }
        Ok(floor.is_some())
    }

    /// Waits for a notification, or for the next look.
    async fn wait(&self, next_chores: Instant) -> Result<(), Failure> {
        let wakes = &self.shared.wakes;
        let until = if self.is_deaf() { Instant::now() + DEAF } else { next_chores };
        let rings = async {
            if self.is_first {
                wakes.bell.notified().await;
            } else {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            _ = timeout_at(until, rings) => Ok(()),
            () = self.session.ended.cancelled() => Err(Failure::Slow),
        }
    }

    fn is_deaf(&self) -> bool {
        !self.session.hears.load(Ordering::Relaxed)
    }

    /// Becomes the notified process if there is none, and trims.
    async fn chores(&mut self) -> Result<(), Failure> {
        // Behind a pooler, a lock of a session would stay with a connection that others use.
        if self.is_deaf() {
            (self.is_first, self.promises) = (false, false);
        } else if !self.is_first {
            let sql = self.shared.schema.sql("select {sse}.is_first()");
            let rows = call(&self.session.listener, &sql, &[]).await?;
            self.is_first = rows.first().is_some_and(|row| column(row, 0).unwrap_or(false));
        }
        self.trim().await?;
        if Instant::now() >= self.next_forget {
            self.next_forget = Instant::now() + FORGET;
            let forget = self.shared.schema.sql("select {sse}.forget($1)");
            call(&self.session.reader, &forget, &[(&MAX_TOPICS, Type::INT8)]).await?;
        }
        Ok(())
    }

    async fn trim(&self) -> Result<(), Failure> {
        const COUNT: i32 = 1_000;
        let limit = |limit: u128| i64::try_from(limit).unwrap_or(i64::MAX);
        // Longer ages do not fit into PostgreSQL's calendar.
        let age = |age: Duration| limit(age.as_millis()).min(100 * 365 * 24 * 60 * 60 * 1_000);
        let retention = self.shared.retention;
        let (events, bytes) = (limit(retention.events as u128), limit(retention.bytes as u128));
        let (age, key_age) = (age(retention.age), age(self.shared.key_memory));
        let sql = self.shared.schema.sql("select * from {sse}.trim($1, $2, $3, $4, $5)");
        let params: [Param<'_>; 5] = [
            (&events, Type::INT8),
            (&bytes, Type::INT8),
            (&age, Type::INT8),
            (&key_age, Type::INT8),
            (&COUNT, Type::INT4),
        ];
        loop {
            let rows = call(&self.session.reader, &sql, &params).await?;
            let is_done = rows.first().map(|row| column(row, 1)).transpose()?.unwrap_or(true);
            if is_done {
                return Ok(());
            }
        }
    }
}
