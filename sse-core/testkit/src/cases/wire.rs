//! The bytes.

use sse_core::{Event, Frame};

use crate::{
    App, Outcome, Request, Server, Settings, injection_vectors,
    outcome::{ensure, ensure_eq},
    wire_vectors,
};

/// The whole head of an answer, except the date.
const HEAD: &str = "http/1.1 200 ok
cache-control: no-cache, no-transform
content-type: text/event-stream
transfer-encoding: chunked
x-accel-buffering: no";

/// A stream of every kind has the same headers, and no length.
pub async fn the_head_is_exact(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::scripted([Event::message("once")])).await?;
    for target in ["/script", "/failing", "/ticks", "/tokens", "/talk"] {
        let answer = server.get(target).await?;
        ensure!(answer.head() == HEAD, "{target}:\n{}\ninstead of\n{HEAD}", answer.head());
    }
    // Only a subscription is negotiated.
    let answer = server.get("/events?topic=a").await?;
    ensure_eq!(answer.head(), HEAD.replace("x-accel", "vary: accept\nx-accel"));
    let answer = server.send(Request::post("/complete", "words")).await?;
    ensure_eq!(answer.head(), HEAD);
    Ok(())
}

/// The application's events are on the socket byte for byte, after the first `retry` line, up to the last chunk.
pub async fn g1_the_script_is_byte_exact(app: &dyn App) -> Outcome {
    let script = wire_vectors();
    let server = Server::start(app, Settings::scripted(script.iter().map(|say| say.event.clone()))).await?;
    let mut answer = server.get("/script").await?;
    answer.to_end().await?;
    let text = answer.text();
    let (first, rest) = text.split_once('\n').unwrap_or_default();
    ensure!(is_retry(first), "begins with {first:?} instead of a retry line");
    let expected: String = script.iter().map(|say| say.bytes).collect();
    let differs = rest.lines().zip(expected.lines()).find(|(is, should)| is != should);
    ensure!(rest == expected, "differs from the script, first here: {differs:?}\n{rest}");
    Ok(())
}

/// Through every builder, a hostile text is refused with a typed error, or arrives as the same text.
pub async fn g1_hostile_text_stays_in_its_field(app: &dyn App) -> Outcome {
    let all = injection_vectors();
    let good: Vec<_> = all.iter().filter(|one| Frame::try_from(one.event.clone()).is_ok()).collect();
    ensure!(good.len() > all.len() / 2, "only {} of {} can be sent", good.len(), all.len());
    // An event of our own follows each, so that nothing can hide behind its neighbour, and the id is reset.
    let script = good.iter().flat_map(|one| [one.event.clone(), Event::message("next").reset_id()]);
    let server = Server::start(app, Settings::scripted(script)).await?;
    let mut answer = server.get("/script").await?;
    answer.to_end().await?;
    let told = answer.told();
    let mut told = told.iter();
    for one in good {
        let what = &one.what;
        if let Some(expected) = &one.told {
            let is = told.next();
            ensure!(is == Some(expected), "{what}: told {is:?} instead of {expected:?}");
        }
        let next = told.next();
        ensure!(
            next.is_some_and(|next| next.data == "next" && next.event == "message" && next.id.is_empty()),
            "{what}: followed by {next:?}"
        );
    }
    let more = told.next();
    ensure!(more.is_none(), "more than was said: {more:?}");
    ensure!(!answer.text().contains("\npwned") && !answer.text().contains('\r'), "something was injected");
    Ok(())
}

/// The event is larger than any buffer on the way.
pub async fn a_large_event_arrives_whole(app: &dyn App) -> Outcome {
    let large: String = ('a'..='z').cycle().take(3 << 20).collect();
    let server =
        Server::start(app, Settings::scripted([Event::message(&large), Event::message("after")])).await?;
    let mut answer = server.get("/script").await?;
    answer.to_end().await?;
    let told: Vec<_> = answer.told().into_iter().map(|told| told.data).collect();
    ensure!(told.len() == 2, "{} events instead of 2", told.len());
    ensure!(told.first() == Some(&large), "the large event arrived changed");
    ensure!(told.last().is_some_and(|data| data == "after"), "the event after it arrived changed");
    Ok(())
}

/// Events that come one by one are sent one by one: whole, and without waiting for the next.
pub async fn every_chunk_ends_a_line(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::quiet()).await?;
    let mut reader = server.stream(Request::get("/events?topic=a")).await?;
    for n in 0..20usize {
        server.publish("a", &format!("line\nof {n}")).await?;
        reader.until_told(n + 1).await?;
    }
    let body = reader.body();
    let whole = |end: &usize| end.checked_sub(1).and_then(|last| body.get(last)) == Some(&b'\n');
    ensure!(reader.chunk_ends().iter().all(whole), "a chunk ends within a line: {:?}", reader.text());
    let chunks = reader.chunk_ends().len();
    ensure!(chunks <= 21, "{chunks} chunks for a first line and 20 events");
    Ok(())
}

/// HEAD gets the same head, and then nothing; the stream behind it ends.
pub async fn a_response_to_head_has_no_body(app: &dyn App) -> Outcome {
    let mut server = Server::start(app, Settings::quiet()).await?;
    for target in ["/events?topic=a", "/ticks"] {
        let mut answer = server.send(Request::head(target)).await?;
        ensure_eq!(answer.status(), 200);
        ensure_eq!(answer.header("content-type"), Some("text/event-stream"));
        ensure_eq!(answer.header("cache-control"), Some("no-cache, no-transform"));
        ensure_eq!(answer.header("content-length"), None);
        answer.listen_for(std::time::Duration::from_millis(100)).await?;
        ensure!(answer.body().is_empty(), "a body after HEAD: {:?}", answer.text());
    }
    server.ended().await?;
    server.wait_for("the subscription to go", |hub| hub.stats().readers.is_empty()).await
}

/// Whether a line is a `retry` of a plausible value.
pub(crate) fn is_retry(line: &str) -> bool {
    retry_of(line).is_some_and(|millis| (500..=3_600_000).contains(&millis))
}

/// The milliseconds of a `retry` line.
pub(crate) fn retry_of(line: &str) -> Option<u64> {
    let digits = line.strip_prefix("retry: ")?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}
