//! The connection: requests with an answer, a time limit, and errors that state whether a request may have been
//! executed.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, atomic::Ordering},
    task::Poll,
    time::Duration,
};

use async_nats::{
    Client, ConnectOptions, Event, HeaderMap, Message, ServerAddr, Statistics, StatusCode, Subscriber,
    client::PublishErrorKind, connection::State,
};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::watch;

use super::{
    super::{HistoryError, HistoryErrorKind},
    answer::{Failure, Refusal, parse},
};

/// The time within which the server must answer.
pub(super) const ANSWER: Duration = Duration::from_secs(5);

/// The silence of the server after which it is pinged; after three times this, the connection counts as lost.
const PING: Duration = Duration::from_secs(5);

/// The longest pause between two attempts to connect.
const PAUSE: Duration = Duration::from_secs(1);

/// A process's connection, which reconnects by itself.
pub(super) struct Link {
    client: Client,
    lost: watch::Receiver<u64>,
    statistics: Arc<Statistics>,
    /// Held while several requests are sent, so that those of one call stay together.
    sending: tokio::sync::Mutex<()>,
}

/// A message that expects an answer.
pub(super) struct Ask {
    pub(super) subject: String,
    pub(super) headers: HeaderMap,
    pub(super) payload: Bytes,
}

impl Link {
    /// Connects to one of the servers in `url`, which are separated by commas.
    pub(super) async fn connect(url: &str) -> Result<Self, HistoryError> {
        let servers: Result<Vec<ServerAddr>, _> = url.split(',').map(|url| url.trim().parse()).collect();
        let servers = servers.map_err(|error| {
            let message = "the URL is not one of NATS, such as `nats://localhost:4222`; mind the scheme";
            HistoryError::new(HistoryErrorKind::Settings, message).with_source(error)
        })?;
        let (losses, lost) = watch::channel(0);
        let options = ConnectOptions::new()
            .ping_interval(PING)
            .request_timeout(Some(ANSWER))
            .reconnect_delay_callback(pause)
            .event_callback(move |event| {
                if event == Event::Disconnected {
                    losses.send_modify(|losses| *losses += 1);
                }
                async {}
            });
        let client = options.connect(servers).await.map_err(|error| {
            let message = "the NATS server does not answer; is it running, and is the URL right?";
            HistoryError::new(HistoryErrorKind::Unavailable, message).with_source(error)
        })?;
        let statistics = client.statistics();
        Ok(Self { client, lost, statistics, sending: tokio::sync::Mutex::new(()) })
    }

    /// Returns the number of connects: another number means another connection, perhaps to another server.
    pub(super) fn connects(&self) -> u64 {
        self.statistics.connects.load(Ordering::Acquire)
    }

    /// Returns whether a message sent now reaches a server now. A message sent without a server would be kept by
    /// the client and sent to the next one, long after its sender has received an error.
    pub(super) fn is_connected(&self) -> bool {
        // The client reports a broken connection before its state shows it.
        self.client.connection_state() == State::Connected && self.connects() > *self.lost.borrow()
    }

    /// Returns the server of the newest connection.
    pub(super) fn server(&self) -> async_nats::ServerInfo {
        self.client.server_info()
    }

    /// Sends a request and waits for its answer.
    pub(super) async fn ask(&self, ask: Ask) -> Result<Message, Failure> {
        use async_nats::client::RequestErrorKind;
        if !self.is_connected() {
            return Err(Failure::NotConnected);
        }
        let Ask { subject, headers, payload } = ask;
        let mut request = async_nats::Request::new().payload(payload);
        if !headers.is_empty() {
            request = request.headers(headers);
        }
        match self.or_lost(self.client.send_request(subject, request)).await.ok_or(Failure::Lost)? {
            Ok(message) => Ok(message),
            Err(error) => Err(match error.kind() {
                RequestErrorKind::NoResponders => Failure::NoResponders,
                RequestErrorKind::MaxPayloadExceeded | RequestErrorKind::InvalidSubject => {
                    Failure::TooLarge(error.to_string())
                }
                RequestErrorKind::TimedOut | RequestErrorKind::Other => Failure::Lost,
            }),
        }
    }

    /// Sends requests in this order without waiting between them; the answers are in the same order.
    pub(super) async fn ask_all(&self, asks: Vec<Ask>) -> Vec<Result<Message, Failure>> {
        let mut answers: Vec<Result<Message, Failure>> = Vec::new();
        answers.resize_with(asks.len(), || Err(Failure::NotConnected));
        let inbox = self.client.new_inbox();
        let Ok(mut replies) = self.subscribe(&format!("{inbox}.*")).await else { return answers };
        let mut awaited = 0;
        let together = self.sending.lock().await;
        for (index, (ask, answer)) in asks.into_iter().zip(&mut answers).enumerate() {
            let reply = format!("{inbox}.{index}");
            match self
                .client
                .publish_with_reply_and_headers(ask.subject, reply, ask.headers, ask.payload)
                .await
            {
                Ok(()) => {
                    *answer = Err(Failure::Lost);
                    awaited += 1;
                }
                Err(error) if error.kind() == PublishErrorKind::Send => return answers,
                Err(error) => {
                    *answer = Err(Failure::TooLarge(error.to_string()));
                    break;
                }
            }
        }
        drop(together);
        let collect = async {
            while awaited > 0
                && let Some(message) = next(&mut replies).await
            {
                let index = message.subject.rsplit('.').next().and_then(|index| index.parse::<usize>().ok());
                if let Some(answer) = index.and_then(|index| answers.get_mut(index)) {
                    *answer = if message.status == Some(StatusCode::NO_RESPONDERS) {
                        Err(Failure::NoResponders)
                    } else {
                        Ok(message)
                    };
                    awaited -= 1;
                }
            }
        };
        let _ = self.or_lost(tokio::time::timeout(ANSWER, collect)).await;
        answers
    }

