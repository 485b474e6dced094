//! The machine with its I/O: a stream of all client events.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::Response;
use tokio::time::{Instant, Sleep, sleep_until};

use super::{
    ClientError, ClientEvent, Interrupt,
    machine::{Machine, Next},
    transport::{BoxBody, BoxError, DynTransport, Sending},
};

pub(super) struct Driver {
    machine: Machine,
    transport: Arc<dyn DynTransport>,
    io: Io,
    sleep: Option<Pin<Box<Sleep>>>,
    interrupt: Interrupt,
    is_done: bool,
}

enum Io {
    Idle,
    Sending(Sending),
    Reading(BoxBody),
}

/// A report from the transport.
enum Report {
    Head(Response<BoxBody>),
    Bytes(Bytes),
    Ended,
    Failed(BoxError),
}

impl Driver {
    pub(super) fn new(machine: Machine, transport: Arc<dyn DynTransport>) -> Self {
        let interrupt = Interrupt::default();
        Self { machine, transport, io: Io::Idle, sleep: None, interrupt, is_done: false }
    }

    pub(super) fn machine(&self) -> &Machine {
        &self.machine
    }

    pub(super) fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    pub(super) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<ClientEvent, ClientError>>> {
        if self.is_done {
            return Poll::Ready(None);
        }
        loop {
            let now = Instant::now();
            match self.machine.next(now.into_std()) {
                Next::Event(event) => return Poll::Ready(Some(Ok(event))),
                Next::Send(request) => {
                    // The old connection is dropped first, so that a server never counts two.
                    self.io = Io::Idle;
                    self.io = Io::Sending(Arc::clone(&self.transport).send(request));
                }
                Next::Poll => {
                    if !self.wait(cx, now) {
                        return Poll::Pending;
                    }
                }
                Next::EndReason => {
                    self.finish();
                    return Poll::Ready(None);
                }
                Next::Fail(error) => {
                    self.finish();
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }

    /// Passes the next report, timeout or interruption to the machine. Returns false if there was none; the task
    /// is then woken by the next one.
    fn wait(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        if self.interrupt.poll_asked(cx) {
            self.io = Io::Idle;
            self.machine.interrupt(now.into_std());
            return true;
        }
        // Before the clock: bytes that have arrived meanwhile are in time.
        if let Poll::Ready(report) = self.io.poll(cx) {
            let now = now.into_std();
            match report {
                Report::Head(response) => {
                    let (head, body) = response.into_parts();
                    self.io = Io::Reading(body);
                    self.machine.response(head, now);
                }
                Report::Bytes(bytes) => self.machine.bytes(bytes, now),
                Report::Ended => {
                    self.io = Io::Idle;
                    self.machine.ended(now);
                }
                Report::Failed(error) => {
                    self.io = Io::Idle;
                    self.machine.failed(error, now);
                }
            }
            return true;
        }
        let Some(deadline) = self.machine.deadline(now.into_std()).map(Instant::from_std) else {
            return false;
        };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() != deadline {
            sleep.as_mut().reset(deadline);
        }
        if sleep.as_mut().poll(cx).is_pending() {
            return false;
        }
        self.io = Io::Idle;
        self.machine.timeout(deadline.into_std());
        true
    }

    fn finish(&mut self) {
        self.is_done = true;
        self.io = Io::Idle;
        self.sleep = None;
    }
}

impl Io {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Report> {
        match self {
            Self::Idle => Poll::Pending,
            Self::Sending(sending) => sending.as_mut().poll(cx).map(|sent| match sent {
                Ok(response) => Report::Head(response),
                Err(error) => Report::Failed(error),
            }),
            Self::Reading(body) => body.as_mut().poll_next(cx).map(|part| match part {
                Some(Ok(bytes)) => Report::Bytes(bytes),
                Some(Err(error)) => Report::Failed(error),
                None => Report::Ended,
            }),
        }
    }
}
