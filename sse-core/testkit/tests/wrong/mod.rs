//! The suite's application without a framework: a small HTTP/1.1 server that can break one promise.

mod events;
mod fault;
mod request;
mod runs;

use std::{net::Ipv4Addr, pin::pin, time::Duration};

pub(crate) use fault::Fault;

use events::events;
use fault::Breaker;
use futures_util::{StreamExt, stream};
use http::{HeaderValue, Method, Response, StatusCode, Uri, header};
use request::{Incoming, incoming};
use runs::runs;
use sse_core::{
    __private::{Preflight, Routes, collect},
    Error, EventStream, LastEventId, Publish, SseRequest, channel,
    mount::Permit,
};
use sse_testkit::{App, Context, MAX_BODY, PAGE, Query, Serving};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

pub(crate) struct Wrong(pub(crate) Fault);

impl App for Wrong {
    fn serve(&self, context: Context) -> Serving {
        let fault = self.0;
        Box::pin(async move {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            context.listens_at(listener.local_addr().unwrap());
            let shutdown = context.shutdown.clone();
            let server = accept(listener, context, fault);
            if fault == Fault::WaitsForAll {
                server.await;
            } else {
                shutdown.serve(server).await;
            }
        })
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(if self.0 == Fault::Nothing { 10 } else { 2 })
    }
}

async fn accept(listener: TcpListener, context: Context, fault: Fault) {
    let mut connections = JoinSet::new();
    let mut shutdown = context.shutdown.clone();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                connections.spawn(answer(accepted.unwrap().0, context.clone(), fault));
            }
            () = &mut shutdown => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

