//! The span of each stream, as a subscriber sees it.

#[path = "../testkit/src/injection_texts.rs"]
mod hostile;

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use sse_core::{Event, EventStream, Hub, Pattern, Topic};
use tracing_subscriber::fmt::{MakeWriter, format::FmtSpan};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// The log output at this level while `work` runs.
async fn logged(level: tracing_subscriber::filter::LevelFilter, work: impl Future) -> String {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_span_events(FmtSpan::CLOSE)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    work.await;
    drop(guard);
    String::from_utf8(log.0.lock().expect("not poisoned").clone()).expect("UTF-8")
}

async fn read_two_streams() {
    let hub = Hub::memory();
    let topics = (Pattern::new("b.*").unwrap(), "a");
    let reader = hub.subscribe(topics).after("elsewhere").principal("ann").await.unwrap();
    let mut body = EventStream::new(reader).into_response().into_body();
    for _ in 0..2 {
        body.next().await.expect("the first line, and the gap").unwrap();
    }
    drop(body);
    let results = stream::iter([Ok(Event::message("x")), Err(io::Error::other("out of cheese"))]);
    let failing = EventStream::try_new(results).into_response().into_body();
    assert_eq!(failing.count().await, 3);
}

#[tokio::test]
async fn a_span_says_who_read_what_how_it_began_and_why_it_ended() {
    let log = logged(tracing_subscriber::filter::LevelFilter::DEBUG, read_two_streams()).await;
    let closed: Vec<_> = log.lines().filter(|line| line.contains(": close ")).collect();
    assert_eq!(closed.len(), 2, "{log}");
    for field in [
        r#"topics=["a", "b.*"]"#,
        r#"principal="ann""#,
        r#"resume="gap""#,
        r#"gap="malformed""#,
        r#"end="left""#,
        "events=1",
    ] {
        assert!(closed[0].contains(field), "{field} in {}", closed[0]);
    }
    assert!(closed[1].contains(r#"end="error" events=1 bytes="#), "{}", closed[1]);
    assert!(!closed[1].contains("principal") && !closed[1].contains("topics"), "{}", closed[1]);
    // Log lines of the stream are within its span.
    let error = log.lines().find(|line| line.contains("out of cheese")).expect("the error is logged");
    assert!(error.contains("event_stream"), "{error}");
}

#[tokio::test]
async fn hostile_text_stays_in_its_line() {
    for text in hostile::HOSTILE.into_iter().filter(|text| !text.is_empty()) {
        let log = logged(tracing_subscriber::filter::LevelFilter::DEBUG, async {
            let hub = Hub::memory();
            let topic = Topic::from_parts(["a", text]).unwrap();
            let reader = hub.subscribe(topic).after(text).principal(text).await.unwrap();
            drop(EventStream::new(reader).into_response());
            let failing = stream::iter([Err::<Event, _>(io::Error::other(text))]);
            EventStream::try_new(failing).into_response().into_body().count().await;
            drop(hub.start_run(Topic::from_parts([text, "run"]).unwrap()));
        })
        .await;
        // Two spans, two ends, the error and the run.
        assert!(
            log.lines().count() >= 4 && log.lines().all(|line| line.contains("sse_core")),
            "{text:?}: {log}"
        );
        assert!(!log.replace('\n', "").contains(char::is_control), "{text:?}: {log:?}");
    }
}

#[tokio::test]
async fn without_debug_there_is_no_span() {
    let log = logged(tracing_subscriber::filter::LevelFilter::INFO, read_two_streams()).await;
    assert!(!log.contains("event_stream"), "{log}");
    assert!(log.contains("out of cheese"), "{log}");
}

#[tokio::test(start_paused = true)]
async fn dropped_readers_are_logged_when_dropped() {
    let hub = Hub::builder().stalled_after(Duration::from_secs(60)).memory();
    let reader = hub.subscribe("a").await.unwrap();
    let level = tracing_subscriber::filter::LevelFilter::INFO;
    hub.publish("a", Event::message("x")).await.unwrap();
    let log = logged(level, tokio::time::sleep(Duration::from_secs(30))).await;
    assert_eq!(log, "");
    let log = logged(level, tokio::time::sleep(Duration::from_secs(60))).await;
    assert!(log.contains(r#"dropped readers that do not read readers=1 topics=["a"]"#), "{log}");
    assert_eq!(log.lines().count(), 1, "{log}");
    drop(reader);
}

/// Once per process, with the line to change: a stream may set one for each event.
#[tokio::test]
async fn h8_the_first_invalid_retry_is_logged() {
    let log = logged(tracing_subscriber::filter::LevelFilter::WARN, async {
        for _ in 0..3 {
            let events = stream::iter([Event::message("x").retry(Duration::from_millis(100))]);
            let body = EventStream::new(events).retry(Duration::from_secs(7_200)).into_response().into_body();
            assert_eq!(body.count().await, 2);
        }
    });
    let log = log.await;
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(log.contains("retry of 100ms at ") && log.contains("tests/tracing.rs:"), "{log}");
    assert!(log.contains("500ms") && log.contains("3600s"), "{log}");
}

#[tokio::test]
async fn h7_a_panic_is_logged_as_the_error_of_its_stream() {
    let log = logged(tracing_subscriber::filter::LevelFilter::ERROR, async {
        let events = stream::iter([1, 0]).map(|divisor| Event::message((1 / divisor).to_string()));
        assert_eq!(EventStream::new(events).into_response().into_body().count().await, 3);
        let hook = EventStream::new(stream::empty::<Event>()).on_end(|_| panic!("out of cheese"));
        assert_eq!(hook.into_response().into_body().count().await, 1);
    });
    let log = log.await;
    assert!(log.contains("an event stream failed") && log.contains("divide by zero"), "{log}");
    assert!(log.contains("the hook for a stream's end failed") && log.contains("out of cheese"), "{log}");
}
