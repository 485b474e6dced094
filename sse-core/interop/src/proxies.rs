//! Streams through the proxies that are used in front of applications.

use std::time::Instant;

use futures_util::StreamExt;
use sse_core::{
    EventSource,
    client::{ClientEvent, Disconnect, Events, HyperTransport, OpenedResponse},
};
use sse_testkit::{Failed, Outcome};
use tokio::time::timeout;

use crate::{App, Front, PATIENCE, Proxy, Settings};

/// A client behind a proxy, over TLS and HTTP/2 or over HTTP/1.1.
struct Reader {
    events: Events,
    opened: usize,
}

impl Reader {
    /// Connects, and waits until the stream is open and its first line has arrived.
    async fn open(front: &Front, is_secure: bool) -> Outcome<Self> {
        let transport = HyperTransport::trusting(front.certificate())?;
        let source = EventSource::get(front.url(is_secure, "/events?topic=a")).transport(transport);
        let mut reader = Self { events: source.events()?, opened: 0 };
        let opened = reader.until("open", |event| match event {
            ClientEvent::Open(opened) => Some(opened),
            _ => None,
        });
        let version = version(&opened.await?);
        let expected = if is_secure { "HTTP/2" } else { "HTTP/1.1" };
        if !version.starts_with(expected) {
            return Err(Failed::new(format!("{version} instead of {expected}")));
        }
        reader.until("first line", |event| matches!(event, ClientEvent::Retry(_)).then_some(())).await?;
        Ok(reader)
    }

    /// Waits until something happens, and fails if something was lost.
    async fn until<T>(&mut self, what: &str, look: impl Fn(ClientEvent) -> Option<T>) -> Outcome<T> {
        let waited = timeout(PATIENCE, async {
            while let Some(event) = self.events.next().await {
                let event = event?;
                if let ClientEvent::Gap { gap, .. } = &event {
                    return Err(Failed::new(format!("{gap:?}")));
                }
                self.opened += usize::from(matches!(event, ClientEvent::Open(_)));
                if let Some(found) = look(event) {
                    return Ok(found);
                }
            }
            Err(Failed::new("the client has ended"))
        });
        waited.await.map_err(|_| Failed::new(format!("waited in vain for {what}")))?
    }

    /// The next message's data.
    async fn message(&mut self) -> Outcome<String> {
        let message = |event| match event {
            ClientEvent::Message(message) => Some(message.data().to_owned()),
            _ => None,
        };
        self.until("a message", message).await
    }

    /// Waits until the connection ends, and returns why.
    async fn disconnected(&mut self) -> Outcome<Disconnect> {
        let disconnected = |event| match event {
            ClientEvent::Disconnected { cause, .. } => Some(cause),
            _ => None,
        };
        self.until("the end of the connection", disconnected).await
    }

    /// Reads these numbers and no others.
    async fn numbers(&mut self, numbers: std::ops::Range<usize>) -> Outcome {
        for number in numbers {
            assert_eq!(self.message().await?, number.to_string());
        }
        Ok(())
    }
}

/// The HTTP versions of the client and of the proxy, as the proxy reports them.
fn version(opened: &OpenedResponse) -> String {
    let version = opened.headers.get("x-protocol").and_then(|version| version.to_str().ok());
    version.unwrap_or_default().to_owned()
}

async fn publish(app: &App, numbers: std::ops::Range<usize>) -> Outcome {
    for number in numbers {
        app.publish("a", &number.to_string()).await?;
    }
    Ok(())
}

/// The head and the first line arrive before the first event, and each event before the next is published.
///
/// # Errors
/// If the proxy waits for more data.
pub async fn g10_passes_each_event_at_once(program: &str, proxy: Proxy) -> Outcome {
    const EVENTS: usize = 20;
    // Only the events themselves can push data through.
    let app = App::start(program, &["--keep-alive", "3600"]).await?;
    for settings in [Settings::Defaults, Settings::Documented] {
        let front = Front::start(proxy, settings, app.address()).await?;
        for is_secure in [false, true] {
            let mut reader = Reader::open(&front, is_secure).await?;
            let began_at = Instant::now();
            for number in 0..EVENTS {
                publish(&app, number..number + 1).await?;
                reader.numbers(number..number + 1).await?;
            }
            let each = began_at.elapsed() / u32::try_from(EVENTS)?;
            let version = if is_secure { "HTTP/2" } else { "HTTP/1.1" };
            println!("{proxy:?}, {settings:?}, {version}: {each:?} an event");
        }
    }
    Ok(())
}