enum Answer {
    Stream(Box<EventStream>),
    Text { status: u16, kind: &'static str, body: String },
    Whole(Response<String>),
}

async fn answer(mut socket: TcpStream, app: Context, fault: Fault) -> Option<()> {
    socket.set_nodelay(true).ok()?;
    let request = incoming(&mut socket).await?;
    match route(&request, &app, fault).await {
        Answer::Text { status, kind, body } => {
            let length = body.len();
            let head =
                format!("HTTP/1.1 {status} -\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n");
            let body = if request.method == "HEAD" { "" } else { &*body };
            socket.write_all((head + body).as_bytes()).await.ok()
        }
        Answer::Whole(response) => {
            let status = match response.status().as_u16() {
                400.. if fault == Fault::ErrorIs500 => 500,
                status => status,
            };
            let mut head = format!("HTTP/1.1 {status} -\r\n");
            for (name, value) in response.headers() {
                if name != "vary" || fault != Fault::NoVary {
                    head.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
                }
            }
            if status != 204 {
                head.push_str(&format!("content-length: {}\r\n", response.body().len()));
            }
            let body = if request.method == "HEAD" { "" } else { response.body() };
            socket.write_all((head + "\r\n" + body).as_bytes()).await.ok()
        }
        Answer::Stream(stream) => {
            let ends_at_once = fault == Fault::EndsTokensAtOnce && request.path == "/tokens";
            let stream = if ends_at_once { stream.until(app.shutdown.clone()) } else { *stream };
            send(&mut socket, stream, &request.method, fault).await
        }
    }
}

async fn route(request: &Incoming, app: &Context, fault: Fault) -> Answer {
    let query = Query::from_query(request.query.as_deref());
    let preflight = Preflight::new(app.origins());
    let method: Method = request.method.parse().unwrap();
    let done = match &*request.path {
        _ if method == Method::HEAD && fault == Fault::HeadIs405 => {
            return Answer::Text { status: 405, kind: "text/plain", body: String::new() };
        }
        "/events" if fault != Fault::TakesAnyMethod && !preflight.is_of_handler(&method) => {
            let (headers, target) = (request.header_map(), request.target().parse().unwrap());
            return Answer::Whole(preflight.answer(&method, &headers, &target));
        }
        path if is_of_get(path) && !preflight.is_of_handler(&method) && fault != Fault::TakesAnyMethod => {
            return Answer::Text { status: 405, kind: "text/plain", body: String::new() };
        }
        "/events" => events(request, app, query, fault).await,
        "/mounted" => return mounted(request, app, fault).await,
        "/page" => {
            let sent = SseRequest::new(&method, &Uri::default(), &request.header_map());
            if sent.prefers_html() && fault != Fault::IgnoresAccept {
                let page = Response::builder().header("content-type", "text/html; charset=utf-8");
                return Answer::Whole(page.header("vary", "accept").body(PAGE.to_owned()).unwrap());
            }
            events(request, app, query, fault).await
        }
        "/compressed" => {
            let mut headers = request.header_map();
            if fault == Fault::CompressesForAll {
                headers.insert("accept-encoding", HeaderValue::from_static("gzip"));
            }
            let sent = SseRequest::new(&method, &Uri::default(), &headers);
            events(request, app, query, fault).await.map(|stream| stream.compress_for(&sent))
        }
        "/late" => {
            app.shutdown.clone().await;
            if fault == Fault::LateIs503 {
                return Answer::Text { status: 503, kind: "text/plain", body: String::new() };
            }
            events(request, app, query, fault).await
        }
        "/script" => Ok(app.configure(app.script())),
        "/numbers" => {
            let target = if fault == Fault::HeaderOnly { &request.path } else { &request.target() };
            let last = LastEventId::new(&target.parse().unwrap(), &request.header_map());
            Ok(app.configure(app.numbers(&last)))
        }
        "/failing" => Ok(app.configure(EventStream::try_new(app.failing()))),
        "/ticks" => Ok(app.configure(app.ticks()).until(app.shutdown.clone())),
        "/tokens" => Ok(app.configure(app.ticks()).until(app.shutdown.deadline())),
        "/complete" | "/talk" => {
            let (tx, said) = channel(4);
            match &*request.path {
                "/talk" => app.talk(tx),
                _ => app.words(tx, String::from_utf8_lossy(&request.body).into_owned()),
            }
            Ok(app.configure(said))
        }
        "/publish" => {
            let event = query.event_of(&String::from_utf8_lossy(&request.body));
            return receipt(app.hub.publish(&query.topics, event).into_future(), fault).await;
        }
        "/finish" => return receipt(app.hub.finish(query.topics).into_future(), fault).await,
        "/runs" => {
            return match runs(request, app, query, fault).await {
                Ok(status) => Answer::Text { status, kind: "text/plain", body: String::new() },
                Err(error) => refusal(error, fault),
            };
        }
        _ => return Answer::Text { status: 404, kind: "text/plain", body: String::new() },
    };
    match done {
        Ok(stream) => Answer::Stream(Box::new(stream)),
        Err(error) => refusal(error, fault),
    }
}

/// Whether a path accepts only GET and HEAD.
fn is_of_get(path: &str) -> bool {
    matches!(
        path,
        "/page"
            | "/compressed"
            | "/late"
            | "/script"
            | "/failing"
            | "/numbers"
            | "/ticks"
            | "/tokens"
            | "/talk"
    )
}

async fn mounted(request: &Incoming, app: &Context, fault: Fault) -> Answer {
    let dress = app.clone();
    let routes = Routes::new(app.hub.clone())
        .origins(app.origins())
        .publish(MAX_BODY)
        .stream(move |stream| dress.configure(stream));
    let mut headers = request.header_map();
    if fault == Fault::IgnoresOrigin {
        headers.remove(header::ORIGIN);
        headers.remove("sec-fetch-site");
    }
    if fault == Fault::NoFetchMetadata {
        headers.remove("sec-fetch-site");
    }
    if fault == Fault::IgnoresHost {
        headers.insert(header::HOST, HeaderValue::from_static("localhost"));
        headers.remove(header::ORIGIN);
    }
    let method = request.method.parse().unwrap();
    let answer = match routes.ask(&method, &headers, &request.target().parse().unwrap()) {
        Err(answer) => answer,
        Ok(query) => {
            let tenant = headers.get("x-tenant").and_then(|name| name.to_str().ok());
            let decide = async {
                match fault {
                    Fault::OneTenant => {
                        Ok(Permit::read_all().publish(sse_core::Pattern::new(">").unwrap()).unwrap())
                    }
                    _ => app.permit(tenant, &query.ask),
                }
            };
            let body = stream::iter([Ok::<_, Error>(&*request.body)]);
            routes.answer(&query, decide, collect(body, routes.max_body())).await
        }
    };
    match answer {
        sse_core::__private::MountResponse::Stream(stream) => Answer::Stream(stream),
        sse_core::__private::MountResponse::Text(response) => Answer::Whole(*response),
    }
}

async fn receipt(publishing: <Publish as IntoFuture>::IntoFuture, fault: Fault) -> Answer {
    match publishing.await {
        Ok(receipt) => {
            let (id, receivers) = (receipt.cursor, receipt.receivers.unwrap_or(0));
            let body = format!(r#"{{"id":"{id}","receivers":{receivers}}}"#);
            Answer::Text { status: 200, kind: "application/json", body }
        }
        Err(error) => refusal(error.into(), fault),
    }
}

fn refusal(error: Error, fault: Fault) -> Answer {
    let status = if fault == Fault::ErrorIs500 { 500 } else { error.status().as_u16() };
    if fault == Fault::ErrorIsText {
        return Answer::Text { status, kind: "text/plain", body: error.to_string() };
    }
    Answer::Whole(error.into_response())
}

/// Sends head and body, and gives up when the reader leaves.
async fn send(socket: &mut TcpStream, stream: EventStream, method: &str, fault: Fault) -> Option<()> {
    let response = stream.into_response();
    let no_content = response.status().as_u16() == 204 && fault != Fault::FinishedIs200;
    let status =
        if no_content || response.status().as_u16() != 204 { response.status() } else { StatusCode::OK };
    let mut head = format!("HTTP/1.1 {status}\r\n");
    for (name, value) in response.headers() {
        let is_hidden = match fault {
            Fault::NoAccelHeader => name == "x-accel-buffering",
            Fault::DropsGap => name == "sse-gap",
            Fault::NoVary => name == "vary",
            _ => false,
        };
        if !is_hidden {
            head.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
        }
    }
    head.push_str(if no_content { "\r\n" } else { "transfer-encoding: chunked\r\n\r\n" });
    socket.write_all(head.as_bytes()).await.ok()?;
    if no_content || method == "HEAD" && fault != Fault::HeadHasBody {
        return Some(());
    }
    let is_coded = response.headers().contains_key("content-encoding");
    let body = response.into_body().map(|Ok(bytes)| bytes);
    let body = if fault == Fault::ReadsAhead { read_ahead(body).boxed() } else { body.boxed() };
    let mut body = pin!(body);
    let mut breaker = Breaker::new(fault);
    let (mut reading, mut writing) = socket.split();
    let mut beat = tokio::time::interval(Duration::from_millis(100));
    loop {
        let mut left = [0];
        tokio::select! {
            // The client sends nothing after its request, so a read that returns means that it has left.
            _ = reading.read(&mut left), if fault != Fault::KeepsTheDead => return None,
            _ = beat.tick(), if fault == Fault::AlwaysBeats => {
                writing.write_all(b"2\r\n:\n\r\n").await.ok()?;
            }
            bytes = body.next() => {
                let Some(mut bytes) = bytes else { break };
                if is_coded {
                    // The trailer is the end of the last chunk.
                    if fault == Fault::BreaksGzip && bytes.ends_with(&[0; 2]) {
                        bytes.truncate(bytes.len() - 8);
                    }
                    writing.write_all(&[format!("{:x}\r\n", bytes.len()).as_bytes(), &bytes, b"\r\n"].concat()).await.ok()?;
                    continue;
                }
                for text in breaker.chunk(&bytes).iter().filter(|text| !text.is_empty()) {
                    let chunk = format!("{:x}\r\n{text}\r\n", text.len());
                    let sent = writing.write_all(chunk.as_bytes()).await;
                    if fault != Fault::KeepsTheDead {
                        sent.ok()?;
                    }
                }
                if breaker.ends_after(&bytes) {
                    break;
                }
            }
        }
    }
    match fault {
        Fault::Cut => None,
        Fault::NeverEnds => std::future::pending().await,
        _ => writing.write_all(b"0\r\n\r\n").await.ok(),
    }
}

/// Takes all chunks at once, whether or not the reader reads.
fn read_ahead<B: Send + 'static>(
    body: impl StreamExt<Item = B> + Send + 'static,
) -> impl StreamExt<Item = B> + Send {
    let (tx, rx) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut body = pin!(body);
        while let Some(bytes) = body.next().await {
            if tx.send(bytes).is_err() {
                return;
            }
        }
    });
    stream::unfold(rx, |mut rx| async move { rx.recv().await.map(|bytes| (bytes, rx)) })
}
