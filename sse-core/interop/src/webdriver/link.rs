use std::net::SocketAddr;

use serde_json::{Value, json};
use sse_testkit::{Exchange, Failed, Outcome, Request};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Mutex,
    time::timeout,
};

use crate::PATIENCE;

/// The method of a command over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Post,
    Delete,
}

/// A command to a browser, in the two protocols that browsers accept.
#[derive(Debug)]
pub(crate) struct Command {
    /// The method, for WebDriver over HTTP.
    pub(crate) verb: Verb,
    /// The path within the session, for WebDriver over HTTP.
    pub(crate) path: String,
    /// Marionette's name for it, after `WebDriver:`.
    pub(crate) name: &'static str,
    /// The parameters; they include an element's `id`, which HTTP has in the path.
    pub(crate) parameters: Value,
}

/// How commands reach a browser.
#[derive(Debug)]
pub(crate) enum Link {
    /// WebDriver over HTTP: <https://www.w3.org/TR/webdriver2/>.
    Http {
        /// The address of the driver.
        driver: SocketAddr,
        /// The session's path.
        session: String,
    },
    /// The same commands as Firefox itself accepts them, without geckodriver to translate: each is a line of JSON
    /// after its length, `[0, number, name, parameters]`, and so is its answer, `[1, number, error, result]`.
    Marionette(Mutex<TcpStream>),
}

impl Link {
    /// Opens a browser's window.
    pub(crate) async fn http(port: u16, capabilities: Value) -> Outcome<Self> {
        let driver = SocketAddr::from(([127, 0, 0, 1], port));
        let wanted = json!({ "capabilities": { "alwaysMatch": capabilities } });
        let session = over_http(driver, Request::post("/session", wanted.to_string())).await?;
        let id = session.get("sessionId").and_then(Value::as_str);
        let id = id.ok_or_else(|| Failed::new(format!("no session in {session}")))?;
        Ok(Self::Http { driver, session: format!("/session/{id}") })
    }

    /// Takes over the window that the browser has opened.
    pub(crate) async fn marionette(port: u16) -> Outcome<Self> {
        let mut firefox = TcpStream::connect(("127.0.0.1", port)).await?;
        // It begins with a packet that identifies it.
        packet(&mut firefox).await?;
        over_marionette(&mut firefox, "NewSession", &json!({})).await?;
        Ok(Self::Marionette(Mutex::new(firefox)))
    }

    /// Sends a command, and returns its value.
    pub(crate) async fn call(&self, command: Command) -> Outcome<Value> {
        let Command { verb, path, name, parameters } = command;
        match self {
            Self::Http { driver, session } => {
                let target = format!("{session}/{path}");
                let request = match verb {
                    Verb::Get => Request::get(target),
                    Verb::Post => Request::post(target, parameters.to_string()),
                    Verb::Delete => Request::delete(target),
                };
                over_http(*driver, request).await
            }
            Self::Marionette(firefox) => over_marionette(&mut *firefox.lock().await, name, &parameters).await,
        }
    }
}

async fn over_http(driver: SocketAddr, request: Request) -> Outcome<Value> {
    let mut answer = Exchange::send(driver, request, PATIENCE).await?;
    answer.to_end().await?;
    let mut body: Value = serde_json::from_slice(answer.body())?;
    let value = body.get_mut("value").map(Value::take).unwrap_or_default();
    if answer.status() == 200 { Ok(value) } else { Err(refused(&value)) }
}

async fn over_marionette(firefox: &mut TcpStream, name: &str, parameters: &Value) -> Outcome<Value> {
    let command = json!([0, 0, format!("WebDriver:{name}"), parameters]).to_string();
    firefox.write_all(format!("{}:{command}", command.len()).as_bytes()).await?;
    // One command at a time, so the next packet is its answer.
    let mut answer = timeout(PATIENCE, packet(firefox)).await??;
    match answer.get(2) {
        // Some results are in a `value`, and some are not.
        Some(Value::Null) => {
            let place = if answer.pointer("/3/value").is_some() { "/3/value" } else { "/3" };
            Ok(answer.pointer_mut(place).map(Value::take).unwrap_or_default())
        }
        Some(error) => Err(refused(error)),
        None => Err(Failed::new(format!("not an answer: {answer}"))),
    }
}

async fn packet(firefox: &mut TcpStream) -> Outcome<Value> {
    let mut length = 0;
    loop {
        match firefox.read_u8().await? {
            digit @ b'0'..=b'9' if length < 1 << 30 => length = length * 10 + usize::from(digit - b'0'),
            b':' => break,
            other => return Err(Failed::new(format!("byte {other} is no digit of a length"))),
        }
    }
    let mut packet = vec![0; length];
    firefox.read_exact(&mut packet).await?;
    Ok(serde_json::from_slice(&packet)?)
}

fn refused(error: &Value) -> Failed {
    let message = error.get("message").and_then(Value::as_str).unwrap_or("no message");
    Failed::new(format!("the browser: {message}"))
}
