//! Runs one case and reports how the client differs from it.

use std::{convert::Infallible, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use http::Request;
use sse_core::{
    EventSource,
    client::{ClientEvent, EventSourceBuilder},
    decode::{Limits, Message, Oversized},
};
use tokio::time::{Instant, sleep, timeout};

use super::{
    case::{Case, Connection, Event, Kind},
    server::Server,
};

/// A case that takes longer than this is considered hung.
const LIMIT: Duration = Duration::from_secs(20);

/// Time after the end in which nothing more may happen.
const QUIET: Duration = Duration::from_millis(700);

/// What a loaded machine may add to a wait.
const GRACE: Duration = Duration::from_millis(1500);

/// A longer wait between connections is cut short, unless the case is about it.
const PATIENCE: Duration = Duration::from_millis(1500);

/// The observed behaviour of the client.
#[derive(Default)]
struct Shown {
    connections: Vec<Stream>,
    comments: Vec<String>,
    /// Whether the client continued, after each connection or attempt.
    went_on: Vec<bool>,
    /// How it ended, if it ended by itself.
    ended: Option<String>,
    failed: bool,
    skipped: usize,
    message_at: Option<Instant>,
}

/// One open stream.
#[derive(Default)]
struct Stream {
    messages: Vec<Message>,
    last_event_id: String,
    retry: Option<Duration>,
}

pub async fn run(case: &Arc<Case>) -> Result<(), String> {
    let differences = match case.kind() {
        Kind::Elsewhere(_) => Vec::new(),
        Kind::Address => address(case),
        Kind::Bytes => bytes(case).await,
        Kind::Client => match case.json["policies"].is_object() {
            false => client(case, Oversized::Fail).await,
            true => [client(case, Oversized::Fail).await, client(case, Oversized::Skip).await].concat(),
        },
    };
    if differences.is_empty() { Ok(()) } else { Err(differences.join("; ")) }
}

/// An address that is not http fails at once, and no request is sent.
fn address(case: &Case) -> Vec<String> {
    let url = case.json["url"].as_str().unwrap_or("http://this is invalid/");
    match EventSource::get(url).connect() {
        Err(_) => Vec::new(),
        Ok(_) => vec![format!("{url} was accepted")],
    }
}

/// A stream of bytes has no connections: it ends with its bytes.
async fn bytes(case: &Case) -> Vec<String> {
    let Some(connection) = case.connections.first() else { return vec!["no connection".to_owned()] };
    let chunks = connection.chunks.iter().map(Ok::<_, Infallible>);
    let mut messages = sse_core::decode::messages(stream::iter(chunks));
    let mut got = Vec::new();
    while let Some(message) = messages.next().await {
        got.push(message.expect("within the limits"));
    }
    let mut differences = compare(0, &got, &connection.events);
    if messages.last_event_id() != connection.last_event_id {
        differences.push(format!("the last id is {:?}", messages.last_event_id()));
    }
    differences
}

async fn client(case: &Arc<Case>, oversized: Oversized) -> Vec<String> {
    let server = match Server::start(case).await {
        Ok(server) => server,
        Err(error) => return vec![error.to_string()],
    };
    let mut url = server.url.clone();
    if case.name == "x/connection-refused" {
        // A port that was just free, so that no server listens there.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        url = format!("http://{}/", listener.local_addr().expect("an address"));
    }
    url.push_str(case.json["url_suffix"].as_str().unwrap_or_default());
    let shown = match timeout(LIMIT, watch(case, source(case, &url, oversized))).await {
        Ok(shown) => shown,
        Err(_) => {
            return vec![format!("it hangs: {} requests, {:?}", server.requests().len(), server.wrong())];
        }
    };
    if case.name == "x/connection-refused" {
        let is_as_expected = shown.went_on == [true] && shown.connections.is_empty();
        return if is_as_expected { Vec::new() } else { vec![format!("{:?}", shown.went_on)] };
    }
    if !case.connections.iter().any(|connection| connection.end == "hold") || shown.ended.is_none() {
        sleep(QUIET).await;
    }
    let mut differences = server.wrong();
    differences.extend(judge(case, &shown, oversized));
    differences.extend(judge_requests(case, &shown, &server.requests()));
    if let (Some(latency), [asked, ..], Some(shown)) =
        (case.number("latency_ms"), &*server.requests(), shown.message_at)
    {
        let took = shown.into_std().saturating_duration_since(*asked);
        if took > Duration::from_millis(latency) + GRACE {
            differences.push(format!("the event took {took:?}"));
        }
    }
    differences
}

fn source(case: &Case, url: &str, oversized: Oversized) -> EventSourceBuilder {
    let first = case.connections.first();
    let method = first.map_or("GET", |first| &first.method);
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in first.iter().flat_map(|first| &first.wanted) {
        if let (Some(value), true) = (value, matches!(&**name, "authorization" | "content-type")) {
            request = request.header(name, &value[..]);
        }
    }
    let body = case.json["request_body"].as_str().unwrap_or_default().to_owned();
    let mut source = EventSource::from_request(request.body(body).expect("a request"));
    if case.requires("option:method") {
        source = source.repeat();
    }
    if let Some(limit) = case.number("limit") {
        let limit = limit as usize;
        let limits = if case.requires("option:max-line") {
            Limits::default().line(limit)
        } else {
            Limits::default().event(limit)
        };
        source = source.limits(limits.oversized(oversized));
    }
    #[cfg(feature = "gzip")]
    if case.requires("option:gzip") {
        source = source.gzip();
    }
    source
}

/// Acts as the user of the client, and records its behaviour.
async fn watch(case: &Case, source: EventSourceBuilder) -> Shown {
    let mut shown = Shown::default();
    let mut events = source.events().expect("a valid request");
    let interrupt = events.interrupt();
    let holds = |shown: &Shown| {
        let at = shown.connections.len();
        case.connections.iter().filter(|connection| connection.opens).nth(at.wrapping_sub(1))
    };
    let action = case.json["action"].as_str().unwrap_or_default();
    loop {
        // A stream that is held open is dropped a moment after it has produced the expected events.
        let held = holds(&shown).filter(|connection| connection.end == "hold");
        let is_complete = held.is_some_and(|connection| {
            shown.connections.last().is_some_and(|stream| stream.messages.len() >= connection.events.len())
        });
        let next = if is_complete {
            match timeout(Duration::from_millis(200), events.next()).await {
                Ok(next) => next,
                Err(_) if case.requires("option:restart") => {
                    interrupt.interrupt();
                    events.next().await
                }
                Err(_) => {
                    note_cursor(&mut shown, events.last_event_id());
                    return shown;
                }
            }
        } else {
            events.next().await
        };
        match next {
            None => {
                shown.ended = Some("ended".to_owned());
                return shown;
            }
            Some(Err(error)) => {
                note_cursor(&mut shown, events.last_event_id());
                shown.went_on.push(false);
                shown.failed = true;
                shown.ended = Some(error.to_string());
                return shown;
            }
            Some(Ok(ClientEvent::Open(_))) => {
                if action == "close in open handler" {
                    shown.connections.push(Stream::default());
                    return shown;
                }
                shown.connections.push(Stream::default());
            }
            Some(Ok(ClientEvent::Message(message))) => {
                shown.message_at = Some(Instant::now());
                if let Some(stream) = shown.connections.last_mut() {
                    stream.messages.push(message);
                }
            }
            Some(Ok(ClientEvent::Retry(delay))) => {
                if let Some(stream) = shown.connections.last_mut() {
                    stream.retry = Some(delay);
                }
            }
            Some(Ok(ClientEvent::Comment(text))) => shown.comments.push(text),
            Some(Ok(ClientEvent::Skipped { .. })) => shown.skipped += 1,
            Some(Ok(ClientEvent::Disconnected { retry_in, .. })) => {
                note_cursor(&mut shown, events.last_event_id());
                shown.went_on.push(retry_in.is_some());
                if action == "close in error handler" || case.name == "x/connection-refused" {
                    return shown;
                }
                if retry_in.is_some_and(|wait| wait > PATIENCE) && case.json["timing"].is_null() {
                    interrupt.interrupt();
                }
            }
            Some(Ok(_)) => {}
        }
    }
}

fn note_cursor(shown: &mut Shown, cursor: &str) {
    if let Some(stream) = shown.connections.last_mut() {
        cursor.clone_into(&mut stream.last_event_id);
    }
}

fn judge(case: &Case, shown: &Shown, oversized: Oversized) -> Vec<String> {
    let mut differences = Vec::new();
    let expected: Vec<&Connection> = case.connections.iter().filter(|connection| connection.opens).collect();
    if shown.connections.len() != expected.len() {
        differences.push(format!("{} streams opened instead of {}", shown.connections.len(), expected.len()));
    }
    let is_closed_in_open = case.json["action"] == "close in open handler";
    for (at, (stream, connection)) in shown.connections.iter().zip(&expected).enumerate() {
        if case.json["limit"].is_u64() {
            differences.extend(judge_limits(case, shown, stream, oversized));
            continue;
        }
        differences.extend(compare(at, &stream.messages, &connection.events));
        if !is_closed_in_open && stream.last_event_id != connection.last_event_id {
            differences.push(format!("stream {at}: the last id is {:?}", stream.last_event_id));
        }
        if !is_closed_in_open && stream.retry != connection.retry {
            differences.push(format!("stream {at}: retry is {:?}", stream.retry));
        }
    }
    if let Some(comments) = case.json["comments_strip_one_space"].as_array()
        && !comments.iter().eq(&shown.comments)
    {
        differences.push(format!("the comments are {:?}", shown.comments));
    }
    if let Some(states) = case.json["error_states"].as_array() {
        let went_on: Vec<bool> = states.iter().map(|state| state == 0).collect();
        if !shown.went_on.starts_with(&went_on) {
            differences.push(format!("went on: {:?}", shown.went_on));
        }
    }
    differences
}

/// The result of an event beyond the limits: an error, or the event is skipped.
fn judge_limits(case: &Case, shown: &Shown, stream: &Stream, oversized: Oversized) -> Vec<String> {
    let texts: Vec<_> = stream.messages.iter().map(Message::data).collect();
    let expected: &[&str] = match (oversized, case.json["policies"].is_object()) {
        (Oversized::Skip, true) => &["before", "after"],
        (Oversized::Fail, true) => &["before"],
        _ => &[],
    };
    let is_noticed = if oversized == Oversized::Skip { shown.skipped == 1 } else { shown.failed };
    let mut differences = Vec::new();
    if texts != expected {
        differences.push(format!("{oversized:?}: got {texts:?}"));
    }
    if !is_noticed {
        differences.push(format!("{oversized:?}: nobody was told"));
    }
    differences
}

fn judge_requests(case: &Case, shown: &Shown, requests: &[std::time::Instant]) -> Vec<String> {
    let mut differences = Vec::new();
    let ends_by_204 = case.json["final"].as_str().is_some_and(|end| end.starts_with("closed (204)"))
        && case.connections.last().is_none_or(|connection| connection.end != "hold");
    let expected = match () {
        () if case.json["repeat"] == true => 21,
        () if case.json["limit"].is_u64() && shown.failed => 1,
        () if ends_by_204 => case.connections.len() + 1,
        () => case.connections.len(),
    };
    if requests.len() != expected {
        differences.push(format!("{} requests instead of {expected}", requests.len()));
    }
    if ends_by_204 && !case.json["limit"].is_u64() && shown.ended.as_deref() != Some("ended") {
        differences.push(format!("it ended so: {:?}", shown.ended));
    }
    let timing = &case.json["timing"];
    if let (Some(wanted), [first, second, ..]) = (timing["reconnect_ms"].as_f64(), requests) {
        let gap = (*second - *first).as_secs_f64() * 1000.0;
        let tolerance = timing["tolerance"].as_f64();
        let most = timing["max_ms"].as_f64().unwrap_or(wanted * (1.0 + tolerance.unwrap_or(0.0)));
        let least = tolerance.map_or(0.0, |tolerance| wanted * (1.0 - tolerance));
        if gap < least || gap > most + GRACE.as_secs_f64() * 1000.0 {
            differences.push(format!("{gap:.0} ms between the requests"));
        }
    }
    differences
}

fn compare(at: usize, got: &[Message], expected: &[Event]) -> Vec<String> {
    let is_same = |message: &Message, event: &Event| {
        message.event_type() == event.event_type
            && event.data.is(message.data())
            && message.last_event_id() == event.last_event_id
    };
    let is_equal = got.len() == expected.len()
        && got.iter().zip(expected).all(|(message, event)| is_same(message, event));
    if is_equal {
        return Vec::new();
    }
    let shorten = |text: String| if text.len() > 400 { format!("{}…", &text[..400]) } else { text };
    vec![shorten(format!("stream {at}: got {got:?} instead of {expected:?}"))]
}