    /// Sends a request whose answer is many messages, the last of which has a status.
    pub(super) async fn ask_many(&self, subject: &str, request: &Value) -> Result<Vec<Message>, Failure> {
        let inbox = self.client.new_inbox();
        let mut replies = self.subscribe(&inbox).await?;
        let request = self.client.publish_with_reply(subject.to_owned(), inbox, request.to_string().into());
        request.await.map_err(|_| Failure::NotConnected)?;
        let mut messages = Vec::new();
        let collect = async {
            while let Some(message) = next(&mut replies).await {
                match message.status {
                    None | Some(StatusCode::OK) => messages.push(message),
                    Some(StatusCode::NO_RESPONDERS) => return Err(Failure::NoResponders),
                    Some(_) => return Ok(()),
                }
            }
            Err(Failure::Lost)
        };
        let collected = self.or_lost(tokio::time::timeout(ANSWER, collect)).await;
        collected.and_then(Result::ok).unwrap_or(Err(Failure::Lost))?;
        Ok(messages)
    }

    pub(super) async fn subscribe(&self, subject: &str) -> Result<Subscriber, Failure> {
        if !self.is_connected() {
            return Err(Failure::NotConnected);
        }
        self.client.subscribe(subject.to_owned()).await.map_err(|_| Failure::NotConnected)
    }

    pub(super) fn new_inbox(&self) -> String {
        self.client.new_inbox()
    }

    /// Sends a message that expects no answer, and waits until it is on its way.
    pub(super) async fn send(&self, ask: Ask, reply: Option<&str>) -> Result<(), Failure> {
        if !self.is_connected() {
            return Err(Failure::NotConnected);
        }
        let Ask { subject, headers, payload } = ask;
        let sent = match reply {
            Some(reply) => {
                let reply = reply.to_owned();
                self.client.publish_with_reply_and_headers(subject, reply, headers, payload).await
            }
            None => self.client.publish_with_headers(subject, headers, payload).await,
        };
        sent.map_err(|error| match error.kind() {
            PublishErrorKind::Send => Failure::NotConnected,
            _ => Failure::TooLarge(error.to_string()),
        })?;
        let flushed = self.or_lost(tokio::time::timeout(ANSWER, self.client.flush())).await;
        if matches!(flushed, Some(Ok(Ok(())))) { Ok(()) } else { Err(Failure::Lost) }
    }

    /// Calls JetStream, which answers in JSON.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        call: &str,
        request: &Value,
    ) -> Result<Result<T, Refusal>, HistoryError> {
        let answer = self.ask(Ask::api(call, request)).await.map_err(Failure::into_unavailable)?;
        parse(&answer.payload)
    }

    /// Returns a receiver that changes whenever the connection breaks from now on.
    pub(super) fn losses(&self) -> watch::Receiver<u64> {
        let mut lost = self.lost.clone();
        lost.mark_unchanged();
        lost
    }

    /// Returns the maximum length of a message in bytes.
    pub(super) fn max_payload(&self) -> usize {
        self.client.max_payload()
    }

    /// Waits for `work`, or until the connection breaks.
    pub(super) async fn or_lost<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut lost = self.losses();
        let mut lost = pin!(lost.changed());
        let mut work = pin!(work);
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => lost.as_mut().poll(cx).map(|_| None),
        })
        .await
    }
}

impl Ask {
    /// Returns the length in bytes, as the server counts it.
    pub(super) fn len(&self) -> usize {
        const VERSION_AND_END: usize = "NATS/1.0\r\n\r\n".len();
        let fields =
            self.headers.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
        let headers: usize =
            fields.map(|(name, value)| format!("{name}: {}\r\n", value.as_str()).len()).sum();
        VERSION_AND_END + headers + self.payload.len()
    }

    /// Makes a request to JetStream itself.
    pub(super) fn api(call: &str, request: &Value) -> Self {
        Self {
            subject: format!("$JS.API.{call}"),
            headers: HeaderMap::new(),
            payload: request.to_string().into(),
        }
    }
}

/// Returns the next message of a subscription.
pub(super) async fn next(subscriber: &mut Subscriber) -> Option<Message> {
    use futures_core::Stream;
    poll_fn(|cx| std::pin::Pin::new(&mut *subscriber).poll_next(cx)).await
}

/// Returns the pause before an attempt to connect: doubling, with jitter.
fn pause(attempts: usize) -> Duration {
    if attempts <= 1 {
        return Duration::ZERO;
    }
    let longest = Duration::from_millis(10 << attempts.min(7)).min(PAUSE);
    longest.mul_f64(0.5 + fastrand::f64() / 2.0)
}