/// A proxy that ends responses after 3 s of silence does not end a stream with a keep-alive every second; without,
/// it does.
///
/// # Errors
/// If a check fails.
pub async fn g10_keep_alive_beats_a_read_timeout(program: &str, proxy: Proxy) -> Outcome {
    tokio::try_join!(
        keep_alive_beats_a_read_timeout(program, proxy, false),
        keep_alive_beats_a_read_timeout(program, proxy, true)
    )?;
    Ok(())
}

async fn keep_alive_beats_a_read_timeout(program: &str, proxy: Proxy, is_secure: bool) -> Outcome {
    let alive = App::start(program, &["--keep-alive", "1"]).await?;
    let silent = App::start(program, &["--keep-alive", "3600"]).await?;
    let in_front_of_silent = Front::start(proxy, Settings::ReadTimeout, silent.address()).await?;
    let front = Front::start(proxy, Settings::ReadTimeout, alive.address()).await?;
    let mut reader = Reader::open(&front, is_secure).await?;
    let mut cut = Reader::open(&in_front_of_silent, is_secure).await?;
    // The reader is open for longer than the one that is cut, and twice as long again.
    for _ in 0..2 {
        tokio::select! {
            cut = cut.disconnected() => cut?,
            lost = reader.disconnected() => return Err(Failed::new(format!("cut: {:?}", lost?))),
        };
    }
    publish(&alive, 0..1).await?;
    reader.numbers(0..1).await?;
    assert_eq!(reader.opened, 1);
    Ok(())
}

/// The proxy is killed and restarted: its readers miss nothing, and receive nothing twice.
///
/// # Errors
/// If a check fails.
pub async fn g4_survives_a_restart_of_the_proxy(program: &str, proxy: Proxy) -> Outcome {
    let app = App::start(program, &[]).await?;
    let mut front = Front::start(proxy, Settings::Defaults, app.address()).await?;
    let mut plain = Reader::open(&front, false).await?;
    let mut secure = Reader::open(&front, true).await?;
    publish(&app, 0..10).await?;
    for reader in [&mut plain, &mut secure] {
        reader.numbers(0..10).await?;
    }
    front.down().await?;
    publish(&app, 10..20).await?;
    for reader in [&mut plain, &mut secure] {
        reader.disconnected().await?;
    }
    front.up().await?;
    publish(&app, 20..30).await?;
    for reader in [&mut plain, &mut secure] {
        reader.numbers(10..30).await?;
        assert_eq!(reader.opened, 2);
    }
    Ok(())
}

/// The application is killed and restarted with its file. With default settings, a proxy answers for it with 502 or
/// 503, which is final; with the document's settings, readers reconnect and miss nothing.
///
/// # Errors
/// If a check fails.
pub async fn g14_survives_a_restart_of_the_application(program: &str, proxy: Proxy) -> Outcome {
    let directory = tempfile::tempdir()?;
    let file = format!("file:{}", directory.path().join("events.redb").display());
    let app = App::start(program, &["--history", &file]).await?;
    let address = app.address().to_string();
    let plain = Front::start(proxy, Settings::Defaults, app.address()).await?;
    let documented = Front::start(proxy, Settings::Documented, app.address()).await?;
    let mut lost = Reader::open(&plain, true).await?;
    let mut kept = [Reader::open(&documented, false).await?, Reader::open(&documented, true).await?];
    publish(&app, 0..10).await?;
    for reader in &mut kept {
        reader.numbers(0..10).await?;
    }
    app.kill().await?;
    // An answer that requests a reconnect is a stream that ends.
    for reader in &mut kept {
        reader.disconnected().await?;
        let cause = reader.disconnected().await?;
        assert!(matches!(cause, Disconnect::Ended { mid_event: false }), "{cause:?}");
        assert_eq!(reader.opened, 2);
    }
    let ended = lost.until("the end", |_| None::<()>).await;
    let ended = format!("{:?}", ended.err());
    assert!(ended.contains("502") || ended.contains("503"), "{ended}");
    let app = App::start_at(program, &address, &["--history", &file]).await?;
    publish(&app, 10..20).await?;
    for reader in &mut kept {
        reader.numbers(10..20).await?;
    }
    Ok(())
}
